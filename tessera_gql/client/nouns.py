"""What the server tells, as frozen values. A `…Name` is a thing as others mention it: what it takes to point at it."""

from datetime import datetime
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from tessera_gql.client.model import NODES, Called, Model
from tessera_gql.client.words import (
    AcknowledgmentResponse,
    ChangeKind,
    CompatibilityMode,
    ContractStatus,
    DependencyType,
    DocumentFormat,
    EventKind,
    ProposalStatus,
    PublishOutcome,
    RegistrationStatus,
    ResourceType,
)

JsonObject: TypeAlias = dict[str, Any]


class TeamName(Model):
    id: str
    name: str


class AssetName(Model):
    id: str
    fqn: str


class ContractName(Model):
    id: str
    version: str
    status: ContractStatus


class ProposalName(Model):
    id: str
    status: ProposalStatus
    proposed_version: str


class Team(TeamName):
    metadata: JsonObject
    created_at: datetime
    row_version: int


class Asset(AssetName):
    owner: TeamName
    resource_type: ResourceType
    description: str | None
    compatibility_mode: CompatibilityMode
    current_contract: ContractName | None
    open_proposal: ProposalName | None
    metadata: JsonObject
    created_at: datetime
    row_version: int


class Contract(ContractName):
    asset: AssetName
    schema_def: JsonObject | bool = Field(alias="schema")
    guarantees: JsonObject | None
    compatibility_mode: CompatibilityMode
    change_type: str
    schema_hash: str
    metadata: JsonObject
    published_at: datetime
    published_by: TeamName


class Reason(Model):
    """A change in a sentence; `path` is the field it belongs to, empty for the whole schema."""

    kind: ChangeKind
    path: str
    message: str


class Change(Reason):
    """One difference between two schemas; `breaks` are the modes it breaks."""

    pointer: str
    before: Any
    after: Any
    breaks: tuple[CompatibilityMode, ...]
    fields: tuple[str, ...]
    certainty: str
    hint: str | None
    fingerprint: str


class BreakingChange(Reason):
    """With the asked teams that read what it changes."""

    hint: str | None
    fingerprint: str
    teams: tuple[TeamName, ...]


class ContractSource(Model):
    """The document that a contract was read from."""

    format: DocumentFormat
    text: str
    part: str | None
    dialect: str | None


class ContractDocuments(ContractName):
    """`exported` is a data contract of ODCS v3."""

    schema_def: JsonObject | bool = Field(alias="schema")
    exported: str
    source: ContractSource | None


class Registration(Model):
    """`fields` are the columns it reads, as paths; None is everything."""

    id: str
    asset: AssetName
    consumer_team: TeamName
    consumer_asset: AssetName | None
    fields: tuple[str, ...] | None
    pinned_version: str | None
    status: RegistrationStatus
    evidence: str
    purpose: str | None
    registered_at: datetime
    acknowledged_at: datetime | None
    row_version: int


class Proposal(ProposalName):
    """`awaiting` are the teams that have not answered."""

    asset: AssetName
    is_open: bool
    proposed_by: TeamName
    base_contract: ContractName
    contract: ContractName | None
    change_type: str
    reason: str | None
    publish_when_approved: bool
    proposed_at: datetime
    expires_at: datetime
    resolved_at: datetime | None
    breaking_changes: tuple[BreakingChange, ...]
    awaiting: tuple[TeamName, ...]


class Answer(Model):
    """One asked team's place in a proposal; `response` is None until it answers."""

    id: str
    team: TeamName
    response: AcknowledgmentResponse | None
    migration_deadline: datetime | None
    notes: str | None
    responded_at: datetime | None
    released_at: datetime | None
    because: tuple[Reason, ...]


class ProposalWithAnswers(Proposal):
    proposed_schema: JsonObject | bool
    guarantees: JsonObject | None
    acknowledgments: Annotated[tuple[Answer, ...], NODES, Called("(first: 100)", within="nodes")]


class Question(Answer):
    """An answer that is still owed, as it lies in an inbox."""

    proposal: Proposal


class Diff(Model):
    """`breaking` are the changes that break under `mode`."""

    mode: CompatibilityMode
    bump: str
    changes: tuple[Change, ...]
    breaking: tuple[Change, ...]


class Publication(Model):
    """What a publish came to: a contract, or a proposal that waits, with the difference that was found."""

    outcome: PublishOutcome
    contract: Contract | None
    proposal: Proposal | None
    diff: Diff | None


class Acknowledged(Model):
    """`contract` if this was the last consent and it published the proposal."""

    proposal: Proposal
    acknowledgment: Answer | None
    contract: ContractName | None


class AskedTeam(Model):
    team: TeamName
    because: tuple[Reason, ...]


class Impact(Model):
    """What publishing a schema would come to; `asked` would have to answer first, `informed` would be told."""

    asset: AssetName
    outcome: PublishOutcome
    version: str | None
    bump: str
    mode: CompatibilityMode
    changes: tuple[Change, ...]
    breaking: tuple[Change, ...]
    asked: tuple[AskedTeam, ...]
    informed: tuple[TeamName, ...]


class Dependency(Model):
    id: str
    dependent: AssetName
    dependency: AssetName
    type: DependencyType


class SyncedModel(Model):
    """One table of a manifest and what became of it; `reason` says why it was skipped."""

    fqn: str
    outcome: str
    reason: str | None
    asset: AssetName | None
    contract: ContractName | None
    proposal: ProposalName | None
    changes: tuple[Reason, ...]
    breaking: tuple[Reason, ...]


class RemovedModel(Model):
    """A table that left the manifest; `reason` says why it was not retired, if that was asked."""

    fqn: str
    retired: bool
    reason: str | None


class ModelRead(Model):
    """What a model reads of a table of another team; `fields` None is everything, and `why` says why."""

    fqn: str
    upstream: str
    fields: tuple[str, ...] | None
    why: str | None


class ManifestReport(Model):
    dependencies_added: int
    dependencies_removed: int
    teams_created: int
    registrations_created: int
    registrations_updated: int
    registrations_ended: int
    warnings: tuple[str, ...]
    removed: tuple[RemovedModel, ...]
    reads: tuple[ModelRead, ...]
    models: tuple[SyncedModel, ...]


class ModelImpact(Model):
    """What a manifest would come to for one table; `refused` says why a sync could not take it."""

    fqn: str
    outcome: PublishOutcome
    is_new: bool
    is_safe: bool
    version: str | None
    refused: str | None
    changes: tuple[Reason, ...]
    breaking: tuple[Reason, ...]
    asked: tuple[AskedTeam, ...]
    informed: tuple[TeamName, ...]
    open_proposal: ProposalName | None


class Event(Model):
    """`cursor` is where to resume behind it; `payload` is what the audit log keeps, by kind."""

    id: str
    cursor: str
    sequence: int
    kind: EventKind
    actor: str
    occurred_at: datetime
    asset: AssetName | None
    proposal: Proposal | None
    teams: tuple[TeamName, ...]
    payload: JsonObject


class StatusChange(Model):
    """A proposal got another status; `proposal` is as it is now."""

    cursor: str
    before: ProposalStatus
    after: ProposalStatus
    proposal: Proposal | None


class Request(Model):
    """A team is asked whether a breaking change may be published."""

    cursor: str
    team: TeamName | None
    acknowledgment: Answer | None
    proposal: Proposal | None


class Viewer(Model):
    """Who the key is."""

    actor: str
    scopes: tuple[str, ...]
    team: TeamName | None
