"""Keys that are wanted in the same moment become one question, and each key is asked for once.

As Strawberry's DataLoader, but a batch is one future, however many keys it has: a page has hundreds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Loader(Generic[K, V]):
    """`ask` answers distinct keys in their order. What it raises is raised to all who wait; the next may ask again.

    A question is asked to its end, though nobody may wait for it any more; until then it is among `running`.
    """

    def __init__(
        self, ask: Callable[[list[K]], Awaitable[list[V]]], running: set[asyncio.Future[Any]] | None = None
    ) -> None:
        self._ask = ask
        self._running = running
        self._known: dict[K, V] = {}
        self._coming: list[_Batch[K]] = []
        """Those not answered yet; the last may still be open to more keys."""

    async def load(self, key: K) -> V:
        if key not in self._known:
            await self._wait([key])
        return self._known[key]

    async def load_many(self, keys: Iterable[K]) -> list[V]:
        wanted, known = [*keys], self._known
        if missing := [key for key in wanted if key not in known] if known else wanted:
            await self._wait(missing)
        return [known[key] for key in wanted]

    async def _wait(self, keys: list[K]) -> None:
        batches = self._batches(keys)
        for batch in batches:
            batch.waiting += 1
        try:
            for batch in batches:
                await asyncio.shield(batch.done)
        finally:
            for batch in batches:
                batch.waiting -= 1

    def _batches(self, keys: Iterable[K]) -> list[_Batch[K]]:
        """The batches that answer the keys; those that nobody has asked for join the open one."""
        found: list[_Batch[K]] = []
        for batch in self._coming:
            if not batch.keys.keys().isdisjoint(keys):
                found.append(batch)
                keys = [key for key in keys if key not in batch.keys]
        if keys:
            batch = self._open()
            batch.keys |= dict.fromkeys(keys)
            if batch not in found:
                found.append(batch)
        return found

    def _open(self) -> _Batch[K]:
        """The batch that is still open to more keys."""
        if not self._coming or not self._coming[-1].is_open:
            self._coming.append(_Batch())
            asyncio.get_running_loop().call_soon(self._start, self._coming[-1])
        return self._coming[-1]

    def _start(self, batch: _Batch[K]) -> None:
        batch.task = asyncio.ensure_future(self._answer(batch))
        if self._running is not None:
            self._running.add(batch.task)
            batch.task.add_done_callback(self._running.discard)

    async def _answer(self, batch: _Batch[K]) -> None:
        batch.is_open = False
        try:
            if batch.waiting:
                keys = [*batch.keys]
                self._known.update(zip(keys, await self._ask(keys), strict=True))
        except BaseException as error:
            if not batch.done.done():
                batch.done.set_exception(error)
                batch.done.exception()  # those who waited may have left
            if not isinstance(error, Exception):
                raise
        finally:
            self._coming.remove(batch)
        if not batch.done.done():
            batch.done.set_result(None)


class _Batch(Generic[K]):
    def __init__(self) -> None:
        self.keys: dict[K, None] = {}
        self.waiting = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None
        self.is_open = True
        """To more keys."""
