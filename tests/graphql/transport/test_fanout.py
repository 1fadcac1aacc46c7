"""The same subscription of many is executed once; who hears it notices nothing, and nobody waits for the slow."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing

import pytest

from tessera_gql.graphql.fanout import Behind, Fanout
from tessera_gql.graphql.http import Transport, drain

from .test_sse import events
from .test_websocket import ClientConnection, begin, hear, say, socket, still_works, subscribe, until
from .toy import House

Serve = Callable[[Transport], AbstractAsyncContextManager[str]]
HEARD = "subscription ($after: String) {heard(after: $after)}"


@pytest.fixture
def transport(house: House) -> Transport:
    """Guests of one name are one scope; those without a name are each alone."""
    house.scope = lambda guest: guest.name
    return house.transport()


@pytest.fixture
async def address(transport: Transport, serve: Serve) -> AsyncIterator[str]:
    async with serve(transport) as address:
        yield address


async def guest(stack: AsyncExitStack, address: str, name: str | None = "Bearer one") -> ClientConnection:
    ws = await stack.enter_async_context(socket(address))
    await begin(ws, payload={"Authorization": name} if name else {})
    return ws


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0.002)


async def test_equal_subscriptions_of_one_scope_are_executed_once(address: str, house: House) -> None:
    async with AsyncExitStack() as stack:
        guests = [await guest(stack, address) for _ in range(5)]
        for number, ws in enumerate(guests):
            await subscribe(ws, f"id {number}", HEARD)
        await until(lambda: house.streams == 1)
        await settled()
        assert house.streams == house.open_contexts == 1
        for word in ("a", "b"):
            house.words.put_nowait(word)
            for number, ws in enumerate(guests):
                expected = {"type": "next", "id": f"id {number}", "payload": {"data": {"heard": word}}}
                assert await hear(ws) == expected
    await until(lambda: house.streams == house.open_contexts == 0)


@pytest.mark.parametrize(
    ("name", "query", "variables"),
    [
        ("Bearer two", HEARD, {}),
        (None, HEARD, {}),
        ("Bearer one", HEARD + " # another document", {}),
        ("Bearer one", HEARD, {"after": "x"}),
        ("Bearer one", HEARD, {"other": 2**64}),
    ],
    ids=["scope", "no scope", "document", "resuming", "variables"],
)
async def test_what_differs_is_executed_by_itself(
    address: str, house: House, name: str | None, query: str, variables: dict[str, object]
) -> None:
    async with AsyncExitStack() as stack:
        for asked in ((await guest(stack, address), HEARD, {}), (await guest(stack, address, name), query, variables)):
            ws, text, given = asked
            await subscribe(ws, "s", text, variables=given)
        await until(lambda: house.streams == 2)


@pytest.mark.parametrize(
    "query",
    [
        'subscription {heard(after: "x")}',
        'subscription ($after: String = "x") {heard(after: $after)}',
        'subscription {...F} fragment F on Subscription {heard(after: "x")}',
    ],
)
async def test_who_resumes_is_never_given_anothers_stream(address: str, house: House, query: str) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await subscribe(await guest(stack, address), "s", query)
        await until(lambda: house.streams == 2)


async def test_the_stream_outlives_the_one_who_started_it_and_ends_with_the_last(address: str, house: House) -> None:
    async with AsyncExitStack() as stack:
        first, second = await guest(stack, address), await guest(stack, address)
        for ws in (first, second):
            await subscribe(ws, "s", HEARD)
        await until(lambda: house.streams == 1)
        await settled()
        await first.close()
        house.words.put_nowait("still here")
        assert (await hear(second))["payload"] == {"data": {"heard": "still here"}}
        await say(second, id="s", type="complete")
        await until(lambda: house.streams == house.open_contexts == 0)
        await subscribe(second, "s", HEARD)
        await until(lambda: house.streams == 1)


async def test_a_revoked_key_ends_only_its_own_socket_of_a_shared_stream(address: str, house: House) -> None:
    async with AsyncExitStack() as stack:
        first, second = await guest(stack, address), await guest(stack, address)
        for ws in (first, second):
            await subscribe(ws, "s", HEARD)
        await until(lambda: house.streams == 1)
        house.guests[0].ended.set()
        await first.wait_closed()
        house.words.put_nowait("on")
        assert (await hear(second))["payload"] == {"data": {"heard": "on"}}


async def test_sockets_and_event_streams_share(address: str, house: House) -> None:
    async with AsyncExitStack() as stack:
        ws = await guest(stack, address)
        query = "subscription {heard}"
        await subscribe(ws, "s", query)
        heard = await stack.enter_async_context(events(address, query, authorization="Bearer one"))
        await settled()
        assert house.streams == 1
        house.words.put_nowait("both")
        assert (await hear(ws))["payload"] == (await anext(heard))[1] == {"data": {"heard": "both"}}


async def test_a_shared_failure_is_told_to_all_and_the_next_may_try_again(address: str) -> None:
    async with AsyncExitStack() as stack:
        guests = [await guest(stack, address) for _ in range(2)]
        for _ in range(2):
            for ws in guests:
                await subscribe(ws, "s", "subscription {failsAtOnce}")
            for ws in guests:
                message = await hear(ws)
                assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "FORBIDDEN")
        await still_works(guests[0])


async def test_draining_ends_shared_streams(address: str, transport: Transport, house: House) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await subscribe(await guest(stack, address), "s", HEARD)
        await until(lambda: house.streams == 1)
        await drain(transport)
        assert house.streams == house.open_contexts == 0


async def numbers(count: int) -> AsyncGenerator[int]:
    await asyncio.sleep(0.01)
    for number in range(count):
        yield number


async def test_a_burst_reaches_every_listener_in_order() -> None:
    fanout: Fanout[int] = Fanout(limit=10)

    async def all_heard() -> list[int]:
        return [number async for number in fanout.listen("n", lambda: numbers(1000))]

    assert await asyncio.gather(*(all_heard() for _ in range(20))) == [[*range(1000)]] * 20


async def test_a_listener_that_falls_behind_is_dropped_and_holds_up_nobody() -> None:
    fanout: Fanout[int] = Fanout(limit=10)
    slow = fanout.listen("n", lambda: numbers(100))
    async with aclosing(fanout.listen("n", lambda: numbers(100))) as quick, aclosing(slow):
        heard = asyncio.gather(anext(slow), anext(quick))
        assert await heard == [0, 0]
        assert [number async for number in quick] == [*range(1, 100)]
        assert [await anext(slow) for _ in range(10)] == [*range(1, 11)]
        with pytest.raises(Behind):
            await anext(slow)
