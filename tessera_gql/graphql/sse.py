"""GraphQL over server-sent events, distinct connections mode: one request, one stream; leaving ends the operation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import cast

from graphql import GraphQLError
from starlette.types import Receive, Send

from tessera_gql.graphql.documents import Prepared
from tessera_gql.graphql.fanout import Behind
from tessera_gql.graphql.operations import encoded, failed
from tessera_gql.graphql.sharing import messages
from tessera_gql.graphql.transport import Ending, Identity, Message, Transport, Unauthenticated, end, end_with, ending

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


CLOSING_SECONDS = 5
"""How long a slow consumer may take to read what was sent and then why the stream ends."""

REVOKED = Unauthenticated("The credential was revoked: connect again with another.")
SLOW = GraphQLError(
    "You read more slowly than there is to tell. Reconnect, and resume with the last cursor that you have seen.",
    extensions={"code": "SLOW_CONSUMER"},
)

Write = Callable[[bytes], Awaitable[None]]

COMPLETE = b"event: complete\ndata:\n\n"


class _Over(Exception):  # noqa: N818 - ends the tasks of a stream, not a fault
    """The stream ends with these last bytes, or at once because nobody reads it any more."""

    def __init__(self, last: bytes | None) -> None:
        super().__init__()
        self.last = last


async def respond(transport: Transport, prepared: Prepared, identity: Identity, receive: Receive, send: Send) -> None:
    """Send every reply as an event. Between events a comment shows proxies that the stream lives."""
    await stream(transport, messages(transport, prepared, identity), identity, receive, send)


async def stream(
    transport: Transport, source: AsyncGenerator[Message], identity: Identity, receive: Receive, send: Send
) -> None:
    last: bytes | None = None
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    with ending(transport) as ended:
        end_with(transport, identity, ended)

        async def write(text: bytes) -> None:
            try:
                async with asyncio.timeout(transport.limits.send_timeout_seconds):
                    await send({"type": "http.response.body", "body": text, "more_body": True})
            except TimeoutError:
                end(ended, Ending.SLOW)
                await asyncio.get_running_loop().create_future()  # cancelled with the others: closes undisturbed

        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_listen(receive))
                tasks.create_task(_end(transport, ended))
                tasks.create_task(_keep_alive(transport.limits.keep_alive_seconds, write))
                tasks.create_task(_produce(transport, source, write))
        except BaseExceptionGroup as group:
            over, others = group.split(_Over)
            if over is None or others is not None:
                raise
            last = cast("_Over", over.exceptions[0]).last
            # Their frames refer to them: cycles would keep both until a full garbage collection.
            group.__traceback__ = over.__traceback__ = None
    if last is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):  # of a client that reads again
                await send({"type": "http.response.body", "body": last, "more_body": False})


async def _produce(transport: Transport, source: AsyncGenerator[Message], write: Write) -> None:
    try:
        async with aclosing(source) as found:
            async for message in found:
                await write(_event(message))
    except Behind:
        raise _Over(_refused(transport, SLOW)) from None
    raise _Over(COMPLETE)


def _event(message: Message) -> bytes:
    if message.kind == "progress":
        return b": %b\n\n" % message.body
    body = message.body if message.kind == "next" else b'{"errors":%b}' % message.body
    return b"event: next\ndata: %b\n\n" % body


async def _listen(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise _Over(None)


async def _keep_alive(every_seconds: float, write: Write) -> None:
    while True:
        await asyncio.sleep(every_seconds)
        await write(b":\n\n")


async def _end(transport: Transport, ended: asyncio.Future[Ending]) -> None:
    match await ended:
        case Ending.RESTART:
            raise _Over(b"")  # no `complete`: the client then connects again
        case Ending.REVOKED:
            raise _Over(_refused(transport, REVOKED))
        case _:
            raise _Over(_refused(transport, SLOW))


def _refused(transport: Transport, error: Exception) -> bytes:
    errors = encoded(transport, failed(transport, error), "errors")
    return _event(Message("error", errors)) + COMPLETE
