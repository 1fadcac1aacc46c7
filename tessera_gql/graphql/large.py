"""A large request from its first byte to its answer: taken to disk, read, permitted, run; apart if there is a place.

What is read apart never comes back whole: here only the shape of the request is looked at, and the reply passed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.types import Send

from tessera_gql.graphql import sse, uploads
from tessera_gql.graphql.documents import Operation, Prepared
from tessera_gql.graphql.operations import NEEDS_A_STREAM, Reply, encoded, run
from tessera_gql.graphql.transport import Answer, Identity, Job, Message, Transport
from tessera_gql.graphql.uploads import FORM, UPLOADS, Opened, TooLarge, Upload
from tessera_gql.graphql.wire import Params
from tessera_gql.workflows.manifest_progress import Phase, Tell, silent

BLOCKING_BYTES = 1024 * 1024
"""A larger request is run apart: everybody else is served meanwhile."""


class Refused(Exception):  # noqa: N818 - a refusal, like those of tessera_gql.errors
    """The HTTP request itself will not do."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


def answer(transport: Transport, reply: Reply) -> Answer:
    return Answer(encoded(transport, reply), None if "data" in reply else reply["errors"][0]["extensions"])


@dataclass(frozen=True)
class Asked:
    """A request of which `start` was read already, and perhaps that is all of it."""

    request: Request
    start: bytes
    is_whole: bool
    identity: Identity


async def respond(transport: Transport, asked: Asked) -> Answer:
    """Raises Refused, Malformed and TooLarge."""
    async with _taken(transport, asked) as (job, prepared):
        return await _run(transport, job, prepared, asked.identity, silent)


async def stream(transport: Transport, asked: Asked, send: Send) -> None:
    """As `respond`; with comments that tell how far it has come."""
    async with _taken(transport, asked) as (job, prepared):
        source = _told(transport, job, prepared, asked.identity)
        await sse.stream(transport, source, asked.identity, asked.request.receive, send)


@asynccontextmanager
async def _taken(transport: Transport, asked: Asked) -> AsyncGenerator[tuple[Job, Prepared]]:
    if transport.uploading.locked():
        raise Refused(503, "Enough large requests are under way. Try again in a few seconds.", {"Retry-After": "5"})
    async with transport.uploading:
        with uploads.folder() as folder:
            upload = await _received(transport, asked, Path(folder))
            async with _place(transport, upload) as job:
                yield job, _permitted(transport, job.shape)


async def _received(transport: Transport, asked: Asked, folder: Path) -> Upload:
    chunks = _chunks(asked)
    content = asked.request.headers.get("content-type", "")
    if content.lower().startswith(FORM):
        return await uploads.received(content, chunks, folder, transport.limits)
    return await uploads.spooled(chunks, folder, transport.limits.upload_bytes)


async def _chunks(asked: Asked) -> AsyncIterator[bytes]:
    yield asked.start
    is_sending = not asked.is_whole
    while is_sending:
        message = await asked.request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        yield message.get("body", b"")
        is_sending = message.get("more_body", False)


def _place(transport: Transport, upload: Upload) -> AbstractAsyncContextManager[Job]:
    size = sum(path.stat().st_size for path in (upload.body, *upload.files.values()))
    apart = transport.apart if size > BLOCKING_BYTES else None
    return apart(transport, upload) if apart else _here(transport, upload)


def _permitted(transport: Transport, shape: Params) -> Prepared:
    prepared = transport.documents.prepare(shape.query, shape.variables, shape.operation_name)
    if isinstance(prepared, Operation) and not any(map(prepared.asks_only, UPLOADS)):
        if prepared.kind.value == "subscription":
            raise Refused(400, NEEDS_A_STREAM.message)
        raise TooLarge(transport.limits.body_bytes)
    return prepared


async def _run(transport: Transport, job: Job, prepared: Prepared, identity: Identity, tell: Tell) -> Answer:
    if not isinstance(prepared, Operation):
        return answer(transport, await run(transport, prepared, identity))
    return await job.run(prepared, identity, tell)


async def _told(transport: Transport, job: Job, prepared: Prepared, identity: Identity) -> AsyncGenerator[Message]:
    """The reply as a stream has it, and ahead of it how far it has come: the latest only, however fast it goes."""
    news: dict[str, bytes] = {}
    came = asyncio.Event()

    def tell(phase: Phase, done: int, total: int) -> None:
        news["progress"] = orjson.dumps({"phase": phase, "done": done, "total": total})
        came.set()

    running = asyncio.create_task(_run(transport, job, prepared, identity, tell))
    running.add_done_callback(lambda _: came.set())
    try:
        while not running.done():
            await came.wait()
            came.clear()
            if (body := news.pop("progress", None)) is not None:
                yield Message("progress", body)
        found = running.result()
        yield Message("next", found.body)
    finally:
        if not running.done():
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


@dataclass(frozen=True)
class _Here:
    """A job done in this process."""

    transport: Transport
    opened: Opened

    @property
    def shape(self) -> Params:
        return self.opened.shape

    async def run(self, shape: Operation, identity: Identity, tell: Tell) -> Answer:
        del shape, tell
        sent = self.opened.sent
        prepared = self.transport.documents.prepare(sent.query, sent.variables, sent.operation_name)
        return answer(self.transport, await run(self.transport, prepared, identity))


@asynccontextmanager
async def _here(transport: Transport, upload: Upload) -> AsyncGenerator[Job]:
    yield _Here(transport, await asyncio.to_thread(uploads.opened, upload, transport.limits))
