"""GraphQL over server-sent events in distinct connections mode. A disconnect ends the operation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress

from graphql import GraphQLError
from starlette.types import Receive, Send

from tessera_gql.server.body import wait_for_disconnect
from tessera_gql.server.broadcast import SlowListener
from tessera_gql.server.operations import build_exception_reply, encode_reply
from tessera_gql.server.transport import (
    CloseReason,
    Identity,
    Message,
    Transport,
    Unauthenticated,
    bind_to_credential,
    open_stream,
    request_close,
)

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]

CLOSING_SECONDS = 5
"""How long a slow client may take to read the queued data and the final error."""

CREDENTIAL_REVOKED = Unauthenticated("The credential was revoked: connect again with another.")
SLOW_CONSUMER = GraphQLError(
    "You read more slowly than there is to tell. Reconnect, and resume with the last cursor that you have seen.",
    extensions={"code": "SLOW_CONSUMER"},
)

Write = Callable[[bytes], Awaitable[None]]
COMPLETE = b"event: complete\ndata:\n\n"


async def stream(
    transport: Transport, source: AsyncGenerator[Message], identity: Identity, receive: Receive, send: Send
) -> None:
    """Send every reply as an event, and keep-alive comments between events.

    Raises the coded GraphQLError RATE_LIMITED, before anything is sent, if the caller has too many streams.
    """
    with open_stream(transport) as ended:
        bind_to_credential(transport, identity, ended)
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})

        async def write(text: bytes) -> None:
            try:
                async with asyncio.timeout(transport.limits.send_timeout_seconds):
                    await send({"type": "http.response.body", "body": text, "more_body": True})
            except TimeoutError:
                request_close(ended, CloseReason.SLOW)
                # `_run_until_first` cancels it, so that the operation closes undisturbed.
                await asyncio.get_running_loop().create_future()

        last = await _run_until_first(
            wait_for_disconnect(receive),
            _wait_for_end(transport, ended),
            _keep_alive(transport.limits.keep_alive_seconds, write),
            _send_messages(transport, source, write),
        )
    if last is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):  # the client may still not read
                await send({"type": "http.response.body", "body": last, "more_body": False})


async def _run_until_first(*coroutines: Coroutine[None, None, bytes | None]) -> bytes | None:
    """Run coroutines until one ends, cancel the others, and return its final bytes; None after a disconnect.

    The exceptions of a TaskGroup would form reference cycles that keep the last reply until they are collected.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return next(task.result() for task in tasks if not task.cancelled())


async def _send_messages(transport: Transport, source: AsyncGenerator[Message], write: Write) -> bytes:
    try:
        async with aclosing(source) as stream_messages:
            async for message in stream_messages:
                await write(_encode_event(message))
    except SlowListener:
        return _encode_error(transport, SLOW_CONSUMER)
    except Exception as error:  # noqa: BLE001 - every error becomes a masked reply and is logged
        return _encode_error(transport, error)
    return COMPLETE


def _encode_event(message: Message) -> bytes:
    if message.kind == "progress":
        return b": %b\n\n" % message.body
    body = message.body if message.kind == "next" else b'{"errors":%b}' % message.body
    return b"event: next\ndata: %b\n\n" % body


async def _keep_alive(every_seconds: float, write: Write) -> bytes | None:
    while True:
        await asyncio.sleep(every_seconds)
        await write(b":\n\n")


async def _wait_for_end(transport: Transport, ended: asyncio.Future[CloseReason]) -> bytes:
    match await ended:
        case CloseReason.RESTART:
            return b""  # without `complete`, the client reconnects
        case CloseReason.REVOKED:
            return _encode_error(transport, CREDENTIAL_REVOKED)
        case _:
            return _encode_error(transport, SLOW_CONSUMER)


def _encode_error(transport: Transport, error: Exception) -> bytes:
    errors = encode_reply(transport, build_exception_reply(transport, error), "errors")
    return _encode_event(Message("error", errors)) + COMPLETE
