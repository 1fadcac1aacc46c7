"""Queries of reminders: proposals that expire soon, and the reminders that the event log holds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from tessera_gql.policy.enums import ProposalStatus
from tessera_gql.policy.events import ReminderSent
from tessera_gql.store import events, proposals
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Proposal


async def list_expiring(session: Session, now: datetime, window: timedelta) -> list[Proposal]:
    """Load the pending proposals that expire within the window and that a team has not answered."""
    rows = proposals.TABLE
    has_silent_team = select(proposals.AWAITED.c.id).where(proposals.AWAITED.c.proposal_id == rows.c.id).exists()
    expires_soon = (rows.c.status == ProposalStatus.PENDING, rows.c.expires_at > now, rows.c.expires_at <= now + window)
    return await session.list(select(rows).where(*expires_soon, has_silent_team).order_by(rows.c.id), Proposal)


async def load_sent_hours(session: Session, proposal_ids: Sequence[UUID]) -> dict[UUID, set[int]]:
    """Return for each proposal how many hours before its expiry reminders were sent."""
    rows = events.TABLE
    condition = (session.in_values(rows.c.proposal_id, proposal_ids), rows.c.kind == ReminderSent.kind)
    hours: dict[UUID, set[int]] = {proposal: set() for proposal in proposal_ids}
    for row in await session.rows(select(rows.c.proposal_id, rows.c.payload).where(*condition)):
        hours[row.proposal_id].add(row.payload["hours_before"])
    return hours
