"""Inform the teams that read a deprecated field by way of other tables, once, with the way.

It happens at the end of the transaction, for all deprecations together, when the lineage of a sync is written as well.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from tessera_gql.policy import deprecation
from tessera_gql.policy.affected_teams import FieldReader, LineagePath, Reasons
from tessera_gql.policy.deprecation_events import DownstreamDeprecationDeclared
from tessera_gql.policy.lineage_walk import AssetEdge, LineageWalk, OwnLineage, treat_as_own
from tessera_gql.store import assets, column_edges, deprecations, lineage, registrations
from tessera_gql.store.lineage import Direction
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Deprecation
from tessera_gql.workflows.affected_teams import measure_work, run_sized, to_links
from tessera_gql.workflows.readers import load_readers

WORK_NAME = "inform downstream readers of deprecations"
MAX_LISTED = 20
"""Deprecations and routes that one event lists."""


@dataclass(frozen=True)
class DeprecatedField:
    """A deprecation as lineage carries it: its id, and the path that goes away."""

    fingerprint: str
    fields: tuple[str]


class _Declarations:
    """The deprecations of a transaction, with the teams that were informed of each directly."""

    def __init__(self) -> None:
        self.audiences: dict[UUID, frozenset[UUID]] = {}

    async def __call__(self, session: Session) -> None:
        rows = await deprecations.by_ids(session, [*self.audiences])
        await _inform(session, [row for row in rows if row.ended_at is None], self.audiences)


def inform_downstream_at_commit(session: Session, deprecation_id: UUID, audience: frozenset[UUID]) -> None:
    """Inform downstream readers of a new deprecation at the end of the transaction, but for the `audience` of it."""
    work = session.before_commit.setdefault(WORK_NAME, _Declarations())
    cast("_Declarations", work).audiences[deprecation_id] = audience


async def _inform(session: Session, rows: Sequence[Deprecation], audiences: Mapping[UUID, Collection[UUID]]) -> None:
    by_asset: dict[UUID, list[Deprecation]] = defaultdict(list)
    for row in rows:
        by_asset[row.asset_id].append(row)
    reached = await lineage.load_reachable(session, sorted(by_asset), Direction.DOWNSTREAM) if by_asset else {}
    starts = {asset for asset, reachable in reached.items() if reachable}
    if not starts:
        return
    asset_ids = starts.union(item.asset_id for asset in starts for item in reached[asset])
    edges = await column_edges.load_edges_between(session, asset_ids)
    links = to_links(await column_edges.list_by_sources(session, sorted(asset_ids)))
    readers = await _load_all_readers(session, edges)
    known_assets = {row.id: row for row in await assets.by_ids(session, sorted(asset_ids))}
    lineages: dict[UUID, OwnLineage] = {}
    for asset_id in sorted(starts):
        owner = known_assets[asset_id].owner_team_id
        if owner not in lineages:
            lineages[owner] = OwnLineage(treat_as_own(edges, owner), links, readers)
        fields = [DeprecatedField(str(row.id), (row.path,)) for row in by_asset[asset_id]]
        walk = LineageWalk(asset_id, owner, fields, lineages[owner])
        teams = await run_sized(measure_work(lineages[owner], fields, readers), walk.find_teams)
        for team, reasons in sorted(teams.items()):
            informed = [row for row in by_asset[asset_id] if team not in audiences[row.id]]
            _record(session, team, informed, reasons, known_assets)


async def _load_all_readers(session: Session, edges: Sequence[AssetEdge]) -> dict[UUID, list[FieldReader]]:
    """Load the readers of the tables to which edges lead; the owner of a table reads all that it is made from."""
    owners = {edge.target: edge.target_owner for edge in edges}
    readers = await load_readers(session, sorted(owners), await registrations.list_live(session, sorted(owners)))
    for asset_id, owner in owners.items():
        readers[asset_id].append(FieldReader(owner, None))
    return readers


def _record(
    session: Session, team: UUID, rows: Sequence[Deprecation], reasons: Reasons, known_assets: Mapping[UUID, Asset]
) -> None:
    """Record an event of the deprecations that reach a team, if there are any."""
    informed = [row for row in rows if str(row.id) in reasons.fingerprints]
    if not informed:
        return
    identities = {str(row.id) for row in informed}
    paths = [path for path in reasons.paths if path.fingerprint in identities]
    event = DownstreamDeprecationDeclared(
        audience_team_ids=frozenset({team}),
        asset_id=informed[0].asset_id,
        team_id=team,
        count=len(informed),
        deprecations=tuple(row.id for row in informed[:MAX_LISTED]),
        paths=tuple(row.path for row in informed[:MAX_LISTED]),
        routes=tuple(_describe_route(path, known_assets) for path in paths[:MAX_LISTED]),
    )
    session.record(event)


def _describe_route(path: LineagePath, known_assets: Mapping[UUID, Asset]) -> str:
    """Describe the way from the deprecated field to the one that the team reads."""
    names = [deprecation.name_of(known_assets[asset].fqn, column) for asset, column in path.steps]
    return " → ".join(names) + ("" if path.is_known else " (lineage unknown)")
