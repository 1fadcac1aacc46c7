"""What will happen to an open proposal by the passing of time, if nobody does anything."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from tessera_gql.policy.ask_policy import AskPolicy
from tessera_gql.policy.enums import OnSilence, ProposalStatus, Response, UpcomingKind
from tessera_gql.policy.proposal_status import TeamResponse, compute_status


@dataclass(frozen=True)
class OpenAsk:
    """An ask that counts: the response of its team, and the dates at which time does something about it.

    `remind_at` is the next reminder, and `escalate_at` None if no team would be asked as well.
    """

    team_id: UUID
    response: TeamResponse
    policy: AskPolicy
    due_at: datetime
    remind_at: datetime | None = None
    escalate_at: datetime | None = None
    is_notified: bool = True


@dataclass(frozen=True)
class UpcomingStep:
    """A moment at which time does something about some teams (none: about the proposal), and what follows from it."""

    kind: UpcomingKind
    at: datetime
    team_ids: tuple[UUID, ...]
    consequence: str


def list_upcoming(
    status: ProposalStatus, expires_at: datetime, asks: Collection[OpenAsk], now: datetime
) -> list[UpcomingStep]:
    """List what is coming, the earliest first; what happens to several teams at the same moment is one step."""
    if not status.is_open:
        return []
    steps: dict[tuple[datetime, UpcomingKind, OnSilence | None], list[UUID]] = defaultdict(list)
    for ask in asks:
        for at, kind, on_silence in _list_moments(ask, expires_at):
            if at > now:
                steps[at, kind, on_silence].append(ask.team_id)
    upcoming = [
        UpcomingStep(kind, at, tuple(teams), _describe(kind, on_silence, teams, asks))
        for (at, kind, on_silence), teams in steps.items()
    ]
    if status is not ProposalStatus.APPROVED and expires_at > now:
        consequence = "The proposal expires, unless every asked team agrees before or its owner extends it."
        upcoming.append(UpcomingStep(UpcomingKind.EXPIRY, expires_at, (), consequence))
    return sorted(upcoming, key=lambda step: (step.at, [*UpcomingKind].index(step.kind)))


def _list_moments(ask: OpenAsk, expires_at: datetime) -> Iterator[tuple[datetime, UpcomingKind, OnSilence | None]]:
    response = ask.response
    if response.response is Response.MIGRATING and response.deadline is not None:
        yield response.deadline, UpcomingKind.MIGRATION_DEADLINE, None
    if response.response is not None or not ask.is_notified:
        return
    if ask.remind_at is not None:
        reminders = (ask.due_at - timedelta(days=days) for days in ask.policy.remind_days_before)
        for at in reminders:
            if at >= ask.remind_at:
                yield at, UpcomingKind.REMINDER, None
    if ask.escalate_at is not None:
        yield ask.escalate_at, UpcomingKind.ESCALATION, None
    if ask.policy.on_silence is not OnSilence.EXPIRE and ask.due_at <= expires_at:
        yield ask.due_at, UpcomingKind.SILENCE, ask.policy.on_silence


def _describe(
    kind: UpcomingKind, on_silence: OnSilence | None, teams: Sequence[UUID], asks: Collection[OpenAsk]
) -> str:
    subject = "The team" if len(teams) == 1 else f"Each of {len(teams)} teams"
    match kind, on_silence:
        case UpcomingKind.REMINDER, _:
            return f"{subject} is reminded that no answer has come."
        case UpcomingKind.ESCALATION, _:
            return f"{subject} has not answered, so its escalation team is asked and may answer as well."
        case UpcomingKind.MIGRATION_DEADLINE, _:
            return f"{subject} is overdue, unless its migration is proven before. A migration is no consent."
        case _, OnSilence.BLOCK:
            return "No answer counts as a block, so that nothing is published until the team changes its mind."
        case _, OnSilence.EXTEND:
            return f"{subject} gets the same time to answer again."
        case _:
            return f"No answer counts as consent. {_describe_outcome(frozenset(teams), asks)}"


def _describe_outcome(silent_teams: Collection[UUID], asks: Collection[OpenAsk]) -> str:
    """Describe the status of the proposal once the silence of these teams counts, and nothing else has changed."""
    responses = [
        replace(ask.response, response=Response.SILENT) if ask.team_id in silent_teams else ask.response for ask in asks
    ]
    outcomes = {
        ProposalStatus.APPROVED: "Then every asked team agrees.",
        ProposalStatus.REJECTED: "A team still blocks the proposal, so nothing is published.",
    }
    return outcomes.get(compute_status(responses), "The proposal still waits for other teams.")
