"""Acknowledge, withdraw, publish and expire proposals, and remind of them.

Each command locks the asset, then reads the proposal again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tessera_gql.errors import Conflict, Forbidden
from tessera_gql.policy import proposal_status, validation
from tessera_gql.policy.access import Action, Actor
from tessera_gql.policy.enums import ProposalStatus, Response
from tessera_gql.policy.events import ProposalAnswered, ReminderSent
from tessera_gql.policy.proposal_status import (
    TeamResponse,
    choose_migration_deadline,
    due_reminder,
    is_consent,
    registration_status,
)
from tessera_gql.store import assets, proposals, registrations, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session, ids
from tessera_gql.store.tables import Acknowledgment, Asset, Proposal
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.proposal_lifecycle import (
    ProposalResult,
    change_status,
    find_stale_reason,
    load_responses,
    publish_approved,
    update_status,
)
from tessera_gql.workflows.teams import require_owning_team, require_row_version, resolve_acting_team


@dataclass(frozen=True)
class AcknowledgmentInput:
    """The response of a team; MIGRATING needs a deadline."""

    response: Response
    migration_deadline: datetime | None = None
    notes: str | None = None


async def acknowledge(
    session: Session,
    actor: Actor,
    proposal_id: UUID,
    *,
    team: TeamRef | None,
    answer: AcknowledgmentInput,
    expected_row_version: int | None = None,
) -> ProposalResult:
    """Record the response of an asked team; a later response replaces it."""
    asset, row = await _lock(session, proposal_id, expected_row_version)
    team_id = await resolve_acting_team(session, actor, Action.ACKNOWLEDGE_PROPOSAL, team)
    row = await _update_open(session, asset, row)
    acknowledgment = await _find_acknowledgment(session, row, team_id)
    response = answer.response
    deadline = choose_migration_deadline(TeamResponse(response, answer.migration_deadline), session.now)
    notes = validation.clean_text(answer.notes, "notes")
    await session.update_row(
        Acknowledgment,
        acknowledgment.id,
        response=response,
        migration_deadline=deadline,
        notes=notes,
        responded_at=session.now,
    )
    acknowledged_at = None if response is Response.BLOCKED else session.now
    await registrations.mark_response(session, asset.id, team_id, registration_status(response), acknowledged_at)
    event = ProposalAnswered(
        audience_team_ids=frozenset({team_id, row.proposed_by, asset.owner_team_id}),
        asset_id=asset.id,
        proposal_id=row.id,
        acknowledgment_id=acknowledgment.id,
        consumer_team_id=team_id,
        response=response,
        migration_deadline=deadline,
        notes=notes,
    )
    session.record(event)
    return await update_status(session, asset, row)


async def withdraw(
    session: Session,
    actor: Actor,
    proposal_id: UUID,
    *,
    team: TeamRef | None = None,
    expected_row_version: int | None = None,
) -> ProposalResult:
    """Withdraw a proposal, as the owning team."""
    asset, row = await _lock(session, proposal_id, expected_row_version)
    action = Action.WITHDRAW_PROPOSAL
    await require_owning_team(session, actor, action, asset, f"{action} of {asset.fqn}", team)
    row = await _update_open(session, asset, row)
    return ProposalResult(
        await change_status(session, asset, row, ProposalStatus.WITHDRAWN, "withdrawn by the owning team")
    )


async def publish(
    session: Session,
    actor: Actor,
    proposal_id: UUID,
    *,
    team: TeamRef | None = None,
    expected_row_version: int | None = None,
) -> ProposalResult:
    """Publish an approved proposal; raises Conflict while responses are missing, and when the proposal is stale."""
    asset, row = await _lock(session, proposal_id, expected_row_version)
    action = Action.PUBLISH_PROPOSAL
    published_by = await require_owning_team(session, actor, action, asset, f"{action} of {asset.fqn}", team)
    _require_open(row)
    result = await update_status(session, asset, row, team=published_by)
    if result.contract is not None:
        return result
    row = result.proposal
    _require_open(row)
    if row.status is not ProposalStatus.APPROVED:
        raise Conflict(await _describe_missing(session, row))
    if reason := await find_stale_reason(session, row):
        raise Conflict(
            f"The proposal is stale: {reason}. Publish the schema again with `supersede`: the teams are asked afresh."
        )
    return await publish_approved(session, asset, row, published_by)


async def apply_deadlines(session: Session, proposal_id: UUID) -> ProposalResult:
    """Apply deadlines that have passed to a proposal."""
    asset, row = await _lock(session, proposal_id)
    return await update_status(session, asset, row)


async def find_due_reminders(session: Session, spans: Sequence[timedelta]) -> list[UUID]:
    """Find proposals for which a reminder seems due; read without a lock."""
    near = await proposals.list_expiring(session, session.now, max(spans, default=timedelta()))
    sent_hours = await proposals.load_reminder_hours(session, ids(near))
    return [row.id for row in near if _due_hours(session, row, spans, sent_hours[row.id]) is not None]


async def send_reminder(session: Session, proposal_id: UUID, spans: Sequence[timedelta]) -> bool:
    """Send a reminder if one is due, under the asset's lock, so that of several workers one sends it."""
    _, row = await _lock(session, proposal_id)
    hours = _due_hours(session, row, spans, (await proposals.load_reminder_hours(session, [proposal_id]))[proposal_id])
    answers = await load_responses(session, proposal_id)
    silent_teams = frozenset(team for team, answer in answers.items() if answer.response is None)
    if hours is None or not silent_teams or row.status is not ProposalStatus.PENDING:
        return False
    event = ReminderSent(
        audience_team_ids=silent_teams,
        asset_id=row.asset_id,
        proposal_id=row.id,
        hours_before=hours,
        expires_at=row.expires_at,
    )
    session.record(event)
    return True


