"""Delete days of reads that are older than the retention, month by month.

Observations keep what follows from the deleted days, so that first and last reads, counts and pauses stay, and quiet
proves as much as before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from tessera_gql.policy.usage import find_first_kept_day
from tessera_gql.store import usage, usage_days, usage_partitions
from tessera_gql.store.session import Session
from tessera_gql.store.usage_partitions import first_of_month, next_month

BATCH_OBSERVATIONS = 2_000
"""Observations whose old days one transaction sums up: a fraction of a second."""
MONTHS_AHEAD = 2


@dataclass(frozen=True)
class RetentionPlan:
    """The day before which days are deleted, and whether whole partitions are dropped."""

    before: date
    drops_partitions: bool


async def plan_retention(session: Session, retention_days: int) -> RetentionPlan:
    """Choose what to delete: whole months before the retention, and none from the reads of migrating teams on."""
    first_read = await usage_days.find_first_migrating_read(session)
    before = find_first_kept_day(session.now, retention_days)
    if first_read is not None:
        before = min(before, first_of_month(first_read.date()))
    return RetentionPlan(before, drops_partitions=await usage_partitions.may_change(session))


async def list_batch(session: Session, plan: RetentionPlan, after: UUID | None) -> list[UUID]:
    """List the next observations `after` one of them that have old days, without a lock."""
    return await usage_days.list_unsummed(session, plan.before, after, BATCH_OBSERVATIONS)


async def sum_up_batch(session: Session, plan: RetentionPlan, batch: Sequence[UUID]) -> None:
    """Sum up the old days of observations. Where no partition is dropped, the days are deleted at once.

    Imports wait until the commit.
    """
    await usage.lock_all_sources(session)
    await usage_days.sum_up_days(session, batch, plan.before)
    if not plan.drops_partitions:
        await usage_days.delete_summed(session, batch, plan.before)


async def drop_partitions(session: Session, plan: RetentionPlan) -> list[date]:
    """Drop the partitions before the retention, unless an import has stored a day there since it was summed up."""
    if all(next_month(month) > plan.before for month in await usage_partitions.list_months(session)):
        return []
    await usage.lock_all_sources(session)
    if await usage_days.list_unsummed(session, plan.before, None, 1):
        return []
    return await usage_partitions.drop_months(session, plan.before)


async def create_partitions_ahead(session: Session) -> None:
    """Create the partitions of this month and the next ones."""
    months = [first_of_month(session.now.date())]
    while len(months) <= MONTHS_AHEAD:
        months.append(next_month(months[-1]))
    if {*months} - await usage_partitions.list_months(session):
        await usage_partitions.create_months(session, months)
