"""Questions about lineage: edges, and everything up or down the stream within a number of steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, literal, select

from tessera_gql.errors import NotFound
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, AssetDependency, table

MAX_DEPTH = 10
MAX_REACHED = 1_000

rows = table(AssetDependency)
assets = table(Asset)


class Direction(StrEnum):
    UPSTREAM = "UPSTREAM"
    DOWNSTREAM = "DOWNSTREAM"


@dataclass(frozen=True)
class Reached:
    """An asset `degree` steps away, by the shortest way."""

    asset_id: UUID
    degree: int


async def by_ids(session: Session, wanted: Sequence[UUID]) -> list[AssetDependency]:
    return await session.list(select(rows).where(session.among(rows.c.id, wanted)), AssetDependency)


async def get(session: Session, identity: UUID) -> AssetDependency:
    found = await by_ids(session, [identity])
    if not found:
        raise NotFound(f"There is no dependency {identity}. Look at the asset's upstream.", field=("dependency",))
    return found[0]


async def find(session: Session, dependent: UUID, dependency: UUID, kind: str) -> AssetDependency | None:
    return await session.find(
        select(rows).where(
            rows.c.dependent_asset_id == dependent,
            rows.c.dependency_asset_id == dependency,
            rows.c.dependency_type == kind,
        ),
        AssetDependency,
    )


async def reach(
    session: Session, starts: Sequence[UUID], direction: Direction, depth: int = MAX_DEPTH
) -> dict[UUID, list[Reached]]:
    """What lies within `depth` steps of each start, nearest first, at most MAX_REACHED; cycles end by themselves."""
    near, far = rows.c.dependent_asset_id, rows.c.dependency_asset_id
    if direction is Direction.DOWNSTREAM:
        near, far = far, near
    walk = (
        select(near.label("start"), far.label("asset_id"), literal(1).label("degree"))
        .where(session.among(near, starts))
        .cte("walk", recursive=True)
    )
    # UNION drops what was reached before at the same degree; the depth bounds the rest.
    walk = walk.union(
        select(walk.c.start, far, walk.c.degree + 1)
        .where(near == walk.c.asset_id, walk.c.degree < depth, far != walk.c.start)
        .select_from(rows)
    )
    shortest = func.min(walk.c.degree).label("degree")
    statement = (
        select(walk.c.start, walk.c.asset_id, shortest)
        .where(walk.c.asset_id != walk.c.start)
        .group_by(walk.c.start, walk.c.asset_id)
        .order_by(walk.c.start, shortest, walk.c.asset_id)
    )
    found: dict[UUID, list[Reached]] = {start: [] for start in starts}
    for row in (await session.execute(statement)).all():
        if len(found[row.start]) < MAX_REACHED:
            found[row.start].append(Reached(row.asset_id, row.degree))
    return found


async def downstream_owners(session: Session, asset: UUID) -> frozenset[UUID]:
    """The teams that build on the asset, however indirectly."""
    reached = (await reach(session, [asset], Direction.DOWNSTREAM))[asset]
    statement = select(assets.c.owner_team_id).where(session.among(assets.c.id, [one.asset_id for one in reached]))
    return frozenset((await session.execute(statement.distinct())).scalars().all())
