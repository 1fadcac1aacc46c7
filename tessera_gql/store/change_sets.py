"""Queries and locks of change sets.

Lock a change set before the assets of its proposals, so that no two callers wait for each other.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Insert, and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from tessera_gql.errors import NotFound
from tessera_gql.policy.enums import ChangeSetStatus, ProposalStatus
from tessera_gql.store import proposals
from tessera_gql.store.session import RowQuery, Session, ids
from tessera_gql.store.tables import ChangeSet, Proposal, table

TABLE = table(ChangeSet)
PROPOSALS = table(Proposal)

by_ids = RowQuery(ChangeSet, "id")
by_keys = RowQuery(ChangeSet, "key")


async def insert_if_missing(session: Session, row: ChangeSet) -> bool:
    """Insert a change set unless one has its key; waits for a transaction that is inserting it."""
    statement: Insert = postgresql.insert(TABLE) if session.dialect == "postgresql" else sqlite.insert(TABLE)
    values = {name: getattr(row, name) for name in TABLE.columns.keys()}  # noqa: SIM118 - a collection of columns
    insert: Any = statement.values(**values)
    return bool(await session.execute(insert.on_conflict_do_nothing(index_elements=["key"])))


async def lock(session: Session, change_set_id: UUID) -> ChangeSet:
    """Lock a change set until the commit and return it."""
    is_requested = TABLE.c.id == change_set_id
    row = await session.find(select(TABLE).where(is_requested).with_for_update(key_share=True), ChangeSet)
    if row is None:
        raise NotFound("There is no such change set. List changeSets(filter:) to find it.", field=("change_set",))
    return row


async def lock_if_free(session: Session, change_set_id: UUID) -> ChangeSet | None:
    """Lock an open change set unless another transaction has locked it; None if it has, or if it is not open."""
    statement = select(TABLE).where(TABLE.c.id == change_set_id, TABLE.c.status == ChangeSetStatus.OPEN)
    return await session.find(statement.with_for_update(key_share=True, skip_locked=True), ChangeSet)


async def list_unclosed(session: Session) -> list[UUID]:
    """Load the open change sets whose last proposal was published, so that nothing in them is open."""
    members = PROPOSALS.alias("members")
    is_member = members.c.change_set_id == TABLE.c.id
    is_open = and_(is_member, proposals.is_open(members))
    is_other_end = and_(members.c.status != ProposalStatus.PUBLISHED, members.c.resolved_at == PROPOSALS.c.resolved_at)
    is_later = and_(is_member, or_(members.c.resolved_at > PROPOSALS.c.resolved_at, is_other_end))
    is_last = and_(
        PROPOSALS.c.change_set_id == TABLE.c.id,
        PROPOSALS.c.status == ProposalStatus.PUBLISHED,
        PROPOSALS.c.resolved_at > TABLE.c.opened_at,
        ~select(members.c.id).where(is_open | is_later).exists(),
    )
    is_unclosed = and_(TABLE.c.status == ChangeSetStatus.OPEN, select(PROPOSALS.c.id).where(is_last).exists())
    return ids(await session.rows(select(TABLE.c.id).where(is_unclosed).order_by(TABLE.c.id)))
