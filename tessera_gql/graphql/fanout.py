"""Streams that are the same for all who ask: produced once, heard by many; a slow listener never holds up another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


class Behind(Exception):  # noqa: N818 - a state of the listener, not a fault
    """The listener left more items unheard than are kept for it."""


@dataclass(eq=False, slots=True)
class _Listener(Generic[T]):
    """A queue in a tenth of the memory of asyncio's: there are thousands."""

    unheard: list[T] = field(default_factory=list[T])
    ended: bool = False
    behind: bool = False
    waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def more(self) -> list[T]:
        """All that is unheard; nothing once the stream is over."""
        if not self.unheard and not self.ended:
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter
        taken, self.unheard = self.unheard, []
        return taken


@dataclass(eq=False, slots=True)
class _Stream(Generic[T]):
    listeners: set[_Listener[T]] = field(default_factory=set[_Listener[T]])
    task: asyncio.Task[None] | None = None


class Fanout(Generic[T]):
    def __init__(self, limit: int) -> None:
        """`limit` is the number of items that one listener may leave unheard."""
        self._limit = limit
        self._streams: dict[Hashable, _Stream[T]] = {}

    @property
    def sharing(self) -> int:
        """Listeners to whom nothing is produced of their own."""
        return sum(len(stream.listeners) - 1 for stream in self._streams.values() if stream.listeners)

    async def listen(self, key: Hashable, start: Callable[[], AsyncGenerator[T]]) -> AsyncGenerator[T]:
        """Every item from now on of the stream `key`, which the first to ask starts and the last to go closes."""
        if (stream := self._streams.get(key)) is None:
            stream = self._streams[key] = _Stream()
            stream.task = asyncio.create_task(self._produce(key, stream, start))
        listener: _Listener[T] = _Listener()
        stream.listeners.add(listener)
        try:
            while items := await listener.more():
                for item in items:
                    yield item
            if listener.behind:
                raise Behind
        finally:
            stream.listeners.discard(listener)
            if not stream.listeners:
                await self._stop(key, stream)

    async def _produce(self, key: Hashable, stream: _Stream[T], start: Callable[[], AsyncGenerator[T]]) -> None:
        try:
            async with aclosing(start()) as items:
                async for item in items:
                    for listener in [*stream.listeners]:
                        self._tell(stream, listener, item)
                    await asyncio.sleep(0)  # a burst must let its listeners take what they were told
        finally:
            self._forget(key, stream)
            for listener in stream.listeners:
                listener.ended = True
                listener.wake()

    def _tell(self, stream: _Stream[T], listener: _Listener[T], item: T) -> None:
        if len(listener.unheard) < self._limit:
            listener.unheard.append(item)
        else:
            listener.ended = listener.behind = True
            stream.listeners.discard(listener)
        listener.wake()

    async def _stop(self, key: Hashable, stream: _Stream[T]) -> None:
        self._forget(key, stream)
        if stream.task is not None and not stream.task.done() and not stream.task.cancelling():
            stream.task.cancel()
            await asyncio.wait([stream.task])

    def _forget(self, key: Hashable, stream: _Stream[T]) -> None:
        """Whoever asks from now on starts another, though this one may still be closing."""
        if self._streams.get(key) is stream:
            del self._streams[key]
