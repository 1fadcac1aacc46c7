"""Per-client send queue of a WebSocket: writes directly while the client reads, else queues up to a limit."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from tessera_gql.server.limits import Limits
from tessera_gql.server.websocket_frames import get_text_writer


class SendQueue:
    """The send queue of one client. Messages are sequences of parts, so that queued clients share equal parts."""

    __slots__ = ("_connection", "_limits", "_on_slow", "_queue", "_sender", "_write")

    def __init__(self, connection: WebSocket, limits: Limits, on_slow: Callable[[], None]) -> None:
        """Create a queue that calls `on_slow` when it is full or the client reads nothing within the timeout."""
        self._connection = connection
        self._limits = limits
        self._on_slow = on_slow
        self._write = get_text_writer(connection.scope)
        self._queue: deque[tuple[bytes, ...]] | None = None
        self._sender: asyncio.Task[None] | None = None
        """Exists while messages are queued. It stays after a disconnect, so that nothing more is sent."""

    def put(self, *parts: bytes) -> None:
        """Send a message, or queue it if the client does not read."""
        if self._queue is None:
            if self._write is not None and self._write(b"".join(parts)):
                return
            self._queue = deque((parts,))
            self._sender = asyncio.create_task(self._send_queued(self._queue))
        elif len(self._queue) < self._limits.send_queue:
            self._queue.append(parts)
        else:
            self._on_slow()

    async def drain(self) -> None:
        """Wait until all messages are sent. Raises WebSocketDisconnect if the client has disconnected."""
        if (sender := self._sender) is not None:
            await asyncio.wait((sender,))
            if self._sender is sender:
                raise WebSocketDisconnect(1006)

    async def stop(self) -> None:
        """Stop sending and drop the queued messages."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait((self._sender,))

    async def _send_queued(self, queue: deque[tuple[bytes, ...]]) -> None:
        try:
            while queue:
                async with asyncio.timeout(self._limits.send_timeout_seconds):
                    await self._connection.send_text(b"".join(queue[0]).decode())
                queue.popleft()
        except TimeoutError:
            self._on_slow()
        except WebSocketDisconnect:
            pass  # the reader of the socket handles the disconnect
        else:
            self._queue = self._sender = None
