"""graphql-transport-ws, as its reference server behaves: a bad operation ends itself, only a bad frame ends the socket.

Close codes: 4400 malformed frame, 4401 operation before init, 4403 refused or revoked credential, 4406 wrong
subprotocol, 4408 no init in time, 4409 id in use, 4429 second init, 4500 failure of ours, 1009 frame too large,
1012 restart, 4290 slow consumer: reconnect and resume with the last cursor seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from typing import Any, NamedTuple, cast

import orjson
from graphql import GraphQLError
from starlette.websockets import WebSocket, WebSocketDisconnect

from tessera_gql.graphql.documents import Prepared
from tessera_gql.graphql.fanout import Behind
from tessera_gql.graphql.operations import failed, messages
from tessera_gql.graphql.transport import Ending, Identity, Transport, Unauthenticated, end, end_when, ending
from tessera_gql.graphql.wire import Malformed, Params, decode, encode, params

PROTOCOL = "graphql-transport-ws"

CLOSING_SECONDS = 5
"""How long operations may take to close, and a slow consumer to read what was sent and then its close frame."""


class Close(NamedTuple):
    code: int
    reason: str


BAD_FRAME = Close(4400, "Invalid message received")
FORBIDDEN = Close(4403, "Forbidden")
CLOSES = {
    Ending.RESTART: Close(1012, "Service restart"),
    Ending.REVOKED: FORBIDDEN,
    Ending.NO_INIT: Close(4408, "Connection initialisation timeout"),
    Ending.SLOW: Close(4290, "Slow consumer: reconnect and resume with your last cursor"),
}


class _Refused(Exception):  # noqa: N818 - ends the socket, not a fault
    """The client did what closes its socket."""

    def __init__(self, close: Close) -> None:
        super().__init__(close)
        self.close = close


async def serve(transport: Transport, connection: WebSocket) -> None:
    if PROTOCOL not in connection.scope.get("subprotocols", ()):
        await connection.accept()
        await connection.close(4406, "Subprotocol not acceptable")
        return
    await connection.accept(PROTOCOL)
    with ending(transport) as ended:
        socket = Socket(transport, connection, ended)
        reader = asyncio.create_task(socket.read())
        try:
            await asyncio.wait((reader, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            reader.cancel()
            await asyncio.wait((reader,))
            await socket.stop()
        close = CLOSES[ended.result()] if ended.done() else reader.result()
    if close is not None:
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(CLOSING_SECONDS):
                await connection.close(close.code, close.reason)


class Socket:
    """One connection: what its reader was told, and a task for each operation, which sends for itself.

    There is no queue: one message of each operation may wait for the client to read.
    """

    def __init__(self, transport: Transport, connection: WebSocket, ended: asyncio.Future[Ending]) -> None:
        self.transport = transport
        self.connection = connection
        self.ended = ended
        self.identity: Identity = None
        self.initialised = False
        self.acknowledged = False
        self.operations: dict[str, asyncio.Task[None]] = {}
        self.running: set[asyncio.Task[None]] = set()
        """Those of `operations`, and those that their client completed and that are still closing."""
        self.waiting = self.sent = 0
        self.turn = asyncio.Lock()
        loop, limits = asyncio.get_running_loop(), transport.limits
        self.init_timer = loop.call_later(limits.init_timeout_seconds, end, ended, Ending.NO_INIT)
        self.send_timer = loop.call_later(limits.send_timeout_seconds, self._expect_progress, 0)

    async def read(self) -> Close | None:
        """Until the client leaves, or does what it is closed for."""
        try:
            while (received := await self.connection.receive())["type"] != "websocket.disconnect":
                await self._take(_message(received.get("text"), self.transport.limits.frame_bytes))
        except _Refused as refused:
            return refused.close
        except WebSocketDisconnect:
            return None
        return None

    async def stop(self) -> None:
        """End every operation; each is cancelled only once, for a second time would interrupt its closing."""
        self.init_timer.cancel()
        self.send_timer.cancel()
        for task in self.running:
            if not task.cancelling():
                task.cancel()
        if self.running:
            await asyncio.wait(self.running, timeout=CLOSING_SECONDS)

    def _expect_progress(self, sent: int) -> None:
        """A client that has read nothing of what waits for it since the last time is too slow."""
        if self.waiting and self.sent == sent:
            end(self.ended, Ending.SLOW)
        seconds = self.transport.limits.send_timeout_seconds
        self.send_timer = asyncio.get_running_loop().call_later(seconds, self._expect_progress, self.sent)

    async def _take(self, message: dict[str, Any]) -> None:
        payload = message.get("payload")
        match message:
            case {"type": "subscribe", "id": str(key)} if key:
                self._subscribe(key, payload)
            case {"type": "complete", "id": str(key)} if key:
                if (task := self.operations.pop(key, None)) is not None:
                    task.cancel()
            case {"type": "connection_init" | "ping" | "pong"} if not isinstance(payload, dict | None):
                raise _Refused(BAD_FRAME)
            case {"type": "connection_init"}:
                await self._init(cast("dict[str, Any]", payload or {}))
            case {"type": "ping"}:
                await self._send(_pong(payload))
            case {"type": "pong"}:
                pass
            case _:
                raise _Refused(BAD_FRAME)

    async def _init(self, payload: dict[str, Any]) -> None:
        if self.initialised:
            raise _Refused(Close(4429, "Too many initialisation requests"))
        self.initialised = True
        self.init_timer.cancel()
        given = [value for name, value in payload.items() if name.lower() == "authorization"]
        credential = given[0] if given else self.connection.headers.get("authorization")
        if not isinstance(credential, str | None):
            raise _Refused(FORBIDDEN)
        try:
            self.identity = await self.transport.authenticate(credential)
        except Unauthenticated as refusal:
            raise _Refused(FORBIDDEN) from refusal
        except Exception as error:
            failed(self.transport, error)  # logged
            raise _Refused(Close(4500, "Internal server error")) from error
        if (revoked := getattr(self.identity, "ended", None)) is not None:
            self._start(end_when(revoked, self.ended))
        self.acknowledged = True
        await self._send('{"type":"connection_ack"}')

    def _subscribe(self, key: str, payload: object) -> None:
        try:
            sent = params(payload)
        except Malformed as malformed:
            raise _Refused(BAD_FRAME) from malformed
        if not self.acknowledged:
            raise _Refused(Close(4401, "Unauthorized"))
        if key in self.operations:
            raise _Refused(Close(4409, f"Subscriber for {key[:20]} already exists"))
        self.operations[key] = self._start(self._operate(key, self._prepared(sent)))

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return task

    def _prepared(self, sent: Params) -> Prepared:
        limit = self.transport.limits.operations_per_socket
        if len(self.operations) >= limit or len(self.running) >= 2 * limit:
            message = f"This socket already has {limit} operations, which is the limit. Complete one first."
            extensions = {"code": "QUERY_TOO_COMPLEX", "limit": "operations_per_socket", "allowed": limit}
            return [GraphQLError(message, extensions=extensions)]
        return self.transport.documents.prepare(sent.query, sent.variables, sent.operation_name)

    async def _operate(self, key: str, prepared: Prepared) -> None:
        shown = orjson.dumps(key).decode()
        head = f'{{"id":{shown},"type":"next","payload":'
        try:
            async with aclosing(messages(self.transport, prepared, self.identity)) as found:
                async for kind, body in found:
                    if kind == "error":
                        await self._send(f'{{"id":{shown},"type":"error","payload":{body}}}')
                        return
                    await self._send(f"{head}{body}}}")
            await self._send(f'{{"id":{shown},"type":"complete"}}')
        except Behind:
            end(self.ended, Ending.SLOW)
        except WebSocketDisconnect:
            pass  # the reader learns of it as well
        finally:
            if self.operations.get(key) is asyncio.current_task():
                del self.operations[key]

    async def _send(self, text: str) -> None:
        self.waiting += 1
        try:
            async with self.turn:
                await self.connection.send_text(text)
                self.sent += 1
        finally:
            self.waiting -= 1


def _pong(payload: object) -> str:
    return '{"type":"pong"}' if payload is None else f'{{"type":"pong","payload":{encode(payload).decode()}}}'


def _message(text: str | None, limit: int) -> dict[str, Any]:
    if text is None:
        raise _Refused(BAD_FRAME)
    frame = text.encode()
    if len(frame) > limit:
        raise _Refused(Close(1009, f"A message may have {limit:,} bytes"))
    try:
        message = decode(frame)
    except Malformed as malformed:
        raise _Refused(BAD_FRAME) from malformed
    if not isinstance(message, dict):
        raise _Refused(BAD_FRAME)
    return cast("dict[str, Any]", message)
