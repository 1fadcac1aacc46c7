"""Models of the server's objects. A `…Summary` holds the fields by which other objects refer to an object."""

from datetime import datetime
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from tessera_gql.client.base_model import NODES, FieldSelection, Model
from tessera_gql.client.coverage_models import Coverage, CoverageSummary, ProposalHold
from tessera_gql.client.enums import (
    AcknowledgmentResponse,
    AssetTier,
    AwaitedStep,
    ChangeKind,
    ChangeSetStatus,
    CompatibilityMode,
    ContractStatus,
    DebtKind,
    DependencyType,
    DeprecationOrigin,
    DocumentFormat,
    EventKind,
    ProposalKind,
    ProposalStatus,
    RegistrationStatus,
    ResourceType,
)

JsonObject: TypeAlias = dict[str, Any]


class TeamSummary(Model):
    id: str
    name: str


class ProjectSummary(Model):
    id: str
    name: str


class AssetSummary(Model):
    id: str
    fqn: str


class ContractSummary(Model):
    id: str
    version: str
    status: ContractStatus


class ProposalSummary(Model):
    id: str
    status: ProposalStatus
    kind: ProposalKind
    proposed_version: str | None


class ChangeSetSummary(Model):
    id: str
    key: str
    title: str | None
    url: str | None
    status: ChangeSetStatus


class Team(TeamSummary):
    """A team with its metadata. `row_version` detects concurrent changes, `archived_at` is None for a live team.

    The `delegate` may answer for it until `delegate_until`, the `escalation_team` once an ask is escalated.
    """

    metadata: JsonObject
    delegate: TeamSummary | None
    delegate_until: datetime | None
    escalation_team: TeamSummary | None
    created_at: datetime
    archived_at: datetime | None
    row_version: int


class AwaitedTeam(Model):
    """An asked team that a proposal waits for; no answer until then means what `silence_means` says."""

    team: TeamSummary
    step: AwaitedStep
    until: datetime | None
    silence_means: str | None


class Project(ProjectSummary):
    """A project: its keys sync the tables of the owners, in the schemas (none: every schema)."""

    owners: tuple[TeamSummary, ...]
    schemas: tuple[str, ...]
    created_at: datetime
    row_version: int


class Asset(AssetSummary):
    """An asset with its owner, active contract and open proposal; `archived_at` is None for a live asset.

    The `tier` has no effect until an administrator has confirmed it.
    """

    owner: TeamSummary
    resource_type: ResourceType
    description: str | None
    compatibility_mode: CompatibilityMode
    tier: AssetTier
    is_tier_confirmed: bool
    current_contract: ContractSummary | None
    open_proposal: ProposalSummary | None
    is_deprecated: bool
    superseded_by: AssetSummary | None
    metadata: JsonObject
    created_at: datetime
    archived_at: datetime | None
    row_version: int


class Contract(ContractSummary):
    """One immutable version of an asset's schema, guarantees and compatibility mode."""

    asset: AssetSummary
    schema_def: JsonObject | bool = Field(alias="schema")
    guarantees: JsonObject | None
    compatibility_mode: CompatibilityMode
    change_type: str
    schema_hash: str
    metadata: JsonObject
    published_at: datetime
    published_by: TeamSummary


class ChangeSummary(Model):
    """A change with its message. `path` is the field path, empty for the whole schema."""

    kind: ChangeKind
    path: str
    message: str


class Change(ChangeSummary):
    """One difference between two schemas. `breaks` are the compatibility modes that forbid it."""

    pointer: str
    before: Any
    after: Any
    breaks: tuple[CompatibilityMode, ...]
    fields: tuple[str, ...]
    certainty: str
    hint: str | None
    fingerprint: str


class BreakingChange(ChangeSummary):
    """A breaking change of a proposal. `teams` are the asked teams that read the changed field."""

    hint: str | None
    fingerprint: str
    teams: tuple[TeamSummary, ...]


class ContractSource(Model):
    """The document that a contract was published from."""

    format: DocumentFormat
    text: str
    part: str | None
    dialect: str | None


class ContractDocuments(ContractSummary):
    """A contract as documents. `exported` is an ODCS v3 data contract in YAML."""

    schema_def: JsonObject | bool = Field(alias="schema")
    exported: str
    source: ContractSource | None


class Registration(Model):
    """A team's declaration that it reads an asset. `fields` are field paths; None means all fields."""

    id: str
    asset: AssetSummary
    consumer_team: TeamSummary
    consumer_asset: AssetSummary | None
    fields: tuple[str, ...] | None
    pinned_version: str | None
    status: RegistrationStatus
    evidence: str
    purpose: str | None
    registered_at: datetime
    acknowledged_at: datetime | None
    row_version: int


