"""A request body must arrive in time: a slow client is disconnected, and others are served meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress

import httpx
import pytest

from tessera_gql.server.http import Transport

from .sample_schema import SampleBackend

Serve = Callable[[Transport], AbstractAsyncContextManager[str]]
LIMIT = 100_000


@pytest.fixture
async def address(backend: SampleBackend, serve: Serve) -> AsyncIterator[str]:
    transport = backend.transport(body_seconds=0.3, body_bytes=60_000, upload_bytes=LIMIT, upload_seconds=2)
    async with serve(transport) as found:
        yield found


async def send_body(address: str, length: int, *pieces: bytes, content: str = "application/json") -> bytes:
    """Send a body of which only these pieces arrive, one each tenth of a second; return the reply."""
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: {content}\r\nContent-Length: {length}\r\n"
    writer.write(f"{head}GraphQL-Require-Preflight: 1\r\n\r\n".encode())
    answering = asyncio.create_task(all_of(reader))
    for piece in pieces:
        if answering.done():
            break
        writer.write(piece)
        await asyncio.sleep(0.1)
    async with asyncio.timeout(20):
        reply = await answering
    writer.close()
    return reply


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """All bytes until the end, even when the connection is reset."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := await reader.read(65_536):
            received += piece
    return received


FORM = "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("pieces", "content"),
    [
        ((), "application/json"),
        ((b'{"query": "{hello}"',), "application/json"),
        ((b" ",) * 200, "application/json"),
        ((b" " * 2000,) * 24, "application/json"),
        ((b"--b\r\n",), FORM),
    ],
    ids=["nothing", "half", "drop by drop", "fast enough, but longer than all of it may take", "half a form"],
)
async def test_a_body_that_does_not_arrive_is_refused(pieces: tuple[bytes, ...], content: str, address: str) -> None:
    started = time.monotonic()
    waiting = asyncio.create_task(send_body(address, 50_000, *pieces, content=content))
    async with httpx.AsyncClient() as client:
        second = await client.post(f"http://{address}/graphql", json={"query": "{hello}"})
    answer = await waiting
    assert second.json()["data"] == {"hello": "hello"}
    assert b" 408 " in answer.splitlines()[0]
    assert b"BAD_REQUEST" in answer
    assert time.monotonic() - started < 10


async def test_a_body_that_arrives_in_pieces_is_read(address: str) -> None:
    pieces = [b'{"query": ', b'"{hello', b'}"}']
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {sum(map(len, pieces))}\r\n\r\n".encode())
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0.05)
    assert b'{"data":{"hello":' in await reader.read()
    writer.close()


@pytest.mark.parametrize(("content", "limit"), [("application/json", 2000), (FORM, LIMIT)])
async def test_a_body_that_declares_itself_too_large_is_refused_before_it_is_sent(
    content: str, limit: int, backend: SampleBackend, serve: Serve
) -> None:
    async with serve(backend.transport(body_bytes=2000, upload_bytes=LIMIT)) as address:
        started = time.monotonic()
        host, _, port = address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: {content}\r\nContent-Length: {limit + 1}\r\n"
        writer.write(f"{head}GraphQL-Require-Preflight: 1\r\n\r\n".encode())
        async with asyncio.timeout(5):
            assert b" 413 " in await reader.readline()
        assert time.monotonic() - started < 2
        writer.close()
