"""Models of the reports about a dbt manifest: its sync, and its impact."""

from datetime import datetime

from pydantic import Field

from tessera_gql.client.base_model import Model
from tessera_gql.client.coverage_models import CoverageSummary, MissingCoverage, ProposalHold
from tessera_gql.client.enums import AcknowledgmentResponse, PublishOutcome, TableState
from tessera_gql.client.models import (
    AssetSummary,
    ChangeSetSummary,
    ChangeSummary,
    ContractSummary,
    ProposalSummary,
    TeamSummary,
)
from tessera_gql.client.result_models import AskedTeam


class SyncedProposal(ProposalSummary):
    """The proposal of a table; with a `hold` it waits for coverage."""

    hold: ProposalHold | None = None


class SyncedModel(Model):
    """The result of a sync for one model. `reason` says why the model was skipped, `is_refused` whether by an error."""

    fqn: str
    outcome: str
    version: str | None
    reason: str | None
    is_refused: bool
    owner: TeamSummary | None
    asset: AssetSummary | None
    contract: ContractSummary | None
    proposal: SyncedProposal | None
    changes: tuple[ChangeSummary, ...]
    breaking: tuple[ChangeSummary, ...]


class RemovedModel(Model):
    """A table that left the manifest. `cause` says why, and `reason` why its contract could not be retired.

    `asked` are the teams that read it.
    """

    fqn: str
    cause: str
    successor: str | None
    retired: bool
    reason: str | None
    proposal: SyncedProposal | None
    asked: tuple[TeamSummary, ...]


class ModelRead(Model):
    """What a model reads of another team's table. `fields` None means all fields; `reason` says why."""

    fqn: str
    upstream: str
    fields: tuple[str, ...] | None
    reason: str | None = Field(alias="why")


class OpenProposal(ProposalSummary):
    """The open proposal of a table, and the change set that it belongs to."""

    change_set: ChangeSetSummary | None = None


class ManifestReport(Model):
    """The result of a sync, with one entry per model of the manifest."""

    dependencies_added: int
    dependencies_removed: int
    teams_created: int
    registrations_created: int
    registrations_updated: int
    registrations_ended: int
    warnings: tuple[str, ...]
    removed: tuple[RemovedModel, ...]
    reads: tuple[ModelRead, ...]
    declared_only: int
    models: tuple[SyncedModel, ...]


class TableRead(Model):
    """What one registration of a team reads of a table. `fields` None means all fields."""

    fields: tuple[str, ...] | None
    purpose: str | None


class ModelReader(AskedTeam):
    """A team that a change of a table affects: what it reads, and its acknowledgment of the open proposal."""

    reads: tuple[TableRead, ...]
    response: AcknowledgmentResponse | None
    notes: str | None
    migration_deadline: datetime | None
    until: datetime | None
    silence_means: str | None


class ModelImpact(Model):
    """What a sync would do for one table. `refused` says why a sync would skip or refuse it.

    `removed` says why a table is gone from the manifest, and `successor` names the table it was renamed to.
    """

    fqn: str
    unique_id: str | None
    state: TableState
    outcome: PublishOutcome
    is_new: bool
    is_safe: bool
    version: str | None
    refused: str | None
    removed: str | None
    successor: str | None
    answer_by: datetime | None
    changes: tuple[ChangeSummary, ...]
    breaking: tuple[ChangeSummary, ...]
    asked: tuple[ModelReader, ...]
    informed: tuple[TeamSummary, ...]
    missing_coverage: tuple[MissingCoverage, ...] = ()
    coverage: CoverageSummary | None = None
    open_proposal: OpenProposal | None


class DeprecatedRead(Model):
    """What a model starts to read although it is deprecated. `path` None means the whole table."""

    fqn: str
    upstream: str
    path: str | None
    sunset_at: datetime | None
    replacement: str | None
    message: str


class ManifestImpact(Model):
    """What a sync of a manifest would do, with one entry per table. `compared_as` are the schemas of another target."""

    models: tuple[ModelImpact, ...]
    warnings: tuple[str, ...]
    declared_only: int
    compared_as: tuple[str, ...]
    deprecated_reads: tuple[DeprecatedRead, ...] = ()
