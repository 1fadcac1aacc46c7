"""The event relay delivers every event once and in order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from tessera_gql.errors import Invalid
from tessera_gql.notifications import postgres_listener as listening
from tessera_gql.notifications.event_relay import MAX_WOKEN, EventRelay, wake_in_turns
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import Response
from tessera_gql.store import events
from tessera_gql.store.database import Database
from tessera_gql.store.tables import EventRow
from tessera_gql.workflows import teams
from tests.world import World


async def take(stream: AsyncIterator[EventRow], number: int) -> list[EventRow]:
    async with asyncio.timeout(10):
        return [await anext(stream) for _ in range(number)]


async def test_12_a_subscriber_that_was_away_gets_every_event_since_its_cursor_once_and_in_order(
    world: World, database: Database
) -> None:
    async with EventRelay(database) as relay:
        async with relay.subscribe() as stream:
            await world.team("one")
            cursor = (await take(stream, 1))[-1].sequence
        _, proposal = await world.proposed(consumers=2)
        async with relay.subscribe(cursor) as stream:
            missed = await world.events(cursor)
            assert [event.sequence for event in await take(stream, len(missed))] == [event.sequence for event in missed]
            await world.answer(proposal, world.consumers[0], Response.BLOCKED)
            live = await take(stream, 2)
    assert [event.kind for event in live] == ["PROPOSAL_ANSWERED", "PROPOSAL_STATUS_CHANGED"]
    assert live[0].sequence == missed[-1].sequence + 1


async def test_a_subscriber_without_a_cursor_starts_with_the_next_commit(world: World, database: Database) -> None:
    async with EventRelay(database) as relay:
        await world.team("before")
        async with relay.subscribe() as stream:
            await world.team("after")
            assert (await take(stream, 1))[0].payload["name"] == "after"


async def test_a_process_that_gets_no_wake_up_finds_events_by_polling(world: World, database: Database) -> None:
    second = Database(str(database.url), clock=database.clock)
    async with EventRelay(second, poll_seconds=0.05) as relay, relay.subscribe() as stream:
        await world.team("from another process")
        assert (await take(stream, 1))[0].kind == "TEAM_CREATED"
    await second.dispose()


async def test_concurrent_writers_leave_no_gap_and_no_subscriber_misses_any(world: World, database: Database) -> None:
    async with EventRelay(database) as relay, relay.subscribe(0) as early, relay.subscribe(0) as late:
        await asyncio.gather(*(world.team(f"team-{number}") for number in range(40)))
        for stream in (early, late):
            assert [event.sequence for event in await take(stream, 40)] == list(range(1, 41))


async def test_two_transactions_that_commit_in_the_opposite_order_of_their_start_are_both_seen(
    world: World, database: Database
) -> None:
    async with EventRelay(database, poll_seconds=0.05) as relay, relay.subscribe(0) as stream:
        if database.dialect == "sqlite":  # SQLite has a single writer, so commits can't be reordered
            await world.team("first")
            await world.team("second")
        else:
            async with database.write() as earlier:
                await teams.create(earlier, ANONYMOUS, name="starts first")
                await world.team("commits first")
        assert [event.sequence for event in await take(stream, 2)] == [1, 2]


async def test_events_beyond_the_memory_limit_are_read_from_the_log_in_pages(world: World, database: Database) -> None:
    async with EventRelay(database, max_recent_events=5) as relay, relay.subscribe(0) as slow:
        for number in range(12):
            await world.team(f"team-{number}")
        async with relay.subscribe(11) as quick:
            await take(quick, 1)
        assert [event.sequence for event in await take(slow, 12)] == list(range(1, 13))


async def test_large_events_are_kept_in_memory_up_to_a_limit_of_their_text(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tessera_gql.notifications.event_relay.MAX_RECENT_CHARACTERS", 1_500)
    async with EventRelay(database) as relay, relay.subscribe(0) as slow:
        for number in range(12):
            await world.team(f"team-{number}")
        async with relay.subscribe(11) as quick:
            await take(quick, 1)
        assert 0 < len(relay._recent) < 12
        assert [event.sequence for event in await take(slow, 12)] == list(range(1, 13))


async def test_a_subscriber_survives_an_unavailable_database(postgres_database_url: str) -> None:
    database = Database(postgres_database_url)
    async with EventRelay(database, poll_seconds=0.05, max_recent_events=1) as relay, relay.subscribe(0) as stream:
        for number in range(4):
            await cut_connections(postgres_database_url)
            second = Database(postgres_database_url)
            await World(second).team(f"team-{number}")
            await second.dispose()
        assert [event.sequence for event in await take(stream, 4)] == [1, 2, 3, 4]
    await database.dispose()


async def cut_connections(url: str) -> None:
    """Let the server close every other connection to this database."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


