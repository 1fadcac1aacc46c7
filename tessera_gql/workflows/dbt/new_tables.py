"""The registrations and the lineage that come with new tables."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from tessera_gql.workflows.dbt.lineage import LineageChanges
from tessera_gql.workflows.dbt.plan import ManifestPlan
from tessera_gql.workflows.dbt.readers import DbtRegistration, RegistrationChanges, RegistrationKey


class NewTables:
    """What a plan registers and links for its new tables, grouped by table, to be taken table by table.

    A table that reads one that has no row yet leaves that part to the end. Only tables that read each other do.
    """

    def __init__(self, plan: ManifestPlan) -> None:
        self._missing = {plan.ids[model.fqn] for model in plan.list_open(plan.new_models)}
        self._readers: dict[UUID | None, dict[RegistrationKey, DbtRegistration]] = defaultdict(dict)
        self._edges: dict[UUID, list[tuple[UUID, UUID]]] = defaultdict(list)
        for key, reader in plan.registrations.created.items():
            self._readers[key[2]][key] = reader
        for edge in plan.lineage.added:
            self._edges[edge[0]].append(edge)

    def take(self, asset_ids: Iterable[UUID]) -> tuple[RegistrationChanges, LineageChanges]:
        """Take out the registrations and edges of tables that have just been created."""
        self._missing.difference_update(asset_ids)
        created: dict[RegistrationKey, DbtRegistration] = {}
        added: list[tuple[UUID, UUID]] = []
        for asset in asset_ids:
            for key in [key for key in self._readers[asset] if key[0] not in self._missing]:
                created[key] = self._readers[asset].pop(key)
            edges = self._edges.pop(asset, [])
            added += [edge for edge in edges if edge[1] not in self._missing]
            self._edges[asset] = [edge for edge in edges if edge[1] in self._missing]
        return RegistrationChanges(created), LineageChanges(added)

    def leave_untaken(self, plan: ManifestPlan) -> ManifestPlan:
        """Return the plan with the registrations and edges that were not taken."""
        created = {key: reader for readers in self._readers.values() for key, reader in readers.items()}
        edges = [edge for edges in self._edges.values() for edge in edges]
        return replace(
            plan, registrations=replace(plan.registrations, created=created), lineage=replace(plan.lineage, added=edges)
        )
