"""The event relay: passes committed events to subscribers, each event after a subscriber's cursor once and in order.

One task follows the log and keeps the latest events in memory. Sequences have no gaps, so a subscriber's position tells
whether its next event is in memory or must be read from the log. There are no queues that could overflow. While the
database is unavailable all subscribers wait, and none misses an event.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager, suppress
from typing import Self

from tessera_gql.errors import Invalid, Unavailable
from tessera_gql.policy.event_cursors import cursor_expired
from tessera_gql.policy.events import Event
from tessera_gql.store import events
from tessera_gql.store.database import Database
from tessera_gql.store.rows import count_characters
from tessera_gql.store.tables import EventRow

MAX_RECENT_EVENTS = 2_000
MAX_RECENT_CHARACTERS = 8_000_000
"""Limit for all events in memory: one change of a large schema can have thousands of messages."""
PAGE_SIZE = 500
POLL_SECONDS = 1.0
MAX_WOKEN = 50
"""Subscribers that continue in one turn of the event loop, because each executes its operation for the event."""
STALE_SECONDS = 10.0
"""Age of the last read of the log, beyond `poll_seconds`, at which the relay counts as stalled."""

log = logging.getLogger(__name__)


class EventRelay:
    """Relay of the event log to the subscribers in this process; reads it on `wake` and every `poll_seconds`."""

    def __init__(
        self, database: Database, *, poll_seconds: float = POLL_SECONDS, max_recent_events: int = MAX_RECENT_EVENTS
    ) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._max_recent = max_recent_events
        self._recent: deque[EventRow] = deque()
        self._characters = 0
        self._position = 0
        self._wake_signal = asyncio.Event()
        self._waiters: dict[asyncio.Future[None], None] = {}
        """A future for each subscriber that waits for the next event."""
        self._closed = False
        self._on_exit = ExitStack()
        self._follower: asyncio.Task[None] | None = None
        self._read_at = 0.0

    @property
    def position(self) -> int:
        """The sequence of the last event that was passed to subscribers."""
        return self._position

    @property
    def is_following(self) -> bool:
        """Whether the log was read lately; an idle relay reads it every `poll_seconds`."""
        is_alive = self._follower is not None and not self._follower.done()
        return is_alive and time.monotonic() - self._read_at < STALE_SECONDS + self._poll_seconds

    async def __aenter__(self) -> Self:
        async with self._database.read() as session:
            self._position = await events.load_last_sequence(session)
        self._read_at = time.monotonic()
        self._on_exit.callback(self._database.observe_commits(self.wake))
        self._follower = asyncio.create_task(self._follow(), name="event relay")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all subscriptions and stop following the log."""
        self._on_exit.close()
        self._closed = True
        self._notify_subscribers()
        if self._follower is not None:
            self._follower.cancel()
            with suppress(asyncio.CancelledError):
                await self._follower

    def wake(self, _committed: Sequence[Event] = ()) -> None:
        self._wake_signal.set()

    @property
    def is_closed(self) -> bool:
        """Whether the relay was left, so that every stream has ended."""
        return self._closed

    @asynccontextmanager
    async def subscribe(
        self, after: int | None = None, on_caught_up: Callable[[int], bool] = lambda _position: False
    ) -> AsyncGenerator[AsyncIterator[EventRow]]:
        """Stream the events after a sequence; None starts with those that are committed from now on.

        `on_caught_up` is called with the position whenever all known events were streamed; True ends the stream.

        Raises Invalid for a position that the log has not reached: the events before it would be missed. The stream
        raises CursorExpired if the next event is archived.
        """
        if after is None or after > self._position:
            async with self._database.read() as session:
                last = await events.load_last_sequence(session)
            if after is not None and after > last:
                raise Invalid(
                    "This cursor lies behind the end of the event log: it is of another database, or of a later state"
                    " of this one. Start without `after`, and read what you may have missed.",
                    field=("after",),
                )
            after = last if after is None else after
        async with aclosing(self._stream(max(after, 0), on_caught_up)) as stream:
            yield stream

    async def _stream(self, position: int, on_caught_up: Callable[[int], bool]) -> AsyncGenerator[EventRow]:
        while not self._closed:
            if self._position <= position and on_caught_up(position):
                return
            page = await self._load_next(position)
            if page and page[0].sequence > position + 1:
                raise cursor_expired(page[0].sequence)
            for event in page:
                position = event.sequence
                yield event

    async def _load_next(self, position: int) -> Sequence[EventRow]:
        """Load a page of the next events; empty when the relay closes or the database is unavailable."""
        if self._position <= position:
            await self._wait_for_event()
            return ()
        size = len(self._recent)
        missing = self._position - position
        if missing <= size:
            # By index: a deque is fast at its ends, and most subscribers lack the last event only.
            return [self._recent[index] for index in range(size - missing, min(size, size - missing + PAGE_SIZE))]
        try:
            async with self._database.read() as session:
                return await events.load_after(session, position, limit=PAGE_SIZE)
        except Unavailable:
            await asyncio.sleep(self._poll_seconds)
            return ()

    async def _follow(self) -> None:
        while True:
            # Not wait_for: on Python 3.11 it loses a cancellation that coincides with the wake-up.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._wake_signal.wait()
            self._wake_signal.clear()
            try:
                await self._catch_up()
            except Unavailable as error:
                log.warning("The event log can't be read; subscribers wait. %s", error)
            except Exception:
                log.exception("The event log could not be followed; another attempt is made")

    async def _catch_up(self) -> None:
        while True:
            async with self._database.read() as session:
                page = await events.load_after(session, self._position, limit=PAGE_SIZE)
            self._read_at = time.monotonic()
            if not page:
                return
            if page[0].sequence > self._position + 1:  # archived while this process stood still
                self._forget()
            self._remember(page)
            self._position = page[-1].sequence
            self._notify_subscribers()

    def _remember(self, page: Sequence[EventRow]) -> None:
        """Keep the latest events in memory and drop the oldest; subscribers that lack those read them from the log."""
        self._recent.extend(page)
        self._characters += sum(map(count_characters, page))
        while len(self._recent) > self._max_recent or self._characters > MAX_RECENT_CHARACTERS:
            self._characters -= count_characters(self._recent.popleft())

    def _forget(self) -> None:
        self._recent.clear()
        self._characters = 0

    async def _wait_for_event(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = None
        try:
            await waiter
        finally:
            self._waiters.pop(waiter, None)

    def _notify_subscribers(self) -> None:
        waiters, self._waiters = self._waiters, {}
        wake_in_turns(deque(waiters))


def wake_in_turns(waiters: deque[asyncio.Future[None]]) -> None:
    """Wake some subscribers in this turn of the event loop, and the others in later ones."""
    for _ in range(min(MAX_WOKEN, len(waiters))):
        if not (waiter := waiters.popleft()).done():
            waiter.set_result(None)
    if waiters:
        asyncio.get_running_loop().call_soon(wake_in_turns, waiters)
