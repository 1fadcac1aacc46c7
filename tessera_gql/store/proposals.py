"""Questions about proposals and the answers to them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, not_, or_, select

from tessera_gql.errors import NotFound
from tessera_gql.policy.words import OPEN_STATUSES, ProposalStatus, Response
from tessera_gql.store.session import Session
from tessera_gql.store.statements import whole
from tessera_gql.store.tables import Acknowledgment, Proposal, table

rows = table(Proposal)
answers = table(Acknowledgment)
is_open = or_(*(rows.c.status == status for status in OPEN_STATUSES))

_by_id = whole(rows.c.id)
_open = whole(rows.c.asset_id, is_open)
_by_contract = whole(rows.c.contract_id)
_answer_by_id = whole(answers.c.id)
_answers = whole(answers.c.proposal_id, order_by=(answers.c.created_at, answers.c.id))

# What is still to be answered.
inbox = (
    select(answers)
    .join(rows, rows.c.id == answers.c.proposal_id)
    .where(is_open, answers.c.response.is_(None), answers.c.released_at.is_(None))
    .subquery()
)


async def by_ids(session: Session, wanted: Sequence[UUID]) -> list[Proposal]:
    return [*await session.ask(_by_id, wanted=wanted)]


async def get(session: Session, identity: UUID) -> Proposal:
    found = await by_ids(session, [identity])
    if not found:
        raise NotFound(f"There is no proposal {identity}. List proposals(filter:) to find it.", field=("proposal",))
    return found[0]


async def open_of(session: Session, assets: Sequence[UUID]) -> list[Proposal]:
    """At most one for each asset."""
    return [*await session.ask(_open, wanted=assets)]


async def find_open(session: Session, asset: UUID) -> Proposal | None:
    found = await open_of(session, [asset])
    return found[0] if found else None


async def by_contracts(session: Session, contracts: Sequence[UUID]) -> list[Proposal]:
    """The proposals that these contracts came from."""
    return [*await session.ask(_by_contract, wanted=contracts)]


async def acknowledgments_of(session: Session, proposals: Sequence[UUID]) -> list[Acknowledgment]:
    """Every asked team's place, released ones included, in the order they were asked."""
    return [*await session.ask(_answers, wanted=proposals)]


async def acknowledgments_by_ids(session: Session, wanted: Sequence[UUID]) -> list[Acknowledgment]:
    return [*await session.ask(_answer_by_id, wanted=wanted)]


async def overdue(session: Session, now: datetime) -> list[Proposal]:
    """Open proposals whose status time has changed: run out, or waiting for nothing but deadlines that have passed."""
    counts = and_(answers.c.proposal_id == rows.c.id, answers.c.released_at.is_(None))
    migrated = and_(answers.c.response == Response.MIGRATING, answers.c.migration_deadline <= now)
    agrees = or_(answers.c.response == Response.APPROVED, migrated)
    outstanding = select(answers.c.id).where(counts, or_(answers.c.response.is_(None), not_(agrees))).exists()
    ran_out = and_(rows.c.expires_at <= now, rows.c.status != ProposalStatus.APPROVED)
    arrived = and_(rows.c.status == ProposalStatus.PENDING, ~outstanding)
    return await session.list(select(rows).where(is_open, or_(ran_out, arrived)).order_by(rows.c.id), Proposal)
