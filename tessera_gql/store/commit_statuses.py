"""Queries of the state of a change set for its commit status."""

from uuid import UUID

from sqlalchemy import select

from tessera_gql.store.proposals import ACKNOWLEDGMENTS
from tessera_gql.store.proposals import TABLE as PROPOSALS
from tessera_gql.store.session import Session, ids
from tessera_gql.store.tables import Acknowledgment, Proposal


async def load_proposals(session: Session, change_set_id: UUID) -> list[Proposal]:
    """Load id, asset, status and hold of the latest proposal of a change set for each asset."""
    columns = (PROPOSALS.c.id, PROPOSALS.c.asset_id, PROPOSALS.c.status, PROPOSALS.c.hold)
    statement = select(*columns).where(PROPOSALS.c.change_set_id == change_set_id).order_by(PROPOSALS.c.proposed_at)
    rows = await session.list(statement, Proposal)
    return [*{row.asset_id: row for row in rows}.values()]


async def load_acknowledgments(session: Session, proposals: list[Proposal]) -> list[Acknowledgment]:
    """Load proposal, team and response of the acknowledgments that proposals need."""
    columns = ACKNOWLEDGMENTS.c
    is_needed = session.in_values(columns.proposal_id, ids(proposals)) & columns.released_at.is_(None)
    names = ("proposal_id", "consumer_team_id", "response", "migration_deadline", "policy")
    statement = select(*(columns[name] for name in names)).where(is_needed)
    return await session.list(statement, Acknowledgment) if proposals else []
