"""Notify each team once of what a change set asks it, however many proposals and transactions there are.

A request in a change set is stored without the time of a notification. The transaction that asks adds one notification
for each team at its end. An ask in several transactions postpones that to the last one, and the worker does it for an
ask that was interrupted.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, cast
from uuid import UUID

from tessera_gql.policy.ask_events import (
    ChangeSetAcknowledgmentRequested,
    ChangeSetAnswersCarried,
    ChangeSetReminderSent,
)
from tessera_gql.policy.ask_policy import AskPolicy, find_due_days, find_next_reminder
from tessera_gql.store import assets, change_set_asks, change_sets, proposals, teams
from tessera_gql.store.change_set_asks import AskRow
from tessera_gql.store.session import Session
from tessera_gql.workflows.ask_clock import start_late_requests

NOTIFICATION_NAME = "notify teams of change sets"
INTERRUPTED_AFTER = timedelta(minutes=2)
"""Time without a further request after which the worker completes the notifications of a change set."""
REMINDER_WINDOW = timedelta(hours=12)
"""Reminders of one team and change set that are due within this time are sent together."""
MAX_NAMED = 100
"""Proposals and tables that an event names."""


class _Notifications:
    """The requests of a transaction that their teams are notified of at its end."""

    def __init__(self) -> None:
        self.acknowledgment_ids: set[UUID] = set()
        self.carried_ids: set[UUID] = set()

    async def __call__(self, session: Session) -> None:
        rows = await change_set_asks.lock_unnotified(session, [*self.acknowledgment_ids], self.carried_ids)
        await _notify(session, rows, self.carried_ids)


def notify_at_commit(session: Session, *acknowledgment_ids: UUID, is_carried: bool = False) -> None:
    """Notify the teams of these requests at the end of the transaction, once for each change set.

    `is_carried` says that this transaction has carried answers over to them.
    """
    if acknowledgment_ids:
        work = cast("_Notifications", session.before_commit.setdefault(NOTIFICATION_NAME, _Notifications()))
        work.acknowledgment_ids.update(acknowledgment_ids)
        if is_carried:
            work.carried_ids.update(acknowledgment_ids)


def postpone_notifications(
    session: Session, earlier: frozenset[UUID] = frozenset(), *, is_last: bool = False
) -> frozenset[UUID]:
    """Leave the notifications of a transaction to the last one of several; return the ids of the requests so far.

    The last one notifies the teams of all. If it never comes, the worker does.
    """
    work = session.before_commit.pop(NOTIFICATION_NAME, None)
    asks = earlier | (cast("_Notifications", work).acknowledgment_ids if work else frozenset())
    if is_last:
        notify_at_commit(session, *asks)
    return asks


async def notify_of_change_set(session: Session, change_set_id: UUID, asset_ids: Sequence[UUID]) -> None:
    """Notify the teams at the commit of all that a change set asks about these assets, also by an interrupted ask."""
    notify_at_commit(session, *await change_set_asks.list_unnotified_ids(session, change_set_id, asset_ids))


async def complete_notifications(session: Session, change_set_id: UUID) -> None:
    """Notify the teams of a change set at the commit of what an interrupted ask has not notified them of.

    Their time to answer starts now.
    """
    await change_sets.lock(session, change_set_id)
    rows = await proposals.list_open_by_change_sets(session, [change_set_id])
    await assets.lock_by_ids(session, [row.asset_id for row in rows])
    locked = {asset.id: asset for asset in await assets.by_ids(session, [row.asset_id for row in rows])}
    for row in await proposals.list_open_by_change_sets(session, [change_set_id]):
        if row.asset_id in locked:
            await start_late_requests(session, locked[row.asset_id], row)
    notify_at_commit(session, *await change_set_asks.list_unnotified_ids(session, change_set_id))


async def _notify(session: Session, rows: Sequence[AskRow], carried_ids: Collection[UUID]) -> None:
    if not rows:
        return
    await change_set_asks.mark_notified(session, rows)
    delegates = await _load_delegates(session, rows)
    for asks in _group(rows):
        if waiting := [row for row in asks if row.response is None]:
            first = waiting[0]
            event = ChangeSetAcknowledgmentRequested(
                **_describe(waiting, delegates), due_at=first.due_at, on_silence=_read_policy(first).on_silence
            )
            session.record(event)
        if carried := [row for row in asks if _is_carried(row, carried_ids)]:
            session.record(ChangeSetAnswersCarried(**_describe(carried, delegates)))


def _is_carried(row: AskRow, carried_ids: Collection[UUID]) -> bool:
    """Return whether a request has an earlier answer, and none that the team gave to it before the notification."""
    is_earlier = row.responded_at is not None and row.responded_at < row.asked_at
    return row.response is not None and (row.id in carried_ids or row.carried_from is not None or is_earlier)


def _group(rows: Iterable[AskRow]) -> list[list[AskRow]]:
    """Group requests by change set and team; those of a group are ordered by their due dates."""
    key: Callable[[AskRow], Any] = attrgetter("change_set_id", "consumer_team_id")
    return [[*group] for _, group in groupby(sorted(rows, key=key), key)]


async def _load_delegates(session: Session, rows: Sequence[AskRow]) -> Mapping[UUID, UUID]:
    """Load the teams that may answer for the asked ones now, by asked team."""
    delegations = await teams.load_delegations(session, [*{row.consumer_team_id for row in rows}])
    delegates = {team: delegation.find_delegate(session.now) for team, delegation in delegations.items()}
    return {team: delegate for team, delegate in delegates.items() if delegate is not None}


def _describe(rows: Sequence[AskRow], delegates: Mapping[UUID, UUID]) -> dict[str, Any]:
    first = rows[0]
    substitutes = {row.escalated_to for row in rows} | {delegates.get(first.consumer_team_id)}
    return {
        "audience_team_ids": frozenset({first.consumer_team_id, *filter(None, substitutes)}),
        "change_set_id": first.change_set_id,
        "consumer_team_id": first.consumer_team_id,
        "key": first.key,
        "title": first.title,
        "url": first.url,
        "proposal_count": len(rows),
        "proposals": tuple(row.proposal_id for row in rows[:MAX_NAMED]),
        "tables": tuple(sorted(row.fqn for row in rows[:MAX_NAMED])),
    }


def _read_policy(row: AskRow) -> AskPolicy:
    return AskPolicy.from_json(row.policy)


async def send_change_set_reminders(session: Session, change_set_id: UUID) -> bool:
    """Send the reminders of a change set that are due, one for each team; return whether there were any.

    Of several workers one sends them, because they lock the change set.
    """
    await change_sets.lock(session, change_set_id)
    is_sent = False
    rows = await change_set_asks.lock_unanswered(session, change_set_id)
    delegates = await _load_delegates(session, rows)
    for asks in _group(rows):
        if not any(row.remind_at is not None and row.remind_at <= session.now for row in asks):
            continue
        due = [row for row in asks if row.remind_at is not None and row.remind_at <= session.now + REMINDER_WINDOW]
        await _plan_reminders(session, due)
        is_sent |= _record_reminder(session, due, delegates)
    return is_sent


async def _plan_reminders(session: Session, rows: Sequence[AskRow]) -> None:
    """Plan the next reminders, behind those that are sent together now."""
    by_time: dict[datetime | None, list[UUID]] = defaultdict(list)
    for row in rows:
        after = max(session.now, row.remind_at or session.now)
        by_time[find_next_reminder(_read_policy(row), row.due_at, after)].append(row.id)
    for remind_at, identities in by_time.items():
        await change_set_asks.set_next_reminder(session, identities, remind_at)


def _record_reminder(session: Session, rows: Sequence[AskRow], delegates: Mapping[UUID, UUID]) -> bool:
    """Record a reminder of the requests whose date has not passed; return whether there are any."""
    rows = [row for row in rows if session.now < row.due_at]
    days = [_find_days(row, session.now) for row in rows]
    if not rows:
        return False
    first = rows[0]
    event = ChangeSetReminderSent(
        **_describe(rows, delegates),
        days_before=min(days),
        due_at=first.due_at,
        on_silence=_read_policy(first).on_silence,
    )
    session.record(event)
    return True


def _find_days(row: AskRow, now: datetime) -> int:
    """Return the days before the due date of the reminder that is sent now, up to the window before its time."""
    days = find_due_days(_read_policy(row), row.due_at, max(now, row.remind_at or now))
    return (row.due_at - now).days if days is None else days
