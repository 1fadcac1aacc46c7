"""The API says how far the event log was verified; the worker and `tessera audit verify` record it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tessera_gql.notifications.log_verification import run_log_verification, verify_new_events
from tessera_gql.store import audit
from tessera_gql.store.database import Database
from tests.conftest import FixedClock
from tests.graphql.conftest import Ask
from tests.graphql.test_asks import format_moment
from tests.world import World

LOG = """
{ eventLog {
  lastSequence head verifiedSequence verifiedHash verifiedAt isIntact brokenSequence fault
} }
"""


async def event_log(ask: Ask) -> dict[str, Any]:
    return dict((await ask(LOG))["eventLog"])


async def damage(database: Database, statement: str) -> None:
    """Change the log as one who owns its tables can."""
    async with database.write() as session:
        if session.dialect == "sqlite":
            for name in ("events_no_update", "events_no_delete"):
                await session.execute(sa.text(f"DROP TRIGGER IF EXISTS {name}"))
            statement = statement.replace("audit.", "")
        else:
            await session.execute(sa.text("ALTER TABLE audit.events DISABLE TRIGGER USER"))
        await session.execute(sa.text(statement))
        if session.dialect != "sqlite":
            await session.execute(sa.text("ALTER TABLE audit.events ENABLE TRIGGER USER"))


async def test_a_log_that_was_never_verified_says_so(ask: Ask) -> None:
    assert await event_log(ask) == {
        "lastSequence": 0,
        "head": "0" * 64,
        "verifiedSequence": 0,
        "verifiedHash": None,
        "verifiedAt": None,
        "isIntact": None,
        "brokenSequence": None,
        "fault": None,
    }


async def test_new_events_are_verified_and_the_result_is_read(
    world: World, clock: FixedClock, database: Database, ask: Ask
) -> None:
    await world.published()
    await verify_new_events(database)
    first = await event_log(ask)
    last = (await world.events())[-1]
    assert (first["lastSequence"], first["head"]) == (last.sequence, last.hash)
    assert (first["verifiedSequence"], first["verifiedHash"], first["isIntact"]) == (last.sequence, last.hash, True)
    assert first["verifiedAt"] == format_moment(clock.now)
    await world.team("late")
    clock.advance(minutes=1)
    await verify_new_events(database, timedelta(minutes=5))
    waiting = await event_log(ask)
    assert waiting["verifiedSequence"] == last.sequence < waiting["lastSequence"]
    clock.advance(minutes=5)
    await verify_new_events(database, timedelta(minutes=5))
    assert (await event_log(ask))["verifiedSequence"] == last.sequence + 1


async def test_a_long_log_is_verified_in_parts(
    world: World, database: Database, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.published(consumers=3)
    monkeypatch.setattr(audit, "PAGE_SIZE", 2)
    monkeypatch.setattr("tessera_gql.notifications.log_verification.MAX_PAGES", 2)
    await verify_new_events(database)
    assert (await event_log(ask))["verifiedSequence"] == 4
    await verify_new_events(database)
    assert (await event_log(ask))["verifiedSequence"] == 8


async def test_a_changed_event_is_named_and_stays_so_until_the_whole_log_is_verified(
    world: World, clock: FixedClock, database: Database, ask: Ask
) -> None:
    await world.published()
    await damage(database, "UPDATE audit.events SET actor = 'another' WHERE sequence = 2")
    for _ in range(2):
        await verify_new_events(database)
        clock.advance(minutes=10)
        state = await event_log(ask)
        assert (state["verifiedSequence"], state["isIntact"], state["brokenSequence"]) == (1, False, 2)
        assert state["fault"] == f"The event log is broken at sequence 2: {audit.HASH_FAULT}."


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit.events SET hash = 'written anew' WHERE sequence = 2", audit.REWRITING),
        ("DELETE FROM audit.events WHERE sequence >= 2", "it is gone"),
    ],
)
async def test_a_log_whose_verified_part_was_replaced_is_broken(
    statement: str, fault: str, world: World, database: Database, ask: Ask
) -> None:
    await world.team("first")
    await world.team("second")
    await verify_new_events(database)
    await damage(database, statement)
    await verify_new_events(database)
    state = await event_log(ask)
    assert (state["isIntact"], state["brokenSequence"]) == (False, 2)
    assert fault in state["fault"]


async def test_the_worker_verifies_at_an_interval(world: World, database: Database, ask: Ask) -> None:
    await world.team("first")
    task = asyncio.create_task(run_log_verification(database, interval_seconds=0.01))
    for _ in range(200):
        if (await event_log(ask))["verifiedSequence"] == 1:
            break
        await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await event_log(ask))["isIntact"] is True
