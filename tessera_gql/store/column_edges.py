"""Queries of column lineage: the edges on which changes travel, and which columns are made from which."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, delete, select

from tessera_gql.policy.lineage_walk import AssetEdge
from tessera_gql.store.compiled import PreparedQuery, in_values, list_parameter
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import Asset, AssetDependency, ColumnEdge, table

TABLE = table(ColumnEdge)
DEPENDENCIES = table(AssetDependency)
_TARGETS = table(Asset).alias("target_assets")
_SOURCES = table(Asset).alias("source_assets")

list_by_sources = RowQuery(ColumnEdge, "source_asset_id")
list_by_targets = RowQuery(ColumnEdge, "target_asset_id")


@dataclass(frozen=True, order=True)
class AssetPair:
    """Two assets between which columns are linked."""

    target: UUID
    source: UUID


def _select_edges() -> Select[Any]:
    """Select the edges to live assets, with the owners of both ends."""
    statement = (
        select(
            DEPENDENCIES.c.dependency_asset_id.label("source"),
            _SOURCES.c.owner_team_id.label("source_owner"),
            DEPENDENCIES.c.dependent_asset_id.label("target"),
            _TARGETS.c.owner_team_id.label("target_owner"),
        )
        .join(_SOURCES, _SOURCES.c.id == DEPENDENCIES.c.dependency_asset_id)
        .join(_TARGETS, _TARGETS.c.id == DEPENDENCIES.c.dependent_asset_id)
        .where(_TARGETS.c.archived_at.is_(None))
    )
    return cast("Select[Any]", statement)


async def load_edges_between(session: Session, asset_ids: Collection[UUID]) -> list[AssetEdge]:
    """Load the edges whose ends are both among the assets; an end is a live asset."""
    is_between = and_(
        session.in_values(DEPENDENCIES.c.dependency_asset_id, asset_ids),
        session.in_values(DEPENDENCIES.c.dependent_asset_id, asset_ids),
    )
    rows = await session.rows(_select_edges().where(is_between))
    return [AssetEdge(row.source, row.source_owner, row.target, row.target_owner) for row in rows]


def _build_own_edges(dialect: str) -> Select[Any]:
    edges = _select_edges()
    source = DEPENDENCIES.c.dependency_asset_id
    walk = edges.where(in_values(dialect, source, list_parameter("starts", source))).cte("walk", recursive=True)
    is_own = walk.c.target_owner == walk.c.source_owner
    # UNION drops edges that were reached before, which ends cycles.
    return select(walk.union(edges.join(walk, and_(walk.c.target == source, is_own))))


_OWN_EDGES = PreparedQuery(_build_own_edges)


async def load_own_edges(session: Session, starts: Sequence[UUID]) -> list[AssetEdge]:
    """Load the edges to live assets that start at the assets, or at tables of the same owner that are made from them.

    The edges to tables of other owners are the last ones of a path.
    """
    rows = await session.fetch(_OWN_EDGES, starts=[*starts])
    return [AssetEdge(row.source, row.source_owner, row.target, row.target_owner) for row in rows]


async def find_upstream(session: Session, asset_ids: Sequence[UUID]) -> list[UUID]:
    """Find the assets whose changes travel to these, or to tables that are made from them: their upstream.

    On the way from an upstream asset, all tables but the last one belong to its owner.
    """
    sources = select(
        DEPENDENCIES.c.dependency_asset_id.label("asset_id"), _SOURCES.c.owner_team_id.label("owner_id")
    ).join(_SOURCES, _SOURCES.c.id == DEPENDENCIES.c.dependency_asset_id)
    walk = sources.where(session.in_values(DEPENDENCIES.c.dependent_asset_id, asset_ids)).cte("walk", recursive=True)
    is_own = walk.c.owner_id == _SOURCES.c.owner_team_id
    following = sources.join(walk, walk.c.asset_id == DEPENDENCIES.c.dependent_asset_id).where(is_own)
    walk = walk.union(following)
    rows = await session.rows(select(walk.c.asset_id).distinct())
    return sorted(row.asset_id for row in rows)


async def list_sources(session: Session, asset_ids: Sequence[UUID]) -> list[UUID]:
    """List the assets that these are made from, or read."""
    is_target = session.in_values(DEPENDENCIES.c.dependent_asset_id, asset_ids)
    rows = await session.rows(select(DEPENDENCIES.c.dependency_asset_id).where(is_target).distinct())
    return sorted(row.dependency_asset_id for row in rows)


_REMOVE_PAIR = PreparedQuery(
    lambda _dialect: delete(TABLE).where(
        TABLE.c.target_asset_id == bindparam("target"), TABLE.c.source_asset_id == bindparam("source")
    )
)


async def remove_pairs(session: Session, pairs: Collection[AssetPair]) -> None:
    """Remove the column edges of pairs of assets."""
    if pairs:
        await session.run_many(_REMOVE_PAIR, [{"target": pair.target, "source": pair.source} for pair in pairs])


async def remove_without_dependency(session: Session, targets: Sequence[UUID]) -> None:
    """Remove the column edges of targets between which and their source no dependency is left."""
    has_dependency = (
        select(DEPENDENCIES.c.id)
        .where(
            DEPENDENCIES.c.dependent_asset_id == TABLE.c.target_asset_id,
            DEPENDENCIES.c.dependency_asset_id == TABLE.c.source_asset_id,
        )
        .exists()
    )
    await session.execute(delete(TABLE).where(session.in_values(TABLE.c.target_asset_id, targets), ~has_dependency))
