"""Decide the status of a proposal, which is never set by hand, and what teams may and must do about it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from tessera_gql.errors import Conflict, Invalid
from tessera_gql.policy.enums import Intent, ProposalStatus, RegistrationStatus, Response

DEFAULT_LIFETIME = timedelta(days=30)
MAX_LIFETIME = timedelta(days=366)
REMINDER_SPANS = (timedelta(days=3), timedelta(days=1))
"""Times before the expiry at which a reminder is sent."""


@dataclass(frozen=True)
class TeamResponse:
    """The response of one asked team; `response` is None until it responds."""

    response: Response | None
    deadline: datetime | None = None


def compute_status(responses: Collection[TeamResponse], now: datetime) -> ProposalStatus:
    """Compute the status: any BLOCKED rejects, consent of all approves."""
    if any(item.response is Response.BLOCKED for item in responses):
        return ProposalStatus.REJECTED
    if all(is_consent(item, now) for item in responses):
        return ProposalStatus.APPROVED
    return ProposalStatus.PENDING


def is_consent(team_response: TeamResponse, now: datetime) -> bool:
    """Whether the team agrees; MIGRATING counts as consent once its deadline has passed."""
    match team_response.response:
        case Response.APPROVED:
            return True
        case Response.MIGRATING:
            return team_response.deadline is not None and team_response.deadline <= now
        case _:
            return False


def is_answered(team_response: TeamResponse, answered: Collection[str], asked: Collection[str], now: datetime) -> bool:
    """Return whether a response to the changes `answered` holds for the changes `asked`, by their fingerprints.

    A migration that is overdue is no answer.
    """
    if team_response.response is None or (team_response.deadline is not None and team_response.deadline <= now):
        return False
    return set(answered).issuperset(asked)


def compute_status_or_expiry(
    responses: Collection[TeamResponse], expires_at: datetime, now: datetime
) -> ProposalStatus:
    """Compute the status, or EXPIRED if consent was not complete at `expires_at`, however late this is computed."""
    if now >= expires_at and compute_status(responses, expires_at) is not ProposalStatus.APPROVED:
        return ProposalStatus.EXPIRED
    return compute_status(responses, now)


def next_status(
    before: ProposalStatus, responses: Collection[TeamResponse], expires_at: datetime, now: datetime
) -> ProposalStatus:
    """Compute the status that follows: a final one stays, and a proposal that was approved does not expire."""
    if not before.is_open:
        return before
    if before is ProposalStatus.APPROVED:
        return compute_status(responses, now)
    return compute_status_or_expiry(responses, expires_at, now)


def describe_status(status: ProposalStatus, *, is_anybody_asked: bool) -> str:
    """Give the reason for a status, for the event log."""
    match status:
        case ProposalStatus.APPROVED:
            return "every asked team agrees" if is_anybody_asked else "nobody is hurt, so nobody was asked"
        case ProposalStatus.REJECTED:
            return "a team answered BLOCKED"
        case ProposalStatus.EXPIRED:
            return "not every asked team agreed in time"
        case _:
            return "answers are outstanding"


def require_open(status: ProposalStatus, expires_at: datetime, resolved_at: datetime | None) -> None:
    """Raise Conflict for a proposal that has ended."""
    if status is ProposalStatus.EXPIRED:
        raise Conflict(
            f"This proposal ran out on {expires_at:%Y-%m-%d %H:%M} UTC without everyone's consent."
            " The owning team can publish the schema again to ask afresh."
        )
    if not status.is_open:
        ended = f"{resolved_at:%Y-%m-%d %H:%M} UTC" if resolved_at else "earlier"
        raise Conflict(f"This proposal ended on {ended} as {status}. Look at the asset for an open one.")


def require_consistent_intent(
    intent: Intent, *, publish_when_approved: bool = False, require_explicit_publish: bool = False, force: bool = False
) -> None:
    """Raise Invalid for options that contradict each other or the intent."""
    if publish_when_approved and require_explicit_publish:
        raise Invalid(
            "`publishWhenApproved` and `requireExplicitPublish` contradict each other. Leave one of them out.",
            field=("require_explicit_publish",),
        )
    if intent is Intent.ASK and (publish_when_approved or force):
        raise Invalid(
            f"The intent ASK publishes nothing, so `{'force' if force else 'publishWhenApproved'}` contradicts it."
            " Use RELEASE, or leave the option out.",
            field=("intent",),
        )


def choose_expiry(requested_end: datetime | None, now: datetime) -> datetime:
    """Choose when a new proposal expires; raise Invalid for a moment that has passed or is too far away."""
    if requested_end is None:
        return now + DEFAULT_LIFETIME
    if not now < requested_end <= now + MAX_LIFETIME:
        raise Invalid(
            f"A proposal may stay open until a moment within the next {MAX_LIFETIME.days} days,"
            f" not until {requested_end.isoformat()}. Leave `expiresAt` out for {DEFAULT_LIFETIME.days} days.",
            field=("expiresAt",),
        )
    return requested_end


def choose_migration_deadline(team_response: TeamResponse, now: datetime) -> datetime | None:
    """Choose the deadline to store; raise Invalid for MIGRATING without one that lies ahead."""
    if team_response.response is not Response.MIGRATING:
        return None
    if team_response.deadline is None:
        raise Invalid(
            "MIGRATING means not yet, so say until when: give a migrationDeadline.", field=("migrationDeadline",)
        )
    if team_response.deadline <= now:
        raise Invalid(
            "The migrationDeadline has passed already. Give a later one, or answer APPROVED.",
            field=("migrationDeadline",),
        )
    return team_response.deadline


def registration_status(response: Response) -> RegistrationStatus:
    """Return the status that a response gives to the registrations of its team."""
    return RegistrationStatus.MIGRATING if response is Response.MIGRATING else RegistrationStatus.ACTIVE


class Revision(Enum):
    """What to do with the request to a team after the consumers of the asset changed."""

    KEEP = auto()
    RELEASE = auto()
    NARROW = auto()
    ASK_AGAIN = auto()


def revise_request(before: Sequence[str], after: Collection[str] | None, *, is_released: bool) -> Revision:
    """Decide about the request to a team by the fingerprints of the changes that affected it `before` and now, `after`.

    `after` is None if the team is no longer affected. A response does not cover further changes, and a team that was
    released has not been asked, so both are asked again.
    """
    if after is None:
        return Revision.KEEP if is_released else Revision.RELEASE
    if is_released or not set(after) <= set(before):
        return Revision.ASK_AGAIN
    return Revision.KEEP if list(after) == list(before) else Revision.NARROW


def due_reminder(
    spans: Sequence[timedelta],
    sent_hours: Collection[int],
    *,
    proposed_at: datetime,
    expires_at: datetime,
    now: datetime,
) -> int | None:
    """The reminder that is due, in hours before expiry; None if none is due or it was sent already.

    Of several missed reminders only the last is sent, and none that fell due before the proposal was opened.
    """
    due_spans = [span for span in spans if proposed_at < expires_at - span <= now < expires_at]
    if not due_spans:
        return None
    hours = int(min(due_spans).total_seconds() // 3600)
    return None if any(earlier <= hours for earlier in sent_hours) else hours
