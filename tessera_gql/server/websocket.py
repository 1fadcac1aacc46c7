"""The graphql-transport-ws protocol. A failed operation ends alone; only a malformed frame closes the socket.

Close codes: 4400 malformed frame, 4401 operation before init, 4403 refused or revoked credential, 4406 wrong
subprotocol, 4408 init timeout, 4409 id in use, 4429 second init, 4500 internal failure, 1008 too many pings, 1009
frame too large, 1012 restart, 1013 too many sockets of one key, 4290 slow consumer: reconnect and resume with the
last cursor.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import orjson
from graphql import GraphQLError
from starlette.websockets import WebSocket, WebSocketDisconnect

from tessera_gql.executor.streams import StreamStart
from tessera_gql.server.broadcast import SharedStream
from tessera_gql.server.codec import MalformedRequest, RequestParams, decode, encode, parse_params
from tessera_gql.server.connection_limits import PingCounter, RefusalReason
from tessera_gql.server.deduplication import SharedExecution, execute_messages, find_shared_execution
from tessera_gql.server.documents import PrepareResult
from tessera_gql.server.operations import build_exception_reply
from tessera_gql.server.send_queue import SendQueue
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
from tessera_gql.server.websocket_frames import POLICY_VIOLATION, mark_authenticated

PROTOCOL = "graphql-transport-ws"

CLOSING_SECONDS = 5
"""How long operations may take to close, and a slow client to read the queued data and the close frame."""


class CloseFrame(NamedTuple):
    code: int
    reason: str


MALFORMED_FRAME = CloseFrame(4400, "Invalid message received")
FORBIDDEN = CloseFrame(4403, "Forbidden")
CLOSE_FRAMES = {
    CloseReason.RESTART: CloseFrame(1012, "Service restart"),
    CloseReason.REVOKED: FORBIDDEN,
    CloseReason.NO_INIT: CloseFrame(4408, "Connection initialisation timeout"),
    CloseReason.SLOW: CloseFrame(4290, "Slow consumer: reconnect and resume with your last cursor"),
}


class _ProtocolViolation(Exception):  # noqa: N818 - an expected close of the socket
    """The client violated the protocol or a limit, so its socket is closed."""

    def __init__(self, close: CloseFrame) -> None:
        super().__init__(close)
        self.close = close


async def serve(transport: Transport, connection: WebSocket) -> None:
    """Serve a WebSocket until it is closed."""
    if PROTOCOL not in connection.scope.get("subprotocols", ()):
        await connection.accept()
        await connection.close(4406, "Subprotocol not acceptable")
        return
    await connection.accept(PROTOCOL)
    with open_stream(transport) as ended:
        socket = Socket(transport, connection, ended)
        try:
            close = await socket.read()
        finally:
            await socket.stop()
        if ended.done():
            close = CLOSE_FRAMES[ended.result()]
    if close is not None:
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(CLOSING_SECONDS):
                await connection.close(close.code, close.reason)


class Socket:
    """One WebSocket connection with its operations.

    Operations with their own execution wait until the client reads. Shared streams don't wait; their messages queue.
    """

    def __init__(self, transport: Transport, connection: WebSocket, ended: asyncio.Future[CloseReason]) -> None:
        self.transport = transport
        self.connection = connection
        self.ended = ended
        self.identity: Identity = None
        self.initialised = False
        self.acknowledged = False
        self.operations: dict[str, asyncio.Task[None] | SharedOperation] = {}
        self.running: set[asyncio.Task[None]] = set()
        """Tasks of unshared operations and of operations that are still closing."""
        self.pings = PingCounter(transport.limits.pings_per_minute)
        self.send_queue = SendQueue(connection, transport.limits, partial(request_close, ended, CloseReason.SLOW))
        loop, limits = asyncio.get_running_loop(), transport.limits
        self.init_timer = loop.call_later(limits.init_timeout_seconds, request_close, ended, CloseReason.NO_INIT)

    async def read(self) -> CloseFrame | None:
        """Handle messages until the client disconnects, violates the protocol, or the server closes the socket."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as timeout:

                def stop(_ended: asyncio.Future[CloseReason]) -> None:
                    with suppress(RuntimeError):  # the client disconnected in the same turn of the event loop
                        timeout.reschedule(loop.time())

                self.ended.add_done_callback(stop)
                try:
                    while (received := await self.connection.receive())["type"] != "websocket.disconnect":
                        await self._handle(_parse_message(received.get("text"), self.transport.limits.frame_bytes))
                finally:
                    self.ended.remove_done_callback(stop)
        except _ProtocolViolation as violation:
            return violation.close
        except (TimeoutError, WebSocketDisconnect):
            return None
        return None

    async def stop(self) -> None:
        """Cancel every operation. Each task is cancelled only once, since a second time would interrupt its closing."""
        self.init_timer.cancel()
        for operation in [*self.operations.values()]:
            if isinstance(operation, SharedOperation):
                operation.cancel()
        self.operations.clear()  # breaks a reference cycle that only a full garbage collection would free
        for task in self.running:
            if not task.cancelling():
                task.cancel()
        await self.send_queue.stop()
        if self.running:
            await asyncio.wait(self.running, timeout=CLOSING_SECONDS)

    async def _handle(self, message: dict[str, Any]) -> None:
        payload = message.get("payload")
        match message:
            case {"type": "subscribe", "id": str(key)} if key:
                self._subscribe(key, payload)
            case {"type": "complete", "id": str(key)} if key:
                if (operation := self.operations.pop(key, None)) is not None:
                    operation.cancel()
            case {"type": "connection_init" | "ping" | "pong"} if not isinstance(payload, dict | None):
                raise _ProtocolViolation(MALFORMED_FRAME)
            case {"type": "connection_init"}:
                await self._authenticate(cast("dict[str, Any]", payload or {}))
            case {"type": "ping" | "pong" as kind}:
                self._count_ping()
                if kind == "ping":
                    await self._send(_encode_pong(payload))
            case _:
                raise _ProtocolViolation(MALFORMED_FRAME)

    def _count_ping(self) -> None:
        if self.pings.is_exceeded():
            self.transport.connection_limiter.refusals[RefusalReason.PINGS] += 1
            reason = f"Too many pings: at most {self.pings.per_minute} a minute"
            raise _ProtocolViolation(CloseFrame(POLICY_VIOLATION, reason))

    async def _authenticate(self, payload: dict[str, Any]) -> None:
        if self.initialised:
            raise _ProtocolViolation(CloseFrame(4429, "Too many initialisation requests"))
        self.initialised = True
        self.init_timer.cancel()
        values = [value for name, value in payload.items() if name.lower() == "authorization"]
        credential = values[0] if values else self.connection.headers.get("authorization")
        if not isinstance(credential, str | None):
            raise _ProtocolViolation(FORBIDDEN)
        try:
            self.identity = await self.transport.authenticate(credential)
        except Unauthenticated as refusal:
            raise _ProtocolViolation(FORBIDDEN) from refusal
        except Exception as error:
            build_exception_reply(self.transport, error)  # logs the exception
            raise _ProtocolViolation(CloseFrame(4500, "Internal server error")) from error
        try:
            bind_to_credential(self.transport, self.identity, self.ended)
        except GraphQLError as refusal:
            raise _ProtocolViolation(CloseFrame(1013, refusal.message)) from refusal
        mark_authenticated(self.connection.scope)
        self.acknowledged = True
        await self._send(b'{"type":"connection_ack"}')

    def _subscribe(self, key: str, payload: object) -> None:
        try:
            request_params = parse_params(payload)
        except MalformedRequest as malformed:
            raise _ProtocolViolation(MALFORMED_FRAME) from malformed
        if not self.acknowledged:
            raise _ProtocolViolation(CloseFrame(4401, "Unauthorized"))
        if key in self.operations:
            raise _ProtocolViolation(CloseFrame(4409, f"Subscriber for {key[:20]} already exists"))
        prepared = self._prepare(request_params)
        shared = find_shared_execution(self.transport, prepared, self.identity)
        if shared is None or shared.must_catch_up or not self._join(key, prepared, shared):
            task = asyncio.create_task(self._run_unshared(key, prepared, shared))
            self.operations[key] = task
            self.track(task)

    def track(self, task: asyncio.Task[None]) -> None:
        """Register a task to wait for before the socket is closed."""
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    def _join(self, key: str, prepared: PrepareResult, shared: SharedExecution, position: int | None = None) -> bool:
        operation = SharedOperation(self, key, encode_head(key, "next"), -1 if position is None else position)
        start = partial(execute_messages, self.transport, prepared, self.identity)
        operation.stream = self.transport.broadcaster.join(shared.key, start, operation, position)
        if operation.stream is None:
            return False
        self.operations[key] = operation
        return True

    def _prepare(self, request_params: RequestParams) -> PrepareResult:
        limit = self.transport.limits.operations_per_socket
        if len(self.operations) >= limit or len(self.running) >= 2 * limit:
            message = f"This socket already has {limit} operations, which is the limit. Complete one first."
            extensions = {"code": "QUERY_TOO_COMPLEX", "limit": "operations_per_socket", "allowed": limit}
            return [GraphQLError(message, extensions=extensions)]
        return self.transport.prepare(request_params)

    async def _run_unshared(self, key: str, prepared: PrepareResult, shared: SharedExecution | None) -> None:
        """Execute an operation unshared. It joins the shared stream of equal subscriptions once it has caught up."""
        task = asyncio.current_task()

        def try_join(position: int) -> bool:
            return (
                shared is not None and self.operations.get(key) is task and self._join(key, prepared, shared, position)
            )

        start = StreamStart(on_caught_up=try_join)
        try:
            async with aclosing(execute_messages(self.transport, prepared, self.identity, start)) as messages:
                async for message in messages:
                    await self._send_or_wait(*encode_message(key, message))
                    if message.kind == "error":
                        return
            if self.operations.get(key) is task:
                await self._send_or_wait(encode_complete(key))
        finally:
            if self.operations.get(key) is task:
                del self.operations[key]

    async def _send(self, *parts: bytes) -> None:
        self.send_queue.put(*parts)
        await self.send_queue.drain()

    async def _send_or_wait(self, *parts: bytes) -> None:
        """Send; after a disconnect wait for the cancellation, so that nothing interrupts the operation's closing."""
        try:
            await self._send(*parts)
        except WebSocketDisconnect:
            await asyncio.get_running_loop().create_future()