def _due_hours(session: Session, row: Proposal, spans: Sequence[timedelta], sent_hours: set[int]) -> int | None:
    return due_reminder(spans, sent_hours, proposed_at=row.proposed_at, expires_at=row.expires_at, now=session.now)


async def _lock(session: Session, proposal_id: UUID, expected_row_version: int | None = None) -> tuple[Asset, Proposal]:
    asset = await assets.lock(session, AssetRef(id=(await proposals.get(session, proposal_id)).asset_id))
    row = await proposals.get(session, proposal_id)
    require_row_version(row.row_version, expected_row_version, "proposal")
    return asset, row


async def _update_open(session: Session, asset: Asset, row: Proposal) -> Proposal:
    """Apply passed deadlines to the proposal; raises Conflict if it has ended."""
    _require_open(row)
    row = (await update_status(session, asset, row)).proposal
    _require_open(row)
    return row


def _require_open(row: Proposal) -> None:
    proposal_status.require_open(row.status, row.expires_at, row.resolved_at)


async def _find_acknowledgment(session: Session, row: Proposal, team: UUID) -> Acknowledgment:
    acknowledgments = await proposals.list_acknowledgments(session, [row.id])
    asked = {item.consumer_team_id: item for item in acknowledgments if item.released_at is None}
    if team in asked:
        return asked[team]
    name, names = await teams.join_names(session, [team]), await teams.join_names(session, list(asked))
    raise Forbidden(
        f"{name} is not asked by this proposal: it reads nothing that would break, or proposed it itself."
        f" Asked are: {names or 'nobody'}.",
        field=("team",),
    )


async def _describe_missing(session: Session, row: Proposal) -> str:
    answers = await load_responses(session, row.id)
    blocking_teams = [team for team, answer in answers.items() if answer.response is Response.BLOCKED]
    if blocking_teams:
        names = await teams.join_names(session, blocking_teams)
        return f"The proposal is rejected: {names} answered BLOCKED. Settle it with them; they may answer again."
    unconsenting_teams = [team for team, answer in answers.items() if not is_consent(answer, session.now)]
    names = await teams.join_names(session, unconsenting_teams)
    return f"The proposal is pending: it waits for {names}. It can be published once they agree."
