"""Delete old days of observed reads at an interval, in short transactions, and create the partitions of new ones."""

import asyncio
import logging
from uuid import UUID

from tessera_gql.errors import Unavailable
from tessera_gql.store.database import Database
from tessera_gql.workflows.usage_retention import (
    RetentionPlan,
    create_partitions_ahead,
    drop_partitions,
    list_batch,
    plan_retention,
    sum_up_batch,
)

INTERVAL_SECONDS = 6 * 3600.0
PAUSE_SECONDS = 0.05
"""Pause between transactions, in which others write."""

log = logging.getLogger(__name__)


async def run_retention(database: Database, retention_days: int, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
    """Apply the retention at an interval, until cancelled."""
    while True:
        try:
            await apply_retention(database, retention_days)
        except Unavailable as error:
            log.warning("Old days of reads are not deleted for now. %s", error)
        except Exception:
            log.exception("Old days of reads could not be deleted; another attempt is made")
        await asyncio.sleep(interval_seconds)


async def apply_retention(database: Database, retention_days: int) -> None:
    """Delete the days before the retention. Safe in many processes: it locks the usage sources."""
    async with database.read() as session:
        plan = await plan_retention(session, retention_days)
    if plan.drops_partitions:
        async with database.write("retention") as session:
            await create_partitions_ahead(session)
    await _sum_up(database, plan)
    if plan.drops_partitions:
        async with database.write("retention") as session:
            months = await drop_partitions(session, plan)
        if months:
            log.info("The days of reads before %s were deleted.", plan.before)


async def _sum_up(database: Database, plan: RetentionPlan) -> None:
    last: UUID | None = None
    while True:
        async with database.read() as session:
            batch = await list_batch(session, plan, last)
        if not batch:
            return
        async with database.write("retention") as session:
            await sum_up_batch(session, plan, batch)
        last = batch[-1]
        await asyncio.sleep(PAUSE_SECONDS)
