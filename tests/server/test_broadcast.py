"""Identical subscriptions are executed once for all clients, and a slow client doesn't delay the others."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from graphql import OperationDefinitionNode

from tessera_gql.executor.streams import StreamStart
from tessera_gql.server.broadcast import MAX_LISTENERS_AT_ONCE, Broadcaster, SlowListener
from tessera_gql.server.documents import DocumentCache, Operation
from tessera_gql.server.http import Transport, close_streams

from .loopback_server import served
from .sample_schema import SampleBackend
from .test_sse import events
from .test_websocket import (
    ClientConnection,
    begin,
    closing,
    receive_message,
    send_message,
    socket,
    still_works,
    subscribe,
    until,
)

Serve = Callable[[Transport], AbstractAsyncContextManager[str]]
MESSAGES = "subscription ($after: String) {messages(after: $after)}"


@pytest.fixture
def transport(backend: SampleBackend) -> Transport:
    """A transport where guests of the same name share subscriptions, and guests without a name don't."""
    backend.scope = lambda guest: guest.name
    return backend.transport()


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


async def test_equal_subscriptions_of_one_scope_are_executed_once(address: str, backend: SampleBackend) -> None:
    async with AsyncExitStack() as stack:
        guests = [await guest(stack, address) for _ in range(5)]
        for number, ws in enumerate(guests):
            await subscribe(ws, f"id {number}", MESSAGES)
        await until(lambda: backend.streams == 1)
        await settled()
        assert backend.streams == backend.open_contexts == 1
        for item in ("a", "b"):
            backend.messages.put_nowait(item)
            for number, ws in enumerate(guests):
                expected = {"type": "next", "id": f"id {number}", "payload": {"data": {"messages": item}}}
                assert await receive_message(ws) == expected
    await until(lambda: backend.streams == backend.open_contexts == 0)


@pytest.mark.parametrize(
    ("name", "query", "variables"),
    [
        ("Bearer two", MESSAGES, {}),
        (None, MESSAGES, {}),
        ("Bearer one", MESSAGES + " # another document", {}),
        ("Bearer one", MESSAGES, {"after": "x"}),
        ("Bearer one", MESSAGES, {"other": 2**64}),
    ],
    ids=["scope", "no scope", "document", "resuming", "variables"],
)
async def test_different_subscriptions_are_executed_separately(
    address: str, backend: SampleBackend, name: str | None, query: str, variables: dict[str, object]
) -> None:
    async with AsyncExitStack() as stack:
        for asked in (
            (await guest(stack, address), MESSAGES, {}),
            (await guest(stack, address, name), query, variables),
        ):
            ws, text, values = asked
            await subscribe(ws, "s", text, variables=values)
        await until(lambda: backend.streams == 2)


