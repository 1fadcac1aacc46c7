"""The monthly partitions of the table of days on PostgreSQL, which imports create and retention drops.

Rows of a month without a partition are in the default partition. A server that may not change tables leaves all rows
there, and so does SQLite in its one table.
"""

import re
from collections.abc import Iterable
from datetime import date, timedelta

from sqlalchemy import Boolean, Text, text

from tessera_gql.store.session import Session

TABLE = "core.observation_days"
DEFAULT = "core.observation_days_default"
LOCK_MILLISECONDS = 3_000
"""Time to wait for others who use the table. They wait behind us for as long."""
NAME = re.compile(r"observation_days_(\d{4})_(\d\d)")

MAY_CHANGE = text(
    "SELECT pg_has_role(current_user, relowner, 'USAGE') AND relkind = 'p' AS may_change FROM pg_class"
    " WHERE oid = 'core.observation_days'::regclass"
).columns(may_change=Boolean)
NAMES = text(
    "SELECT c.relname::text AS name FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = 'core.observation_days'::regclass"
).columns(name=Text)


async def may_change(session: Session) -> bool:
    """Return whether the server may create and drop partitions."""
    return session.dialect == "postgresql" and bool(await session.value(MAY_CHANGE))


async def list_months(session: Session) -> set[date]:
    """List the months that have a partition."""
    matches = (NAME.fullmatch(row.name) for row in await session.rows(NAMES))
    return {date(int(match[1]), int(match[2]), 1) for match in matches if match}


async def create_months(session: Session, months: Iterable[date]) -> None:
    """Create the partitions of months, and move the rows there that the default partition has of them.

    Imports wait until the commit.
    """
    await session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms'"))
    await session.execute(text(f"LOCK TABLE {DEFAULT} IN ACCESS EXCLUSIVE MODE"))
    for month in sorted({*months} - await list_months(session)):
        name = f"core.observation_days_{month:%Y_%m}"
        end = next_month(month)
        condition = f"day >= '{month}' AND day < '{end}'"
        await session.execute(text(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING ALL)"))
        await session.execute(
            text(
                f"WITH moved AS (DELETE FROM {DEFAULT} WHERE {condition} RETURNING *)"  # noqa: S608 - dates and names
                f" INSERT INTO {name} SELECT * FROM moved"
            )
        )
        await session.execute(
            text(f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES FROM ('{month}') TO ('{end}')")
        )


async def drop_months(session: Session, before: date) -> list[date]:
    """Drop the partitions of months that end before a day; the reads in them must be summed up."""
    months = sorted(month for month in await list_months(session) if next_month(month) <= before)
    if months:
        await session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms'"))
    for month in months:
        await session.execute(text(f"DROP TABLE core.observation_days_{month:%Y_%m}"))
    return months


def first_of_month(day: date) -> date:
    return day.replace(day=1)


def next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)
