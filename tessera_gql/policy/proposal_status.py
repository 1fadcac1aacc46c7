"""Decide the status of a proposal, which is never set by hand, and what teams may and must do about it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from tessera_gql.errors import Conflict, Invalid
from tessera_gql.policy.affected_teams import LineagePath, Reasons
from tessera_gql.policy.enums import AwaitedStep, Intent, OnSilence, ProposalStatus, RegistrationStatus, Response
from tessera_gql.policy.validation import format_moment

MAX_LIFETIME = timedelta(days=366)
MIGRATION_GRACE = timedelta(days=7)
"""Time for which a proposal stays open at least after the deadline of a migration."""
ANSWER_LIFETIME = timedelta(days=90)
"""Time after an answer for which it holds for other proposals with the same change."""
SEVERITY = (Response.BLOCKED, Response.MIGRATING, Response.APPROVED)
"""Responses from the strictest on."""


@dataclass(frozen=True)
class TeamResponse:
    """The response of one asked team, None until it responds; `on_silence` says what SILENT means."""

    response: Response | None
    deadline: datetime | None = None
    on_silence: OnSilence = OnSilence.EXPIRE

    @property
    def is_block(self) -> bool:
        is_silent_block = self.response is Response.SILENT and self.on_silence is OnSilence.BLOCK
        return self.response is Response.BLOCKED or is_silent_block

    @property
    def is_consent(self) -> bool:
        """Whether the team agrees, by its answer or by its silence. MIGRATING is no consent, whatever its deadline."""
        is_silent_consent = self.response is Response.SILENT and self.on_silence is OnSilence.APPROVE
        return self.response is Response.APPROVED or is_silent_consent

    @property
    def awaited_step(self) -> AwaitedStep | None:
        """The step that the proposal still waits for; None if the team agrees."""
        if self.is_consent:
            return None
        if self.is_block:
            return AwaitedStep.CHANGE_OF_MIND
        return AwaitedStep.MIGRATION if self.response is Response.MIGRATING else AwaitedStep.ANSWER

    def is_overdue(self, now: datetime) -> bool:
        """Whether the deadline of a migration has passed without proof."""
        return self.response is Response.MIGRATING and self.deadline is not None and self.deadline <= now


def compute_status(responses: Collection[TeamResponse], *, is_held: bool = False) -> ProposalStatus:
    """Compute the status: any block rejects, consent of all approves unless the proposal is held."""
    if any(item.is_block for item in responses):
        return ProposalStatus.REJECTED
    if not is_held and all(item.is_consent for item in responses):
        return ProposalStatus.APPROVED
    return ProposalStatus.PENDING


def is_reusable(team_response: TeamResponse, answered_at: datetime, now: datetime) -> bool:
    """Return whether an earlier answer still holds: it was given, is not overdue, and is at most 90 days old."""
    is_answer = team_response.response in SEVERITY and not team_response.is_overdue(now)
    return is_answer and now < answered_at + ANSWER_LIFETIME


def next_status(
    before: ProposalStatus,
    responses: Collection[TeamResponse],
    expires_at: datetime,
    now: datetime,
    *,
    is_held: bool = False,
) -> ProposalStatus:
    """Compute the status that follows: a final one stays, and a proposal that was approved does not expire."""
    if not before.is_open:
        return before
    status = compute_status(responses, is_held=is_held)
    if now >= expires_at and ProposalStatus.APPROVED not in (before, status):
        return ProposalStatus.EXPIRED
    return status


def describe_status(status: ProposalStatus, *, is_anybody_asked: bool, is_held: bool = False) -> str:
    """Give the reason for a status, for the event log."""
    match status:
        case ProposalStatus.PENDING | ProposalStatus.EXPIRED if is_held and not is_anybody_asked:
            return "observed reads don't cover what it changes"
        case ProposalStatus.APPROVED:
            return "every asked team agrees" if is_anybody_asked else "nobody is hurt, so nobody was asked"
        case ProposalStatus.REJECTED:
            return "a team blocks it"
        case ProposalStatus.EXPIRED:
            return "not every asked team agreed in time"
        case _:
            return "answers are outstanding"


def require_open(status: ProposalStatus, expires_at: datetime, resolved_at: datetime | None) -> None:
    """Raise Conflict for a proposal that has ended."""
    if status is ProposalStatus.EXPIRED:
        raise Conflict(
            f"This proposal ran out on {format_moment(expires_at)} without everyone's consent."
            " The owning team can publish the schema again to ask afresh."
        )
    if not status.is_open:
        ended = format_moment(resolved_at) if resolved_at else "earlier"
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


def choose_expiry(requested_end: datetime | None, default: datetime, now: datetime) -> datetime:
    """Choose when a proposal expires; raise Invalid for a moment that has passed or is too far away."""
    if requested_end is None:
        return default
    if not now < requested_end <= now + MAX_LIFETIME:
        raise Invalid(
            f"A proposal may stay open until a moment within the next {MAX_LIFETIME.days} days,"
            f" not until {format_moment(requested_end)}. Leave `expiresAt` out for the days of the asset's policy.",
            field=("expiresAt",),
        )
    return requested_end


def require_answer(response: Response, notes: str | None) -> None:
    """Raise Invalid for a response that no team gives, and for BLOCKED without a reason."""
    if response is Response.SILENT:
        raise Invalid(
            "SILENT stands for a team that did not answer in time, so it can't be given. Answer APPROVED, MIGRATING"
            " or BLOCKED.",
            field=("response",),
        )
    if response is Response.BLOCKED and notes is None:
        raise Invalid(
            "BLOCKED needs a reason: tell the owning team in `notes` what stands in the way.", field=("notes",)
        )


def choose_migration_deadline(team_response: TeamResponse, now: datetime) -> datetime | None:
    """Choose the deadline to store; raise Invalid for one that is missing, past, too far away or not needed."""
    deadline = team_response.deadline
    if team_response.response is not Response.MIGRATING:
        if deadline is not None:
            raise Invalid(
                f"{team_response.response} has no migrationDeadline. Leave it out, or answer MIGRATING.",
                field=("migrationDeadline",),
            )
        return None
    if deadline is None:
        raise Invalid(
            "MIGRATING means not yet, so say until when: give a migrationDeadline.", field=("migrationDeadline",)
        )
    latest = now + MAX_LIFETIME - MIGRATION_GRACE
    if not now < deadline <= latest:
        reason = "has passed already" if deadline <= now else f"is later than {latest:%Y-%m-%d}, the last one possible"
        moment = format_moment(deadline)
        message = f"The migrationDeadline {moment} {reason}. Give another moment."
        raise Invalid(message, field=("migrationDeadline",))
    return deadline


def registration_status(response: Response) -> RegistrationStatus:
    """Return the status that a response gives to the registrations of its team."""
    return RegistrationStatus.MIGRATING if response is Response.MIGRATING else RegistrationStatus.ACTIVE


@dataclass(frozen=True)
class EarlierRequest:
    """What a team was asked before: the fingerprints of the changes, and the fields it read for each of them."""

    fingerprints: Sequence[str]
    reads: Mapping[str, tuple[str, ...]] | None
    paths: tuple[LineagePath, ...] = ()
    is_released: bool = False


class Revision(Enum):
    """What to do with the request to a team after the consumers of the asset changed."""

    KEEP = auto()
    RELEASE = auto()
    NARROW = auto()
    ASK_AGAIN = auto()


def revise_request(before: EarlierRequest, after: Reasons | None) -> Revision:
    """Decide about the request to a team by the reasons for which it is asked now, `after`.

    `after` is None if the team is no longer affected. A response does not cover more changes or fields, and a team that
    was released has not been asked, so both are asked again.
    """
    if after is None:
        return Revision.KEEP if before.is_released else Revision.RELEASE
    if before.is_released or not after.is_covered_by(before.reads, before.fingerprints):
        return Revision.ASK_AGAIN
    is_same = list(after.fingerprints) == list(before.fingerprints) and after.reads == before.reads
    return Revision.KEEP if is_same and after.paths == before.paths else Revision.NARROW
