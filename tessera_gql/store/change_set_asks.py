"""Queries of what teams are asked in change sets: what they were not notified of yet, and what to remind them of.

Rows that are read to be changed are locked, and those that another transaction has locked are left out. So nothing
waits here, whatever assets the transaction has locked.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select

from tessera_gql.policy.enums import Response
from tessera_gql.store.proposals import ACKNOWLEDGMENTS, IS_OPEN
from tessera_gql.store.proposals import TABLE as PROPOSALS
from tessera_gql.store.session import Session, ids
from tessera_gql.store.tables import Acknowledgment, Asset, ChangeSet, table

ASSETS = table(Asset)
CHANGE_SETS = table(ChangeSet)
COLUMNS = ACKNOWLEDGMENTS.c
IS_UNNOTIFIED = COLUMNS.notified_at.is_(None)
IS_REQUIRED = COLUMNS.released_at.is_(None)


class AskRow:
    """An acknowledgment of a proposal in a change set, with what a notification says of it."""

    id: UUID
    consumer_team_id: UUID
    escalated_to: UUID | None
    proposal_id: UUID
    asset_id: UUID
    fqn: str
    change_set_id: UUID
    key: str
    title: str | None
    url: str | None
    response: Response | None
    carried_from: UUID | None
    responded_at: datetime | None
    asked_at: datetime
    due_at: datetime
    remind_at: datetime | None
    policy: dict[str, object]


async def _lock_rows(session: Session, *conditions: ColumnElement[bool]) -> list[AskRow]:
    names = ("id", "consumer_team_id", "escalated_to", "proposal_id", "response", "carried_from")
    columns = [
        *(COLUMNS[name] for name in (*names, "responded_at", "asked_at", "due_at", "remind_at", "policy")),
        *(PROPOSALS.c.asset_id, PROPOSALS.c.change_set_id, ASSETS.c.fqn),
        *(CHANGE_SETS.c.key, CHANGE_SETS.c.title, CHANGE_SETS.c.url),
    ]
    statement = (
        select(*columns)
        .join_from(ACKNOWLEDGMENTS, PROPOSALS, PROPOSALS.c.id == COLUMNS.proposal_id)
        .join(ASSETS, ASSETS.c.id == PROPOSALS.c.asset_id)
        .join(CHANGE_SETS, CHANGE_SETS.c.id == PROPOSALS.c.change_set_id)
        .where(IS_REQUIRED, *conditions)
        .order_by(COLUMNS.consumer_team_id, COLUMNS.due_at, COLUMNS.id)
        .with_for_update(key_share=True, skip_locked=True, of=ACKNOWLEDGMENTS)
    )
    return [*await session.rows(statement)]


async def lock_unnotified(
    session: Session, acknowledgment_ids: Sequence[UUID], carried_ids: Collection[UUID] = ()
) -> list[AskRow]:
    """Lock and load those of the acknowledgments whose team was not notified yet, by team and due date.

    A request without an answer needs no notification once its proposal has ended. An answer that was carried over does:
    it may be what has ended the proposal. `carried_ids` are those to which this transaction has carried one over.
    """
    is_carried = [COLUMNS.carried_from.is_not(None), COLUMNS.responded_at < COLUMNS.asked_at]
    is_notifiable = or_(IS_OPEN, *is_carried, session.in_values(COLUMNS.id, [*carried_ids]))
    return await _lock_rows(session, is_notifiable, IS_UNNOTIFIED, session.in_values(COLUMNS.id, acknowledgment_ids))


async def list_unnotified_ids(
    session: Session, change_set_id: UUID, asset_ids: Sequence[UUID] | None = None
) -> list[UUID]:
    """Load the ids of the acknowledgments of a change set whose team was not notified yet; all, or about the assets."""
    statement = (
        select(COLUMNS.id)
        .join(PROPOSALS, PROPOSALS.c.id == COLUMNS.proposal_id)
        .where(IS_OPEN, IS_REQUIRED, IS_UNNOTIFIED, PROPOSALS.c.change_set_id == change_set_id)
    )
    if asset_ids is not None:
        statement = statement.where(session.in_values(PROPOSALS.c.asset_id, asset_ids))
    return ids(await session.rows(statement))


async def mark_notified(session: Session, rows: Sequence[AskRow]) -> None:
    """Mark that the teams were notified now."""
    is_selected = session.in_values(COLUMNS.id, [row.id for row in rows])
    await session.update(Acknowledgment, is_selected, notified_at=session.now)


async def list_interrupted(session: Session, before: datetime) -> list[UUID]:
    """Load the change sets with requests that no notification names and that were all made before a moment."""
    asked = (
        select(PROPOSALS.c.change_set_id)
        .join(ACKNOWLEDGMENTS, COLUMNS.proposal_id == PROPOSALS.c.id)
        .where(IS_OPEN, IS_REQUIRED, IS_UNNOTIFIED, PROPOSALS.c.change_set_id.is_not(None))
        .group_by(PROPOSALS.c.change_set_id)
        .having(func.max(COLUMNS.asked_at) < before)
        .order_by(PROPOSALS.c.change_set_id)
    )
    return [row.change_set_id for row in await session.rows(asked)]


async def list_reminding(session: Session, now: datetime) -> list[UUID]:
    """Load the change sets in which a team is due for a reminder."""
    statement = (
        select(PROPOSALS.c.change_set_id)
        .join(ACKNOWLEDGMENTS, COLUMNS.proposal_id == PROPOSALS.c.id)
        .where(IS_OPEN, IS_REQUIRED, COLUMNS.response.is_(None), COLUMNS.remind_at <= now)
        .where(PROPOSALS.c.change_set_id.is_not(None))
        .distinct()
        .order_by(PROPOSALS.c.change_set_id)
    )
    return [row.change_set_id for row in await session.rows(statement)]


async def find_gathering(session: Session, change_set_ids: Collection[UUID], until: datetime) -> set[UUID]:
    """Find those of the change sets in which time does more to an ask between now and a moment."""

    def is_soon(moment: ColumnElement[Any]) -> ColumnElement[bool]:
        return and_(moment > session.now, moment <= until)

    is_unanswered = and_(COLUMNS.response.is_(None), or_(is_soon(COLUMNS.due_at), is_soon(COLUMNS.escalate_at)))
    is_migrating = and_(COLUMNS.response == Response.MIGRATING, is_soon(COLUMNS.migration_deadline))
    statement = (
        select(PROPOSALS.c.change_set_id)
        .join(ACKNOWLEDGMENTS, COLUMNS.proposal_id == PROPOSALS.c.id)
        .where(IS_OPEN, IS_REQUIRED, session.in_values(PROPOSALS.c.change_set_id, change_set_ids))
        .where(or_(is_unanswered, is_migrating))
        .distinct()
    )
    return {row.change_set_id for row in await session.rows(statement)}


async def lock_unanswered(session: Session, change_set_id: UUID) -> list[AskRow]:
    """Lock and load the acknowledgments that the open proposals of a change set wait for, by team and due date."""
    return await _lock_rows(session, IS_OPEN, COLUMNS.response.is_(None), PROPOSALS.c.change_set_id == change_set_id)


async def set_next_reminder(session: Session, acknowledgment_ids: Sequence[UUID], remind_at: datetime | None) -> None:
    """Set the time of the next reminder of acknowledgments."""
    await session.update(Acknowledgment, session.in_values(COLUMNS.id, acknowledgment_ids), remind_at=remind_at)
