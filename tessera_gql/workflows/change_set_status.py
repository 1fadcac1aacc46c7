"""Give change sets their final status when their proposals end."""

from uuid import UUID

from tessera_gql.policy import events
from tessera_gql.policy.enums import ChangeSetStatus
from tessera_gql.store import change_sets, proposals
from tessera_gql.store.session import Session
from tessera_gql.store.tables import ChangeSet


async def close_if_published(session: Session, change_set_id: UUID) -> None:
    """Mark a change set as published once none of its proposals is open.

    A change set that another transaction has locked is in use there, and waiting for it could be a deadlock. Two
    transactions that publish its last two proposals at once don't see each other's. The worker closes it in both cases.
    """
    if await proposals.list_open_by_change_sets(session, [change_set_id]):
        return
    if (row := await change_sets.lock_if_free(session, change_set_id)) is not None:
        await _close_published(session, row)


async def close_unclosed(session: Session, change_set_id: UUID) -> None:
    """Mark a change set as published whose proposals were published by transactions that could not do it."""
    row = await change_sets.lock(session, change_set_id)
    if row.id in await change_sets.list_unclosed(session):
        await _close_published(session, row)


async def _close_published(session: Session, row: ChangeSet) -> None:
    """Close a locked change set, unless a proposal was opened in it before the lock."""
    if await proposals.list_open_by_change_sets(session, [row.id]):
        return
    await close_change_set(session, row, ChangeSetStatus.PUBLISHED)
    audience = frozenset({row.opened_by} if row.opened_by else ())
    session.record(events.ChangeSetPublished(audience_team_ids=audience, change_set_id=row.id, key=row.key))


async def close_change_set(session: Session, row: ChangeSet, status: ChangeSetStatus) -> None:
    """Give an open change set its final status; the caller records the event."""
    await session.update_row(ChangeSet, row.id, status=status, closed_at=session.now, row_version=row.row_version + 1)
