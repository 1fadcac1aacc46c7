"""Add and remove lineage edges, as the team that owns the dependent asset."""

from collections.abc import Collection
from uuid import UUID

from tessera_gql.errors import Conflict, Invalid
from tessera_gql.policy.access import Action, Actor
from tessera_gql.policy.archive import require_live_asset
from tessera_gql.policy.enums import DependencyType, Evidence
from tessera_gql.policy.events import DependencyAdded, DependencyRemoved
from tessera_gql.store import assets, column_edges, lineage
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, AssetDependency, new_id
from tessera_gql.workflows.proposal_lifecycle import update_upstream_proposals
from tessera_gql.workflows.teams import require_owning_team


async def add(
    session: Session, actor: Actor, *, dependent: AssetRef, dependency: AssetRef, type_: DependencyType
) -> AssetDependency:
    """Add an edge; raises Conflict if it exists. Cycles are allowed, because warehouses have them."""
    source, asset = await _lock_both(session, dependency, dependent)
    await require_owning_team(session, actor, Action.ADD_DEPENDENCY, asset, f"say what {asset.fqn} depends on")
    require_live_asset(asset, field=("dependent",))
    require_live_asset(source, field=("dependency",))
    if source.id == asset.id:
        raise Invalid("An asset can't depend on itself. Name another asset.", field=("dependency",))
    if await lineage.find(session, asset.id, source.id, type_):
        raise Conflict(f"{asset.fqn} already {type_.lower()} {source.fqn}. Nothing is left to do.")
    row = new_dependency(session, asset, source, type_)
    await session.insert(row, conflict_message="This dependency was added at this moment.")
    record_event(session, DependencyAdded, row, {asset.owner_team_id, source.owner_team_id})
    await update_upstream_proposals(session, [source.id], includes_assets=True)
    return row


async def _lock_both(session: Session, dependency: AssetRef, dependent: AssetRef) -> tuple[Asset, Asset]:
    """Lock both assets of an edge: neither may be archived meanwhile, and a proposal of one asks about the other."""
    source = await assets.get(session, dependency, field=("dependency",))
    asset = await assets.get(session, dependent, field=("dependent",))
    await assets.lock_by_ids(session, [source.id, asset.id])
    rows = {row.id: row for row in await assets.by_ids(session, [source.id, asset.id])}
    return rows[source.id], rows[asset.id]


async def remove(
    session: Session, actor: Actor, *, dependent: AssetRef, dependency: AssetRef, type_: DependencyType
) -> AssetDependency:
    """Remove an edge; raises Conflict if there is none."""
    source, asset = await _lock_both(session, dependency, dependent)
    await require_owning_team(session, actor, Action.REMOVE_DEPENDENCY, asset, f"say what {asset.fqn} depends on")
    row = await lineage.find(session, asset.id, source.id, type_)
    if row is None:
        raise Conflict(f"{asset.fqn} does not {type_.lower().removesuffix('s')} {source.fqn}. Look at its upstream.")
    await lineage.remove(session, [row.id])
    await column_edges.remove_without_dependency(session, [asset.id])
    await update_upstream_proposals(session, [source.id], includes_assets=True)
    record_event(session, DependencyRemoved, row, {asset.owner_team_id, source.owner_team_id})
    return row


def new_dependency(
    session: Session, dependent: Asset, dependency: Asset, type_: DependencyType, evidence: Evidence = Evidence.DECLARED
) -> AssetDependency:
    return AssetDependency(
        id=new_id(),
        dependent_asset_id=dependent.id,
        dependency_asset_id=dependency.id,
        dependency_type=type_,
        evidence=evidence,
        created_at=session.now,
    )


def record_event(
    session: Session,
    event: type[DependencyAdded | DependencyRemoved],
    row: AssetDependency,
    audience_team_ids: Collection[UUID],
) -> None:
    """Record an event of an edge for the owners of both assets."""
    session.record(
        event(
            audience_team_ids=frozenset(audience_team_ids),
            asset_id=row.dependent_asset_id,
            dependency_id=row.id,
            dependency_asset_id=row.dependency_asset_id,
            dependency_type=row.dependency_type,
        )
    )
