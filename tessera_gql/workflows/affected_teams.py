"""Find the teams that breaking changes of an asset affect: its readers, and those of tables that are made from it."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import ParamSpec, TypeVar
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.policy.affected_teams import AffectedTeams, find_affected_teams
from tessera_gql.policy.lineage_walk import (
    ColumnLink,
    LineageWalk,
    OwnLineage,
    ReadersByAsset,
    add_lineage,
    list_family,
)
from tessera_gql.store import assets, column_edges, lineage, registrations
from tessera_gql.store.lineage import Direction, ReachableAsset
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, ColumnEdge
from tessera_gql.workflows.readers import BATCH_SIZE, load_readers

P = ParamSpec("P")
T = TypeVar("T")

SMALL_WORK = 1_000
"""Steps of a walk that take a few milliseconds at most; a longer one must not stop the event loop."""


def measure_work(lineage: OwnLineage, breaking: Sequence[object], readers: ReadersByAsset) -> int:
    """Estimate the steps of a walk: each change may travel along each edge, and each reader may read each of them."""
    return len(lineage.edges) * len(breaking) + sum(map(len, readers.values()))


async def run_sized(steps: int, work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Run a computation of so many steps, in a thread of its own if these are many."""
    if steps > SMALL_WORK:
        return await asyncio.to_thread(work, *arguments, **options)
    return work(*arguments, **options)


async def load_affected_teams(
    session: Session,
    asset: Asset,
    breaking: Sequence[Change],
    downstream: Sequence[ReachableAsset] | None = None,
    unaffected: Collection[UUID] = (),
) -> AffectedTeams:
    """Find affected teams among consumers, without the owner, which proposes the changes.

    Lineage is followed through tables of the owner, but not into those that are `unaffected`. Owners and readers of
    `downstream` (loaded if None) are informed as well.
    """
    own_lineage = await load_own_lineage(session, asset)
    readers = own_lineage.readers.get(asset.id, ())
    steps = len(breaking) + len(readers)
    affected = await run_sized(steps, find_affected_teams, breaking, readers, asset.owner_team_id)
    if own_lineage.edges and breaking:
        walk = LineageWalk(asset.id, asset.owner_team_id, breaking, own_lineage, unaffected)
        walked = await run_sized(measure_work(own_lineage, breaking, own_lineage.readers), walk.find_teams)
        affected = add_lineage(affected, breaking, walked)
    if downstream is None:
        downstream = (await lineage.load_reachable(session, [asset.id], Direction.DOWNSTREAM))[asset.id]
    teams = await lineage.load_concerned_team_ids(session, downstream)
    informed = (affected.informed | teams).difference(affected.asked, {asset.owner_team_id})
    return AffectedTeams(affected.asked, informed)


async def load_own_lineage(session: Session, asset: Asset) -> OwnLineage:
    """Load the lineage and the readers of an asset and of the tables of its owner that are made from it."""
    edges = await column_edges.load_own_edges(session, [asset.id])
    family = sorted(list_family([asset.id], edges))
    links = to_links(await column_edges.list_by_sources(session, family)) if edges else {}
    rows = await registrations.list_live(session, family)
    declared: dict[UUID, set[tuple[UUID, UUID | None]]] = defaultdict(set)
    for number, row in enumerate(rows if edges else ()):
        declared[row.asset_id].add((row.consumer_team_id, row.consumer_asset_id))
        if number % BATCH_SIZE == 0:
            await asyncio.sleep(0)
    readers = await load_readers(session, family, rows, asset.id)
    return OwnLineage(edges, links, readers, declared)


def to_links(rows: Sequence[ColumnEdge]) -> dict[tuple[UUID, UUID], list[ColumnLink]]:
    """Group column edges by the pair of their assets."""
    links: dict[tuple[UUID, UUID], list[ColumnLink]] = defaultdict(list)
    for row in rows:
        pair = (row.source_asset_id, row.target_asset_id)
        links[pair].append(ColumnLink(row.source_column, row.target_column, row.kind))
    return links


async def lock_family(session: Session, asset: Asset) -> None:
    """Lock the tables of the owner that are made from a locked asset, before their readers are read."""
    if session.dialect == "sqlite":
        return
    while missing := await load_families(session, [asset.id]) - session.locked_asset_ids:
        await assets.lock_more(session, missing)


async def load_families(session: Session, asset_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Load the ids of the assets and of the tables of the same owner that are made from them."""
    return list_family(asset_ids, await column_edges.load_own_edges(session, asset_ids))


async def lock_with_sources(session: Session, asset_ids: Collection[UUID]) -> None:
    """Lock assets whose owner or lineage is about to change, and what they are made from."""
    await assets.lock_more(session, {*asset_ids, *await column_edges.list_sources(session, [*asset_ids])})
