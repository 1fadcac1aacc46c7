"""Apply the passing of time to the requests of an open proposal. The caller holds the lock of the asset.

Silence is counted as the policy of each ask says, a migration whose deadline has passed is marked as overdue, and asks
without an answer go to the escalation team. Each happens once, because the rows are changed in the same transaction.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tessera_gql.policy import ask_events, ask_policy
from tessera_gql.policy.ask_policy import AskPolicy
from tessera_gql.policy.enums import OnSilence, Response
from tessera_gql.policy.proposal_status import MAX_LIFETIME, MIGRATION_GRACE, TeamResponse
from tessera_gql.policy.upcoming import OpenAsk
from tessera_gql.store import proposals, teams
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Asset, Proposal, table
from tessera_gql.workflows.change_set_time import sum_up_at_commit

EXTENDING = (OnSilence.EXTEND, OnSilence.APPROVE)
"""Policies under which an overdue migration extends the proposal: a migration is never consent."""


async def apply_time(session: Session, asset: Asset, row: Proposal) -> tuple[Proposal, list[Acknowledgment]]:
    """Apply what is due; returns the proposal and its acknowledgments that count, as they are then."""
    acknowledgments = await _list_counting(session, row)
    due = [item for item in acknowledgments if _is_due(item, row, session.now)]
    for item in due:
        row = await _apply(session, asset, row, item)
    if due:
        acknowledgments = await _list_counting(session, row)
    if (needed := _find_needed_expiry(row, acknowledgments, session.now)) > row.expires_at:
        row = await extend(session, asset, row, needed, "an asked team has longer")
        acknowledgments = await _list_counting(session, row)
    return row, acknowledgments


def _find_needed_expiry(row: Proposal, acknowledgments: Sequence[Acknowledgment], now: datetime) -> datetime:
    """Return until when a proposal stays open: until silence is counted, and a week after the end of a migration."""
    needed = [row.expires_at]
    for item in acknowledgments:
        if item.response is Response.MIGRATING and item.migration_deadline is not None:
            needed.append(item.migration_deadline + MIGRATION_GRACE)
        elif item.response is None and item.policy["onSilence"] != OnSilence.EXPIRE and item.due_at > now:
            end = AskPolicy.from_json(item.policy).find_end(item.due_at)
            needed.append(min(end, row.proposed_at + MAX_LIFETIME))
    return row.expires_at if row.expires_at <= now else max(needed)


def to_response(acknowledgment: Acknowledgment) -> TeamResponse:
    """Return the response of a team as `policy.proposal_status` takes it."""
    on_silence = OnSilence(acknowledgment.policy["onSilence"])
    return TeamResponse(acknowledgment.response, acknowledgment.migration_deadline, on_silence)


def to_open_ask(acknowledgment: Acknowledgment, escalation: UUID | None, proposers: Collection[UUID]) -> OpenAsk:
    """Return an ask as `policy.upcoming` takes it; the escalation team of its team is asked unless it proposes."""
    is_escalating = escalation is not None and escalation not in {*proposers, acknowledgment.consumer_team_id}
    return OpenAsk(
        acknowledgment.consumer_team_id,
        to_response(acknowledgment),
        AskPolicy.from_json(acknowledgment.policy),
        acknowledgment.due_at,
        acknowledgment.remind_at,
        acknowledgment.escalate_at if is_escalating else None,
        is_notified=acknowledgment.notified_at is not None,
    )


async def extend(session: Session, asset: Asset, row: Proposal, expires_at: datetime, reason: str) -> Proposal:
    """Let an open proposal expire later; an earlier moment changes nothing."""
    if expires_at <= row.expires_at:
        return row
    await session.update_row(Proposal, row.id, expires_at=expires_at, row_version=row.row_version + 1)
    acknowledgments = await move_due_dates(session, row, expires_at)
    event = ask_events.ProposalExtended(
        audience_team_ids=frozenset({asset.owner_team_id, row.proposed_by, *_teams(acknowledgments)}),
        asset_id=asset.id,
        proposal_id=row.id,
        before=row.expires_at,
        expires_at=expires_at,
        reason=reason,
    )
    session.record(event)
    return await proposals.get(session, row.id)


async def move_due_dates(session: Session, row: Proposal, expires_at: datetime) -> list[Acknowledgment]:
    """Move the due dates of the asks whose silence lets the proposal expire; returns the asks that count."""
    acknowledgments = await _list_counting(session, row)
    by_policy: dict[tuple[int, ...], list[UUID]] = defaultdict(list)
    for item in acknowledgments:
        if item.response is None and item.policy["onSilence"] == OnSilence.EXPIRE:
            by_policy[tuple(item.policy["remindDaysBefore"])].append(item.id)
    for days, identities in by_policy.items():
        remind_at = ask_policy.find_next_reminder(AskPolicy(remind_days_before=days), expires_at, session.now)
        is_moved = session.in_values(table(Acknowledgment).c.id, identities)
        await session.update(Acknowledgment, is_moved, due_at=expires_at, remind_at=remind_at)
    return acknowledgments


async def start_late_requests(session: Session, asset: Asset, row: Proposal) -> None:
    """Give teams that are notified later than they were asked the whole time to answer, if their silence counts."""
    for item in await _list_counting(session, row):
        policy = AskPolicy.from_json(item.policy)
        if item.notified_at is not None or item.response is not None or policy.on_silence is OnSilence.EXPIRE:
            continue
        due_at, days = session.now + policy.span, policy.escalate_after_days
        dates = {
            "due_at": due_at,
            "remind_at": ask_policy.find_next_reminder(policy, due_at, session.now),
            "escalate_at": None if days is None else session.now + timedelta(days=days),
        }
        await session.update_row(Acknowledgment, item.id, **dates)
        row = await extend(session, asset, row, policy.find_end(due_at), "a team was notified later")


async def _list_counting(session: Session, row: Proposal) -> list[Acknowledgment]:
    return [item for item in await proposals.list_acknowledgments(session, [row.id]) if item.released_at is None]


def _teams(acknowledgments: Sequence[Acknowledgment]) -> list[UUID]:
    return [item.consumer_team_id for item in acknowledgments]


def _is_due(item: Acknowledgment, row: Proposal, now: datetime) -> bool:
    """Return whether something of a request is due; silence counts only if it is due before the proposal expires."""
    policy = AskPolicy.from_json(item.policy)
    if item.response is Response.MIGRATING:
        return to_response(item).is_overdue(now) and (item.overdue_at is None or _is_extendable(row, policy, now))
    if item.response is not None:
        return False
    return _is_silent(item, row, policy, now) or (item.escalate_at is not None and item.escalate_at <= now)


def _is_silent(item: Acknowledgment, row: Proposal, policy: AskPolicy, now: datetime) -> bool:
    """Return whether silence counts now; it never does for a team that was not notified yet."""
    is_counted = policy.on_silence is not OnSilence.EXPIRE and item.notified_at is not None
    return is_counted and item.due_at <= min(now, row.expires_at)


def _is_extendable(row: Proposal, policy: AskPolicy, now: datetime) -> bool:
    return policy.on_silence in EXTENDING and row.expires_at <= now


async def _apply(session: Session, asset: Asset, row: Proposal, item: Acknowledgment) -> Proposal:
    policy = AskPolicy.from_json(item.policy)
    if item.response is Response.MIGRATING:
        return await _mark_overdue(session, asset, row, item, policy)
    if item.escalate_at is not None and item.escalate_at <= session.now:
        await _escalate(session, asset, row, item)
    if _is_silent(item, row, policy, session.now):
        return await _count_silence(session, asset, row, item, policy)
    return row


async def _mark_overdue(
    session: Session, asset: Asset, row: Proposal, item: Acknowledgment, policy: AskPolicy
) -> Proposal:
    if item.overdue_at is None:
        await session.update_row(Acknowledgment, item.id, overdue_at=session.now)
        deadline = item.migration_deadline or session.now
        subject = _start_event(session, asset, row, item)
        session.record(ask_events.MigrationOverdue(**subject, migration_deadline=deadline))
        if policy.escalate_after_days is not None and item.escalated_to is None:
            await _escalate(session, asset, row, item)
    if not _is_extendable(row, policy, session.now):
        return row
    latest = row.proposed_at + MAX_LIFETIME
    extended = ask_policy.extend_due_date(row.expires_at, policy, latest, session.now)
    return row if extended is None else await extend(session, asset, row, extended, "a migration is overdue")


async def _count_silence(
    session: Session, asset: Asset, row: Proposal, item: Acknowledgment, policy: AskPolicy
) -> Proposal:
    due_at = item.due_at
    if policy.on_silence is OnSilence.EXTEND:
        latest = row.proposed_at + MAX_LIFETIME
        extended = ask_policy.extend_due_date(item.due_at, policy, latest, session.now)
        if extended is None:
            return row
        due_at = extended
        remind_at = ask_policy.find_next_reminder(policy, due_at, session.now)
        await session.update_row(Acknowledgment, item.id, due_at=due_at, remind_at=remind_at)
        row = await extend(session, asset, row, due_at, "a team has more time to answer")
    else:
        await session.update_row(Acknowledgment, item.id, response=Response.SILENT, responded_at=session.now)
    subject = _start_event(session, asset, row, item)
    session.record(ask_events.SilenceCounted(**subject, on_silence=policy.on_silence, due_at=due_at))
    return row


async def _escalate(session: Session, asset: Asset, row: Proposal, item: Acknowledgment) -> None:
    """Ask the escalation team as well. One hop, and never the team that proposes the change."""
    (team,) = await teams.by_ids(session, [item.consumer_team_id])
    escalation = team.escalation_team_id
    if escalation is None or escalation in (asset.owner_team_id, row.proposed_by, team.id):
        await session.update_row(Acknowledgment, item.id, escalate_at=None)
        return
    await session.update_row(Acknowledgment, item.id, escalated_to=escalation, escalate_at=None)
    subject = _start_event(session, asset, row, item, escalation)
    session.record(ask_events.AcknowledgmentEscalated(**subject, escalated_to=escalation, due_at=item.due_at))


def _start_event(
    session: Session, asset: Asset, row: Proposal, item: Acknowledgment, escalation: UUID | None = None
) -> dict[str, Any]:
    """Return what all events of an ask have. In a change set, its teams are notified at the end of the transaction."""
    teams_of_ask = {item.consumer_team_id, asset.owner_team_id, row.proposed_by}
    audience = frozenset({*teams_of_ask, *filter(None, [item.escalated_to, escalation])})
    if row.change_set_id is not None:
        audience = frozenset()
        sum_up_at_commit(session)
    return {
        "audience_team_ids": audience,
        "change_set_id": row.change_set_id,
        "asset_id": asset.id,
        "proposal_id": row.id,
        "acknowledgment_id": item.id,
        "consumer_team_id": item.consumer_team_id,
    }
