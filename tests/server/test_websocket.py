"""graphql-transport-ws over real sockets, as the reference server behaves."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tessera_gql.config import Profile
from tessera_gql.server.http import Transport, close_streams

from .sample_schema import SampleBackend

Serve = Callable[[Transport], AbstractAsyncContextManager[str]]

PROTOCOL = [Subprotocol("graphql-transport-ws")]


@asynccontextmanager
async def socket(address: str, **options: Any) -> AsyncIterator[ClientConnection]:
    options = {"subprotocols": PROTOCOL, "compression": None} | options
    async with asyncio.timeout(10), connect(f"ws://{address}/graphql", **options) as connection:
        yield connection


@pytest.fixture
async def address(backend: SampleBackend, serve: Serve) -> AsyncIterator[str]:
    async with serve(backend.transport(init_timeout_seconds=0.2, operations_per_socket=3)) as address:
        yield address


@pytest.fixture
async def ws(address: str) -> AsyncIterator[ClientConnection]:
    """A socket past its connection_init."""
    async with socket(address) as connection:
        await begin(connection)
        yield connection


async def begin(ws: ClientConnection, **message: Any) -> None:
    await send_message(ws, type="connection_init", **message)
    assert await receive_message(ws) == {"type": "connection_ack"}


async def send_message(ws: ClientConnection, **message: Any) -> None:
    await ws.send(json.dumps(message, ensure_ascii=False))


async def subscribe(ws: ClientConnection, key: str, query: str, **members: Any) -> None:
    await send_message(ws, id=key, type="subscribe", payload={"query": query, **members})


async def receive_message(ws: ClientConnection) -> dict[str, Any]:
    text = await ws.recv()
    assert isinstance(text, str), "messages are text frames"
    return json.loads(text)


async def closing(ws: ClientConnection) -> tuple[int, str]:
    """Read all messages and return the close code and reason."""
    with suppress(ConnectionClosed):
        while True:
            await ws.recv()
    assert ws.close_code is not None
    return ws.close_code, ws.close_reason or ""


async def still_works(ws: ClientConnection) -> None:
    await subscribe(ws, "still", "{hello}")
    while (message := await receive_message(ws)) != {"id": "still", "type": "complete"}:
        assert message["id"] != "still" or message["payload"] == {"data": {"hello": "hello"}}


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(3):
        while not true():  # noqa: ASYNC110 - the condition is an arbitrary function
            await asyncio.sleep(0.005)


async def test_queries_mutations_and_subscriptions_work_over_the_socket(
    ws: ClientConnection, backend: SampleBackend
) -> None:
    await subscribe(ws, "q", "query ($n: Int!) {number(value: $n)}", variables={"n": 5})
    assert await receive_message(ws) == {"id": "q", "type": "next", "payload": {"data": {"number": 5}}}
    assert await receive_message(ws) == {"id": "q", "type": "complete"}
    await subscribe(ws, "m", 'mutation {add(text: "a")}', operationName=None, extensions={})
    assert [(await receive_message(ws))["type"] for _ in range(2)] == ["next", "complete"]
    assert backend.added == ["a"]
    await subscribe(ws, "s", "subscription {count(to: 2)}")
    assert [await receive_message(ws) for _ in range(3)] == [
        {"id": "s", "type": "next", "payload": {"data": {"count": 0}}},
        {"id": "s", "type": "next", "payload": {"data": {"count": 1}}},
        {"id": "s", "type": "complete"},
    ]
    assert backend.open_contexts == 0


async def test_an_invalid_operation_ends_itself_and_not_the_socket(ws: ClientConnection) -> None:
    for query, code in {
        "{": "GRAPHQL_PARSE_FAILED",
        "": "GRAPHQL_PARSE_FAILED",
        "{nope}": "GRAPHQL_VALIDATION_FAILED",
        "query A {hello} query B {hello}": "BAD_REQUEST",
        "query ($n: Int!) {number(value: $n)}": "BAD_REQUEST",
        "{things(first: 500) {totalCount}}": "QUERY_TOO_COMPLEX",
        "subscription {failsAtOnce}": "FORBIDDEN",
        "subscription {count forever}": "GRAPHQL_VALIDATION_FAILED",
    }.items():
        await subscribe(ws, "bad", query)
        message = await receive_message(ws)
        assert (message["id"], message["type"]) == ("bad", "error"), query
        assert message["payload"][0]["extensions"]["code"] == code
    await still_works(ws)


async def test_a_stream_that_fails_ends_with_an_error(ws: ClientConnection) -> None:
    await subscribe(ws, "s", "subscription {failsAfter(count: 1)}")
    assert (await receive_message(ws))["payload"] == {"data": {"failsAfter": 0}}
    message = await receive_message(ws)
    assert message["type"] == "error"
    assert message["payload"][0]["extensions"]["code"] == "INTERNAL"
    assert "secret" not in str(message)
    await still_works(ws)


async def test_a_failing_field_does_not_end_a_stream(ws: ClientConnection) -> None:
    await subscribe(ws, "s", "subscription {failsEachTime {name broken}}")
    for _ in range(2):
        message = await receive_message(ws)
        assert message["type"] == "next"
        assert message["payload"]["data"] == {"failsEachTime": {"name": "thing", "broken": None}}
        assert message["payload"]["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert (await receive_message(ws))["type"] == "complete"


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        "null",
        "7",
        "[]",
        '"ping"',
        "{}",
        '{"type": "nope"}',
        '{"type": 1}',
        '{"type": "next", "id": "1", "payload": {}}',
        '{"type": "connection_ack"}',
        '{"type": "ping", "payload": 1}',
        '{"type": "pong", "payload": []}',
        '{"type": "connection_init", "payload": "key"}',
        '{"type": "subscribe", "payload": {"query": "{hello}"}}',
        '{"type": "subscribe", "id": "", "payload": {"query": "{hello}"}}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{hello}"}}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{hello}", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{hello}", "operationName": 1}}',
        '{"type": "complete"}',
        '{"type": "complete", "id": ""}',
        "[" * 2000,
        '{"type": "ping", "payload": ' + '{"a":' * 300 + "1" + "}" * 301,
        b'{"type": "ping"}',
        b"\xff\xfe",
    ],
    ids=lambda frame: str(frame)[:60],
)
async def test_a_malformed_frame_closes_with_4400(address: str, frame: str | bytes) -> None:
    async with socket(address) as ws:
        await ws.send(frame)
        assert await closing(ws) == (4400, "Invalid message received")


async def test_no_init_in_time_closes_with_4408(address: str) -> None:
    async with socket(address) as ws:
        await send_message(ws, type="ping")
        assert await closing(ws) == (4408, "Connection initialisation timeout")


async def test_an_acknowledged_socket_outlives_the_init_timeout(ws: ClientConnection) -> None:
    await asyncio.sleep(0.3)
    await still_works(ws)


async def test_a_refused_key_closes_with_4403(address: str) -> None:
    for payload in ({"Authorization": "Bearer wrong"}, {"authorization": ["Bearer key"]}):
        async with socket(address) as ws:
            await send_message(ws, type="connection_init", payload=payload)
            assert await closing(ws) == (4403, "Forbidden")


async def test_a_failing_key_store_closes_with_4500_and_is_logged(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with socket(address) as ws:
        await send_message(ws, type="connection_init", payload={"Authorization": "Bearer crash"})
        assert await closing(ws) == (4500, "Internal server error")
    assert len(caplog.records) == 1


async def test_the_key_comes_from_the_init_in_any_case_or_from_the_upgrade(
    address: str, backend: SampleBackend
) -> None:
    header = {"additional_headers": {"Authorization": "Bearer header", "Cookie": "authorization=Bearer cookie"}}
    for options, message in (
        ({}, {"payload": {"Authorization": "Bearer init"}}),
        ({}, {"payload": {"AUTHORIZATION": "Bearer init"}}),
        (header, {"payload": {"authorization": "Bearer init"}}),
        (header, {"payload": {"other": 1}}),
        (header, {"payload": None}),
        ({}, {"payload": None}),
        ({}, {}),
    ):
        async with socket(address, **options) as ws:
            await begin(ws, **message)
    names = [guest.name for guest in backend.guests]
    assert names == ["Bearer init"] * 3 + ["Bearer header"] * 2 + [None] * 2


async def test_an_operation_before_the_init_closes_with_4401(address: str, backend: SampleBackend) -> None:
    async with socket(address) as ws:
        await subscribe(ws, "1", 'mutation {add(text: "a")}')
        assert await closing(ws) == (4401, "Unauthorized")
    assert backend.added == []


async def test_an_id_in_use_closes_with_4409(ws: ClientConnection, backend: SampleBackend) -> None:
    key = "ü" * 200
    for _ in range(2):
        await subscribe(ws, key, "subscription {forever}")
    code, reason = await closing(ws)
    assert code == 4409
    assert reason.endswith("already exists")
    await until(lambda: backend.streams == backend.open_contexts == 0)


async def test_a_second_init_closes_with_4429(ws: ClientConnection) -> None:
    await send_message(ws, type="connection_init")
    assert await closing(ws) == (4429, "Too many initialisation requests")


async def test_another_subprotocol_closes_with_4406(address: str) -> None:
    async with socket(address, subprotocols=None) as ws:
        assert await closing(ws) == (4406, "Subprotocol not acceptable")
    async with socket(address, subprotocols=[Subprotocol("graphql-ws"), *PROTOCOL]) as ws:
        await begin(ws)


async def test_a_ping_is_answered_with_its_payload_even_before_the_init(address: str) -> None:
    async with socket(address) as ws:
        await send_message(ws, type="ping", payload={"n": [1, "ü"]})
        assert await receive_message(ws) == {"type": "pong", "payload": {"n": [1, "ü"]}}
        await send_message(ws, type="ping")
        assert await receive_message(ws) == {"type": "pong"}
        await send_message(ws, type="pong", payload={})
        await begin(ws)


async def test_complete_closes_the_generator_and_frees_the_id(ws: ClientConnection, backend: SampleBackend) -> None:
    for _ in range(3):
        await subscribe(ws, "s", "subscription {forever}")
        assert (await receive_message(ws))["id"] == "s"
        assert backend.open_contexts == 1
        backend.closed.clear()
        await send_message(ws, id="s", type="complete")
        await asyncio.wait_for(backend.closed.wait(), 2)
        await until(lambda: backend.open_contexts == 0)
    assert backend.streams == 0
    await send_message(ws, id="never seen", type="complete")
    await still_works(ws)


async def test_disconnecting_closes_every_generator_and_context(address: str, backend: SampleBackend) -> None:
    async with socket(address) as ws:
        await begin(ws)
        for key in "abc":
            await subscribe(ws, key, "subscription {forever}")
        await until(lambda: backend.streams == 3)
    await until(lambda: backend.streams == backend.open_contexts == 0)


async def test_a_socket_carries_a_limited_number_of_operations(ws: ClientConnection, backend: SampleBackend) -> None:
    for key in "abcd":
        await subscribe(ws, key, "subscription {forever(pause: 9)}")
    messages = [await receive_message(ws) for _ in range(4)]
    (refused,) = [message for message in messages if message["type"] == "error"]
    assert refused["id"] == "d"
    assert refused["payload"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert "3 operations" in refused["payload"][0]["message"]
    await send_message(ws, id="a", type="complete")
    await until(lambda: backend.streams == 2)
    await still_works(ws)


async def test_operations_that_do_not_finish_closing_count_as_well(
    ws: ClientConnection, backend: SampleBackend
) -> None:
    backend.may_close.clear()
    types: list[str] = []
    for key in "abcdefgh":
        await subscribe(ws, key, "subscription {forever(pause: 9)}")
        types.append((await receive_message(ws))["type"])
        await send_message(ws, id=key, type="complete")
    assert types[:3] == ["next"] * 3
    assert types[-1] == "error"
    backend.may_close.set()
    await until(lambda: backend.streams == backend.open_contexts == 0)
    await still_works(ws)


async def test_a_frame_beyond_the_limit_closes_with_1009(ws: ClientConnection) -> None:
    query = "query ($v: Value!) {echo(value: $v)}"
    await subscribe(ws, "fits", query, variables={"v": "ü" * 32_000})
    assert len((await receive_message(ws))["payload"]["data"]["echo"]) == 32_000
    assert (await receive_message(ws))["type"] == "complete"
    await subscribe(ws, "too long", query, variables={"v": "x" * 65_536})
    assert (await closing(ws))[0] == 1009


async def test_a_slow_consumer_is_closed_with_4290_and_told_to_resume(backend: SampleBackend, serve: Serve) -> None:
    async with (
        serve(backend.transport(send_timeout_seconds=0.2)) as address,
        socket(address, max_queue=1, max_size=None) as ws,
    ):
        await begin(ws)
        await subscribe(ws, "s", "subscription {forever(size: 1000000, pause: 0)}")
        await until(lambda: backend.streams == 1)
        await until(lambda: backend.streams == backend.open_contexts == 0)
        code, reason = await closing(ws)
        assert code == 4290
        assert "resume" in reason


async def test_a_burst_reaches_a_client_that_reads(backend: SampleBackend, serve: Serve) -> None:
    async with serve(backend.transport()) as address, socket(address) as ws:
        await begin(ws)
        await subscribe(ws, "s", "subscription {count(to: 500)}")
        numbers = [(await receive_message(ws))["payload"]["data"]["count"] for _ in range(500)]
        assert numbers == [*range(500)]


async def test_a_revoked_key_ends_its_sockets_and_no_others(address: str, backend: SampleBackend) -> None:
    async with socket(address) as revoked, socket(address) as bystander:
        for ws in (revoked, bystander):
            await begin(ws)
            await subscribe(ws, "s", "subscription {forever}")
            await receive_message(ws)
        backend.guests[0].ended.set()
        assert await closing(revoked) == (4403, "Forbidden")
        await until(lambda: backend.streams == backend.open_contexts == 1)
        await still_works(bystander)


async def test_draining_closes_every_socket_with_1012(backend: SampleBackend, serve: Serve) -> None:
    transport = backend.transport()
    async with serve(transport) as address, socket(address) as idle, socket(address) as busy:
        await begin(busy)
        await subscribe(busy, "s", "subscription {forever}")
        await receive_message(busy)
        await close_streams(transport)
        assert not transport.open_streams
        assert backend.open_contexts == 0
        assert await closing(idle) == (1012, "Service restart")
        assert await closing(busy) == (1012, "Service restart")
        async with socket(address) as late:
            assert await closing(late) == (1012, "Service restart")


async def test_the_locked_profile_applies_to_the_socket_too(backend: SampleBackend, serve: Serve) -> None:
    async with serve(backend.transport(Profile.LOCKED)) as address, socket(address) as ws:
        await begin(ws)
        for query in ("{__schema {types {name}}}", "{helo}"):
            await subscribe(ws, "i", query)
            message = await receive_message(ws)
            assert message["type"] == "error"
            assert "Did you mean" not in str(message)


async def test_a_value_that_can_not_be_encoded_is_a_masked_failure(ws: ClientConnection) -> None:
    await subscribe(ws, "v", "{unwritable}")
    message = await receive_message(ws)
    assert message["payload"]["errors"][0]["extensions"]["code"] == "INTERNAL"
    await still_works(ws)
