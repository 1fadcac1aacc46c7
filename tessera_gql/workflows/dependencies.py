"""Add and remove lineage edges, as the team that owns the dependent asset."""

from tessera_gql.errors import Conflict, Invalid
from tessera_gql.policy.access import Action, Actor, require_owner
from tessera_gql.policy.enums import DependencyType, Evidence
from tessera_gql.policy.events import DependencyAdded, DependencyRemoved
from tessera_gql.store import assets, lineage, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, AssetDependency, new_id


async def add(
    session: Session, actor: Actor, *, dependent: AssetRef, dependency: AssetRef, kind: DependencyType
) -> AssetDependency:
    """Add an edge; raises Conflict if it exists. Cycles are allowed, because warehouses have them."""
    source = await assets.get(session, dependency, field=("dependency",))
    asset = await assets.lock(session, dependent, field=("dependent",))
    await _require_owner(session, actor, Action.ADD_DEPENDENCY, asset)
    if source.id == asset.id:
        raise Invalid("An asset can't depend on itself. Name another asset.", field=("dependency",))
    if await lineage.find(session, asset.id, source.id, kind):
        raise Conflict(f"{asset.fqn} already {kind.lower()} {source.fqn}. Nothing is left to do.")
    edge = AssetDependency(
        id=new_id(),
        dependent_asset_id=asset.id,
        dependency_asset_id=source.id,
        dependency_type=kind,
        evidence=Evidence.DECLARED,
        created_at=session.now,
    )
    await session.insert(edge, conflict_message="This dependency was added at this moment.")
    session.record(
        DependencyAdded(
            audience_team_ids=frozenset({asset.owner_team_id, source.owner_team_id}),
            asset_id=asset.id,
            dependency_id=edge.id,
            dependency_asset_id=source.id,
            dependency_type=kind,
        )
    )
    return edge


async def remove(
    session: Session, actor: Actor, *, dependent: AssetRef, dependency: AssetRef, kind: DependencyType
) -> AssetDependency:
    """Remove an edge; raises Conflict if there is none."""
    source = await assets.get(session, dependency, field=("dependency",))
    asset = await assets.lock(session, dependent, field=("dependent",))
    await _require_owner(session, actor, Action.REMOVE_DEPENDENCY, asset)
    edge = await lineage.find(session, asset.id, source.id, kind)
    if edge is None:
        raise Conflict(f"{asset.fqn} does not {kind.lower().removesuffix('s')} {source.fqn}. Look at its upstream.")
    await lineage.remove(session, [edge.id])
    session.record(
        DependencyRemoved(
            audience_team_ids=frozenset({asset.owner_team_id, source.owner_team_id}),
            asset_id=asset.id,
            dependency_id=edge.id,
            dependency_asset_id=source.id,
            dependency_type=kind,
        )
    )
    return edge


async def _require_owner(session: Session, actor: Actor, verb: Action, asset: Asset) -> None:
    owner = (await teams.by_ids(session, [asset.owner_team_id]))[0]
    require_owner(actor, verb, owner.id, action_text=f"say what {asset.fqn} depends on", owner_name=owner.name)
