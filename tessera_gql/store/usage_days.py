"""What follows from the days of observations: first and last read, their number, and the longest pause.

Retention deletes old days. What they contributed stays in the columns `summed_…` of their observation, and days up to
`summed_until` don't count once more.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Interval, bindparam, cast, delete, extract, func, or_, select, update

from tessera_gql.policy.enums import Response
from tessera_gql.store import proposals
from tessera_gql.store.session import Session, ids
from tessera_gql.store.usage import DAYS, OBSERVATIONS, PRINCIPALS

OBSERVATION_COLUMNS = {
    "first_seen": "first",
    "last_seen": "last",
    "read_count": "count",
    "longest_pause_seconds": "pause",
}
SUMMED_COLUMNS = {
    "summed_first_at": "first",
    "summed_last_at": "last",
    "summed_count": "count",
    "summed_pause_seconds": "pause",
}


async def summarize_days(session: Session, observation_ids: Collection[UUID]) -> None:
    """Set what follows from all days of observations, deleted ones included."""
    await _update(session, OBSERVATION_COLUMNS, await _sum_days(session, observation_ids, None))


async def sum_up_days(session: Session, observation_ids: Collection[UUID], before: date) -> None:
    """Note what the days of observations before a day contribute, after which they may be deleted."""
    rows = await _sum_days(session, observation_ids, before)
    until = before - timedelta(days=1)
    await _update(session, SUMMED_COLUMNS | {"summed_until": "until"}, [{**row, "until": until} for row in rows])


async def _update(session: Session, columns: dict[str, str], rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    change = update(OBSERVATIONS).where(OBSERVATIONS.c.id == bindparam("of_observation"))
    values = [
        {"of_observation": row["observation"], **{name: row[key] for name, key in columns.items()}} for row in rows
    ]
    await session.execute(change.values(**{name: bindparam(name) for name in columns}), values)


async def _sum_days(session: Session, observation_ids: Collection[UUID], before: date | None) -> list[dict[str, Any]]:
    """Sum up the days of observations, or those before a day, together with the deleted ones."""
    if not observation_ids:
        return []
    previous = func.lag(DAYS.c.last_at).over(partition_by=DAYS.c.observation_id, order_by=DAYS.c.day)
    is_counted = [
        session.in_values(DAYS.c.observation_id, observation_ids),
        or_(OBSERVATIONS.c.summed_until.is_(None), DAYS.c.day > OBSERVATIONS.c.summed_until),
        *([DAYS.c.day < before] if before else []),
    ]
    days = (
        select(DAYS, _seconds_between(session.dialect, previous, DAYS.c.first_at).label("pause"))
        .join(OBSERVATIONS, OBSERVATIONS.c.id == DAYS.c.observation_id)
        .where(*is_counted)
        .subquery()
    )
    sums = (
        select(
            days.c.observation_id,
            func.min(days.c.first_at, type_=DAYS.c.first_at.type).label("first"),
            func.max(days.c.last_at, type_=DAYS.c.last_at.type).label("last"),
            cast(func.sum(days.c.read_count), BigInteger).label("read_count"),
            cast(func.coalesce(func.max(days.c.pause), 0), BigInteger).label("pause"),
        )
        .group_by(days.c.observation_id)
        .subquery()
    )
    summed = [OBSERVATIONS.c[name] for name in SUMMED_COLUMNS]
    statement = select(sums, *summed).join(OBSERVATIONS, OBSERVATIONS.c.id == sums.c.observation_id)
    return [_add_deleted(row) for row in await session.rows(statement)]


def _add_deleted(row: Any) -> dict[str, Any]:
    """Add what deleted days contributed; the pause after the last one of them counts as well."""
    first, last, count, pause = row.first, row.last, row.read_count, row.pause
    if row.summed_last_at is not None:
        pause = max(pause, row.summed_pause_seconds, _whole_seconds(row.summed_last_at, first))
        count += row.summed_count
        first, last = min(first, row.summed_first_at), max(last, row.summed_last_at)
    return {"observation": row.observation_id, "first": first, "last": last, "count": count, "pause": pause}


def _whole_seconds(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds())


def _seconds_between(dialect: str, start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[Any]:
    if dialect == "postgresql":
        return func.floor(extract("epoch", cast(end - start, Interval)))
    return func.round((func.julianday(end) - func.julianday(start)) * 86_400)


async def list_unsummed(session: Session, before: date, after: UUID | None, limit: int) -> list[UUID]:
    """List observations that have days before a day which are not summed up, the next ones `after` one of them."""
    has_days = (
        select(DAYS.c.day)
        .where(
            DAYS.c.observation_id == OBSERVATIONS.c.id,
            DAYS.c.day < before,
            or_(OBSERVATIONS.c.summed_until.is_(None), DAYS.c.day > OBSERVATIONS.c.summed_until),
        )
        .exists()
    )
    statement = select(OBSERVATIONS.c.id).where(has_days).order_by(OBSERVATIONS.c.id).limit(limit)
    if after is not None:
        statement = statement.where(OBSERVATIONS.c.id > after)
    return ids(await session.rows(statement))


async def delete_summed(session: Session, observation_ids: Collection[UUID], before: date) -> None:
    """Delete the days of observations before a day, which must be summed up."""
    await session.execute(
        delete(DAYS).where(session.in_values(DAYS.c.observation_id, observation_ids), DAYS.c.day < before)
    )


async def find_first_migrating_read(session: Session) -> datetime | None:
    """Find the earliest last read of a team that migrates in an open proposal, from which its proof begins."""
    acknowledgments, open_proposals = proposals.ACKNOWLEDGMENTS, proposals.TABLE
    is_concerned = or_(OBSERVATIONS.c.asset_id == open_proposals.c.asset_id, acknowledgments.c.paths.is_not(None))
    moment: datetime | None = await session.value(
        select(func.min(OBSERVATIONS.c.last_seen, type_=OBSERVATIONS.c.last_seen.type))
        .join(PRINCIPALS, PRINCIPALS.c.id == OBSERVATIONS.c.principal_id)
        .join(acknowledgments, acknowledgments.c.consumer_team_id == PRINCIPALS.c.team_id)
        .join(open_proposals, open_proposals.c.id == acknowledgments.c.proposal_id)
        .where(
            proposals.IS_OPEN,
            acknowledgments.c.response == Response.MIGRATING,
            acknowledgments.c.released_at.is_(None),
            is_concerned,
        )
    )
    return moment