@pytest.mark.parametrize(
    "query",
    [
        'subscription {messages(after: "x")}',
        'subscription ($after: String = "x") {messages(after: $after)}',
        'subscription {...F} fragment F on Subscription {messages(after: "x")}',
    ],
)
async def test_a_resuming_subscriber_does_not_join_a_stream_at_another_position(
    address: str, backend: SampleBackend, query: str
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await subscribe(await guest(stack, address), "s", query)
        await until(lambda: backend.streams == 2)


LOG_NUMBERS = "subscription ($after: String) {logNumbers(after: $after)}"


async def numbers_heard(ws: ClientConnection, count: int) -> list[int]:
    return [(await receive_message(ws))["payload"]["data"]["logNumbers"] for _ in range(count)]


async def test_a_resuming_subscriber_catches_up_and_joins_the_shared_stream(
    address: str, backend: SampleBackend
) -> None:
    backend.write(*range(1, 8))
    async with AsyncExitStack() as stack:
        guests = [await guest(stack, address) for _ in range(4)]
        for ws, after in zip(guests, (None, "3", "7", "0"), strict=True):
            await subscribe(ws, "s", LOG_NUMBERS, variables={"after": after} if after else {})
        await until(lambda: len(backend.guests) == 4)
        assert await numbers_heard(guests[1], 4) == [4, 5, 6, 7]
        assert await numbers_heard(guests[3], 7) == [*range(1, 8)]
        await until(lambda: backend.streams == backend.open_contexts == 1)
        for number in range(8, 30):
            backend.write(number)
            await asyncio.sleep(0)
        for ws in guests:
            assert await numbers_heard(ws, 22) == [*range(8, 30)]
        await send_message(guests[1], id="s", type="complete")
        await guests[2].close()
        backend.write(30)
        assert await numbers_heard(guests[3], 1) == [30]
        assert backend.streams == 1
    await until(lambda: backend.streams == backend.open_contexts == 0)


async def test_many_resuming_subscribers_each_receive_every_event_once(address: str, backend: SampleBackend) -> None:
    async def write() -> None:
        for number in range(1, 301):
            backend.write(number)
            await asyncio.sleep(0.001)

    async with AsyncExitStack() as stack:
        guests = [await guest(stack, address) for _ in range(20)]
        writing = asyncio.create_task(write())
        for index, ws in enumerate(guests):
            await subscribe(ws, "s", LOG_NUMBERS, variables={"after": str(index % 3)})
            await asyncio.sleep(0.005)
        for index, ws in enumerate(guests):
            assert await numbers_heard(ws, 300 - index % 3) == [*range(1 + index % 3, 301)]
        await writing
        await until(lambda: backend.streams == backend.open_contexts == 1)


async def test_a_stream_that_may_have_started_later_is_not_joined() -> None:
    fanout: Broadcaster[int] = Broadcaster(limit=10)
    received: list[int] = []

    class Ear:
        def on_item(self, item: int) -> None:
            received.append(item)

        def on_end(self) -> None:
            received.append(-1)

    began = asyncio.Event()

    async def begins_at_five(start: StreamStart) -> AsyncGenerator[int]:
        await began.wait()
        assert not start.on_caught_up(5)
        await asyncio.sleep(0.02)
        yield 6

    first = fanout.join("n", begins_at_five, Ear())
    assert first is not None
    assert fanout.join("n", begins_at_five, Ear(), 9) is None
    began.set()
    await asyncio.sleep(0.01)
    assert fanout.join("n", begins_at_five, Ear(), 4) is None
    assert fanout.join("n", begins_at_five, Ear(), 5) is first
    assert first.task is not None
    await first.task
    assert received == [6, 6, -1, -1]


@pytest.mark.parametrize(
    "query",
    [
        'subscription {logNumbers(after: "x")}',
        "subscription ($after: String) {logNumbers(after: $after) other: logNumbers(after: $after)}",
    ],
)
def test_only_a_variable_used_solely_as_cursor_is_ignored_in_comparing_subscriptions(
    transport: Transport, query: str
) -> None:
    prepared = DocumentCache(transport.schema, replace(transport.limits, depth=20), transport.profile)._add_entry(query)
    assert prepared.document is not None
    node = prepared.document.definitions[0]
    assert isinstance(node, OperationDefinitionNode)
    assert Operation(prepared.document, node, {}).argument_variable("after") is None


async def test_sockets_of_another_websocket_protocol_are_served_without_the_fast_writer(
    transport: Transport, backend: SampleBackend
) -> None:
    async with served(transport, ws="websockets-sansio") as address, AsyncExitStack() as stack:
        guests = [await guest(stack, address) for _ in range(3)]
        for ws in guests:
            await subscribe(ws, "s", MESSAGES)
        await until(lambda: backend.streams == 1)
        await settled()
        for number in range(50):
            backend.messages.put_nowait(str(number))
        for ws in guests:
            assert [(await receive_message(ws))["payload"]["data"]["messages"] for _ in range(50)] == [
                str(n) for n in range(50)
            ]
        await still_works(guests[0])


@pytest.mark.parametrize("size", [1, 60, 125, 126, 60_000, 65_500, 65_536, 200_000])
async def test_a_message_of_any_size_arrives_completely(address: str, backend: SampleBackend, size: int) -> None:
    async with AsyncExitStack() as stack:
        ws = await stack.enter_async_context(socket(address, max_size=None))
        await begin(ws, payload={"Authorization": "Bearer one"})
        await subscribe(ws, "s", MESSAGES)
        await until(lambda: backend.streams == 1)
        for item in ("x" * size, "ü" * size):
            backend.messages.put_nowait(item)
            assert (await receive_message(ws))["payload"]["data"]["messages"] == item


async def test_a_client_that_does_not_read_a_shared_stream_is_closed_and_delays_nobody(
    backend: SampleBackend, serve: Serve
) -> None:
    backend.scope = lambda guest: guest.name
    transport = backend.transport(send_queue=5, send_timeout_seconds=5)
    async with serve(transport) as address, AsyncExitStack() as stack:
        slow = await stack.enter_async_context(socket(address, max_queue=1, max_size=None))
        await begin(slow, payload={"Authorization": "Bearer one"})
        quick = await stack.enter_async_context(socket(address, max_size=None))
        await begin(quick, payload={"Authorization": "Bearer one"})
        for ws in (slow, quick):
            await subscribe(ws, "s", MESSAGES)
        await until(lambda: backend.streams == 1)
        await settled()
        for _ in range(40):
            backend.messages.put_nowait("x" * 500_000)
            assert (await receive_message(quick))["type"] == "next"
        code, reason = await closing(slow)
        assert (code, "resume" in reason) == (4290, True)
        backend.messages.put_nowait("on")
        assert (await receive_message(quick))["payload"] == {"data": {"messages": "on"}}


async def test_a_shared_stream_outlives_its_first_subscriber_and_ends_with_the_last(
    address: str, backend: SampleBackend
) -> None:
    async with AsyncExitStack() as stack:
        first, second = await guest(stack, address), await guest(stack, address)
        for ws in (first, second):
            await subscribe(ws, "s", MESSAGES)
        await until(lambda: backend.streams == 1)
        await settled()
        await first.close()
        backend.messages.put_nowait("still here")
        assert (await receive_message(second))["payload"] == {"data": {"messages": "still here"}}
        await send_message(second, id="s", type="complete")
        await until(lambda: backend.streams == backend.open_contexts == 0)
        await subscribe(second, "s", MESSAGES)
        await until(lambda: backend.streams == 1)


async def test_a_revoked_key_ends_only_its_own_socket_of_a_shared_stream(address: str, backend: SampleBackend) -> None:
    async with AsyncExitStack() as stack:
        first, second = await guest(stack, address), await guest(stack, address)
        for ws in (first, second):
            await subscribe(ws, "s", MESSAGES)
        await until(lambda: backend.streams == 1)
        backend.guests[0].ended.set()
        await first.wait_closed()
        backend.messages.put_nowait("on")
        assert (await receive_message(second))["payload"] == {"data": {"messages": "on"}}


async def test_websockets_and_event_streams_share_one_execution(address: str, backend: SampleBackend) -> None:
    async with AsyncExitStack() as stack:
        ws = await guest(stack, address)
        query = "subscription {messages}"
        await subscribe(ws, "s", query)
        event_stream = await stack.enter_async_context(events(address, query, authorization="Bearer one"))
        await settled()
        assert backend.streams == 1
        backend.messages.put_nowait("both")
        assert (
            (await receive_message(ws))["payload"] == (await anext(event_stream))[1] == {"data": {"messages": "both"}}
        )


async def test_a_shared_failure_reaches_all_subscribers_and_the_next_one_starts_anew(address: str) -> None:
    async with AsyncExitStack() as stack:
        guests = [await guest(stack, address) for _ in range(2)]
        for _ in range(2):
            for ws in guests:
                await subscribe(ws, "s", "subscription {failsAtOnce}")
            for ws in guests:
                message = await receive_message(ws)
                assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "FORBIDDEN")
        await still_works(guests[0])