class Proposal(ProposalSummary):
    """A breaking change that waits for acknowledgments. `awaiting` are the teams that have not acknowledged yet.

    A RETIREMENT has no version and publishes no contract. With a `hold` it waits for coverage.
    """

    asset: AssetSummary
    change_set: ChangeSetSummary | None
    is_open: bool
    proposed_by: TeamSummary
    base_contract: ContractSummary
    contract: ContractSummary | None
    change_type: str
    reason: str | None
    publish_when_approved: bool
    require_explicit_publish: bool
    proposed_at: datetime
    expires_at: datetime
    resolved_at: datetime | None
    breaking_changes: tuple[BreakingChange, ...]
    awaiting: tuple[TeamSummary, ...]
    waits_for: tuple[AwaitedTeam, ...]
    hold: ProposalHold | None = None


class LineageStep(Model):
    """A column on the way of a change; `field` None if lineage does not name it."""

    asset: AssetSummary
    field: str | None


class ReasonPath(Model):
    """How a change reaches a table that a team reads. With `is_known` False, lineage is unknown on the way."""

    is_known: bool
    steps: tuple[LineageStep, ...]


class Acknowledgment(Model):
    """The response of an asked team to a proposal; `response` is None until the team acknowledges.

    `responded_by` is the delegate or escalation team that answered in its place; None if the team did itself.
    No answer until `due_at` means what `silence_means` says.
    """

    id: str
    team: TeamSummary
    response: AcknowledgmentResponse | None
    migration_deadline: datetime | None
    notes: str | None
    responded_at: datetime | None
    responded_by: TeamSummary | None
    released_at: datetime | None
    due_at: datetime
    silence_means: str
    is_overdue: bool
    reasons: tuple[ChangeSummary, ...] = Field(alias="because")


class Comment(Model):
    """A remark on a proposal, by a team or (None) an administrator."""

    id: str
    team: TeamSummary | None
    body: str
    created_at: datetime


class ProposalDetails(Proposal):
    """A proposal with its schema, guarantees, acknowledgments and first comments.

    `coverage` says on what it rests that nobody reads what it changes. `is_stale`: a newer contract adds breaks whose
    readers were not asked.
    """

    is_stale: bool
    coverage: Coverage

    proposed_schema: JsonObject | bool | None
    guarantees: JsonObject | None
    acknowledgments: Annotated[tuple[Acknowledgment, ...], NODES, FieldSelection("(first: 100)", wrapper="nodes")]
    comments: Annotated[tuple[Comment, ...], NODES, FieldSelection("(first: 100)", wrapper="nodes")]


class CoveredProposal(Proposal):
    """A proposal, and on what it rests that nobody reads what it changes; None from an older server."""

    coverage: CoverageSummary | None = None


class ChangeSetProposal(ProposalSummary):
    """A proposal of a change set."""

    asset: AssetSummary
    awaiting: tuple[TeamSummary, ...]
    expires_at: datetime


class ChangeSet(ChangeSetSummary):
    """The proposals of one pull request, manifest or release, the latest first."""

    opened_by: TeamSummary | None
    project: ProjectSummary | None
    commit: str | None
    opened_at: datetime
    closed_at: datetime | None
    proposals: Annotated[tuple[ChangeSetProposal, ...], NODES, FieldSelection("(first: 100)", wrapper="nodes")]


class PendingAcknowledgment(Acknowledgment):
    """An acknowledgment that the team still owes, with its proposal."""

    proposal: Proposal


class Debt(Model):
    """What a publish left undone for a team. `path` is None for a forced change of the whole document."""

    id: str
    kind: DebtKind
    path: str | None
    message: str
    since: datetime
    settled_at: datetime | None
    asset: AssetSummary
    team: TeamSummary


class Deprecation(Model):
    """An announcement that a field goes away, or with the `path` None the whole asset."""

    id: str
    path: str | None
    sunset_at: datetime | None
    replacement: str | None
    reason: str | None
    origin: DeprecationOrigin
    declared_at: datetime
    ended_at: datetime | None


class Dependency(Model):
    """A lineage edge: `dependent` is made from, or reads, `dependency`."""

    id: str
    dependent: AssetSummary
    dependency: AssetSummary
    type: DependencyType


class Event(Model):
    """A row of the event log. Subscriptions resume after `cursor`; the keys of `payload` depend on `kind`."""

    id: str
    cursor: str
    sequence: int
    kind: EventKind
    actor: str
    occurred_at: datetime
    asset: AssetSummary | None
    proposal: Proposal | None
    teams: tuple[TeamSummary, ...]
    payload: JsonObject


class StatusChange(Model):
    """A change of a proposal's status. `proposal` is its current state."""

    cursor: str
    before: ProposalStatus
    after: ProposalStatus
    proposal: Proposal | None


class AcknowledgmentRequest(Model):
    """A request to a team to acknowledge a breaking change, or (`change_set`) all proposals of a change set."""

    cursor: str
    team: TeamSummary | None
    acknowledgment: Acknowledgment | None
    change_set: ChangeSetSummary | None
    proposal: Proposal | None


class Viewer(Model):
    """Actor, scopes, and team or project of the key."""

    actor: str
    scopes: tuple[str, ...]
    team: TeamSummary | None
    project: ProjectSummary | None
