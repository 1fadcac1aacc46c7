"""Queries of proposals, their acknowledgments and their reminders."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, not_, or_, select

from tessera_gql.policy.enums import OPEN_STATUSES, ProposalStatus, Response
from tessera_gql.policy.events import ReminderSent
from tessera_gql.store import events
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import Acknowledgment, Proposal, table

TABLE = table(Proposal)
ACKNOWLEDGMENTS = table(Acknowledgment)
IS_OPEN = or_(*(TABLE.c.status == status for status in OPEN_STATUSES))

by_ids = RowQuery(Proposal, "id")
by_contracts = RowQuery(Proposal, "contract_id")
"""The proposals that contracts were published from."""
list_open = RowQuery(Proposal, "asset_id", IS_OPEN)
"""The open proposals of assets, at most one of each."""
find_open = list_open.find
list_published_by_change_sets = RowQuery(Proposal, "change_set_id", TABLE.c.status == ProposalStatus.PUBLISHED)
list_open_by_change_sets = RowQuery(Proposal, "change_set_id", IS_OPEN, order_by=(TABLE.c.asset_id,))
"""The open proposals of change sets, in the order in which their assets are locked."""
acknowledgments_by_ids = RowQuery(Acknowledgment, "id")
list_acknowledgments = RowQuery(
    Acknowledgment, "proposal_id", order_by=(ACKNOWLEDGMENTS.c.created_at, ACKNOWLEDGMENTS.c.id)
)
"""The acknowledgments of proposals, released ones included, in the order the teams were asked."""

AWAITED = (
    select(ACKNOWLEDGMENTS)
    .join(TABLE, TABLE.c.id == ACKNOWLEDGMENTS.c.proposal_id)
    .where(IS_OPEN, ACKNOWLEDGMENTS.c.response.is_(None), ACKNOWLEDGMENTS.c.released_at.is_(None))
    .subquery()
)
"""The acknowledgments that open proposals still wait for."""


async def get(session: Session, proposal_id: UUID) -> Proposal:
    """Return a proposal by its id; raise NotFound if there is none."""
    return await by_ids.get(session, proposal_id, "proposal", "List proposals(filter:) to find it.")


async def list_overdue(session: Session, now: datetime) -> list[Proposal]:
    """Load the open proposals whose status is out of date: expired, or waiting only for deadlines that have passed."""
    is_counted = and_(ACKNOWLEDGMENTS.c.proposal_id == TABLE.c.id, ACKNOWLEDGMENTS.c.released_at.is_(None))
    has_migrated = and_(ACKNOWLEDGMENTS.c.response == Response.MIGRATING, ACKNOWLEDGMENTS.c.migration_deadline <= now)
    is_settled = or_(ACKNOWLEDGMENTS.c.response == Response.APPROVED, has_migrated)
    is_outstanding = or_(ACKNOWLEDGMENTS.c.response.is_(None), not_(is_settled))
    has_outstanding = select(ACKNOWLEDGMENTS.c.id).where(is_counted, is_outstanding).exists()
    is_expired = and_(TABLE.c.expires_at <= now, TABLE.c.status != ProposalStatus.APPROVED)
    is_complete = and_(TABLE.c.status == ProposalStatus.PENDING, ~has_outstanding)
    return await session.list(select(TABLE).where(IS_OPEN, or_(is_expired, is_complete)).order_by(TABLE.c.id), Proposal)


async def list_expiring(session: Session, now: datetime, window: timedelta) -> list[Proposal]:
    """Load the pending proposals that expire within the window and that a team has not answered."""
    has_silent_team = select(AWAITED.c.id).where(AWAITED.c.proposal_id == TABLE.c.id).exists()
    is_pending = TABLE.c.status == ProposalStatus.PENDING
    expires_soon = (TABLE.c.expires_at > now) & (TABLE.c.expires_at <= now + window)
    statement = select(TABLE).where(is_pending, expires_soon, has_silent_team).order_by(TABLE.c.id)
    return await session.list(statement, Proposal)


async def load_reminder_hours(session: Session, proposal_ids: Sequence[UUID]) -> dict[UUID, set[int]]:
    """Return for each proposal how many hours before its expiry reminders were sent."""
    rows = events.TABLE.c
    condition = (session.in_values(rows.proposal_id, proposal_ids), rows.kind == ReminderSent.kind)
    hours: dict[UUID, set[int]] = {proposal: set() for proposal in proposal_ids}
    for row in await session.rows(select(rows.proposal_id, rows.payload).where(*condition)):
        hours[row.proposal_id].add(row.payload["hours_before"])
    return hours
