"""Requests of a proposal to its asked teams: asked, revised and released. The caller holds the lock of the asset."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from tessera_gql.policy import events, proposal_status
from tessera_gql.policy.proposal_status import Revision, TeamResponse
from tessera_gql.store import proposals
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Proposal, new_id

ChangesByTeam = Mapping[UUID, tuple[str, ...]]
"""The fingerprints of the breaking changes that affect each team."""


Answers = Mapping[UUID, Acknowledgment]
"""What each team answered before to changes of the same asset."""
ANSWER_COLUMNS = ("response", "migration_deadline", "notes", "responded_at")


async def ask_teams(session: Session, row: Proposal, asked: ChangesByTeam, answers: Answers | None = None) -> None:
    """Ask teams that the proposal has not asked before. A team that has answered all of its changes is not asked."""
    acknowledgments = [
        Acknowledgment(
            id=new_id(),
            proposal_id=row.id,
            consumer_team_id=team,
            change_fingerprints=list(fingerprints),
            created_at=session.now,
            **_find_answer(session, (answers or {}).get(team), fingerprints),
        )
        for team, fingerprints in asked.items()
    ]
    await session.insert_all(acknowledgments)
    for item in acknowledgments:
        if item.response is None:
            _record_request(session, row, item, item.change_fingerprints)


def _find_answer(session: Session, answer: Acknowledgment | None, fingerprints: Sequence[str]) -> dict[str, Any]:
    if answer is None:
        return {}
    response = TeamResponse(answer.response, answer.migration_deadline)
    if not proposal_status.is_answered(response, answer.change_fingerprints, fingerprints, session.now):
        return {}
    return {name: getattr(answer, name) for name in ANSWER_COLUMNS}


async def revise_requests(session: Session, row: Proposal, asked: ChangesByTeam) -> None:
    """Ask newly affected teams, and those that more changes affect than before; release teams that none affects."""
    existing = {item.consumer_team_id: item for item in await proposals.list_acknowledgments(session, [row.id])}
    await ask_teams(session, row, {team: changes for team, changes in asked.items() if team not in existing})
    for team, acknowledgment in existing.items():
        await _revise_request(session, row, acknowledgment, asked.get(team))


def _record_request(
    session: Session, row: Proposal, acknowledgment: Acknowledgment, fingerprints: Sequence[str]
) -> None:
    messages = [change["message"] for change in row.breaking_changes if change["fingerprint"] in fingerprints]
    event = events.AcknowledgmentRequested(
        audience_team_ids=frozenset({acknowledgment.consumer_team_id}),
        asset_id=row.asset_id,
        proposal_id=row.id,
        acknowledgment_id=acknowledgment.id,
        consumer_team_id=acknowledgment.consumer_team_id,
        expires_at=row.expires_at,
        changes=tuple(messages),
    )
    session.record(event)


async def _revise_request(
    session: Session, row: Proposal, acknowledgment: Acknowledgment, fingerprints: tuple[str, ...] | None
) -> None:
    match proposal_status.revise_request(
        acknowledgment.change_fingerprints, fingerprints, is_released=acknowledgment.released_at is not None
    ):
        case Revision.RELEASE:
            await session.update_row(Acknowledgment, acknowledgment.id, released_at=session.now)
            _record_release(session, row, acknowledgment)
        case Revision.NARROW:
            await session.update_row(Acknowledgment, acknowledgment.id, change_fingerprints=list(fingerprints or ()))
        case Revision.ASK_AGAIN:
            reset = dict.fromkeys(("response", "responded_at", "migration_deadline", "notes", "released_at"))
            await session.update_row(
                Acknowledgment, acknowledgment.id, change_fingerprints=list(fingerprints or ()), **reset
            )
            _record_request(session, row, acknowledgment, fingerprints or ())
        case Revision.KEEP:
            pass


def _record_release(session: Session, row: Proposal, acknowledgment: Acknowledgment) -> None:
    event = events.AcknowledgmentReleased(
        audience_team_ids=frozenset({acknowledgment.consumer_team_id, row.proposed_by}),
        asset_id=row.asset_id,
        proposal_id=row.id,
        acknowledgment_id=acknowledgment.id,
        consumer_team_id=acknowledgment.consumer_team_id,
    )
    session.record(event)
