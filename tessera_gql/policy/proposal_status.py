"""Compute the status of a proposal from its acknowledgments and the time; it is never set by hand."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tessera_gql.policy.enums import ProposalStatus, Response


@dataclass(frozen=True)
class TeamResponse:
    """The response of one asked team; `response` is None until it responds."""

    response: Response | None
    deadline: datetime | None = None


def compute_status(answers: Iterable[TeamResponse], now: datetime) -> ProposalStatus:
    """Compute the status: any BLOCKED rejects, consent of all approves."""
    responses = list(answers)
    if any(answer.response is Response.BLOCKED for answer in responses):
        return ProposalStatus.REJECTED
    if all(is_consent(answer, now) for answer in responses):
        return ProposalStatus.APPROVED
    return ProposalStatus.PENDING


def is_consent(answer: TeamResponse, now: datetime) -> bool:
    """Whether the team agrees; MIGRATING counts as consent once its deadline has passed."""
    match answer.response:
        case Response.APPROVED:
            return True
        case Response.MIGRATING:
            return answer.deadline is not None and answer.deadline <= now
        case _:
            return False


def compute_status_or_expiry(answers: Iterable[TeamResponse], expires_at: datetime, now: datetime) -> ProposalStatus:
    """Compute the status, or EXPIRED if consent was not complete at `expires_at`, however late this is computed."""
    responses = list(answers)
    if now >= expires_at and compute_status(responses, expires_at) is not ProposalStatus.APPROVED:
        return ProposalStatus.EXPIRED
    return compute_status(responses, now)
