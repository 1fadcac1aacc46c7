"""graphql-transport-ws, as its reference server behaves: a bad operation ends itself, only a bad frame ends the socket.

Close codes: 4400 malformed frame, 4401 operation before init, 4403 refused or revoked credential, 4406 wrong
subprotocol, 4408 no init in time, 4409 id in use, 4429 second init, 4500 failure of ours, 1009 frame too large,
1012 restart, 4290 slow consumer: reconnect and resume with the last cursor seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from typing import Any, cast

import orjson
from graphql import GraphQLError
from starlette.websockets import WebSocket, WebSocketDisconnect

from tessera_gql.graphql.documents import Prepared
from tessera_gql.graphql.fanout import Behind
from tessera_gql.graphql.operations import (
    Ending,
    Identity,
    Transport,
    Unauthenticated,
    end_when,
    ending,
    failed,
    in_time,
    messages,
)
from tessera_gql.graphql.wire import Malformed, Params, decode, encode, params

PROTOCOL = "graphql-transport-ws"

CLOSING_SECONDS = 5
"""How long a slow consumer may take to read what was sent, and then its close frame."""


class Close(Exception):  # noqa: N818 - ends a socket, not a fault
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Gone(Exception):  # noqa: N818 - ends a socket, not a fault
    """The client closed the socket."""


async def serve(transport: Transport, connection: WebSocket) -> None:
    if PROTOCOL not in connection.scope["subprotocols"]:
        await connection.accept()
        await connection.close(4406, "Subprotocol not acceptable")
        return
    await connection.accept(PROTOCOL)
    close: Close | None = None
    with ending(transport) as ended:
        socket = Socket(transport, connection, ended)
        try:
            async with asyncio.TaskGroup() as tasks:
                await socket.run(tasks)
        except* Close as closes:
            close = cast("Close", closes.exceptions[0])
        except* _Gone:
            pass
        finally:
            await socket.stop()
        if close is not None:
            with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
                async with asyncio.timeout(CLOSING_SECONDS):
                    await connection.close(close.code, close.reason)


class Socket:
    """One connection: a reader, a writer, and a task for each operation."""

    def __init__(self, transport: Transport, connection: WebSocket, ended: asyncio.Future[Ending]) -> None:
        self.transport = transport
        self.connection = connection
        self.ended = ended
        self.identity: Identity = None
        self.initialised = asyncio.Event()
        self.acknowledged = False
        self.outbox: asyncio.Queue[str] = asyncio.Queue(transport.limits.send_queue)
        self.operations: dict[str, asyncio.Task[None]] = {}
        self.running: set[asyncio.Task[None]] = set()
        """Those of `operations`, and those that their client completed and that are still closing."""

    async def run(self, tasks: asyncio.TaskGroup) -> None:
        for task in (self._write(), self._await_init(), self._await_end()):
            tasks.create_task(task)
        while True:
            received = await self.connection.receive()
            if received["type"] == "websocket.disconnect":
                raise _Gone
            await self._take(_message(received.get("text"), self.transport.limits.frame_bytes))

    async def stop(self) -> None:
        """End every operation; each is cancelled only once, for a second time would interrupt its closing."""
        for task in self.running:
            if not task.cancelling():
                task.cancel()
        if self.running:
            await asyncio.wait(self.running, timeout=CLOSING_SECONDS)

    async def _take(self, message: dict[str, Any]) -> None:
        payload = message.get("payload")
        match message:
            case {"type": "subscribe", "id": str(key)} if key:
                self._subscribe(key, payload)
            case {"type": "complete", "id": str(key)} if key:
                if (task := self.operations.pop(key, None)) is not None:
                    task.cancel()
            case {"type": "connection_init" | "ping" | "pong"} if not isinstance(payload, dict | None):
                raise bad_frame()
            case {"type": "connection_init"}:
                await self._init(cast("dict[str, Any]", payload or {}))
            case {"type": "ping"}:
                await self._say("pong", payload=None if payload is None else encode(payload))
            case {"type": "pong"}:
                pass
            case _:
                raise bad_frame()

    async def _init(self, payload: dict[str, Any]) -> None:
        if self.initialised.is_set():
            raise Close(4429, "Too many initialisation requests")
        self.initialised.set()
        given = [value for name, value in payload.items() if name.lower() == "authorization"]
        credential = given[0] if given else self.connection.headers.get("authorization")
        if not isinstance(credential, str | None):
            raise Close(4403, "Forbidden")
        try:
            self.identity = await self.transport.authenticate(credential)
        except Unauthenticated as refusal:
            raise Close(4403, "Forbidden") from refusal
        except Exception as error:
            failed(self.transport, error)  # logged
            raise Close(4500, "Internal server error") from error
        if (revoked := getattr(self.identity, "ended", None)) is not None:
            self._start(end_when(revoked, self.ended))
        self.acknowledged = True
        await self._say("connection_ack")

    def _subscribe(self, key: str, payload: object) -> None:
        try:
            sent = params(payload)
        except Malformed as malformed:
            raise bad_frame() from malformed
        if not self.acknowledged:
            raise Close(4401, "Unauthorized")
        if key in self.operations:
            raise Close(4409, f"Subscriber for {key[:20]} already exists")
        self.operations[key] = self._start(self._operate(key, self._prepared(sent)))

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return task

    def _prepared(self, sent: Params) -> Prepared:
        limit = self.transport.limits.operations_per_socket
        if len(self.operations) >= limit:
            message = f"This socket already has {limit} operations, which is the limit. Complete one first."
            extensions = {"code": "QUERY_TOO_COMPLEX", "limit": "operations_per_socket", "allowed": limit}
            return [GraphQLError(message, extensions=extensions)]
        return self.transport.documents.prepare(sent.query, sent.variables, sent.operation_name)

    async def _operate(self, key: str, prepared: Prepared) -> None:
        try:
            async with aclosing(messages(self.transport, prepared, self.identity)) as found:
                async for message in found:
                    await self._say(message.kind, key, message.body)
                    if message.kind == "error":
                        return
            await self._say("complete", key)
        except Behind:
            if not self.ended.done():
                self.ended.set_result(Ending.SLOW)
        finally:
            if self.operations.get(key) is asyncio.current_task():
                del self.operations[key]

    async def _say(self, kind: str, key: str | None = None, payload: bytes | None = None) -> None:
        """Queue a message. A queue that stays full has a client that does not read."""
        members = [f'"type":"{kind}"']
        if key is not None:
            members.append(f'"id":{orjson.dumps(key).decode()}')
        if payload is not None:
            members.append(f'"payload":{payload.decode()}')
        message = "{" + ",".join(members) + "}"
        try:
            self.outbox.put_nowait(message)
        except asyncio.QueueFull:
            await in_time(self.outbox.put(message), self.transport.limits.send_timeout_seconds, self.ended)

    async def _write(self) -> None:
        seconds = self.transport.limits.send_timeout_seconds
        while True:
            message = await self.outbox.get()
            try:
                await in_time(self.connection.send_text(message), seconds, self.ended)
            except (WebSocketDisconnect, RuntimeError):
                raise _Gone from None

    async def _await_init(self) -> None:
        try:
            async with asyncio.timeout(self.transport.limits.init_timeout_seconds):
                await self.initialised.wait()
        except TimeoutError:
            raise Close(4408, "Connection initialisation timeout") from None

    async def _await_end(self) -> None:
        match await self.ended:
            case Ending.RESTART:
                raise Close(1012, "Service restart")
            case Ending.REVOKED:
                raise Close(4403, "Forbidden")
            case Ending.SLOW:
                raise Close(4290, "Slow consumer: reconnect and resume with your last cursor")


def bad_frame() -> Close:
    return Close(4400, "Invalid message received")


def _message(text: str | None, limit: int) -> dict[str, Any]:
    if text is None:
        raise bad_frame()
    frame = text.encode()
    if len(frame) > limit:
        raise Close(1009, f"A message may have {limit:,} bytes")
    try:
        message = decode(frame)
    except Malformed as malformed:
        raise bad_frame() from malformed
    if not isinstance(message, dict):
        raise bad_frame()
    return cast("dict[str, Any]", message)