@dataclass(eq=False, slots=True)
class SharedOperation:
    """An operation that forwards a shared stream to its socket, skipping events up to `position`."""

    socket: Socket
    key: str
    head: bytes
    """The encoded message up to its payload, which is the same for all messages."""
    position: int
    stream: SharedStream[Message] | None = None
    has_failed: bool = False

    def on_item(self, message: Message) -> None:
        if message.kind == "error":
            self.has_failed = True
            self.socket.send_queue.put(*encode_message(self.key, message))
        elif message.position is None or message.position > self.position:
            self.socket.send_queue.put(self.head, message.body, b"}")

    def on_end(self) -> None:
        if self.socket.operations.get(self.key) is self:
            del self.socket.operations[self.key]
            if not self.has_failed:
                self.socket.send_queue.put(encode_complete(self.key))

    def cancel(self) -> None:
        if self.stream is not None:
            closing = self.socket.transport.broadcaster.leave(self.stream, self)
            if closing is not None:
                self.socket.track(closing)


def encode_head(key: str, kind: str) -> bytes:
    return b'{"id":%b,"type":"%b","payload":' % (orjson.dumps(key), kind.encode())


def encode_message(key: str, message: Message) -> tuple[bytes, bytes, bytes]:
    """Encode a message as parts, the last of which closes its object."""
    return encode_head(key, message.kind), message.body, b"}"


def encode_complete(key: str) -> bytes:
    return b'{"id":%b,"type":"complete"}' % orjson.dumps(key)


def _encode_pong(payload: object) -> bytes:
    return b'{"type":"pong"}' if payload is None else b'{"type":"pong","payload":%b}' % encode(payload)


def _parse_message(text: str | None, limit: int) -> dict[str, Any]:
    if text is None:
        raise _ProtocolViolation(MALFORMED_FRAME)
    frame = text.encode()
    if len(frame) > limit:
        raise _ProtocolViolation(CloseFrame(1009, f"A message may have {limit:,} bytes"))
    try:
        message = decode(frame)
    except MalformedRequest as malformed:
        raise _ProtocolViolation(MALFORMED_FRAME) from malformed
    if not isinstance(message, dict):
        raise _ProtocolViolation(MALFORMED_FRAME)
    return cast("dict[str, Any]", message)
