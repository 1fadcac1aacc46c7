"""The commit status of a change set: pending while teams are asked, success once all agree, failure if one blocks."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit
from uuid import UUID

from tessera_gql.policy.enums import ChangeSetStatus, ProposalStatus
from tessera_gql.policy.message_facts import count_noun, join_names

STATUS_CONTEXT = "tessera/contracts"
MAX_DESCRIPTION = 140
"""GitHub refuses a longer description."""
PULL_REQUEST = re.compile(r"(?P<host>[\w.:-]+)/(?P<owner>[\w.-]+)/(?P<repository>[\w.-]+)#\d+")


class CommitState(StrEnum):
    """The states of a commit status, as GitHub names them."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True)
class CommitStatus:
    """A commit status; `description` is a short sentence."""

    state: CommitState
    description: str


@dataclass(frozen=True)
class ProposalState:
    """The state of the latest proposal for an asset in a change set, with the teams that block and that are awaited."""

    asset_id: UUID
    status: ProposalStatus
    is_held: bool = False
    blocking: frozenset[str] = frozenset()
    awaited: frozenset[str] = frozenset()


def decide_status(change_set: ChangeSetStatus, proposals: Collection[ProposalState]) -> CommitStatus:
    """Decide the commit status of a change set from the latest proposal for each of its assets."""
    by_status: Mapping[ProposalStatus, Sequence[ProposalState]] = {
        status: [item for item in proposals if item.status is status] for status in ProposalStatus
    }
    if rejected := by_status[ProposalStatus.REJECTED]:
        return _describe(CommitState.FAILURE, f"Blocked by {_name(item.blocking for item in rejected)}", len(rejected))
    if expired := by_status[ProposalStatus.EXPIRED]:
        return _describe(CommitState.FAILURE, "An ask expired without the answers it needs; ask again", len(expired))
    if pending := by_status[ProposalStatus.PENDING]:
        awaited = _name(item.awaited for item in pending)
        reason = (
            f"Waiting for {awaited}" if awaited else "Waiting for observed reads" if _is_held(pending) else "Waiting"
        )
        return _describe(CommitState.PENDING, reason, len(pending))
    if change_set is ChangeSetStatus.WITHDRAWN:
        return CommitStatus(CommitState.ERROR, "The change set was withdrawn. Run the check again to ask anew.")
    if approved := by_status[ProposalStatus.APPROVED]:
        return _describe(CommitState.SUCCESS, "Every asked team agrees", len(approved))
    if change_set is ChangeSetStatus.PUBLISHED:
        return CommitStatus(CommitState.SUCCESS, "The change set is published.")
    return CommitStatus(CommitState.SUCCESS, "No team is hurt.")


def _is_held(proposals: Collection[ProposalState]) -> bool:
    return any(item.is_held for item in proposals)


def _name(groups: Iterable[frozenset[str]]) -> str:
    names = {team for group in groups for team in group}
    return join_names(sorted(names)) if names else ""


def _describe(state: CommitState, reason: str, count: int) -> CommitStatus:
    suffix = f" ({count_noun(count, 'table')})."
    limit = MAX_DESCRIPTION - len(suffix)
    text = reason if len(reason) <= limit else f"{reason[: limit - 1]}…"
    return CommitStatus(state, f"{text}{suffix}")


def find_repository(key: str) -> tuple[str, str] | None:
    """Return host and `owner/repository` of the key of a pull request; None for another change set."""
    if (match := PULL_REQUEST.fullmatch(key)) is None:
        return None
    return match["host"].lower(), f"{match['owner']}/{match['repository']}"


def is_in_scope(url: str, key: str) -> bool:
    """Return whether a pull request belongs to the repository, or the organization, of an address."""
    if (repository := find_repository(key)) is None:
        return False
    parts = urlsplit(url)
    host, name = repository
    path = parts.path.strip("/").lower()
    return parts.netloc.lower() == host and bool(path) and f"{name.lower()}/".startswith(f"{path}/")
