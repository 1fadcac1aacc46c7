"""Create, update, rename and transfer assets, and set their tiers."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tessera_gql.diff import Mode
from tessera_gql.errors import Conflict, Invalid
from tessera_gql.policy import validation
from tessera_gql.policy.access import Action, Actor, authorize, require_schema
from tessera_gql.policy.archive import require_live_team
from tessera_gql.policy.catalog_events import AssetRenamed
from tessera_gql.policy.enums import AssetTier, ResourceType
from tessera_gql.policy.event_changes import describe_changes, list_changed
from tessera_gql.policy.events import AssetCreated, AssetUpdated
from tessera_gql.store import assets, registrations, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.affected_teams import lock_with_sources
from tessera_gql.workflows.archiving import require_live_teams
from tessera_gql.workflows.proposal_lifecycle import update_upstream_proposals
from tessera_gql.workflows.teams import require_owning_team, require_row_version, resolve_acting_team

NO_SUCCESSOR = AssetRef()
"""Marks that no asset replaces this one."""
MAX_SUCCESSORS = 50


@dataclass(frozen=True)
class AssetDetails:
    """Attributes of an asset; None means "the default" on creation and "unchanged" on update.

    The `tier` is a suggestion, which only an administrator confirms. `superseded_by` is for an update alone;
    NO_SUCCESSOR removes it.
    """

    owner: TeamRef | None = None
    resource_type: ResourceType | None = None
    description: str | None = None
    compatibility_mode: Mode | None = None
    metadata: Any = None
    tier: AssetTier | None = None
    superseded_by: AssetRef | None = None


async def create(session: Session, actor: Actor, *, fqn: str, details: AssetDetails) -> Asset:
    """Create an asset; raises Conflict for an fqn that exists in any case."""
    clean_fqn = validation.clean_fqn(fqn)
    owner = await resolve_acting_team(session, actor, Action.CREATE_ASSET, details.owner, field=("owner",))
    require_schema(actor, clean_fqn)
    await _require_free(session, clean_fqn)
    asset = new_asset(session, clean_fqn, owner, details)
    await session.insert(asset, conflict_message=f"An asset {clean_fqn} was created at this moment.")
    await require_live_teams(session, owner, field=("owner",))
    record_created(session, asset)
    return asset


async def _require_free(session: Session, fqn: str) -> None:
    if duplicates := await assets.by_fqns(session, [fqn]):
        is_archived = duplicates[0].archived_at is not None
        advice = "It is archived: restore it with unarchiveAsset" if is_archived else "Publish to it"
        raise Conflict(
            f"An asset {duplicates[0].fqn} exists already (names ignore case). {advice}, or choose another fqn.",
            field=("fqn",),
        )


def new_asset(session: Session, fqn: str, owner: UUID, details: AssetDetails) -> Asset:
    """Build an asset with a clean fqn; the owner of the details is not looked at."""
    return Asset(
        id=new_id(),
        fqn=fqn,
        fqn_key=assets.key(fqn),
        owner_team_id=owner,
        resource_type=details.resource_type or ResourceType.TABLE,
        description=validation.clean_text(details.description, "description"),
        compatibility_mode=details.compatibility_mode or Mode.BACKWARD,
        meta=validation.clean_metadata(details.metadata),
        tier=details.tier or AssetTier.NORMAL,
        is_tier_confirmed=False,
        row_version=1,
        created_at=session.now,
        updated_at=session.now,
    )


def record_created(session: Session, asset: Asset) -> None:
    session.record(AssetCreated(audience_team_ids=frozenset({asset.owner_team_id}), asset_id=asset.id, fqn=asset.fqn))


async def update(
    session: Session, actor: Actor, ref: AssetRef, *, details: AssetDetails, expected_row_version: int | None = None
) -> Asset:
    """Update an asset as its owning team. Consumers are notified of a new owner or compatibility mode.

    A new owner proposes the open change from now on: the former owner is asked if it reads the asset, and the new one
    no longer.
    """
    asset = await assets.lock(session, ref)
    await require_owning_team(session, actor, Action.UPDATE_ASSET, asset, f"update {asset.fqn}")
    require_row_version(asset.row_version, expected_row_version, "asset")
    values = await _changed_values(session, asset, details)
    if "owner_team_id" in values:
        authorize(actor, Action.TRANSFER_ASSET, asset.owner_team_id)
    if not values:
        return asset
    if "owner_team_id" in values:
        await lock_with_sources(session, [asset.id])
    await session.update_row(Asset, asset.id, **values, row_version=asset.row_version + 1)
    audience = {asset.owner_team_id, values.get("owner_team_id", asset.owner_team_id)}
    if {"owner_team_id", "compatibility_mode"} & values.keys():
        audience |= {row.consumer_team_id for row in await registrations.list_live(session, [asset.id])}
    event = AssetUpdated(
        audience_team_ids=frozenset(audience),
        asset_id=asset.id,
        changed=list_changed(values),
        changes=describe_changes(asset, values),
    )
    session.record(event)
    updated = await assets.get(session, AssetRef(id=asset.id))
    if "owner_team_id" in values:
        await require_live_teams(session, updated.owner_team_id, field=("owner",))
        await update_upstream_proposals(session, [asset.id], includes_assets=True)
    return updated


async def rename(
    session: Session, actor: Actor, ref: AssetRef, fqn: str, *, expected_row_version: int | None = None
) -> Asset:
    """Give an asset another fqn, with all of its history; raises Conflict for an fqn that exists in any case.

    A project's key needs both names in its schemas. The old name is free afterwards.
    """
    asset = await assets.lock(session, ref)
    await require_owning_team(session, actor, Action.RENAME_ASSET, asset, f"rename {asset.fqn}")
    require_row_version(asset.row_version, expected_row_version, "asset")
    clean_fqn = validation.clean_fqn(fqn)
    require_schema(actor, clean_fqn)
    if clean_fqn == asset.fqn:
        return asset
    if assets.key(clean_fqn) != asset.fqn_key:
        await _require_free(session, clean_fqn)
    names = {"fqn": clean_fqn, "fqn_key": assets.key(clean_fqn)}
    await session.update_row(Asset, asset.id, **names, row_version=asset.row_version + 1)
    readers = {row.consumer_team_id for row in await registrations.list_live(session, [asset.id])}
    audience = frozenset({asset.owner_team_id, *readers})
    session.record(AssetRenamed(audience_team_ids=audience, asset_id=asset.id, before=asset.fqn, after=clean_fqn))
    return await assets.get(session, AssetRef(id=asset.id))


async def set_tier(
    session: Session, actor: Actor, ref: AssetRef, tier: AssetTier, *, expected_row_version: int | None = None
) -> Asset:
    """Set and confirm the tier of an asset, as an administrator. Asks that are open keep their policy."""
    authorize(actor, Action.SET_ASSET_TIER, None)
    asset = await assets.lock(session, ref)
    require_row_version(asset.row_version, expected_row_version, "asset")
    values = {"tier": tier, "is_tier_confirmed": True}
    values = {name: value for name, value in values.items() if value != getattr(asset, name)}
    if not values:
        return asset
    await session.update_row(Asset, asset.id, **values, row_version=asset.row_version + 1)
    event = AssetUpdated(
        audience_team_ids=frozenset({asset.owner_team_id}),
        asset_id=asset.id,
        changed=list_changed(values),
        changes=describe_changes(asset, values),
    )
    session.record(event)
    return await assets.get(session, AssetRef(id=asset.id))


async def _changed_values(session: Session, asset: Asset, details: AssetDetails) -> dict[str, Any]:
    values: dict[str, Any] = {"resource_type": details.resource_type, "compatibility_mode": details.compatibility_mode}
    values = {name: value for name, value in values.items() if value is not None}
    if details.owner is not None:
        owner = await teams.get(session, details.owner, field=("owner",))
        require_live_team(owner, field=("owner",))
        values["owner_team_id"] = owner.id
    if details.description is not None:
        values["description"] = validation.clean_text(details.description, "description")
    if details.metadata is not None:
        values["meta"] = validation.clean_metadata(details.metadata)
    if details.tier is not None:
        values["tier"] = _suggest_tier(asset, details.tier)
    if details.superseded_by is not None:
        values["superseded_by_id"] = await _find_successor(session, asset, details.superseded_by)
    return {key: value for key, value in values.items() if value != getattr(asset, key)}


def _suggest_tier(asset: Asset, tier: AssetTier) -> AssetTier:
    """Return the suggested tier; raise Conflict if an administrator has set another one."""
    if tier is not asset.tier and asset.is_tier_confirmed:
        raise Conflict(
            f"An administrator has set the tier of {asset.fqn} to {asset.tier}. Ask one to change it.", field=("tier",)
        )
    return tier


async def _find_successor(session: Session, asset: Asset, ref: AssetRef) -> UUID | None:
    """Return the id of the asset that replaces this one; raise Invalid if that would lead back to this one."""
    if ref == NO_SUCCESSOR:
        return None
    successor = await assets.get(session, ref, field=("supersededBy",))
    following, steps = successor, 0
    while following.id != asset.id and following.superseded_by_id is not None and steps < MAX_SUCCESSORS:
        (following,) = await assets.by_ids(session, [following.superseded_by_id])
        steps += 1
    if following.id == asset.id:
        raise Invalid(
            f"{asset.fqn} can't be superseded by {successor.fqn}, which is itself superseded by it, or the same asset.",
            field=("supersededBy",),
        )
    return successor.id
