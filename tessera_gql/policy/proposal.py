"""A proposal's status is a function of its answers and the time; nobody sets it by hand."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tessera_gql.policy.words import ProposalStatus, Response


@dataclass(frozen=True)
class Answer:
    """One asked team's answer; `response` None is silence."""

    response: Response | None
    deadline: datetime | None = None


def status(answers: Iterable[Answer], now: datetime) -> ProposalStatus:
    """One BLOCKED rejects; consent of all approves; MIGRATING consents once its deadline has passed."""
    given = list(answers)
    if any(answer.response is Response.BLOCKED for answer in given):
        return ProposalStatus.REJECTED
    if all(consents(answer, now) for answer in given):
        return ProposalStatus.APPROVED
    return ProposalStatus.PENDING


def consents(answer: Answer, now: datetime) -> bool:
    match answer.response:
        case Response.APPROVED:
            return True
        case Response.MIGRATING:
            return answer.deadline is not None and answer.deadline <= now
        case _:
            return False


def status_in_time(answers: Iterable[Answer], expires_at: datetime, now: datetime) -> ProposalStatus:
    """The status now, or EXPIRED if consent was not complete when the proposal ran out, however late we look."""
    given = list(answers)
    if now >= expires_at and status(given, expires_at) is not ProposalStatus.APPROVED:
        return ProposalStatus.EXPIRED
    return status(given, now)
