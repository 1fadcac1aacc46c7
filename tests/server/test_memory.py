"""WebSockets and event streams are freed without the garbage collector."""

import gc

import pytest
from graphql.execution.collect_fields import CollectedFields

from tessera_gql.server.broadcast import SharedStream
from tessera_gql.server.operations import stream_replies
from tessera_gql.server.websocket import SharedOperation, Socket
from tessera_gql.server.websocket_frames import WebSocketProtocol

from .live_objects import find_live_types
from .sample_schema import Guest, SampleBackend
from .test_sse import events
from .test_websocket import Serve, begin, receive_message, socket, subscribe, until

FOREVER = "subscription {forever}"


def alive() -> set[str]:
    """The names of the connection's classes that still have instances in memory."""
    return find_live_types(Socket, SharedOperation, SharedStream, WebSocketProtocol)


@pytest.mark.usefixtures("no_collector")
async def test_a_closed_websocket_is_freed_with_its_subscriptions(backend: SampleBackend, serve: Serve) -> None:
    backend.scope = lambda _guest: "everybody"
    async with serve(backend.transport()) as address:
        for _ in range(2):
            async with socket(address) as connection:
                await begin(connection)
                await subscribe(connection, "1", FOREVER)
                await subscribe(connection, "2", f"{FOREVER} #")
                await receive_message(connection)
                assert alive() == {"Socket", "SharedOperation", "SharedStream", "WebSocketProtocol"}
        await until(lambda: not alive())


@pytest.mark.usefixtures("no_collector")
async def test_a_closed_event_stream_leaves_no_frames(backend: SampleBackend, serve: Serve) -> None:
    async with serve(backend.transport()) as address:
        async with events(address, FOREVER) as received:
            await anext(received)
        await until(lambda: backend.open_contexts == 0 and not alive())
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        gc.set_debug(0)
        frames = [item for item in gc.garbage if type(item).__name__ == "frame"]
        gc.garbage.clear()
        assert not [frame.f_code.co_qualname for frame in frames if "tessera_gql" in frame.f_code.co_filename]


async def test_a_subscription_remembers_nothing_of_the_events_that_it_has_sent(backend: SampleBackend) -> None:
    transport = backend.transport()
    prepared = transport.document_cache.prepare("subscription { newThings(to: 200) { name owner { name } } }")
    counts = [
        sum(type(item) is CollectedFields for item in gc.get_objects())
        async for _ in stream_replies(transport, prepared, Guest("one"))
    ]
    assert len(counts) == 200
    assert counts[-1] <= counts[10] + 5
