"""Nothing is lost, nothing comes twice, everything comes in order."""

import asyncio
from collections.abc import AsyncIterator

from tessera_gql.delivery.bus import Bus
from tessera_gql.policy.words import Response
from tessera_gql.store.database import Database
from tessera_gql.store.tables import EventRow
from tests.world import World


async def take(stream: AsyncIterator[EventRow], number: int) -> list[EventRow]:
    async with asyncio.timeout(10):
        return [await anext(stream) for _ in range(number)]


async def test_12_a_subscriber_that_was_away_gets_every_event_since_its_cursor_once_and_in_order(
    world: World, database: Database
) -> None:
    async with Bus(database) as bus:
        async with bus.subscribe() as stream:
            await world.team("one")
            cursor = (await take(stream, 1))[-1].sequence
        _, proposal = await world.proposed(consumers=2)
        async with bus.subscribe(cursor) as stream:
            missed = await world.events(cursor)
            assert [one.sequence for one in await take(stream, len(missed))] == [one.sequence for one in missed]
            await world.answer(proposal, world.consumers[0], Response.BLOCKED)
            live = await take(stream, 2)
    assert [one.kind for one in live] == ["PROPOSAL_ANSWERED", "PROPOSAL_STATUS_CHANGED"]
    assert live[0].sequence == missed[-1].sequence + 1


async def test_a_subscriber_without_a_cursor_starts_with_what_is_committed_from_now_on(
    world: World, database: Database
) -> None:
    async with Bus(database) as bus:
        await world.team("before")
        async with bus.subscribe() as stream:
            await world.team("after")
            assert (await take(stream, 1))[0].payload["name"] == "after"


async def test_a_process_that_gets_no_wake_up_finds_events_by_polling(world: World, database: Database) -> None:
    other = Database(str(database.url), clock=database.clock)
    async with Bus(other, poll_seconds=0.05) as bus, bus.subscribe() as stream:
        await world.team("from another process")
        assert (await take(stream, 1))[0].kind == "TEAM_CREATED"
    await other.dispose()


async def test_concurrent_writers_leave_no_gap_and_no_subscriber_misses_any(world: World, database: Database) -> None:
    async with Bus(database) as bus, bus.subscribe(0) as early, bus.subscribe(0) as other:
        await asyncio.gather(*(world.team(f"team-{number}") for number in range(40)))
        for stream in (early, other):
            assert [one.sequence for one in await take(stream, 40)] == list(range(1, 41))
