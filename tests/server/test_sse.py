"""Server-sent events in the distinct connections mode of graphql-sse."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest

from tessera_gql.server.http import Transport, close_streams

from .sample_schema import SampleBackend

Serve = Callable[[Transport], AbstractAsyncContextManager[str]]
ACCEPT = {"accept": "text/event-stream"}


@asynccontextmanager
async def events(address: str, query: str, **headers: str) -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """The events of one operation, comments as events named ":"."""
    async with (
        asyncio.timeout(10),
        httpx.AsyncClient(base_url=f"http://{address}") as http,
        http.stream("POST", "/graphql", json={"query": query}, headers=ACCEPT | headers) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-cache"
        yield parsed(response.aiter_lines())


async def parsed(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, Any]]:
    name, data = "", ""
    async for line in lines:
        match line.partition(":"):
            case ("", ":", _):
                yield ":", None
            case ("event", _, value):
                name = value.strip()
            case ("data", _, value):
                data = value.strip()
            case _ if name:
                yield name, json.loads(data) if data else None
                name = ""


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(3):
        while not true():  # noqa: ASYNC110 - the condition is an arbitrary function
            await asyncio.sleep(0.005)


@pytest.fixture
async def address(backend: SampleBackend, serve: Serve) -> AsyncIterator[str]:
    async with serve(backend.transport()) as address:
        yield address


async def all_of(address: str, query: str) -> list[tuple[str, Any]]:
    async with events(address, query) as stream:
        return [event async for event in stream]


async def test_a_subscription_is_a_stream_of_next_and_then_complete(address: str, backend: SampleBackend) -> None:
    assert await all_of(address, "subscription {count(to: 2)}") == [
        ("next", {"data": {"count": 0}}),
        ("next", {"data": {"count": 1}}),
        ("complete", None),
    ]
    assert backend.open_contexts == 0


async def test_queries_and_mutations_are_streams_of_one(address: str, backend: SampleBackend) -> None:
    assert await all_of(address, "{hello}") == [("next", {"data": {"hello": "hello"}}), ("complete", None)]
    assert await all_of(address, 'mutation {add(text: "a")}') == [("next", {"data": {"add": 1}}), ("complete", None)]
    assert backend.added == ["a"]


async def test_a_request_error_is_a_next_with_errors_and_then_complete(address: str) -> None:
    for query, code in {
        "{": "GRAPHQL_PARSE_FAILED",
        "subscription {nope}": "GRAPHQL_VALIDATION_FAILED",
        "subscription {failsAtOnce}": "FORBIDDEN",
        "{things(first: 500) {totalCount}}": "QUERY_TOO_COMPLEX",
    }.items():
        (name, payload), last = await all_of(address, query)
        assert (name, last) == ("next", ("complete", None))
        assert "data" not in payload
        assert payload["errors"][0]["extensions"]["code"] == code


async def test_a_stream_that_fails_sends_an_error_and_completes(address: str) -> None:
    first, (name, payload), last = await all_of(address, "subscription {failsAfter(count: 1)}")
    assert first == ("next", {"data": {"failsAfter": 0}})
    assert (name, payload["errors"][0]["extensions"]["code"]) == ("next", "INTERNAL")
    assert last == ("complete", None)


async def test_a_malformed_request_is_not_a_stream(address: str) -> None:
    async with httpx.AsyncClient(base_url=f"http://{address}", headers=ACCEPT) as http:
        response = await http.post("/graphql", json=[])
        assert response.status_code == 400
        assert response.headers["content-type"].startswith("application/json")
        get = await http.get("/graphql", params={"query": 'mutation {add(text: "a")}'})
        assert get.status_code == 405


async def test_an_event_source_may_use_get_in_the_open_profile(address: str) -> None:
    async with httpx.AsyncClient(base_url=f"http://{address}", headers=ACCEPT) as http:
        response = await http.get("/graphql", params={"query": "subscription {count(to: 1)}"})
        assert response.text == 'event: next\ndata: {"data":{"count":0}}\n\nevent: complete\ndata:\n\n'


async def test_disconnecting_closes_the_generator_and_its_context(address: str, backend: SampleBackend) -> None:
    async with events(address, "subscription {forever}") as stream:
        assert (await anext(stream))[0] == "next"
        assert (backend.streams, backend.open_contexts) == (1, 1)
    await until(lambda: backend.streams == backend.open_contexts == 0)


async def test_a_silent_stream_is_kept_alive_by_comments(backend: SampleBackend, serve: Serve) -> None:
    async with (
        serve(backend.transport(keep_alive_seconds=0.05)) as address,
        events(address, "subscription {forever(pause: 9)}") as stream,
    ):
        assert [(await anext(stream))[0] for _ in range(3)] == ["next", ":", ":"]


async def test_a_revoked_key_ends_its_stream_with_the_reason(address: str, backend: SampleBackend) -> None:
    async with events(address, "subscription {forever(pause: 9)}") as stream:
        await anext(stream)
        backend.guests[0].ended.set()
        (name, payload), last = [event async for event in stream]
        assert (name, last) == ("next", ("complete", None))
        assert payload["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert backend.streams == backend.open_contexts == 0


async def test_draining_ends_streams_without_complete_so_that_clients_reconnect(
    backend: SampleBackend, serve: Serve
) -> None:
    transport = backend.transport()
    async with serve(transport) as address, events(address, "subscription {forever(pause: 9)}") as stream:
        await anext(stream)
        await close_streams(transport)
        assert [event async for event in stream] == []
    assert backend.streams == backend.open_contexts == 0


async def test_a_client_that_does_not_read_is_disconnected(backend: SampleBackend, serve: Serve) -> None:
    async with serve(backend.transport(send_timeout_seconds=0.2)) as address:
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        body = json.dumps({"query": "subscription {forever(size: 1000000, pause: 0)}"}).encode()
        head = "POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
        writer.write(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await until(lambda: backend.streams == 1)
        await until(lambda: backend.streams == backend.open_contexts == 0)
        writer.close()
        assert await reader.read(4) == b"HTTP"


async def test_a_client_that_does_not_read_gets_the_reason_at_the_end_of_its_stream(
    backend: SampleBackend, serve: Serve
) -> None:
    async with serve(backend.transport(send_timeout_seconds=0.2)) as address:
        reader, writer = await asyncio.open_connection(*address.split(":"))
        body = json.dumps({"query": "subscription {forever(size: 500000, pause: 0)}"})
        head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\n\r\n{body}".encode())
        await until(lambda: backend.streams == 1)
        await until(lambda: backend.streams == 0)
        async with asyncio.timeout(3):
            text = await _read_remaining(reader)
        assert b"SLOW_CONSUMER" in text[-600:]
        writer.close()


async def _read_remaining(reader: asyncio.StreamReader) -> bytes:
    text = b""
    while b"event: complete" not in text[-600:]:
        chunk = await reader.read(1_000_000)
        assert chunk, text[-600:]
        text += chunk
    return text
