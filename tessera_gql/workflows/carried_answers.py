"""Store the answers of teams to changes of an asset, and choose those that hold for later requests."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera_gql.policy import proposal_status
from tessera_gql.policy.affected_teams import Reasons
from tessera_gql.policy.proposal_status import SEVERITY, TeamResponse
from tessera_gql.store.tables import Acknowledgment, Answer

ANSWER_COLUMNS = ("response", "migration_deadline", "notes", "responded_by")
UNPROVEN = dict.fromkeys(("released_at", "released_by"))


def choose_answer(reasons: Reasons, earlier: Mapping[str, Answer], now: datetime) -> dict[str, Any]:
    """Choose the answer to carry over: the strictest of those to the changes, if all of them have one that holds.

    If some do, the request refers to the acknowledgment with the latest of them.
    """
    given_answers = [earlier[item] for item in reasons.fingerprints if item in earlier]
    if not given_answers:
        return {}
    is_complete = len(given_answers) == len(reasons.fingerprints) and all(
        proposal_status.is_reusable(TeamResponse(item.response, item.migration_deadline), item.answered_at, now)
        and reasons.is_read_covered(item.fingerprint, item.reads)
        for item in given_answers
    )
    if not is_complete:
        return {"previous_id": max(given_answers, key=lambda item: item.answered_at).acknowledgment_id}
    answer = min(given_answers, key=lambda item: (SEVERITY.index(item.response), -item.answered_at.timestamp()))
    deadlines = [item.migration_deadline for item in given_answers if item.response is answer.response]
    return {**take_over(answer), "migration_deadline": max(filter(None, deadlines), default=None)}


def take_over(answer: Answer) -> dict[str, Any]:
    """Return the columns of a request to which an earlier answer is carried over."""
    return {
        "response": answer.response,
        "migration_deadline": answer.migration_deadline,
        "notes": answer.notes,
        "responded_at": answer.answered_at,
        "responded_by": answer.responded_by,
        "carried_from": answer.acknowledgment_id,
    }


def describe_answers(
    asset_id: UUID, acknowledgment: Acknowledgment, columns: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows of the answer to a request, one for each change that it is about; `columns` hold it."""
    reads = acknowledgment.reads
    return [
        {
            "team_id": acknowledgment.consumer_team_id,
            "asset_id": asset_id,
            "acknowledgment_id": acknowledgment.id,
            "fingerprint": fingerprint,
            "reads": None if reads is None else reads.get(fingerprint, []),
            **UNPROVEN,
            **columns,
        }
        for fingerprint in acknowledgment.change_fingerprints
    ]


def describe_proven(
    asset_id: UUID, acknowledgment: Acknowledgment, released_at: datetime, proof: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """Return the rows of an answer whose migration observed reads have proven."""
    columns = {name: getattr(acknowledgment, name) for name in ANSWER_COLUMNS}
    columns |= {"answered_at": acknowledgment.responded_at, "released_at": released_at, "released_by": proof}
    return describe_answers(asset_id, acknowledgment, columns)
