"""Streams that are the same for all who ask: produced once, told to everybody at once; nobody waits for a slow one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Behind(Exception):  # noqa: N818 - a state of the listener, not a fault
    """The listener left more items unheard than are kept for it."""


class Listener(Protocol[T_contra]):
    """Neither may wait or raise: all the others are told after it."""

    def hear(self, item: T_contra, /) -> None: ...

    def over(self) -> None:
        """The stream ended by itself."""
        ...


@dataclass(eq=False, slots=True)
class Course:
    """How far an execution is in the log that it follows; one that follows none leaves it as it is."""

    start: int | None = None
    """Where to begin, whatever its arguments say."""
    joins: Callable[[int], bool] | None = None
    """Asked whenever all is told up to a place: whether it may end there, because somebody else goes on."""
    position: int | None = None
    """Of the event that it told of last."""
    began: int | None = None
    """All behind this place is told to those who listened by then; None until that is known."""

    def __post_init__(self) -> None:
        self.began = self.start

    def caught_up(self, position: int) -> bool:
        """To be called whenever all is told up to `position`; True if the execution is over."""
        if self.began is None:
            self.began = position
        return self.joins is not None and self.joins(position)


@dataclass(eq=False, slots=True)
class Stream(Generic[T]):
    key: Hashable
    course: Course
    listeners: set[Listener[T]] = field(default_factory=set[Listener[T]])
    task: asyncio.Task[None] | None = None


Start: TypeAlias = Callable[[Course], AsyncGenerator[T]]


class Fanout(Generic[T]):
    def __init__(self, limit: int) -> None:
        """`limit` is the number of items that one who uses `listen` may leave unheard."""
        self._limit = limit
        self._streams: dict[Hashable, Stream[T]] = {}

    @property
    def sharing(self) -> int:
        """Listeners to whom nothing is produced of their own."""
        return sum(len(stream.listeners) - 1 for stream in self._streams.values() if stream.listeners)

    def join(
        self, key: Hashable, start: Start[T], listener: Listener[T], position: int | None = None
    ) -> Stream[T] | None:
        """Tells the listener every item from now on of the stream `key`, which the first to ask starts.

        Who has heard all up to `position` elsewhere must ignore items up to there, and gets None if this stream is
        not known to tell all that comes behind: then they have to go on by themselves, and may ask again.
        """
        if (stream := self._streams.get(key)) is None:
            stream = self._streams[key] = Stream(key, Course(position))
            stream.task = asyncio.create_task(self._produce(stream, start))
        elif position is not None and (stream.course.began is None or stream.course.began > position):
            return None
        stream.listeners.add(listener)
        return stream

    def leave(self, stream: Stream[T], listener: Listener[T]) -> asyncio.Task[None] | None:
        """The last to leave closes the stream: what is then to be waited for is returned."""
        stream.listeners.discard(listener)
        if stream.listeners or self._streams.get(stream.key) is not stream:
            return None
        self._forget(stream)
        if stream.task is not None:
            stream.task.cancel()
        return stream.task

    async def listen(self, key: Hashable, start: Start[T]) -> AsyncGenerator[T]:
        """The same for who takes one item after another; raises Behind once what was heard in time is taken."""
        queue: _Queue[T] = _Queue(self._limit)
        stream = self.join(key, start, queue)
        try:
            while items := await queue.more():
                for item in items:
                    yield item
            if queue.behind:
                raise Behind
        finally:
            if stream is not None and (closing := self.leave(stream, queue)) is not None:
                await asyncio.wait([closing])

    async def _produce(self, stream: Stream[T], start: Start[T]) -> None:
        try:
            async with aclosing(start(stream.course)) as items:
                async for item in items:
                    for listener in [*stream.listeners]:
                        listener.hear(item)
                    await asyncio.sleep(0)  # a burst must let its listeners take what they were told
        finally:
            stream.task = None  # the task holds the frames in which it was cancelled, and those the stream: a cycle
            self._forget(stream)
            for listener in [*stream.listeners]:
                listener.over()

    def _forget(self, stream: Stream[T]) -> None:
        """Whoever asks from now on starts another, though this one may still be closing."""
        if self._streams.get(stream.key) is stream:
            del self._streams[stream.key]


@dataclass(eq=False, slots=True)
class _Queue(Generic[T]):
    limit: int
    unheard: list[T] = field(default_factory=list[T])
    ended: bool = False
    behind: bool = False
    waiter: asyncio.Future[None] | None = None

    def hear(self, item: T) -> None:
        if self.ended:
            return
        if len(self.unheard) < self.limit:
            self.unheard.append(item)
        else:
            self.ended = self.behind = True
        self._wake()

    def over(self) -> None:
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def more(self) -> list[T]:
        """All that is unheard; nothing once the stream is over."""
        if not self.unheard and not self.ended:
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter
        taken, self.unheard = self.unheard, []
        return taken