async def test_an_unexpected_failure_does_not_stop_the_relay(
    world: World, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty(Database):
        faults = 2

        def read(self) -> Any:
            if asyncio.current_task().get_name() == "event relay" and self.faults:  # type: ignore[union-attr]
                self.faults -= 1
                raise RuntimeError("never seen before")
            return super().read()

    faulty = Faulty(str(database.url), clock=database.clock)
    async with EventRelay(faulty, poll_seconds=0.05) as relay, relay.subscribe() as stream:
        await world.team("one")
        assert (await take(stream, 1))[0].kind == "TEAM_CREATED"
    await faulty.dispose()
    assert "could not be followed" in caplog.text


async def test_a_cursor_that_the_log_has_not_reached_is_refused(world: World, database: Database) -> None:
    await world.team("one")
    async with EventRelay(database) as relay:
        with pytest.raises(Invalid, match="behind the end"):
            async with relay.subscribe(2):
                pass


async def test_a_relay_that_closes_ends_its_subscriptions(database: Database) -> None:
    async with EventRelay(database) as relay, relay.subscribe() as stream:
        waiting = asyncio.create_task(collect(stream))
        await asyncio.sleep(0.05)
        await relay.__aexit__()
        assert await asyncio.wait_for(waiting, 5) == []
        await relay.__aenter__()


async def collect(stream: AsyncIterator[EventRow]) -> list[EventRow]:
    return [one async for one in stream]


async def test_a_listener_wakes_again_after_its_connection_was_cut(
    postgres_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "RETRY_SECONDS", 0.05)
    database = Database(postgres_database_url)
    woken: asyncio.Queue[int] = asyncio.Queue()
    task = asyncio.create_task(listening.listen_for_events(postgres_database_url, lambda: woken.put_nowait(1)))
    async with asyncio.timeout(10):
        await woken.get()
        await cut_connections(postgres_database_url)
        await woken.get()
        await World(database).team("one")
        await woken.get()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await database.dispose()


async def test_a_cursor_before_the_beginning_is_the_beginning(world: World, database: Database) -> None:
    async with EventRelay(database) as relay, relay.subscribe(-7) as stream:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.05)
    async with EventRelay(database) as relay, relay.subscribe(-7) as stream:
        await world.team("first")
        assert (await take(stream, 1))[0].sequence == 1


async def test_a_connection_that_breaks_before_its_return_does_not_harm_the_relay(postgres_database_url: str) -> None:
    """Repeated more often than the pool has connections, so that no connection is lost."""
    database = Database(postgres_database_url)
    for _ in range(25):
        async with database.read() as session:
            await events.load_last_sequence(session)
            await cut_connections(postgres_database_url)
    await World(database).team("still there")
    async with database.read() as session:
        assert await events.load_last_sequence(session) == 1
    await database.dispose()


async def test_subscribers_continue_a_few_in_each_turn_of_the_event_loop() -> None:
    loop = asyncio.get_running_loop()
    waiters = [loop.create_future() for _ in range(2 * MAX_WOKEN + 1)]
    waiters[0].cancel()
    wake_in_turns(deque(waiters))
    woken = [sum(waiter.done() for waiter in waiters)]
    while woken[-1] < len(waiters):
        await asyncio.sleep(0)
        woken.append(sum(waiter.done() for waiter in waiters))
    assert woken == [MAX_WOKEN, 2 * MAX_WOKEN, 2 * MAX_WOKEN + 1]
