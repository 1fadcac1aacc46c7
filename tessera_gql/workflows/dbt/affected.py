"""Find the teams that the breaking tables of a plan affect, by the walk of a publish, with few statements."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.policy.affected_teams import AffectedTeams, FieldReader, find_affected_teams
from tessera_gql.policy.lineage_walk import AssetEdge, ColumnLink, LineageWalk, OwnLineage, add_lineage, list_family
from tessera_gql.store import column_edges, registrations, usage
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Registration
from tessera_gql.workflows.affected_teams import to_links
from tessera_gql.workflows.dbt.column_lineage import Edge, combine_edges, read_all
from tessera_gql.workflows.dbt.plan import ManifestPlan, TablePlan
from tessera_gql.workflows.dbt.readers import TableReader
from tessera_gql.workflows.readers import load_reader_debts

OBSERVED = "observed reads"
"""The purpose of readers that a usage source has seen."""
UNANSWERED = "a forced publish that it has not answered"
"""The purpose of teams that are readers because of a debt."""
Links = Mapping[tuple[UUID, UUID], Sequence[ColumnLink]]


@dataclass(frozen=True)
class PlanLineage:
    """The lineage and the readers of breaking tables and of what their owners make from them, after the plan.

    `released` is the lineage of the queries of the manifest, by which an ask knows what no longer reads a change.
    """

    present: OwnLineage
    released: OwnLineage
    readers: Mapping[UUID, Sequence[TableReader]]

    def find_teams(self, table: TablePlan, owner: UUID, unaffected: Collection[UUID]) -> AffectedTeams:
        """Find the teams that a table affects."""
        breaking, asset = table.judgement.breaking, table.asset_id
        if asset is None:
            return AffectedTeams({}, frozenset())
        readers = [reader.field_reader for reader in self.readers.get(asset, ())]
        teams = find_affected_teams(breaking, readers, owner)
        walk = LineageWalk(asset, owner, breaking, self.present, unaffected)
        return add_lineage(teams, breaking, walk.find_teams())

    def find_unaffected(self, table: TablePlan, owner: UUID, compatible: Collection[UUID]) -> frozenset[UUID]:
        """Find the tables, among those that stay compatible, whose new queries no longer read the change."""
        if table.asset_id is None:
            return frozenset()
        breaking: Sequence[Change] = table.judgement.breaking
        walk = LineageWalk(table.asset_id, owner, breaking, self.present)
        return frozenset(walk.find_untouched(self.released).intersection(compatible))


async def load_plan_lineage(session: Session, plan: ManifestPlan, asset_ids: Sequence[UUID]) -> PlanLineage:
    """Load what the walk from these assets needs, and apply the changes of the plan to it."""
    added = plan.lineage.added if plan.purpose.is_sync else ()
    known_ids = {asset.id for asset in plan.state.assets.values()}
    starts = sorted({*asset_ids, *(dependent for dependent, _ in added if dependent in known_ids)})
    edges = _apply_edges(plan, await column_edges.load_own_edges(session, starts))
    family = sorted(list_family(asset_ids, edges))
    links: Links = to_links(await column_edges.list_by_sources(session, family)) if edges else {}
    rows = await registrations.list_live(session, family)
    known_debts = await load_reader_debts(session, family)
    live: dict[UUID, list[Registration]] = defaultdict(list)
    for row in rows:
        live[row.asset_id].append(row)
    changes = plan.registrations.split()
    readers = {
        asset: changes[asset].apply_to(asset, live[asset], known_debts.to_reader)
        if asset in changes
        else [TableReader.of(known_debts.to_reader(row), row.purpose) for row in live[asset]]
        for asset in family
    }
    for asset, observed in (await usage.load_observed_readers(session, family)).items():
        readers[asset] += [TableReader.of(item, OBSERVED) for item in observed]
    for asset, forced in known_debts.forced.items():
        readers[asset] += [TableReader.of(item, UNANSWERED) for item in forced]
    field_readers: dict[UUID, list[FieldReader]] = {
        asset: [reader.field_reader for reader in items] for asset, items in readers.items()
    }
    declared: dict[UUID, set[tuple[UUID, UUID | None]]] = defaultdict(set)
    for row in rows:
        declared[row.asset_id].add((row.consumer_team_id, row.consumer_asset_id))
    for asset, team, consumer in plan.registrations.created:
        declared[asset].add((team, consumer))
    released = OwnLineage(edges, _apply_links(plan, links))
    if not plan.purpose.is_sync:
        released = await _read_released(plan, edges, links)
        edges, links = _follow_consumers(edges, links, released)
    else:
        links = released.links
    return PlanLineage(OwnLineage(edges, links, field_readers, declared), released, readers)


def _apply_edges(plan: ManifestPlan, edges: Sequence[AssetEdge]) -> list[AssetEdge]:
    """Apply what a sync adds and removes; an ask changes no edges."""
    if not plan.purpose.is_sync:
        return [*edges]
    removed, owners = plan.lineage.removed_pairs, plan.owners_by_asset
    added = [
        AssetEdge(source, owners[source], target, owners[target])
        for target, source in plan.lineage.added
        if source in owners and target in owners
    ]
    return [edge for edge in edges if (edge.target, edge.source) not in removed] + added


def _apply_links(plan: ManifestPlan, stored: Links) -> Links:
    """Apply the column lineage that a sync writes."""
    changed = plan.column_lineage.edges.items()
    return {**stored, **{(pair.source, pair.target): _to_column_links(edges) for pair, edges in changed}}


def _follow_consumers(edges: Sequence[AssetEdge], stored: Links, released: OwnLineage) -> tuple[list[AssetEdge], Links]:
    """Take the lineage of other teams' tables from their queries in the manifest, as their registrations are."""
    is_own = {(edge.source, edge.target): edge.source_owner == edge.target_owner for edge in edges}
    remaining = {(edge.source, edge.target) for edge in released.edges}
    links = {pair: released.links[pair] for pair in released.links if not is_own.get(pair, False)}
    return [edge for edge in edges if is_own[edge.source, edge.target] or (edge.source, edge.target) in remaining], {
        **stored,
        **links,
    }


def _to_column_links(edges: Iterable[Edge]) -> list[ColumnLink]:
    return [ColumnLink(*edge) for edge in sorted(edges)]


async def _read_released(plan: ManifestPlan, edges: Sequence[AssetEdge], stored: Links) -> OwnLineage:
    """Read the lineage of the queries in the manifest, for the tables to which the edges lead."""
    state = plan.state
    fqns = {asset.id: asset.fqn for asset in plan.removed} | {asset: fqn for fqn, asset in plan.ids.items()}
    targets = {fqns[edge.target] for edge in edges if edge.target in fqns}
    models = {model.fqn: model for model in state.manifest.models if model.fqn in targets and model.has_compiled_code}
    lineages = await asyncio.to_thread(read_all, state, [*models.values()], plan.cache)
    links, remaining, removed = dict(stored), list[AssetEdge](), {asset.id for asset in plan.removed}
    for edge in edges:
        if edge.target in removed and edge.target_owner != edge.source_owner:
            continue
        source, target = fqns.get(edge.source), fqns.get(edge.target, "")
        lineage = lineages.get(target)
        if source is None or lineage is None or lineage.reason:
            remaining.append(edge)
        elif source in models[target].depends_on:
            remaining.append(edge)
            pair = (edge.source, edge.target)
            before = [(link.source_column, link.target_column, link.kind) for link in stored.get(pair, ())]
            links[pair] = _to_column_links(combine_edges(lineage, source, state.columns.get(source, ()), before))
    return OwnLineage(remaining, links)
