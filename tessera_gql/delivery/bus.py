"""The bus: every subscriber gets every event after its cursor, once, in order, however late it comes or slow it is.

One reader follows the log and keeps the latest events in memory; sequences have no gaps, so a subscriber's place tells
whether its next event is there or must be read from the log. There are no queues: nothing can overflow.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Self

from tessera_gql.errors import Unavailable
from tessera_gql.store import events
from tessera_gql.store.database import Database
from tessera_gql.store.tables import EventRow

KEPT = 2_000
POLL_SECONDS = 1.0

log = logging.getLogger(__name__)


class Bus:
    """`wake` says that the log may have grown; without it the log is looked at every `poll_seconds`."""

    def __init__(self, database: Database, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._recent: deque[EventRow] = deque(maxlen=KEPT)
        self._position = 0
        self._woken = asyncio.Event()
        self._moved = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        async with self._database.read() as session:
            self._position = await events.last_sequence(session)
        self._database.committed.append(self.wake)
        self._follower = asyncio.create_task(self._follow(), name="bus")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._database.committed.remove(self.wake)
        if self._follower is not None:
            self._follower.cancel()
            with suppress(asyncio.CancelledError):
                await self._follower

    def wake(self) -> None:
        self._woken.set()

    @asynccontextmanager
    async def subscribe(self, after: int | None = None) -> AsyncGenerator[AsyncIterator[EventRow]]:
        """Everything after that sequence, then what comes; None starts with what is committed from now on."""
        if after is None:
            async with self._database.read() as session:
                after = await events.last_sequence(session)
        stream = self._stream(after)
        try:
            yield stream
        finally:
            await stream.aclose()

    async def _stream(self, position: int) -> AsyncGenerator[EventRow]:
        while True:
            for event in await self._next(position):
                position = event.sequence
                yield event

    async def _next(self, position: int) -> Sequence[EventRow]:
        while self._position <= position:
            await self._moved.wait()
        first = self._recent[0].sequence if self._recent else self._position + 1
        if position + 1 >= first:
            return list(self._recent)[position + 1 - first :]
        async with self._database.read() as session:
            return await events.after(session, position)

    async def _follow(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._poll_seconds)
            self._woken.clear()
            try:
                await self._catch_up()
            except Unavailable as error:
                log.warning("The event log can't be read; subscribers wait. %s", error)

    async def _catch_up(self) -> None:
        while True:
            async with self._database.read() as session:
                found = await events.after(session, self._position)
            if not found:
                return
            self._recent.extend(found)
            self._position = found[-1].sequence
            moved, self._moved = self._moved, asyncio.Event()
            moved.set()
