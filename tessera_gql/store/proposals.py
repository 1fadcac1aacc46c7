"""Queries of proposals, their acknowledgments and their reminders."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Select, and_, literal_column, not_, or_, select, update

from tessera_gql.policy.enums import OPEN_STATUSES, ProposalStatus, Response
from tessera_gql.store import events
from tessera_gql.store.compiled import PreparedQuery, in_values, list_parameter
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import Acknowledgment, Proposal, table

TABLE = table(Proposal)
ACKNOWLEDGMENTS = table(Acknowledgment)


def is_open(rows: FromClause) -> ColumnElement[bool]:
    """Return the condition that a row of the table of proposals, or of an alias of it, is open.

    Its values are part of the text, as in the condition of the index `uq_proposals_open`, which serves only so.
    """
    return rows.c.status.in_([literal_column(f"'{status.name}'") for status in OPEN_STATUSES])


IS_OPEN = is_open(TABLE)

by_ids = RowQuery(Proposal, "id")
by_contracts = RowQuery(Proposal, "contract_id")
"""The proposals that contracts were published from."""
list_open = RowQuery(Proposal, "asset_id", IS_OPEN)
"""The open proposals of assets, at most one of each."""
find_open = list_open.find
_ANY_OPEN = PreparedQuery(lambda _dialect: select(TABLE.c.id).where(IS_OPEN).limit(1))
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


async def has_any_open(session: Session) -> bool:
    """Return whether any asset has an open proposal."""
    return bool(await session.fetch(_ANY_OPEN))


async def get(session: Session, proposal_id: UUID) -> Proposal:
    """Return a proposal by its id; raise NotFound if there is none."""
    return await by_ids.get(session, proposal_id, "proposal", "List proposals(filter:) to find it.")


async def load_for_messages(session: Session, proposal_ids: Sequence[UUID]) -> list[Proposal]:
    """Load what messages say of proposals, without the schemas, in the order of the ids."""
    names = ("id", "asset_id", "proposed_by", "kind", "proposed_version", "status", "reason", "breaking_changes")
    columns = (*(TABLE.c[name] for name in names), TABLE.c.change_set_id)
    if not proposal_ids:
        return []
    statement = select(*columns).where(session.in_values(TABLE.c.id, proposal_ids))
    rows = {row.id: row for row in await session.list(statement, Proposal)}
    return [rows[identity] for identity in proposal_ids if identity in rows]


async def load_change_set_ids(session: Session, proposal_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Load the change sets of those proposals that are in one, by proposal."""
    if not proposal_ids:
        return {}
    is_member = session.in_values(TABLE.c.id, proposal_ids) & TABLE.c.change_set_id.is_not(None)
    rows = await session.rows(select(TABLE.c.id, TABLE.c.change_set_id).where(is_member))
    return {row.id: row.change_set_id for row in rows}


def _build_informed(dialect: str) -> Select[Any]:
    is_requested = in_values(dialect, TABLE.c.id, list_parameter("proposals", TABLE.c.id))
    return cast("Select[Any]", select(TABLE.c.id, TABLE.c.informed_team_ids).where(is_requested))


_INFORMED = PreparedQuery(_build_informed)


async def load_informed_teams(session: Session, proposal_ids: Sequence[UUID]) -> list[list[UUID]]:
    """Load for each proposal the teams that were informed when it was opened, but not asked."""
    rows = await session.fetch(_INFORMED, proposals=[*proposal_ids])
    informed: dict[UUID, list[str] | None] = {row.id: row.informed_team_ids for row in rows}
    if unknown := [proposal for proposal, team_ids in informed.items() if team_ids is None]:
        informed |= await events.load_informed_teams(session, session.in_values(events.TABLE.c.proposal_id, unknown))
    return [[UUID(team) for team in informed.get(proposal) or ()] for proposal in proposal_ids]


async def keep_informed_teams(session: Session, sequence: int) -> None:
    """Copy the informed teams from the events up to a sequence to proposals that an earlier version opened."""
    informed = await events.load_informed_teams(session, events.TABLE.c.sequence <= sequence)
    is_unknown = session.in_values(TABLE.c.id, informed) & TABLE.c.informed_team_ids.is_(None)
    for row in await session.rows(select(TABLE.c.id).where(is_unknown)) if informed else ():
        statement = update(TABLE).where(TABLE.c.id == row.id).values(informed_team_ids=informed[row.id])
        await session.execute(statement)


async def list_due(session: Session, now: datetime) -> list[Proposal]:
    """Load the open proposals to which time may have to be applied.

    They have expired, consent is complete and nothing holds them, an ask is due or may be escalated, or a migration is
    overdue; or they are approved and wait to be published by themselves, as after an ask that counted the last silence.
    """
    columns = ACKNOWLEDGMENTS.c
    is_counted = and_(columns.proposal_id == TABLE.c.id, columns.released_at.is_(None))
    is_settled = or_(columns.response == Response.APPROVED, columns.response == Response.SILENT)
    has_outstanding = select(columns.id).where(is_counted, or_(columns.response.is_(None), not_(is_settled))).exists()
    is_unescalated = and_(columns.response.is_(None), columns.escalate_at <= now)
    # Under the policy EXPIRE silence ends the proposal, which is due anyway.
    is_notified = columns.notified_at.is_not(None)
    is_silent = and_(
        columns.response.is_(None), is_notified, columns.due_at <= now, TABLE.c.expires_at >= columns.due_at
    )
    is_late = and_(columns.response == Response.MIGRATING, columns.migration_deadline <= now)
    is_overdue = and_(is_late, columns.overdue_at.is_(None))
    has_due = select(columns.id).where(is_counted, or_(is_silent, is_overdue, is_unescalated)).exists()
    is_expired = and_(TABLE.c.expires_at <= now, TABLE.c.status != ProposalStatus.APPROVED)
    is_complete = and_(TABLE.c.status == ProposalStatus.PENDING, TABLE.c.held_at.is_(None), ~has_outstanding)
    is_armed = and_(TABLE.c.status == ProposalStatus.APPROVED, TABLE.c.publish_when_approved)
    condition = or_(is_expired, is_complete, has_due, is_armed)
    return await session.list(select(TABLE).where(IS_OPEN, condition).order_by(TABLE.c.id), Proposal)


async def list_reminding(session: Session, now: datetime) -> list[UUID]:
    """Load the ids of the proposals outside of change sets of which a team is due for a reminder."""
    is_single = TABLE.c.change_set_id.is_(None)
    statement = select(AWAITED.c.proposal_id).where(AWAITED.c.remind_at <= now).distinct()
    statement = statement.join(TABLE, TABLE.c.id == AWAITED.c.proposal_id).where(is_single)
    return [row.proposal_id for row in await session.rows(statement.order_by(AWAITED.c.proposal_id))]
