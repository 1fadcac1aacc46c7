"""Queries of lineage: dependencies, and the assets upstream or downstream within a number of steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Column, Executable, Integer, Select, Uuid, bindparam, delete, func, literal, select, text

from tessera_gql.policy.enums import RegistrationStatus
from tessera_gql.store.compiled import PreparedQuery, ValueList, in_values, list_parameter
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import Asset, AssetDependency, Registration, table

MAX_DEPTH = 10
MAX_REACHABLE = 1_000

TABLE = table(AssetDependency)
assets = table(Asset)
_registrations = table(Registration)
by_ids = RowQuery(AssetDependency, "id")
list_of_dependents = RowQuery(AssetDependency, "dependent_asset_id")
list_of_dependencies = RowQuery(AssetDependency, "dependency_asset_id")


class Direction(StrEnum):
    """The direction in which dependencies are followed."""

    UPSTREAM = "UPSTREAM"
    DOWNSTREAM = "DOWNSTREAM"


@dataclass(frozen=True)
class ReachableAsset:
    """An asset that is reachable in `degree` steps along the shortest path."""

    asset_id: UUID
    degree: int


async def find(session: Session, dependent: UUID, dependency: UUID, dependency_type: str) -> AssetDependency | None:
    """Find the dependency of this type between two assets."""
    return await session.find(
        select(TABLE).where(
            TABLE.c.dependent_asset_id == dependent,
            TABLE.c.dependency_asset_id == dependency,
            TABLE.c.dependency_type == dependency_type,
        ),
        AssetDependency,
    )


async def list_all(session: Session) -> list[AssetDependency]:
    """Load all dependencies, in any order."""
    return await session.list(select(TABLE), AssetDependency)


async def remove(session: Session, dependency_ids: Sequence[UUID]) -> None:
    await session.execute(delete(TABLE).where(session.in_values(TABLE.c.id, dependency_ids)))


async def load_reachable(
    session: Session, starts: Sequence[UUID], direction: Direction, depth: int = MAX_DEPTH
) -> dict[UUID, list[ReachableAsset]]:
    """Load the assets within `depth` steps of each start, nearest first, at most MAX_REACHABLE of them."""
    reached: dict[UUID, list[ReachableAsset]] = {start: [] for start in starts}
    if session.dialect == "postgresql":
        rows = await session.rows(_build_postgres_walk(starts, direction, depth))
    else:
        rows = await session.fetch(_SQLITE_WALKS[direction], starts=[*starts], depth=depth)
    for row in rows:
        if len(reached[row.start]) < MAX_REACHABLE:
            reached[row.start].append(ReachableAsset(row.asset_id, row.degree))
    return reached


LEVELS_SQL = """
WITH RECURSIVE walk (start, degree, level, visited) AS (
    SELECT start, 0, ARRAY[start], ARRAY[start] FROM unnest(:starts) AS start
    UNION ALL
    SELECT walk.start, walk.degree + 1, following.level, walk.visited || following.level
    FROM walk, LATERAL (
        SELECT array_agg(DISTINCT {end}) AS level FROM core.asset_dependencies
        WHERE {start} = ANY(walk.level) AND {end} NOT IN (SELECT unnest(walk.visited))
    ) AS following
    WHERE walk.degree < :depth AND cardinality(walk.visited) <= :maximum AND following.level IS NOT NULL
)
SELECT start, degree, unnest(level) AS asset_id FROM walk WHERE degree > 0 ORDER BY start, degree, asset_id
"""
"""A row for each start and level, so that each asset is visited once and the walk stops at the maximum."""


def _build_postgres_walk(starts: Sequence[UUID], direction: Direction, depth: int) -> Executable:
    start, end = _edge_columns(direction)
    sql = LEVELS_SQL.format(start=start.name, end=end.name)
    statement = text(sql).columns(start=Uuid, degree=Integer, asset_id=Uuid)
    parameter = bindparam("starts", list(starts), type_=ValueList(Uuid()))
    return statement.bindparams(parameter, depth=depth, maximum=MAX_REACHABLE)


def _build_sqlite_walk(dialect: str, direction: Direction) -> Select[Any]:
    """Walk step by step, since SQLite has no arrays; an asset is visited once for each of its degrees."""
    start, end = _edge_columns(direction)
    walk = (
        select(start.label("start"), end.label("asset_id"), literal(1).label("degree"))
        .where(in_values(dialect, start, list_parameter("starts", start)))
        .cte("walk", recursive=True)
    )
    # UNION drops assets that were reached at the same degree before; the depth ends cycles.
    walk = walk.union(
        select(walk.c.start, end, walk.c.degree + 1)
        .where(start == walk.c.asset_id, walk.c.degree < bindparam("depth", type_=Integer), end != walk.c.start)
        .select_from(TABLE)
    )
    shortest = func.min(walk.c.degree).label("degree")
    statement = (
        select(walk.c.start, walk.c.asset_id, shortest)
        .where(walk.c.asset_id != walk.c.start)
        .group_by(walk.c.start, walk.c.asset_id)
        .order_by(walk.c.start, shortest, walk.c.asset_id)
    )
    return cast("Select[Any]", statement)


_SQLITE_WALKS = {direction: PreparedQuery(partial(_build_sqlite_walk, direction=direction)) for direction in Direction}


def _edge_columns(direction: Direction) -> tuple[Column[UUID], Column[UUID]]:
    """Return the columns of a dependency where a step starts and where it leads."""
    dependent, dependency = TABLE.c.dependent_asset_id, TABLE.c.dependency_asset_id
    return (dependency, dependent) if direction is Direction.DOWNSTREAM else (dependent, dependency)


async def load_downstream_team_ids(session: Session, asset: UUID) -> frozenset[UUID]:
    """Load the ids of the teams that own or read what is made from the asset, directly or not."""
    return await load_concerned_team_ids(session, (await load_reachable(session, [asset], Direction.DOWNSTREAM))[asset])


async def load_concerned_team_ids(session: Session, reachable: Sequence[ReachableAsset]) -> frozenset[UUID]:
    """Load the ids of the teams that own the reachable assets, or have registered to read them."""
    if not reachable:
        return frozenset()
    rows = await session.fetch(_CONCERNED_IDS, asset_ids=[item.asset_id for item in reachable])
    return frozenset(row.team_id for row in rows)


def _build_concerned_ids(dialect: str) -> Select[Any]:
    is_reached = in_values(dialect, assets.c.id, list_parameter("asset_ids", assets.c.id))
    is_read = in_values(dialect, _registrations.c.asset_id, list_parameter("asset_ids", assets.c.id))
    is_live = _registrations.c.status != RegistrationStatus.INACTIVE
    owners = select(assets.c.owner_team_id.label("team_id")).where(is_reached)
    teams = owners.union(select(_registrations.c.consumer_team_id).where(is_read, is_live)).subquery()
    return select(teams.c.team_id)


_CONCERNED_IDS = PreparedQuery(_build_concerned_ids)
