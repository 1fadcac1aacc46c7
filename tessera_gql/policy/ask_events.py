"""Events of asks: teams that are asked, released and reminded, their answers and their silence."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera_gql.policy.enums import AssetTier, OnSilence, ReleaseKind, Response
from tessera_gql.policy.event_changes import ValueChanges
from tessera_gql.policy.events import Event


@dataclass(frozen=True, kw_only=True)
class AcknowledgmentRequested(Event):
    """A team is asked about the `changes`; no answer before `due_at` means what `on_silence` says.

    In a change set it has no audience: the team is notified once, by ChangeSetAcknowledgmentRequested.
    """

    entity_field = "acknowledgment_id"
    acknowledgment_id: UUID
    consumer_team_id: UUID
    expires_at: datetime
    due_at: datetime
    on_silence: OnSilence
    changes: tuple[str, ...]
    change_set_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class ChangeSetAcknowledgmentRequested(Event):
    """A team is asked about proposals of a change set: one notification for all of them.

    `proposals` and `tables` name the first ones of `proposal_count`. `due_at` is the earliest date of an answer, and
    `on_silence` what no answer until then means.
    """

    entity_field = "change_set_id"
    change_set_id: UUID
    consumer_team_id: UUID
    key: str
    title: str | None
    url: str | None
    proposal_count: int
    proposals: tuple[UUID, ...]
    tables: tuple[str, ...]
    due_at: datetime
    on_silence: OnSilence


@dataclass(frozen=True, kw_only=True)
class ChangeSetAnswersCarried(Event):
    """Earlier answers of a team hold for proposals of a change set; it may still change them."""

    entity_field = "change_set_id"
    change_set_id: UUID
    consumer_team_id: UUID
    key: str
    title: str | None
    url: str | None
    proposal_count: int
    proposals: tuple[UUID, ...]
    tables: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ChangeSetReminderSent(Event):
    """A team was reminded of all that it has not answered in a change set, of which the earliest date is `due_at`."""

    entity_field = "change_set_id"
    change_set_id: UUID
    consumer_team_id: UUID
    key: str
    title: str | None
    url: str | None
    proposal_count: int
    proposals: tuple[UUID, ...]
    tables: tuple[str, ...]
    days_before: int
    due_at: datetime
    on_silence: OnSilence


@dataclass(frozen=True, kw_only=True)
class ChangeSetSilenceCounted(Event):
    """A team did not answer asks of a change set in time, and their policy was applied, of which `on_silence` says how.

    `due_at` is the earliest date: with EXTEND the next one, otherwise the one that has passed.
    """

    entity_field = "change_set_id"
    change_set_id: UUID
    consumer_team_id: UUID
    key: str
    title: str | None
    url: str | None
    proposal_count: int
    proposals: tuple[UUID, ...]
    tables: tuple[str, ...]
    on_silence: OnSilence
    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class ChangeSetAsksEscalated(Event):
    """Asks of a change set without an answer went to the escalation team of the asked team."""

    entity_field = "change_set_id"
    change_set_id: UUID
    consumer_team_id: UUID
    key: str
    title: str | None
    url: str | None
    proposal_count: int
    proposals: tuple[UUID, ...]
    tables: tuple[str, ...]
    escalated_to: UUID
    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class ChangeSetMigrationsOverdue(Event):
    """The deadline of a team's migrations in a change set passed without proof that it has migrated."""

    entity_field = "change_set_id"
    change_set_id: UUID
    consumer_team_id: UUID
    key: str
    title: str | None
    url: str | None
    proposal_count: int
    proposals: tuple[UUID, ...]
    tables: tuple[str, ...]
    migration_deadline: datetime


@dataclass(frozen=True, kw_only=True)
class AcknowledgmentReleased(Event):
    """A team no longer reads what the proposal breaks: it is no longer asked, and its response no longer counts."""

    entity_field = "acknowledgment_id"
    acknowledgment_id: UUID
    consumer_team_id: UUID
    evidence: ReleaseKind | None = None
    reference: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReopeningLimited(Event):
    """A sync registered again a team that has reopened this approved proposal once: it is informed, and not asked."""

    entity_field = "acknowledgment_id"
    acknowledgment_id: UUID
    consumer_team_id: UUID


@dataclass(frozen=True, kw_only=True)
class ProposalAnswered(Event):
    """An asked team answered; `responded_by` is its delegate or escalation team if that answered for it."""

    entity_field = "acknowledgment_id"
    acknowledgment_id: UUID
    consumer_team_id: UUID
    response: Response
    migration_deadline: datetime | None
    notes: str | None
    responded_by: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class AnswerCarried(Event):
    """A team's earlier answer to the same changes holds for another proposal; it may still change it.

    In a change set it has no audience: the team is notified once, by ChangeSetAnswersCarried.
    """

    entity_field = "acknowledgment_id"
    acknowledgment_id: UUID
    consumer_team_id: UUID
    response: Response
    carried_from: UUID | None
    changes: tuple[str, ...]
    change_set_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class SilenceCounted(Event):
    """A team did not answer before the due date, and the policy of the ask was applied to it.

    EXTEND gives it until `due_at`; APPROVE and BLOCK count as its answer.
    In a change set it has no audience: the teams are notified once, by ChangeSetSilenceCounted.
    """

    entity_field = "acknowledgment_id"
    acknowledgment_id: UUID
    consumer_team_id: UUID
    on_silence: OnSilence
    due_at: datetime
    change_set_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class AcknowledgmentEscalated(Event):
    """An ask without an answer went to the escalation team of the asked team, which may answer as well.

    In a change set it has no audience: the teams are notified once, by ChangeSetAsksEscalated.
    """

    entity_field = "acknowledgment_id"
    acknowledgment_id: UUID
    consumer_team_id: UUID
    escalated_to: UUID
    due_at: datetime
    change_set_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class MigrationOverdue(Event):
    """The deadline of a migration passed without proof that the team no longer reads what breaks.

    In a change set it has no audience: the teams are notified once, by ChangeSetMigrationsOverdue.
    """

    entity_field = "acknowledgment_id"
    acknowledgment_id: UUID
    consumer_team_id: UUID
    migration_deadline: datetime
    change_set_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class ProposalExtended(Event):
    """A proposal stays open for longer, because its owner asked for it, a team migrates, or an ask was extended."""

    entity_field = "proposal_id"
    before: datetime
    expires_at: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class AskPolicyChanged(Event):
    """An administrator set the policy of a tier; asks that are made later have it."""

    entity_field = "policy_id"
    policy_id: UUID
    tier: AssetTier
    changes: ValueChanges


@dataclass(frozen=True, kw_only=True)
class ReminderSent(Event):
    """Teams were reminded to answer before the due date; sent once for each number of days before it."""

    entity_field = "proposal_id"
    days_before: int
    due_at: datetime
    on_silence: OnSilence
