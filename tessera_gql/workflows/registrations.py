"""Register the fields that teams read. An open proposal also asks affected teams that register later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from tessera_gql.diff import small_schema_size
from tessera_gql.errors import Conflict, Invalid
from tessera_gql.policy import validation
from tessera_gql.policy.access import Action, Actor, authorize, require_consumer_asset
from tessera_gql.policy.affected_teams import require_declared_fields
from tessera_gql.policy.archive import require_live_asset
from tessera_gql.policy.enums import Evidence, RegistrationStatus, ReleaseKind
from tessera_gql.policy.event_changes import describe_changes, list_changed
from tessera_gql.policy.events import RegistrationCreated, RegistrationEnded, RegistrationUpdated
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.policy.version import parse_version
from tessera_gql.store import assets, contracts, registrations
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, Registration, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.acknowledgment_requests import ReleaseEvidence
from tessera_gql.workflows.archiving import require_live_teams
from tessera_gql.workflows.debts import settle_corrected
from tessera_gql.workflows.proposal_lifecycle import update_upstream_proposals
from tessera_gql.workflows.reopening import Registrants
from tessera_gql.workflows.teams import require_row_version, resolve_acting_team

MAX_FIELDS = 5_000


@dataclass(frozen=True)
class RegistrationDetails:
    """Details of a registration; `fields` None is everything. A pinned version does not exempt from being asked."""

    fields: tuple[str, ...] | None = None
    pinned_version: str | None = None
    purpose: str | None = None
    metadata: Any = None


async def register(
    session: Session,
    actor: Actor,
    ref: AssetRef,
    *,
    team: TeamRef | None = None,
    consumer_asset: AssetRef | None = None,
    details: RegistrationDetails,
) -> Registration:
    """Register a consumer; raises Conflict for a second live registration, Invalid for unknown fields.

    Raises Conflict as well for an archived asset or team.
    """
    consumer = await resolve_acting_team(session, actor, Action.REGISTER, team)
    via = await _load_consumer_asset(session, consumer_asset, consumer)
    require_consumer_asset(actor, via.fqn if via else None)
    asset = await _lock_with_consumer(session, ref, via)
    require_live_asset(asset)
    if via is not None and via.id == asset.id:
        raise Invalid("An asset can't be registered as its own reader.", field=("consumerAsset",))
    if existing_row := await registrations.find_live(session, asset.id, consumer, via.id if via else None):
        raise Conflict(
            f"This team is registered with {asset.fqn} already"
            f" ({encode_global_id('Registration', existing_row.id)}). Change it with updateRegistration."
        )
    cleaned = await _clean(session, asset, details)
    row = Registration(
        id=new_id(),
        asset_id=asset.id,
        consumer_team_id=consumer,
        consumer_asset_id=via.id if via else None,
        fields=None if cleaned.fields is None else list(cleaned.fields),
        pinned_version=cleaned.pinned_version,
        status=RegistrationStatus.ACTIVE,
        evidence=Evidence.DECLARED,
        purpose=cleaned.purpose,
        registered_at=session.now,
        acknowledged_at=None,
        meta=cleaned.metadata,
        row_version=1,
        created_at=session.now,
        updated_at=session.now,
    )
    await session.insert(row, conflict_message="This team registered at this moment.")
    await require_live_teams(session, consumer)
    record_created(session, row, asset.owner_team_id)
    is_concerned = await _update_asked_teams(session, actor, asset, row)
    return await registrations.get(session, row.id) if is_concerned else row


async def update(
    session: Session, actor: Actor, row_id: UUID, *, changes: dict[str, Any], expected_row_version: int | None = None
) -> Registration:
    """Update what `changes` has: fields, pinned_version, purpose, metadata; None is a value."""
    asset, row, is_changed = await change(session, actor, row_id, changes, expected_row_version)
    if not is_changed:
        return row
    await settle_corrected(session, [asset.id])
    await _update_asked_teams(session, actor, asset, row)
    return await registrations.get(session, row_id)


async def change(
    session: Session, actor: Actor, row_id: UUID, changes: dict[str, Any], expected_row_version: int | None = None
) -> tuple[Asset, Registration, bool]:
    """Change a registration as `update` does, without its consequences for debts and proposals.

    Returns the row before the change, and whether there was any.
    """
    asset, row = await _lock_live(session, actor, Action.UPDATE_REGISTRATION, row_id, expected_row_version)
    known_fields = registrations.to_reader(row).fields
    before = RegistrationDetails(known_fields, row.pinned_version, row.purpose, row.meta)
    cleaned = await _clean(session, asset, replace(before, **changes), known_fields=known_fields)
    values = {
        "fields": None if cleaned.fields is None else list(cleaned.fields),
        "pinned_version": cleaned.pinned_version,
        "purpose": cleaned.purpose,
        "meta": cleaned.metadata,
    }
    return asset, row, await update_columns(session, row, asset.owner_team_id, values)


async def unregister(
    session: Session, actor: Actor, row_id: UUID, *, expected_row_version: int | None = None
) -> Registration:
    """End a registration; an open proposal no longer asks the team because of it."""
    asset, row = await _lock_live(session, actor, Action.UNREGISTER, row_id, expected_row_version)
    await end(session, row, asset.owner_team_id)
    await settle_corrected(session, [asset.id])
    await _update_asked_teams(session, actor, asset, row)
    return await registrations.get(session, row_id)


async def _update_asked_teams(session: Session, actor: Actor, asset: Asset, row: Registration) -> bool:
    """Update the asked teams of open proposals; return whether there are any."""
    evidence = ReleaseEvidence(ReleaseKind.REGISTRATION, encode_global_id("Registration", row.id))
    registrants = Registrants(frozenset({row.consumer_team_id}), actor.is_admin)
    return await update_upstream_proposals(session, [asset.id], evidence, registrants, includes_assets=True)


def record_created(session: Session, row: Registration, owner: UUID) -> None:
    _record(session, RegistrationCreated, row, owner, reads=registrations.to_reader(row).fields)


async def update_columns(session: Session, row: Registration, owner: UUID, values: Mapping[str, Any]) -> bool:
    """Update the columns that differ; return whether any does."""
    changed_values = {name: value for name, value in values.items() if value != getattr(row, name)}
    if changed_values:
        await session.update_row(Registration, row.id, **changed_values, row_version=row.row_version + 1)
        changed, changes = list_changed(changed_values), describe_changes(row, changed_values)
        _record(session, RegistrationUpdated, row, owner, changed=changed, changes=changes)
    return bool(changed_values)


async def end(session: Session, row: Registration, owner: UUID) -> None:
    """Mark a registration as ended."""
    version = row.row_version + 1
    await session.update_row(Registration, row.id, status=RegistrationStatus.INACTIVE, row_version=version)
    _record(session, RegistrationEnded, row, owner)


def _record(
    session: Session,
    event: type[RegistrationCreated | RegistrationUpdated | RegistrationEnded],
    row: Registration,
    owner: UUID,
    **payload: Any,
) -> None:
    """Record an event of a registration for its team and the `owner` of the asset."""
    team, audience = row.consumer_team_id, frozenset({row.consumer_team_id, owner})
    subject: dict[str, Any] = {"asset_id": row.asset_id, "registration_id": row.id, "consumer_team_id": team}
    session.record(event(audience_team_ids=audience, **subject, **payload))


async def _lock_live(
    session: Session, actor: Actor, action: Action, row_id: UUID, expected_row_version: int | None
) -> tuple[Asset, Registration]:
    row = await registrations.get(session, row_id)
    authorize(actor, action, row.consumer_team_id)
    asset = await assets.lock(session, AssetRef(id=row.asset_id))
    row = await registrations.get(session, row_id)
    if row.status is RegistrationStatus.INACTIVE:
        raise Conflict("This registration has ended already. Register again if the team reads the asset again.")
    require_row_version(row.row_version, expected_row_version, "registration")
    return asset, row


async def _load_consumer_asset(session: Session, ref: AssetRef | None, consumer: UUID) -> Asset | None:
    if ref is None:
        return None
    asset = await assets.get(session, ref, field=("consumerAsset",))
    if asset.owner_team_id != consumer:
        raise Invalid(
            f"{asset.fqn} belongs to another team. Name an asset of the registering team, or leave it out.",
            field=("consumerAsset",),
        )
    require_live_asset(asset, field=("consumerAsset",))
    return asset


async def _lock_with_consumer(session: Session, ref: AssetRef, via: Asset | None) -> Asset:
    """Lock an asset with the one that reads it, which may not be archived or transferred meanwhile."""
    if via is None:
        return await assets.lock(session, ref)
    asset_id = (await assets.get(session, ref)).id
    await assets.lock_by_ids(session, [asset_id, via.id])
    await _load_consumer_asset(session, AssetRef(id=via.id), via.owner_team_id)
    return await assets.get(session, AssetRef(id=asset_id))


async def _clean(
    session: Session, asset: Asset, details: RegistrationDetails, *, known_fields: tuple[str, ...] | None = None
) -> RegistrationDetails:
    """Validate and clean; fields registered before (`known_fields`) stay valid if the schema has lost them."""
    fields = details.fields
    if fields is not None:
        if not fields:
            raise Invalid(
                "`fields` is empty. Name the fields that are read, or leave it out for everything.", field=("fields",)
            )
        if len(fields) > MAX_FIELDS:
            raise Invalid(f"`fields` names {len(fields)} paths; {MAX_FIELDS} is the limit.", field=("fields",))
        fields = tuple(dict.fromkeys(fields))
        active = await contracts.find_active(session, asset.id)
        if active is not None:
            new_fields = [path for path in fields if path not in (known_fields or ())]
            await _require_declared(session, new_fields, active)
    if details.pinned_version is not None:
        parse_version(details.pinned_version)
    return RegistrationDetails(
        fields,
        details.pinned_version,
        validation.clean_text(details.purpose, "purpose"),
        validation.clean_metadata(details.metadata),
    )


async def _require_declared(session: Session, paths: Sequence[str], contract: Contract) -> None:
    """Raise Invalid for a field that the contract does not declare."""
    if small_schema_size(contract.schema_def) is not None:
        require_declared_fields(paths, contract.schema_def)
        return
    key = ("known fields", contract.id, *paths)
    await session.compute(require_declared_fields, paths, contract.schema_def, key=key)
