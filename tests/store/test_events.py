"""The event log is append-only, without gaps, and chained by hashes so that any change is detected."""

import sqlite3
from datetime import UTC, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from sqlalchemy import text

from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import Response
from tessera_gql.store import events
from tessera_gql.store.database import Database
from tessera_gql.store.events import BATCH_SIZE, GENESIS, compute_hash
from tessera_gql.store.tables import EventRow
from tessera_gql.workflows import teams
from tests.conftest import FixedClock
from tests.world import World

FACTS = ("sequence", "id", "kind", "entity_type", "entity_id", "asset_id", "proposal_id", "teams", "actor", "payload")


def facts(row: EventRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in (*FACTS, "occurred_at")}


def assert_chained(rows: list[EventRow]) -> None:
    chain = GENESIS
    for sequence, row in enumerate(rows, 1):
        assert row.sequence == sequence
        chain = compute_hash(chain, facts(row))
        assert row.hash == chain


async def execute(database: Database, statement: str) -> None:
    table = "events" if database.dialect == "sqlite" else "audit.events"
    async with database.write() as session:
        await session.execute(text(statement.format(events=table)))


async def test_a_log_verifies_row_by_row_as_it_is_read_back(world: World, clock: FixedClock) -> None:
    clock.now += timedelta(microseconds=123_456)
    _, proposal = await world.proposed(consumers=2)
    await world.team("équipe \U0001f600")
    deadline = clock.now.astimezone(UTC) + timedelta(days=1, microseconds=1)
    await world.answer(proposal, world.consumers[0], Response.MIGRATING, deadline)
    rows = await world.events()
    assert len(rows) > 10
    assert_chained(rows)


async def test_the_log_verifies_when_the_clock_shows_another_zone(world: World, clock: FixedClock) -> None:
    clock.now = clock.now.astimezone(tz=ZoneInfo("Asia/Tokyo"))
    await world.published(consumers=1)
    assert_chained(await world.events())


async def test_events_of_one_transaction_are_chained_across_the_batches_of_their_insertion(database: Database) -> None:
    count = 2 * BATCH_SIZE + 1
    async with database.write() as session:
        for number in range(count):
            await teams.create(session, ANONYMOUS, name=f"team {number}")
    async with database.read() as session:
        rows = await events.load_after(session, 0, limit=count + 1)
    assert len(rows) == count
    assert_chained(rows)


@pytest.mark.parametrize("name", [*FACTS, "occurred_at"])
async def test_any_changed_fact_breaks_the_chain(world: World, name: str) -> None:
    await world.proposed(consumers=1)
    rows = await world.events()
    row = next(event for event in rows if event.kind == "PROPOSAL_OPENED")
    honest = facts(row)
    previous = rows[row.sequence - 2].hash
    assert compute_hash(previous, honest) == row.hash
    value = honest[name]
    changed: Any = {
        "sequence": row.sequence + 1,
        "teams": [*row.teams[:-1]],
        "payload": {**row.payload, "version": "2.0.1"},
        "occurred_at": row.occurred_at + timedelta(microseconds=1),
    }.get(name, f"{value}x")
    assert compute_hash(previous, {**honest, name: changed}) != row.hash
    assert compute_hash(previous.replace("a", "b").replace("0", "1"), honest) != row.hash


@pytest.mark.parametrize(
    "statement", ["UPDATE {events} SET actor = 'me'", "DELETE FROM {events}", "DELETE FROM {events} WHERE sequence = 2"]
)
async def test_no_event_can_be_changed_or_removed(world: World, database: Database, statement: str) -> None:
    await world.published(consumers=1)
    before = await world.events()
    with pytest.raises((asyncpg.PostgresError, sqlite3.Error), match="append-only"):
        await execute(database, statement)
    assert await world.events() == before


@pytest.mark.parametrize("key", ["sequence", "id"])
async def test_no_event_is_replaced(world: World, database: Database, key: str) -> None:
    if database.dialect != "sqlite":
        pytest.skip("PostgreSQL knows no REPLACE")
    await world.published(consumers=1)
    before = await world.events()
    columns = [column.name for column in EventRow.__table__.columns]  # type: ignore[attr-defined]  # SQLModel hides it
    changed = {"sequence": "sequence + 1000", "id": "hex(randomblob(16))", "actor": "'me'"}
    values = [name if name == key else changed.get(name, name) for name in columns]
    statement = f"REPLACE INTO {{events}} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {{events}} LIMIT 1"
    with pytest.raises((asyncpg.PostgresError, sqlite3.Error), match="append-only"):
        await execute(database, statement)
    assert await world.events() == before


async def test_no_log_is_truncated(world: World, database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("SQLite knows no TRUNCATE")
    await world.team("one")
    with pytest.raises((asyncpg.PostgresError, sqlite3.Error), match="append-only"):
        await execute(database, "TRUNCATE {events}")
    assert len(await world.events()) == 1


async def test_a_page_of_events_starts_behind_the_cursor(world: World, database: Database) -> None:
    for number in range(5):
        await world.team(f"team-{number}")
    async with database.read() as session:
        assert [event.sequence for event in await events.load_after(session, 2, limit=2)] == [3, 4]
        assert [event.sequence for event in await events.load_after(session, -7)] == [1, 2, 3, 4, 5]
        assert await events.load_after(session, 5) == []
        assert await events.load_last_sequence(session) == 5


async def test_an_empty_log_ends_at_zero(database: Database) -> None:
    async with database.read() as session:
        assert await events.load_last_sequence(session) == 0


async def test_a_dry_run_leaves_nothing_behind(world: World, database: Database) -> None:
    before = await world.size()
    async with database.write(dry_run=True) as session:
        await teams.create(session, ANONYMOUS, name="never")
    assert await world.size() == before
