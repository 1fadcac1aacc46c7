"""What a sync of a manifest in several transactions has done so far, and what is left of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from tessera_gql.workflows.dbt.plan import ManifestPlan
from tessera_gql.workflows.dbt.report import ModelSyncResult, RemovalResult, SyncReport, build_report


@dataclass(frozen=True)
class SyncProgress:
    """The plan of a sync, with what is left of it, and what its transactions have done so far.

    `results` and `removals` are by fqn. `counts` has the rest of the report. The last transaction notifies of `asks`.
    """

    plan: ManifestPlan
    results: Mapping[str, ModelSyncResult] = field(default_factory=dict[str, ModelSyncResult])
    removals: Mapping[str, RemovalResult] = field(default_factory=dict[str, RemovalResult])
    counts: SyncReport = field(default_factory=lambda: SyncReport([]))
    asks: frozenset[UUID] = frozenset()
    is_complete: bool = False

    def with_plan(self, plan: ManifestPlan) -> "SyncProgress":
        """Go on with a new plan."""
        earlier = SyncReport([], warnings=self.plan.warnings, reads=tuple(self.plan.reads))
        counts = earlier.add_counts(self.counts) if self.results else self.counts
        return replace(self, plan=replace(plan, finished=self.plan.finished), counts=counts)

    def build_report(self) -> SyncReport:
        """Build the report of a sync that is complete."""
        return build_report(self.plan, self.results, self.removals).add_counts(self.counts)
