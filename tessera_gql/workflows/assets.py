"""Assets come to be, change hands and change their default compatibility mode."""

from dataclasses import dataclass
from typing import Any

from tessera_gql.diff import Mode
from tessera_gql.errors import Conflict
from tessera_gql.policy import naming
from tessera_gql.policy.access import Actor, Verb, acting_team, require_owner
from tessera_gql.policy.events import AssetCreated, AssetUpdated
from tessera_gql.policy.words import ResourceType
from tessera_gql.store import assets, registrations, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.teams import expect


@dataclass(frozen=True)
class AssetDetails:
    """What describes an asset; None means "the default" on creating and "as it is" on updating."""

    owner: TeamRef | None = None
    resource_type: ResourceType | None = None
    description: str | None = None
    compatibility_mode: Mode | None = None
    metadata: Any = None


async def create(session: Session, actor: Actor, *, fqn: str, details: AssetDetails) -> Asset:
    """Raises Conflict for an fqn that exists in any case."""
    chosen = naming.fqn(fqn)
    named = await teams.get(session, details.owner, field=("owner",)) if details.owner else None
    owner = acting_team(actor, Verb.CREATE_ASSET, named.id if named else None)
    if taken := await assets.by_fqns(session, [chosen]):
        raise Conflict(
            f"An asset {taken[0].fqn} exists already (names ignore case). Publish to it, or choose another fqn.",
            field=("fqn",),
        )
    asset = Asset(
        id=new_id(),
        fqn=chosen,
        fqn_key=assets.key(chosen),
        owner_team_id=owner,
        resource_type=details.resource_type or ResourceType.TABLE,
        description=naming.prose(details.description, "description"),
        compatibility_mode=details.compatibility_mode or Mode.BACKWARD,
        meta=naming.metadata(details.metadata),
        row_version=1,
        created_at=session.now,
    )
    await session.insert(asset, clash=f"An asset {chosen} was created at this moment.")
    session.record(AssetCreated(teams=frozenset({owner}), asset_id=asset.id, fqn=chosen))
    return asset


async def update(
    session: Session,
    actor: Actor,
    ref: AssetRef,
    *,
    details: AssetDetails,
    expected_row_version: int | None = None,
) -> Asset:
    """Only the owning team. A new owner or mode is told to the consumers."""
    asset = await assets.lock(session, ref)
    owner = (await teams.by_ids(session, [asset.owner_team_id]))[0]
    require_owner(actor, Verb.UPDATE_ASSET, owner.id, what=f"update {asset.fqn}", owner_name=owner.name)
    expect(asset.row_version, expected_row_version, "asset")
    values = await _changes(session, asset, details)
    if not values:
        return asset
    await session.update(Asset, assets.rows.c.id == asset.id, **values, row_version=asset.row_version + 1)
    names = {"meta": "metadata", "owner_team_id": "owner"}
    told = {asset.owner_team_id, values.get("owner_team_id", asset.owner_team_id)}
    if {"owner_team_id", "compatibility_mode"} & values.keys():
        told |= {one.consumer_team_id for one in await registrations.live_of(session, [asset.id])}
    changed = tuple(sorted(names.get(key, key) for key in values))
    session.record(AssetUpdated(teams=frozenset(told), asset_id=asset.id, changed=changed))
    return await assets.get(session, AssetRef(id=asset.id))


async def _changes(session: Session, asset: Asset, details: AssetDetails) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if details.resource_type is not None:
        wanted["resource_type"] = details.resource_type
    if details.compatibility_mode is not None:
        wanted["compatibility_mode"] = details.compatibility_mode
    if details.owner is not None:
        wanted["owner_team_id"] = (await teams.get(session, details.owner, field=("owner",))).id
    if details.description is not None:
        wanted["description"] = naming.prose(details.description, "description")
    if details.metadata is not None:
        wanted["meta"] = naming.metadata(details.metadata)
    return {key: value for key, value in wanted.items() if value != getattr(asset, key)}
