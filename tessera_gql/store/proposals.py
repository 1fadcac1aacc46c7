"""Queries of proposals and their acknowledgments."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, not_, or_, select

from tessera_gql.errors import NotFound
from tessera_gql.policy.enums import OPEN_STATUSES, ProposalStatus, Response
from tessera_gql.store.compiled import rows_by
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Proposal, table

TABLE = table(Proposal)
ACKNOWLEDGMENTS = table(Acknowledgment)
IS_OPEN = or_(*(TABLE.c.status == status for status in OPEN_STATUSES))

_by_id = rows_by(TABLE.c.id)
_open_by_asset = rows_by(TABLE.c.asset_id, IS_OPEN)
_by_contract = rows_by(TABLE.c.contract_id)
_acknowledgment_by_id = rows_by(ACKNOWLEDGMENTS.c.id)
_acknowledgments_by_proposal = rows_by(
    ACKNOWLEDGMENTS.c.proposal_id, order_by=(ACKNOWLEDGMENTS.c.created_at, ACKNOWLEDGMENTS.c.id)
)

AWAITED = (
    select(ACKNOWLEDGMENTS)
    .join(TABLE, TABLE.c.id == ACKNOWLEDGMENTS.c.proposal_id)
    .where(IS_OPEN, ACKNOWLEDGMENTS.c.response.is_(None), ACKNOWLEDGMENTS.c.released_at.is_(None))
    .subquery()
)
"""The acknowledgments that open proposals still wait for."""


async def by_ids(session: Session, proposal_ids: Sequence[UUID]) -> list[Proposal]:
    """Load the proposals with these ids, in any order."""
    return [*await session.fetch(_by_id, values=proposal_ids)]


async def get(session: Session, identity: UUID) -> Proposal:
    """Return a proposal by its id; raise NotFound if there is none."""
    proposals = await by_ids(session, [identity])
    if not proposals:
        raise NotFound(f"There is no proposal {identity}. List proposals(filter:) to find it.", field=("proposal",))
    return proposals[0]


async def list_open(session: Session, asset_ids: Sequence[UUID]) -> list[Proposal]:
    """Load the open proposals of the assets; an asset has at most one."""
    return [*await session.fetch(_open_by_asset, values=asset_ids)]


async def find_open(session: Session, asset: UUID) -> Proposal | None:
    """Find the open proposal of an asset."""
    proposals = await list_open(session, [asset])
    return proposals[0] if proposals else None


async def by_contracts(session: Session, contract_ids: Sequence[UUID]) -> list[Proposal]:
    """Load the proposals that these contracts were published from."""
    return [*await session.fetch(_by_contract, values=contract_ids)]


async def list_acknowledgments(session: Session, proposal_ids: Sequence[UUID]) -> list[Acknowledgment]:
    """Load the acknowledgments of the proposals, released ones included, in the order the teams were asked."""
    return [*await session.fetch(_acknowledgments_by_proposal, values=proposal_ids)]


async def acknowledgments_by_ids(session: Session, acknowledgment_ids: Sequence[UUID]) -> list[Acknowledgment]:
    """Load the acknowledgments with these ids, in any order."""
    return [*await session.fetch(_acknowledgment_by_id, values=acknowledgment_ids)]


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
