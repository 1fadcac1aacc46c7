"""What goes to one client, in order: at once for as long as it reads, and from a bounded queue when it does not."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from tessera_gql.graphql.frames import writer
from tessera_gql.graphql.limit_values import Limits


class Outbox:
    """A message is put as parts: those that are the same for many clients are kept once, however long they wait."""

    __slots__ = ("_connection", "_limits", "_pump", "_slow", "_waiting", "_write")

    def __init__(self, connection: WebSocket, limits: Limits, slow: Callable[[], None]) -> None:
        """`slow` is called when too much waits, or for too long."""
        self._connection = connection
        self._limits = limits
        self._slow = slow
        self._write = writer(connection.scope)
        self._waiting: deque[tuple[bytes, ...]] | None = None
        self._pump: asyncio.Task[None] | None = None
        """Lives only while something waits; stays when the client is gone, so that nobody sends any more."""

    def put(self, *parts: bytes) -> None:
        if self._waiting is None:
            if self._write is not None and self._write(b"".join(parts)):
                return
            self._waiting = deque((parts,))
            self._pump = asyncio.create_task(self._send(self._waiting))
        elif len(self._waiting) < self._limits.send_queue:
            self._waiting.append(parts)
        else:
            self._slow()

    async def drained(self) -> None:
        """Until the client has taken what was put; raises WebSocketDisconnect if it never will."""
        if (pump := self._pump) is not None:
            await asyncio.wait((pump,))
            if self._pump is pump:
                raise WebSocketDisconnect(1006)

    async def stop(self) -> None:
        """Nothing is sent from now on."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait((self._pump,))

    async def _send(self, waiting: deque[tuple[bytes, ...]]) -> None:
        try:
            while waiting:
                async with asyncio.timeout(self._limits.send_timeout_seconds):
                    await self._connection.send_text(b"".join(waiting[0]).decode())
                waiting.popleft()
        except TimeoutError:
            self._slow()
        except WebSocketDisconnect:
            pass  # the reader learns of it as well
        else:
            self._waiting = self._pump = None
