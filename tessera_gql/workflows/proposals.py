"""Acknowledge, withdraw, publish and expire proposals, propose retirements, and remind of what waits.

Each command locks the asset, then reads the proposal again.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera_gql.errors import Conflict, Forbidden, Invalid
from tessera_gql.policy import delegation as delegation_rules
from tessera_gql.policy import proposal_status, validation
from tessera_gql.policy.access import Action, Actor, acting_team, authorize, is_allowed
from tessera_gql.policy.archive import require_live_asset
from tessera_gql.policy.ask_events import ProposalAnswered, ReminderSent
from tessera_gql.policy.ask_policy import AskPolicy, find_due_days, find_next_reminder
from tessera_gql.policy.enums import Intent, OnSilence, ProposalKind, ProposalStatus, Response
from tessera_gql.policy.fingerprints import are_fingerprints_current
from tessera_gql.policy.proposal_status import (
    TeamResponse,
    choose_expiry,
    choose_migration_deadline,
    registration_status,
    require_answer,
    require_consistent_intent,
)
from tessera_gql.policy.retirement import judge_retirement
from tessera_gql.store import answers, assets, contracts, proposals, registrations, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Asset, Proposal
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.ask_clock import extend
from tessera_gql.workflows.carried_answers import describe_answers
from tessera_gql.workflows.coverage_holds import CoverageWaiver, describe_hold, waive_coverage
from tessera_gql.workflows.open_proposals import Claim, ProposalOptions, ask_again, find_open_proposal, supersede
from tessera_gql.workflows.proposal_bases import find_stale_reason
from tessera_gql.workflows.proposal_lifecycle import (
    ProposalDraft,
    ProposalResult,
    change_status,
    load_responses,
    open_proposal,
    publish_approved,
    release,
    update_status,
)
from tessera_gql.workflows.teams import require_owning_team, require_row_version


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
    """Record the response of an asked team; a later response replaces it.

    The team's delegate and, once the request was escalated, its escalation team may answer for it.
    """
    asset, row = await _lock(session, proposal_id, expected_row_version)
    requested = (await teams.get(session, team)).id if team else acting_team(actor, Action.ACKNOWLEDGE_PROPOSAL, None)
    row = await _update_open(session, asset, row)
    acknowledgment = await _find_acknowledgment(session, actor, row, requested)
    responded_by = await find_substitute(session, actor, asset, row, acknowledgment)
    return await record_answer(session, asset, row, acknowledgment, answer, responded_by)


async def record_answer(
    session: Session,
    asset: Asset,
    row: Proposal,
    acknowledgment: Acknowledgment,
    answer: AcknowledgmentInput,
    responded_by: UUID | None,
) -> ProposalResult:
    """Store the answer to a request, and for later proposals with the same changes; update the status."""
    team_id, response = acknowledgment.consumer_team_id, answer.response
    notes = validation.clean_text(answer.notes, "notes")
    require_answer(response, notes)
    deadline = choose_migration_deadline(TeamResponse(response, answer.migration_deadline), session.now)
    values = {"response": response, "migration_deadline": deadline, "notes": notes}
    await session.update_row(
        Acknowledgment,
        acknowledgment.id,
        **values,
        responded_at=session.now,
        responded_by=responded_by,
        carried_from=None,
        overdue_at=None,
    )
    columns = {**values, "answered_at": session.now, "responded_by": responded_by}
    await answers.replace(session, describe_answers(asset.id, acknowledgment, columns))
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
        responded_by=responded_by,
    )
    session.record(event)
    return await update_status(session, asset, row)


async def find_substitute(
    session: Session, actor: Actor, asset: Asset, row: Proposal, acknowledgment: Acknowledgment
) -> UUID | None:
    """Return the team that answers for the asked one, None if the actor acts for that itself; else raise Forbidden."""
    action, asked = Action.ACKNOWLEDGE_PROPOSAL, acknowledgment.consumer_team_id
    if is_allowed(actor, action, asked):
        return None
    (team,) = await teams.by_ids(session, [asked])
    delegation, proposers = teams.to_delegation(team), {asset.owner_team_id, row.proposed_by}
    substitute = delegation_rules.find_substitute(
        actor, delegation, acknowledgment.escalated_to, proposers, session.now
    )
    if substitute is not None:
        own_answer = acknowledgment.response if acknowledgment.responded_by is None else None
        is_overdue = acknowledgment.overdue_at is not None
        delegation_rules.require_replaceable(team.name, own_answer, is_overdue=is_overdue)
        return substitute
    if delegation.delegate is not None and is_allowed(actor, action, delegation.delegate):
        raise Forbidden(
            f"The delegation of {team.name} ended on {delegation.until:%Y-%m-%d}. Ask the team to answer, or to set"
            " its delegate again.",
            field=("team",),
        )
    authorize(actor, action, asked)
    return None


async def extend_proposal(
    session: Session,
    actor: Actor,
    proposal_id: UUID,
    expires_at: datetime,
    *,
    team: TeamRef | None = None,
    expected_row_version: int | None = None,
) -> ProposalResult:
    """Let an open proposal expire later, as the owning team; raises Invalid for a moment that is not later."""
    asset, row = await _lock(session, proposal_id, expected_row_version)
    action = Action.EXTEND_PROPOSAL
    await require_owning_team(session, actor, action, asset, f"{action} of {asset.fqn}", team)
    row = await _update_open(session, asset, row)
    choose_expiry(expires_at, expires_at, session.now)
    if expires_at < row.expires_at:
        raise Invalid(
            f"The proposal stays open until {validation.format_moment(row.expires_at)} already. Give a later moment.",
            field=("expiresAt",),
        )
    row = await extend(session, asset, row, expires_at, "extended by the owning team")
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
    waiver: CoverageWaiver | None = None,
) -> ProposalResult:
    """Publish an approved proposal; raises Conflict while responses are missing, and when the proposal is stale.

    It is stale if a newer contract adds breaking changes that some team reads. What no team reads passes, and an event
    names it.
    """
    asset, row = await _lock(session, proposal_id, expected_row_version)
    action = Action.PUBLISH_PROPOSAL
    published_by = await require_owning_team(session, actor, action, asset, f"{action} of {asset.fqn}", team)
    _require_open(row)
    if waiver is not None:
        row = await waive_coverage(session, actor, asset, row, waiver.reason)
    result = await update_status(session, asset, row, team=published_by)
    if result.contract is not None:
        return result
    row = result.proposal
    _require_open(row)
    if reason := await find_missing(session, asset, row):
        raise Conflict(reason)
    return await publish_approved(session, asset, row, published_by)


async def find_missing(session: Session, asset: Asset, row: Proposal) -> str | None:
    """Describe what an open proposal still needs before it can be published; None if nothing."""
    if row.status is not ProposalStatus.APPROVED:
        return await _describe_missing(session, row)
    if (reason := await find_stale_reason(session, asset, row)) is None:
        return None
    if are_fingerprints_current(row.breaking_changes):
        advice = "Publish the same schema again: only the readers of what is new are asked, and the other answers stay."
    else:
        advice = "Publish the schema again with `supersede`: the teams are asked afresh."
    return f"The proposal is stale: {reason.removesuffix('.')}. {advice}"


@dataclass(frozen=True)
class RetirementRequest:
    """The arguments of a retirement: its reason is required, because the asked teams decide by it."""

    reason: str
    expires_at: datetime | None = None
    change_set_id: UUID | None = None
    publish_when_approved: bool = False
    intent: Intent = Intent.RELEASE
    team: TeamRef | None = None
    supersede: bool = False
    require_explicit_publish: bool = False
    unaffected_assets: frozenset[UUID] = frozenset()

    def to_options(self) -> ProposalOptions:
        return ProposalOptions(
            publish_when_approved=self.publish_when_approved or None,
            require_explicit_publish=self.require_explicit_publish or None,
            change_set_id=self.change_set_id,
            expires_at=self.expires_at,
        )


async def propose_retirement(
    session: Session, actor: Actor, ref: AssetRef, request: RetirementRequest
) -> ProposalResult:
    """Ask every reader to agree that the asset's contract ends. A release retires it if no team reads the asset.

    The same request again returns the open proposal, and a release retires what is approved. `contract` of the result
    is the retired contract.
    """
    reason = _require_retirement_reason(request)
    asset = await assets.lock(session, ref)
    action = Action.PROPOSE_RETIREMENT
    team = await require_owning_team(session, actor, action, asset, f"retire {asset.fqn}", request.team)
    require_live_asset(asset)
    is_release = request.intent is Intent.RELEASE
    waiting = await find_open_proposal(session, asset)
    current = await contracts.find_active(session, asset.id)
    if current is None:
        raise Conflict(f"{asset.fqn} has no active contract, so there is nothing to retire.")
    if waiting is not None and waiting.kind is ProposalKind.RETIREMENT:
        result = await ask_again(session, asset, waiting, current, request.to_options())
    else:
        if waiting is not None:
            claim = Claim(request.change_set_id, request.supersede, "changes it instead")
            await supersede(session, asset, waiting, claim, "a proposal to retire the asset")
        draft = ProposalDraft(
            terms=None,
            version=None,
            judgement=judge_retirement(current.compatibility_mode),
            team_id=team,
            reason=reason,
            expires_at=request.expires_at,
            publish_when_approved=request.publish_when_approved,
            require_explicit_publish=request.require_explicit_publish,
            change_set_id=request.change_set_id,
            unaffected_assets=request.unaffected_assets,
        )
        result = await open_proposal(session, asset, current, draft)
    return await release(session, asset, result, team) if is_release else result


def _require_retirement_reason(request: RetirementRequest) -> str:
    require_consistent_intent(
        request.intent,
        publish_when_approved=request.publish_when_approved,
        require_explicit_publish=request.require_explicit_publish,
    )
    if (reason := validation.clean_text(request.reason, "reason")) is None:
        raise Invalid("A retirement needs a reason: the asked teams decide by it.", field=("reason",))
    return reason


async def apply_deadlines(session: Session, proposal_id: UUID) -> ProposalResult:
    """Apply deadlines that have passed to a proposal."""
    asset, row = await _lock(session, proposal_id)
    return await update_status(session, asset, row)


async def send_reminders(session: Session, proposal_id: UUID) -> bool:
    """Send the reminders that are due, under the asset's lock, so that of several workers one sends them."""
    _, row = await _lock(session, proposal_id)
    due: dict[tuple[int, datetime, OnSilence], set[UUID]] = defaultdict(set)
    acknowledgments = await proposals.list_acknowledgments(session, [proposal_id])
    delegations = await teams.load_delegations(session, [item.consumer_team_id for item in acknowledgments])
    for item in acknowledgments:
        is_unanswered = item.response is None and item.released_at is None
        if not (row.status.is_open and is_unanswered and item.remind_at is not None and item.remind_at <= session.now):
            continue
        policy = AskPolicy.from_json(item.policy)
        remind_at = find_next_reminder(policy, item.due_at, session.now)
        await session.update_row(Acknowledgment, item.id, remind_at=remind_at)
        if (days := find_due_days(policy, item.due_at, session.now)) is not None:
            delegate = delegations[item.consumer_team_id].find_delegate(session.now)
            substitutes = filter(None, [item.escalated_to, delegate])
            due[days, item.due_at, policy.on_silence] |= {item.consumer_team_id, *substitutes}
    for (days, due_at, on_silence), audience in due.items():
        event = ReminderSent(
            audience_team_ids=frozenset(audience),
            asset_id=row.asset_id,
            proposal_id=row.id,
            days_before=days,
            due_at=due_at,
            on_silence=on_silence,
        )
        session.record(event)
    return bool(due)


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