async def test_draining_ends_shared_streams(address: str, transport: Transport, backend: SampleBackend) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await subscribe(await guest(stack, address), "s", MESSAGES)
        await until(lambda: backend.streams == 1)
        await close_streams(transport)
        assert backend.streams == backend.open_contexts == 0


async def numbers(count: int) -> AsyncGenerator[int]:
    await asyncio.sleep(0.01)
    for number in range(count):
        yield number


async def test_a_burst_reaches_every_listener_in_order() -> None:
    fanout: Broadcaster[int] = Broadcaster(limit=10)

    async def all_heard() -> list[int]:
        return [number async for number in fanout.listen("n", lambda _course: numbers(1000))]

    assert await asyncio.gather(*(all_heard() for _ in range(20))) == [[*range(1000)]] * 20


@dataclass(eq=False)
class RecordingListener:
    """Records its items with the number of the turn of the event loop, and may do something at an item."""

    turns: list[int]
    items: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    at_item: Callable[[], object] = lambda: None

    def on_item(self, item: int) -> None:
        self.items.append((item, len(self.turns)))
        self.at_item()

    def on_end(self) -> None: ...


@asynccontextmanager
async def counted_turns() -> AsyncIterator[list[int]]:
    """Append to the list in each turn of the event loop."""
    turns: list[int] = []

    async def count() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    task = asyncio.create_task(count())
    yield turns
    task.cancel()


async def test_many_listeners_get_an_item_in_slices_in_order() -> None:
    fanout: Broadcaster[int] = Broadcaster(limit=10)
    async with counted_turns() as turns:
        listeners = [RecordingListener(turns) for _ in range(3 * MAX_LISTENERS_AT_ONCE)]
        for listener in listeners:
            stream = fanout.join("n", lambda _course: numbers(2), listener)
        assert stream is not None
        assert stream.task is not None
        await stream.task
    assert all([item for item, _ in listener.items] == [0, 1] for listener in listeners)
    by_turn = Counter(turn for listener in listeners for _, turn in listener.items)
    assert [*by_turn.values()] == [MAX_LISTENERS_AT_ONCE] * 6


async def test_a_listener_that_leaves_between_two_slices_gets_nothing_more() -> None:
    fanout: Broadcaster[int] = Broadcaster(limit=10)
    listeners = [RecordingListener([]) for _ in range(2 * MAX_LISTENERS_AT_ONCE)]
    for listener in listeners:
        stream = fanout.join("n", lambda _course: numbers(1), listener)
    assert stream is not None
    assert stream.task is not None

    def leave() -> None:
        for listener in [*stream.listeners]:
            if not listener.items:
                fanout.leave(stream, listener)

    for listener in listeners:
        listener.at_item = leave
    await stream.task
    assert sum(len(listener.items) for listener in listeners) == 1


async def test_a_listener_that_falls_behind_is_dropped_and_delays_nobody() -> None:
    fanout: Broadcaster[int] = Broadcaster(limit=10)
    slow = fanout.listen("n", lambda _course: numbers(100))
    async with aclosing(fanout.listen("n", lambda _course: numbers(100))) as quick, aclosing(slow):
        received = asyncio.gather(anext(slow), anext(quick))
        assert await received == [0, 0]
        assert [number async for number in quick] == [*range(1, 100)]
        assert [await anext(slow) for _ in range(10)] == [*range(1, 11)]
        with pytest.raises(SlowListener):
            await anext(slow)
