"""Create and update assets."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tessera_gql.diff import Mode
from tessera_gql.errors import Conflict
from tessera_gql.policy import validation
from tessera_gql.policy.access import Action, Actor, authorize, require_schema
from tessera_gql.policy.enums import ResourceType
from tessera_gql.policy.event_changes import describe_changes, list_changed
from tessera_gql.policy.events import AssetCreated, AssetUpdated
from tessera_gql.store import assets, registrations, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.teams import require_owning_team, require_row_version, resolve_acting_team
from tessera_gql.workflows.upstream_proposals import lock_with_sources, update_upstream_proposals


@dataclass(frozen=True)
class AssetDetails:
    """Attributes of an asset; None means "the default" on creation and "unchanged" on update."""

    owner: TeamRef | None = None
    resource_type: ResourceType | None = None
    description: str | None = None
    compatibility_mode: Mode | None = None
    metadata: Any = None


async def create(session: Session, actor: Actor, *, fqn: str, details: AssetDetails) -> Asset:
    """Create an asset; raises Conflict for an fqn that exists in any case."""
    clean_fqn = validation.clean_fqn(fqn)
    owner = await resolve_acting_team(session, actor, Action.CREATE_ASSET, details.owner, field=("owner",))
    require_schema(actor, clean_fqn)
    if duplicates := await assets.by_fqns(session, [clean_fqn]):
        raise Conflict(
            f"An asset {duplicates[0].fqn} exists already (names ignore case). Publish to it, or choose another fqn.",
            field=("fqn",),
        )
    asset = new_asset(session, clean_fqn, owner, details)
    await session.insert(asset, conflict_message=f"An asset {clean_fqn} was created at this moment.")
    record_created(session, asset)
    return asset


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
        row_version=1,
        created_at=session.now,
    )


def record_created(session: Session, asset: Asset) -> None:
    session.record(AssetCreated(audience_team_ids=frozenset({asset.owner_team_id}), asset_id=asset.id, fqn=asset.fqn))


async def update(
    session: Session, actor: Actor, ref: AssetRef, *, details: AssetDetails, expected_row_version: int | None = None
) -> Asset:
    """Update an asset as its owning team. Consumers are notified of a new owner or compatibility mode."""
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
    if "owner_team_id" in values:
        await update_upstream_proposals(session, [asset.id])
    return await assets.get(session, AssetRef(id=asset.id))


async def _changed_values(session: Session, asset: Asset, details: AssetDetails) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if details.resource_type is not None:
        values["resource_type"] = details.resource_type
    if details.compatibility_mode is not None:
        values["compatibility_mode"] = details.compatibility_mode
    if details.owner is not None:
        values["owner_team_id"] = (await teams.get(session, details.owner, field=("owner",))).id
    if details.description is not None:
        values["description"] = validation.clean_text(details.description, "description")
    if details.metadata is not None:
        values["meta"] = validation.clean_metadata(details.metadata)
    return {key: value for key, value in values.items() if value != getattr(asset, key)}
