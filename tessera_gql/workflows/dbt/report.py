"""Build the report of a sync, or of a dry run from its plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.errors import Conflict, Invalid, Refusal
from tessera_gql.formats.dbt import Model
from tessera_gql.policy.enums import Outcome
from tessera_gql.policy.table_state import TableState
from tessera_gql.policy.version import FIRST_VERSION
from tessera_gql.workflows.dbt.plan import ManifestPlan, TablePlan
from tessera_gql.workflows.dbt.readers import CrossTeamRead
from tessera_gql.workflows.publishing import PublishResult


class SyncOutcome(StrEnum):
    """The result of a sync for one model."""

    CREATED = "CREATED"
    PUBLISHED = "PUBLISHED"
    PROPOSED = "PROPOSED"
    UNCHANGED = "UNCHANGED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class ModelSyncResult:
    """The result for one model. `reason` is why it was skipped, and `is_refused` whether that is an error.

    A table of another team is skipped without an error. `owner_id` is the team that owns the table, or would own it.
    `version` is the one that is published or proposed; None if nothing changes.
    """

    fqn: str
    outcome: SyncOutcome
    asset_id: UUID | None = None
    contract_id: UUID | None = None
    proposal_id: UUID | None = None
    changes: tuple[Change, ...] = ()
    breaking: tuple[Change, ...] = ()
    reason: str | None = None
    is_refused: bool = False
    owner_id: UUID | None = None
    version: str | None = None


@dataclass(frozen=True)
class RemovalResult:
    """A table that the project had and the manifest has no longer.

    `cause` is why it is gone and `successor` what it was renamed to; `reason` is why it was not retired. `proposal_id`
    is the open proposal to retire it, and `asked` are the teams that read it.
    """

    fqn: str
    asset_id: UUID
    cause: str
    successor: str | None = None
    retired: bool = False
    reason: str | None = None
    proposal_id: UUID | None = None
    asked: tuple[UUID, ...] = ()

    @property
    def proposal_reason(self) -> str:
        """The reason that the asked teams see."""
        return f"The dbt model {self.cause}."


@dataclass(frozen=True)
class SyncReport:
    """The result of a sync in the order of fqns. `warnings` are skipped parts, `reads` newly found consumers."""

    models: Sequence[ModelSyncResult]
    dependencies_added: int = 0
    dependencies_removed: int = 0
    teams_created: int = 0
    warnings: tuple[str, ...] = ()
    removed: tuple[RemovalResult, ...] = ()
    reads: tuple[CrossTeamRead, ...] = ()
    registrations_created: int = 0
    registrations_updated: int = 0
    registrations_ended: int = 0
    declared_only: int = 0
    """The number of tables whose columns rest on the declarations of the manifest alone."""

    def count(self, outcome: SyncOutcome) -> int:
        return sum(model.outcome is outcome for model in self.models)

    def add_counts(self, earlier: "SyncReport") -> "SyncReport":
        """Return the report of a sync with what its earlier transactions did."""
        warnings = tuple(dict.fromkeys((*earlier.warnings, *self.warnings)))
        reads = {(read.fqn, read.upstream): read for read in (*earlier.reads, *self.reads)}
        return replace(
            self,
            dependencies_added=self.dependencies_added + earlier.dependencies_added,
            dependencies_removed=self.dependencies_removed + earlier.dependencies_removed,
            teams_created=self.teams_created + earlier.teams_created,
            registrations_created=self.registrations_created + earlier.registrations_created,
            registrations_updated=self.registrations_updated + earlier.registrations_updated,
            registrations_ended=self.registrations_ended + earlier.registrations_ended,
            warnings=warnings,
            reads=tuple(reads.values()),
        )


SKIPPED_STATES = frozenset({TableState.SKIPPED, TableState.REFUSED, TableState.CONFLICT})
PUBLISHED_STATES = frozenset({TableState.COMPATIBLE, TableState.APPROVED, TableState.UNREAD})


def foresee_outcome(table: TablePlan) -> SyncOutcome:
    """Return the outcome that a sync would have for a table of the manifest."""
    if table.state in SKIPPED_STATES:
        return SyncOutcome.SKIPPED
    if table.state is TableState.NEW or (table.judgement.is_first and table.version == FIRST_VERSION):
        return SyncOutcome.CREATED
    if table.state in PUBLISHED_STATES:
        return SyncOutcome.PUBLISHED
    return SyncOutcome.UNCHANGED if table.outcome is Outcome.UNCHANGED else SyncOutcome.PROPOSED


def to_result(table: TablePlan) -> ModelSyncResult:
    """Convert the plan of a table to the result that a sync would report."""
    return ModelSyncResult(
        table.fqn,
        foresee_outcome(table),
        table.asset_id,
        table.contract_id,
        table.proposal.id if table.proposal else None,
        table.judgement.changes,
        table.judgement.breaking,
        table.reason,
        is_refused=table.state in {TableState.REFUSED, TableState.CONFLICT},
        version=None if table.state in SKIPPED_STATES else table.version,
    )


def to_published(model: Model, result: PublishResult) -> ModelSyncResult:
    """Convert the result of a publish."""
    return ModelSyncResult(
        fqn=model.fqn,
        outcome=SyncOutcome(result.outcome if result.outcome is not Outcome.FORCED else Outcome.PUBLISHED),
        asset_id=result.asset.id,
        contract_id=result.contract.id if result.contract else None,
        proposal_id=result.proposal.id if result.proposal else None,
        changes=result.changes,
        breaking=result.judgement.breaking,
    )


def to_removal(table: TablePlan) -> RemovalResult | None:
    """Convert the plan of a table that is gone; None for a table of the manifest."""
    if table.removal is None or table.asset_id is None:
        return None
    return RemovalResult(
        table.fqn,
        table.asset_id,
        table.removal.reason,
        table.removal.successor,
        reason=table.reason,
        proposal_id=table.proposal.id if table.proposal else None,
        asked=tuple(table.affected.asked),
    )


def build_report(
    plan: ManifestPlan,
    results: Mapping[str, ModelSyncResult] | None = None,
    removals: Mapping[str, RemovalResult] | None = None,
) -> SyncReport:
    """Build the report of a plan, with the results of what a sync did instead of what the plan foresees."""
    tables = [plan.tables[fqn] for fqn in sorted(plan.tables)]
    foreseen = {table.fqn: to_result(table) for table in tables if table.removal is None}
    foreseen |= results or {}
    foreseen_removals = {table.fqn: removal for table in tables if (removal := to_removal(table))}
    foreseen_removals |= removals or {}
    registrations = plan.registrations
    return SyncReport(
        models=[replace(foreseen[fqn], owner_id=plan.state.owners.get(fqn)) for fqn in sorted(foreseen)],
        dependencies_added=len(plan.lineage.added),
        dependencies_removed=len(plan.lineage.removed),
        teams_created=len(plan.new_teams),
        warnings=plan.warnings,
        removed=tuple(foreseen_removals[fqn] for fqn in sorted(foreseen_removals)),
        reads=tuple(plan.reads),
        registrations_created=len(registrations.created),
        registrations_updated=len(registrations.updated),
        registrations_ended=len(registrations.ended),
        declared_only=plan.declared_only,
    )


def table_error(table: TablePlan) -> Refusal:
    """Return the refusal of a whole manifest because of one table."""
    error = Conflict if table.state is TableState.CONFLICT else Invalid
    return error(f"{table.fqn}: {table.reason}", field=("manifest",))
