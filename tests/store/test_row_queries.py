"""The rows of a lookup are found by its column, in whatever order they are requested."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from tessera_gql import store
from tessera_gql.store.database import Database
from tessera_gql.store.registrations import list_live_of_teams
from tessera_gql.store.session import RowQuery
from tests.conftest import FixedClock
from tests.world import World


def every_row_query() -> Iterator[tuple[str, RowQuery[Any]]]:
    for module in sorted(item.name for item in pkgutil.iter_modules(store.__path__)):
        for name, value in sorted(vars(importlib.import_module(f"{store.__name__}.{module}")).items()):
            if isinstance(value, RowQuery):
                yield f"{module}.{name}", value


QUERIES = dict(every_row_query())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_sqlite_does_not_read_a_table_in_the_order_of_a_lookup(database: Database) -> None:
    scanned = {}
    async with database.write() as session:
        await session.execute(text("ANALYZE"))
        await session.execute(text("DELETE FROM sqlite_stat1"))
        for index in await session.rows(text("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index'")):
            columns = len(await session.rows(text(f"SELECT * FROM pragma_index_info('{index[0]}')")))
            rows = text("INSERT INTO sqlite_stat1 VALUES (:table, :index, :rows)")
            sizes = " ".join(["55123 276", *["1"] * (columns - 1)])
            await session.execute(rows.bindparams(table=index[1], index=index[0], rows=sizes))
        await session.execute(text("ANALYZE sqlite_schema"))
        for name, query in QUERIES.items():
            compiled, values = query._query.compile(session.sql_dialect, {"values": []})
            explained = replace(compiled, text=f"EXPLAIN QUERY PLAN {compiled.text}", row_class=None)
            plan = await session.fetch_compiled(explained, values)
            scanned[name] = [row[3] for row in plan if re.match("SCAN (?!json_each)", row[3])]
    assert "registrations.list_live_of_teams" in scanned
    assert {name: steps for name, steps in scanned.items() if any("USING INDEX" in step for step in steps)} == {}


async def test_the_rows_of_a_lookup_are_in_their_order(database: Database, clock: FixedClock) -> None:
    world = World(database)
    owner, *readers = [await world.team(name) for name in ("producers", "reader-0", "reader-1")]
    moments = []
    for number in range(3):
        table = await world.asset(f"marts.table_{number}", owner)
        await world.publish(table)
        for reader in readers:
            clock.advance(seconds=-60)
            await world.register(table, reader)
            moments.append(clock.now)
    async with database.read() as session:
        rows = await list_live_of_teams(session, [team.id for team in readers])
    assert [row.registered_at for row in rows] == sorted(moments)
