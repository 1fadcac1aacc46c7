"""The registrations and the lineage that come with new tables."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from tessera_gql.store.column_edges import AssetPair
from tessera_gql.workflows.dbt.column_lineage import ColumnLineageChanges, Edge
from tessera_gql.workflows.dbt.lineage import LineageChanges
from tessera_gql.workflows.dbt.plan import ManifestPlan
from tessera_gql.workflows.dbt.readers import DbtRegistration, RegistrationChanges, RegistrationKey


@dataclass(frozen=True)
class TableParts:
    """What comes with some new tables. The hash of the lineage of a table is among it if all of its lineage is."""

    registrations: RegistrationChanges
    lineage: LineageChanges
    columns: ColumnLineageChanges


class NewTables:
    """What a plan registers and links for its new tables, grouped by table, to be taken table by table.

    A table that reads one that has no row yet leaves that part to the end. Only tables that read each other do.
    """

    def __init__(self, plan: ManifestPlan) -> None:
        self._missing = {plan.ids[model.fqn] for model in plan.list_open(plan.new_models)}
        self._readers: dict[UUID | None, dict[RegistrationKey, DbtRegistration]] = defaultdict(dict)
        self._edges: dict[UUID, list[tuple[UUID, UUID]]] = defaultdict(list)
        self._columns = plan.column_lineage.group_by_target()
        self._stamps = dict(plan.column_lineage.stamps)
        for key, reader in plan.registrations.created.items():
            self._readers[key[2]][key] = reader
        for edge in plan.lineage.added:
            self._edges[edge[0]].append(edge)

    def take(self, asset_ids: Collection[UUID]) -> TableParts:
        """Take out what comes with tables that are about to be created."""
        self._missing.difference_update(asset_ids)
        created: dict[RegistrationKey, DbtRegistration] = {}
        added: list[tuple[UUID, UUID]] = []
        for asset in asset_ids:
            for key in [key for key in self._readers[asset] if key[0] not in self._missing]:
                created[key] = self._readers[asset].pop(key)
            edges = self._edges.pop(asset, [])
            added += [edge for edge in edges if edge[1] not in self._missing]
            self._edges[asset] = [edge for edge in edges if edge[1] in self._missing]
        return TableParts(RegistrationChanges(created), LineageChanges(added), self._take_columns(asset_ids, added))

    def _take_columns(self, asset_ids: Iterable[UUID], added: Iterable[tuple[UUID, UUID]]) -> ColumnLineageChanges:
        """Take out the column edges between tables that are linked, and the hashes of tables without others."""
        edges: dict[AssetPair, frozenset[Edge]] = {}
        for target, source in added:
            pair = AssetPair(target, source)
            if (columns := self._columns.get(target, {}).pop(pair, None)) is not None:
                edges[pair] = columns
        complete = [asset for asset in asset_ids if not self._columns.get(asset) and asset in self._stamps]
        return ColumnLineageChanges(edges, {asset: self._stamps.pop(asset) for asset in complete})

    def leave_untaken(self, plan: ManifestPlan) -> ManifestPlan:
        """Return the plan with the registrations and edges that were not taken."""
        created = {key: reader for readers in self._readers.values() for key, reader in readers.items()}
        edges = [edge for edges in self._edges.values() for edge in edges]
        columns = {pair: edges for by_pair in self._columns.values() for pair, edges in by_pair.items()}
        return replace(
            plan,
            registrations=replace(plan.registrations, created=created),
            lineage=replace(plan.lineage, added=edges),
            column_lineage=replace(plan.column_lineage, edges=columns, stamps=self._stamps),
        )