async def _find_acknowledgment(session: Session, actor: Actor, row: Proposal, team: UUID) -> Acknowledgment:
    acknowledgments = await proposals.list_acknowledgments(session, [row.id])
    asked = {item.consumer_team_id: item for item in acknowledgments if item.released_at is None}
    if team in asked:
        return asked[team]
    authorize(actor, Action.ACKNOWLEDGE_PROPOSAL, team)
    name, names = await teams.join_names(session, [team]), await teams.join_names(session, list(asked))
    raise Forbidden(
        f"{name} is not asked by this proposal: it reads nothing that would break, or proposed it itself."
        f" Asked are: {names or 'nobody'}.",
        field=("team",),
    )


async def _describe_missing(session: Session, row: Proposal) -> str:
    responses = await load_responses(session, row.id)
    if row.hold is not None and all(response.is_consent for response in responses.values()):
        return describe_hold(row)
    blocking_teams = [team for team, response in responses.items() if response.is_block]
    if blocking_teams:
        names = await teams.join_names(session, blocking_teams)
        return f"The proposal is rejected: {names} answered BLOCKED. Settle it with them; they may answer again."
    waiting = {team: response for team, response in responses.items() if not response.is_consent}
    migrating = [team for team, response in waiting.items() if response.response is Response.MIGRATING]
    names = await teams.join_names(session, [*waiting])
    reason = f"The proposal is pending: it waits for {names}. It can be published once they agree."
    if migrating:
        reason += f" Still migrating: {await teams.join_names(session, migrating)}."
    return reason
