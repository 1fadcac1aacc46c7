"""Models of what comes next: what a team owes, what time will do to a proposal, and the state of the event log."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from tessera_gql.client.base_model import NODES, FieldSelection, Model
from tessera_gql.client.enums import ObligationKind, UnaskedReason, UpcomingKind
from tessera_gql.client.inbox_models import InboxProposal
from tessera_gql.client.models import AssetSummary, ChangeSummary, Debt, Deprecation, TeamSummary


class PromisedAcknowledgment(Model):
    """An acknowledgment that a team owes an answer or a migration; a proof may release it at `earliest_release`."""

    id: str
    earliest_release: datetime | None
    quiet_since: datetime | None
    reasons: tuple[ChangeSummary, ...] = Field(alias="because")
    proposal: InboxProposal


class Obligation(Model):
    """An answer, a promised migration, or a debt of a team; one of `acknowledgment` and `debt` is None."""

    kind: ObligationKind
    due_at: datetime
    is_overdue: bool
    consequence: str
    acknowledgment: PromisedAcknowledgment | None
    debt: Debt | None


class ReadDeprecation(Deprecation):
    """A deprecation with its asset, as a reader of several assets needs it."""

    asset: AssetSummary


class UpcomingStep(Model):
    """A step that time takes with an open proposal."""

    kind: UpcomingKind
    at: datetime
    consequence: str
    teams: tuple[TeamSummary, ...]


class UnaskedReader(Model):
    """A team that is not asked about a change; `fields` are None if it reads all fields, `path` leads to its table."""

    team: TeamSummary
    reason: UnaskedReason
    fields: tuple[str, ...] | None
    path: tuple[AssetSummary, ...]


class AlternativeAsk(Model):
    """A team that would be asked."""

    team: TeamSummary


class Alternative(Model):
    """What publishing a change with all hints followed would do: the version, and the teams that would be asked."""

    version: str | None
    outcome: str
    asked: tuple[AlternativeAsk, ...]


class ProposalOutlook(Model):
    """What time will do to a proposal, who is not asked about it, and what its hints would lead to."""

    id: str
    upcoming: Annotated[tuple[UpcomingStep, ...], FieldSelection("(first: 100)")]
    unasked: Annotated[tuple[UnaskedReader, ...], NODES, FieldSelection("(first: 100)", wrapper="nodes")]
    alternative: Alternative | None


class EventLog(Model):
    """The event log: its last event, and how far the server has verified the hashes; `is_intact` is None before.

    Events up to `archived_sequence` are archived; `start_cursor` is the position behind them.
    """

    last_sequence: int
    head: str
    verified_sequence: int
    verified_at: datetime | None
    is_intact: bool | None
    broken_sequence: int | None
    fault: str | None
    start_cursor: str
    archived_sequence: int
    archived_before: datetime | None
    archived_at: datetime | None
