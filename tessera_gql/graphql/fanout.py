"""Streams that are the same for all who ask: produced once, heard by many; a slow listener never holds up another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class Behind(Exception):  # noqa: N818 - a state of the listener, not a fault
    """The listener left more items unheard than are kept for it."""


class _Last(Enum):
    """What a listener hears after the last item."""

    END = "end"
    BEHIND = "behind"


@dataclass(eq=False)
class _Stream(Generic[T]):
    queues: set[asyncio.Queue[T | _Last]] = field(default_factory=set[asyncio.Queue[T | _Last]])
    task: asyncio.Task[None] | None = None


class Fanout(Generic[T]):
    def __init__(self, backlog: int) -> None:
        self._backlog = backlog
        self._streams: dict[Hashable, _Stream[T]] = {}

    async def listen(self, key: Hashable, start: Callable[[], AsyncGenerator[T]]) -> AsyncGenerator[T]:
        """Every item from now on of the stream `key`, which the first to ask starts and the last to go closes."""
        if (stream := self._streams.get(key)) is None:
            stream = self._streams[key] = _Stream()
            stream.task = asyncio.create_task(self._produce(key, stream, start))
        queue: asyncio.Queue[T | _Last] = asyncio.Queue()
        stream.queues.add(queue)
        try:
            while not isinstance(item := await queue.get(), _Last):
                yield item
            if item is _Last.BEHIND:
                raise Behind
        finally:
            stream.queues.discard(queue)
            if not stream.queues:
                await self._stop(key, stream)

    async def _produce(self, key: Hashable, stream: _Stream[T], start: Callable[[], AsyncGenerator[T]]) -> None:
        try:
            async with aclosing(start()) as items:
                async for item in items:
                    for queue in [*stream.queues]:
                        self._tell(stream, queue, item)
                    await asyncio.sleep(0)  # a burst must let its listeners take what they were told
        finally:
            self._forget(key, stream)
            for queue in stream.queues:
                queue.put_nowait(_Last.END)

    def _tell(self, stream: _Stream[T], queue: asyncio.Queue[T | _Last], item: T) -> None:
        if queue.qsize() < self._backlog:
            queue.put_nowait(item)
        else:
            stream.queues.discard(queue)
            queue.put_nowait(_Last.BEHIND)

    async def _stop(self, key: Hashable, stream: _Stream[T]) -> None:
        self._forget(key, stream)
        if stream.task is not None and not stream.task.done() and not stream.task.cancelling():
            stream.task.cancel()
            await asyncio.wait([stream.task])

    def _forget(self, key: Hashable, stream: _Stream[T]) -> None:
        """Whoever asks from now on starts another, though this one may still be closing."""
        if self._streams.get(key) is stream:
            del self._streams[key]
