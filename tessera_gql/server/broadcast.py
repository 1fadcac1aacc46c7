"""Shared subscription streams: execute an identical operation once per event and broadcast the result.

A slow subscriber is disconnected, never waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

from tessera_gql.executor.streams import StreamStart

MAX_LISTENERS_AT_ONCE = 250
"""Listeners that get an item in one turn of the event loop. The loop writes their messages at the end of the turn."""

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class SlowListener(Exception):  # noqa: N818 - a state of the listener, not a fault
    """The listener has more unread items than its queue holds."""


class Listener(Protocol[T_contra]):
    """A receiver of a shared stream. Its methods must not block or raise, because the other listeners come after."""

    def on_item(self, item: T_contra, /) -> None: ...

    def on_end(self) -> None: ...


@dataclass(eq=False, slots=True)
class SharedStream(Generic[T]):
    """A shared execution with its listeners."""

    key: Hashable
    complete_since: int | None = None
    """The stream has all events after this position; None until that is known."""
    listeners: set[Listener[T]] = field(default_factory=set[Listener[T]])
    task: asyncio.Task[None] | None = None

    def on_caught_up(self, position: int) -> bool:
        """Learn from its first backlog since when the stream is complete. It never ends by itself."""
        if self.complete_since is None:
            self.complete_since = position
        return False


StartStream: TypeAlias = Callable[[StreamStart], AsyncGenerator[T]]


class Broadcaster(Generic[T]):
    """Runs one execution per key and broadcasts its items to all listeners."""

    def __init__(self, limit: int) -> None:
        """Set the maximum number of unread items of a listener that uses `listen`."""
        self._limit = limit
        self._streams: dict[Hashable, SharedStream[T]] = {}

    @property
    def shared_listeners(self) -> int:
        """Number of listeners served by an execution that another listener started."""
        return sum(len(stream.listeners) - 1 for stream in self._streams.values() if stream.listeners)

    def join(
        self, key: Hashable, start: StartStream[T], listener: Listener[T], position: int | None = None
    ) -> SharedStream[T] | None:
        """Add a listener to the stream `key`, starting the stream if it is not running.

        A listener that already has all events up to `position` must ignore items up to it. It gets None if the stream
        may have a gap after that position; it must then continue by itself, and may try again later.
        """
        if (stream := self._streams.get(key)) is None:
            stream = self._streams[key] = SharedStream(key, position)
            source = start(StreamStart(position, stream.on_caught_up))
            stream.task = asyncio.create_task(self._produce(stream, source))
        elif position is not None and (stream.complete_since is None or stream.complete_since > position):
            return None
        stream.listeners.add(listener)
        return stream

    def leave(self, stream: SharedStream[T], listener: Listener[T]) -> asyncio.Task[None] | None:
        """Remove a listener. The last one cancels the stream and gets its task to wait for."""
        stream.listeners.discard(listener)
        if stream.listeners or self._streams.get(stream.key) is not stream:
            return None
        self._forget(stream)
        if stream.task is not None:
            stream.task.cancel()
        return stream.task

    async def listen(self, key: Hashable, start: StartStream[T]) -> AsyncGenerator[T]:
        """Iterate over a shared stream. Raises SlowListener after the queued items if the queue overflowed."""
        queue: _Queue[T] = _Queue(self._limit)
        stream = self.join(key, start, queue)
        try:
            while (item := await queue.items.get()) is not None:
                yield item
            if queue.has_overflowed:
                raise SlowListener
        finally:
            if stream is not None and (closing := self.leave(stream, queue)) is not None:
                await asyncio.wait([closing])

    async def _produce(self, stream: SharedStream[T], source: AsyncGenerator[T]) -> None:
        try:
            async with aclosing(source) as items:
                async for item in items:
                    await _distribute(stream, item)
        finally:
            stream.task = None  # breaks the reference cycle of stream, task and the frames of its cancellation
            self._forget(stream)
            for listener in [*stream.listeners]:
                listener.on_end()

    def _forget(self, stream: SharedStream[T]) -> None:
        """Make new listeners start another stream, even while this one is still closing."""
        if self._streams.get(stream.key) is stream:
            del self._streams[stream.key]


async def _distribute(stream: SharedStream[T], item: T) -> None:
    """Give an item to the listeners of this moment, in slices, between which they can drain their queues and leave."""
    listeners = [*stream.listeners]
    for start in range(0, len(listeners), MAX_LISTENERS_AT_ONCE):
        for listener in listeners[start : start + MAX_LISTENERS_AT_ONCE]:
            if listener in stream.listeners:
                listener.on_item(item)
        await asyncio.sleep(0)


@dataclass(eq=False, slots=True)
class _Queue(Generic[T]):
    """A listener that queues items for an asynchronous iterator. None is the end."""

    limit: int
    items: asyncio.Queue[T | None] = field(default_factory=asyncio.Queue[T | None])
    has_overflowed: bool = False

    def on_item(self, item: T) -> None:
        if self.has_overflowed:
            return
        self.has_overflowed = self.items.qsize() >= self.limit
        self.items.put_nowait(None if self.has_overflowed else item)

    def on_end(self) -> None:
        self.items.put_nowait(None)
