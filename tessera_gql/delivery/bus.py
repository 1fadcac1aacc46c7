"""The bus: every subscriber gets every event after its cursor, once, in order, however late it comes or slow it is.

One reader follows the log and keeps the latest events in memory; sequences have no gaps, so a subscriber's place tells
whether its next event is there or must be read from the log. There are no queues: nothing can overflow. A database
that goes away makes everybody wait, and nobody miss anything.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Self

from tessera_gql.errors import Invalid, Unavailable
from tessera_gql.policy.events import Event
from tessera_gql.store import events
from tessera_gql.store.database import Database
from tessera_gql.store.rows import characters
from tessera_gql.store.tables import EventRow

KEPT = 2_000
KEPT_CHARACTERS = 8_000_000
"""Of the events in memory; a change of a large schema is delivered to each team with thousands of messages."""
PAGE = 500
POLL_SECONDS = 1.0
STALE_SECONDS = 10.0
"""After so long without a look at the log, the bus is not following it."""

log = logging.getLogger(__name__)


def _goes_on(_position: int) -> bool:
    return False


class Bus:
    """`wake` says that the log may have grown; without it the log is looked at every `poll_seconds`."""

    def __init__(self, database: Database, *, poll_seconds: float = POLL_SECONDS, kept: int = KEPT) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._kept = kept
        self._recent: deque[EventRow] = deque()
        self._characters = 0
        self._position = 0
        self._woken = asyncio.Event()
        self._moved = asyncio.Event()
        self._closed = False
        self._follower: asyncio.Task[None] | None = None
        self._read_at = 0.0

    @property
    def position(self) -> int:
        """The last event that subscribers were told of."""
        return self._position

    @property
    def is_following(self) -> bool:
        """Whether the log was read lately; a bus that only waits reads it every `poll_seconds`."""
        is_alive = self._follower is not None and not self._follower.done()
        return is_alive and time.monotonic() - self._read_at < STALE_SECONDS + self._poll_seconds

    async def __aenter__(self) -> Self:
        async with self._database.read() as session:
            self._position = await events.last_sequence(session)
        self._read_at = time.monotonic()
        self._database.committed.append(self.wake)
        self._follower = asyncio.create_task(self._follow(), name="bus")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends every subscription."""
        self._database.committed.remove(self.wake)
        self._closed = True
        self._tell()
        if self._follower is not None:
            self._follower.cancel()
            with suppress(asyncio.CancelledError):
                await self._follower

    def wake(self, _committed: Sequence[Event] = ()) -> None:
        self._woken.set()

    @asynccontextmanager
    async def subscribe(
        self, after: int | None = None, caught_up: Callable[[int], bool] = _goes_on
    ) -> AsyncGenerator[AsyncIterator[EventRow]]:
        """Everything after that sequence, then what comes; None starts with what is committed from now on.

        `caught_up` is told the place whenever all that this process knows of was given; if it says True, it ends.

        Raises Invalid for a place that the log has not reached: whoever waited there would miss what comes before it.
        """
        if after is None or after > self._position:
            async with self._database.read() as session:
                last = await events.last_sequence(session)
            if after is not None and after > last:
                raise Invalid(
                    "This cursor lies behind the end of the event log: it is of another database, or of a later state"
                    " of this one. Start without `after`, and read what you may have missed.",
                    field=("after",),
                )
            after = last if after is None else after
        async with aclosing(self._stream(max(after, 0), caught_up)) as stream:
            yield stream

    async def _stream(self, position: int, caught_up: Callable[[int], bool]) -> AsyncGenerator[EventRow]:
        while not self._closed:
            if self._position <= position and caught_up(position):
                return
            for event in await self._next(position):
                position = event.sequence
                yield event

    async def _next(self, position: int) -> Sequence[EventRow]:
        """Some of the events that follow; none when the bus closes, or the database is away."""
        if self._position <= position:
            await self._moved.wait()
            return ()
        held = len(self._recent)
        missing = self._position - position
        if missing <= held:
            # From the right, where a deque is quick to reach: most subscribers lack the last one only.
            return [self._recent[place] for place in range(held - missing, min(held, held - missing + PAGE))]
        try:
            async with self._database.read() as session:
                return await events.after(session, position, limit=PAGE)
        except Unavailable:
            await asyncio.sleep(self._poll_seconds)
            return ()

    async def _follow(self) -> None:
        while True:
            # Not wait_for: on Python 3.11 it loses a cancellation that comes together with the wake-up.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._woken.wait()
            self._woken.clear()
            try:
                await self._catch_up()
            except Unavailable as error:
                log.warning("The event log can't be read; subscribers wait. %s", error)
            except Exception:
                log.exception("The event log could not be followed; another attempt is made")

    async def _catch_up(self) -> None:
        while True:
            async with self._database.read() as session:
                found = await events.after(session, self._position, limit=PAGE)
            self._read_at = time.monotonic()
            if not found:
                return
            self._remember(found)
            self._position = found[-1].sequence
            self._tell()

    def _remember(self, found: Sequence[EventRow]) -> None:
        """Keep the latest events, and let go of the oldest; a subscriber that lacks those reads them from the log."""
        self._recent.extend(found)
        self._characters += sum(map(characters, found))
        while len(self._recent) > self._kept or self._characters > KEPT_CHARACTERS:
            self._characters -= characters(self._recent.popleft())

    def _tell(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
