"""Queries of deprecations by id and asset."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from tessera_gql.policy.deprecation import REMINDER_DAYS, WHOLE, find_due_reminder
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import Deprecation, table

TABLE = table(Deprecation)
IS_LIVE = TABLE.c.ended_at.is_(None)

by_ids = RowQuery(Deprecation, "id")
list_live = RowQuery(Deprecation, "asset_id", IS_LIVE, order_by=(TABLE.c.path,))
"""The live deprecations of assets, by path."""

LIVE = select(TABLE).where(IS_LIVE).subquery()
"""The deprecations that have not ended."""
DEPRECATED_ASSETS = select(TABLE.c.asset_id).where(IS_LIVE, TABLE.c.path == WHOLE)
"""The ids of the assets that are deprecated as a whole."""


async def get(session: Session, deprecation_id: UUID) -> Deprecation:
    """Return a deprecation by its id; raise NotFound if there is none."""
    return await by_ids.get(session, deprecation_id, "deprecation", "List the deprecations of an asset to find it.")


async def list_all_live(session: Session) -> list[Deprecation]:
    """Load all live deprecations, by path."""
    return await session.list(select(TABLE).where(IS_LIVE).order_by(TABLE.c.path), Deprecation)


async def list_due_reminders(session: Session, now: datetime) -> list[UUID]:
    """List the deprecations with a reminder that is due."""
    is_near = (TABLE.c.sunset_at > now) & (TABLE.c.sunset_at <= now + timedelta(days=max(REMINDER_DAYS)))
    rows = await session.list(select(TABLE).where(IS_LIVE, is_near).order_by(TABLE.c.id), Deprecation)
    return [row.id for row in rows if find_due_reminder(row.sunset_at, row.reminded_days, now) is not None]
