"""Acknowledge, withdraw, publish and expire proposals. Each command locks the asset, then reads the proposal again."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera_gql.errors import Conflict, Forbidden, Invalid
from tessera_gql.policy import proposal_status, validation
from tessera_gql.policy.access import Action, Actor, acting_team, authorize, not_owner_error, require_owner
from tessera_gql.policy.enums import ProposalStatus, RegistrationStatus, Response
from tessera_gql.policy.events import ProposalAnswered
from tessera_gql.store import assets, proposals, registrations, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Asset, Proposal, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.proposal_lifecycle import (
    ProposalResult,
    change_status,
    find_stale_reason,
    publish_approved,
    update_status,
)
from tessera_gql.workflows.teams import require_row_version


@dataclass(frozen=True)
class AcknowledgmentInput:
    """The response of a team; MIGRATING needs a deadline."""

    response: Response
    migration_deadline: datetime | None = None
    notes: str | None = None


async def acknowledge(
    session: Session,
    actor: Actor,
    identity: UUID,
    *,
    team: TeamRef | None,
    answer: AcknowledgmentInput,
    expected_row_version: int | None = None,
) -> ProposalResult:
    """Record the response of an asked team; a later response replaces it."""
    asset, row = await _lock(session, identity)
    require_row_version(row.row_version, expected_row_version, "proposal")
    requested_team = await teams.get(session, team) if team else None
    team_id = acting_team(actor, Action.ACKNOWLEDGE_PROPOSAL, requested_team.id if requested_team else None)
    acting = requested_team or (await teams.by_ids(session, [team_id]))[0]
    row = await _update_open(session, asset, row)
    acknowledgment = await _find_acknowledgment(session, row, acting)
    deadline = _check_deadline(answer, session.now)
    await session.update_row(
        Acknowledgment,
        acknowledgment.id,
        response=answer.response,
        migration_deadline=deadline,
        notes=validation.clean_text(answer.notes, "notes"),
        responded_at=session.now,
    )
    await _mark_registrations(session, asset, acting, answer.response)
    session.record(
        ProposalAnswered(
            audience_team_ids=frozenset({acting.id, row.proposed_by, asset.owner_team_id}),
            asset_id=asset.id,
            proposal_id=row.id,
            acknowledgment_id=acknowledgment.id,
            consumer_team_id=acting.id,
            response=answer.response,
            migration_deadline=deadline,
            notes=validation.clean_text(answer.notes, "notes"),
        )
    )
    return await update_status(session, asset, row)


async def withdraw(
    session: Session,
    actor: Actor,
    identity: UUID,
    *,
    team: TeamRef | None = None,
    expected_row_version: int | None = None,
) -> ProposalResult:
    """Withdraw a proposal, as the owning team."""
    asset, row = await _lock(session, identity)
    require_row_version(row.row_version, expected_row_version, "proposal")
    await require_owning_team(session, actor, Action.WITHDRAW_PROPOSAL, asset, team)
    row = await _update_open(session, asset, row)
    return ProposalResult(
        await change_status(session, asset, row, ProposalStatus.WITHDRAWN, "withdrawn by the owning team")
    )


async def publish(
    session: Session,
    actor: Actor,
    identity: UUID,
    *,
    team: TeamRef | None = None,
    expected_row_version: int | None = None,
) -> ProposalResult:
    """Publish an approved proposal; raises Conflict while responses are missing, and when the proposal is stale."""
    asset, row = await _lock(session, identity)
    require_row_version(row.row_version, expected_row_version, "proposal")
    by = await require_owning_team(session, actor, Action.PUBLISH_PROPOSAL, asset, team)
    _require_open(row)
    progress = await update_status(session, asset, row, by=by)
    if progress.contract is not None:
        return progress
    row = progress.proposal
    _require_open(row)
    if row.status is not ProposalStatus.APPROVED:
        raise Conflict(await _describe_missing(session, row))
    if reason := await find_stale_reason(session, row):
        raise Conflict(
            f"The proposal is stale: {reason}. Publish the schema again with `supersede`: the teams are asked afresh."
        )
    return await publish_approved(session, asset, row, by)


async def apply_deadlines(session: Session, identity: UUID) -> ProposalResult:
    """Apply deadlines that have passed to a proposal."""
    asset, row = await _lock(session, identity)
    return await update_status(session, asset, row)


async def require_owning_team(session: Session, actor: Actor, verb: Action, asset: Asset, team: TeamRef | None) -> UUID:
    """Authorize the actor as the owning team and return its id; `team` is the team that the request names."""
    requested_team = await teams.get(session, team) if team else None
    owner = (await teams.by_ids(session, [asset.owner_team_id]))[0]
    action = f"{verb} of {asset.fqn}"
    if requested_team is not None:
        authorize(actor, verb, requested_team.id)
        if requested_team.id != owner.id:
            raise not_owner_error(action, owner.name)
    require_owner(actor, verb, owner.id, action_text=action, owner_name=owner.name)
    return owner.id


async def _lock(session: Session, identity: UUID) -> tuple[Asset, Proposal]:
    asset = await assets.lock(session, AssetRef(id=(await proposals.get(session, identity)).asset_id))
    return asset, await proposals.get(session, identity)


async def _update_open(session: Session, asset: Asset, row: Proposal) -> Proposal:
    """Apply passed deadlines to the proposal; raises Conflict if it has ended."""
    _require_open(row)
    row = (await update_status(session, asset, row)).proposal
    _require_open(row)
    return row


def _require_open(row: Proposal) -> None:
    if row.status is ProposalStatus.EXPIRED:
        raise Conflict(
            f"This proposal ran out on {row.expires_at:%Y-%m-%d %H:%M} UTC without everyone's consent."
            " The owning team can publish the schema again to ask afresh."
        )
    if not row.status.is_open:
        ended = f"{row.resolved_at:%Y-%m-%d %H:%M} UTC" if row.resolved_at else "earlier"
        raise Conflict(f"This proposal ended on {ended} as {row.status}. Look at the asset for an open one.")


async def _find_acknowledgment(session: Session, row: Proposal, team: Team) -> Acknowledgment:
    acknowledgments = await _unreleased(session, row)
    for item in acknowledgments:
        if item.consumer_team_id == team.id:
            return item
    asked = await teams.join_names(session, [item.consumer_team_id for item in acknowledgments])
    raise Forbidden(
        f"{team.name} is not asked by this proposal: it reads nothing that would break, or proposed it itself."
        f" Asked are: {asked or 'nobody'}.",
        field=("team",),
    )


async def _unreleased(session: Session, row: Proposal) -> list[Acknowledgment]:
    acknowledgments = await proposals.list_acknowledgments(session, [row.id])
    return [item for item in acknowledgments if item.released_at is None]


def _check_deadline(answer: AcknowledgmentInput, now: datetime) -> datetime | None:
    if answer.response is not Response.MIGRATING:
        return None
    if answer.migration_deadline is None:
        raise Invalid(
            "MIGRATING means not yet, so say until when: give a migrationDeadline.", field=("migrationDeadline",)
        )
    if answer.migration_deadline <= now:
        raise Invalid(
            "The migrationDeadline has passed already. Give a later one, or answer APPROVED.",
            field=("migrationDeadline",),
        )
    return answer.migration_deadline


async def _mark_registrations(session: Session, asset: Asset, team: Team, response: Response) -> None:
    status = RegistrationStatus.MIGRATING if response is Response.MIGRATING else RegistrationStatus.ACTIVE
    acknowledged_at = None if response is Response.BLOCKED else session.now
    await registrations.mark_response(session, asset.id, team.id, status, acknowledged_at)


async def _describe_missing(session: Session, row: Proposal) -> str:
    acknowledgments = await _unreleased(session, row)
    blocking_teams = [item.consumer_team_id for item in acknowledgments if item.response is Response.BLOCKED]
    if blocking_teams:
        names = await teams.join_names(session, blocking_teams)
        return f"The proposal is rejected: {names} answered BLOCKED. Settle it with them; they may answer again."
    awaited_teams = [
        item.consumer_team_id
        for item in acknowledgments
        if not proposal_status.is_consent(
            proposal_status.TeamResponse(item.response, item.migration_deadline), session.now
        )
    ]
    names = await teams.join_names(session, awaited_teams)
    return f"The proposal is pending: it waits for {names}. It can be published once they agree."
