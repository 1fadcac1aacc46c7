"""Dataloader: batch the keys requested in one turn of the event loop, and load each key once.

Unlike Strawberry's DataLoader, a batch has one task for all its keys, which is faster for pages of hundreds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Loader(Generic[K, V]):
    """Load values by key in batches and cache them.

    `load_batch` gets distinct keys and returns their values in order. Its error is raised to every waiting caller and
    not cached. A batch is never cancelled, even if all its callers are; its task is in `running` until it ends.
    """

    def __init__(
        self, load_batch: Callable[[list[K]], Awaitable[list[V]]], running: set[asyncio.Future[Any]] | None = None
    ) -> None:
        self._load_batch = load_batch
        self._running = running
        self._values: dict[K, V] = {}
        self._pending: list[_Batch[K]] = []
        """Batches that are not loaded yet; only the last one may accept more keys."""

    async def load(self, key: K) -> V:
        if key not in self._values:
            await self._wait([key])
        return self._values[key]

    async def load_many(self, keys: Iterable[K]) -> list[V]:
        requested, values = [*keys], self._values
        if missing := [key for key in requested if key not in values] if values else requested:
            await self._wait(missing)
        return [values[key] for key in requested]

    async def _wait(self, keys: list[K]) -> None:
        batches = self._join_batches(keys)
        for batch in batches:
            batch.waiting += 1
        try:
            for batch in batches:
                await asyncio.shield(batch.task)
        finally:
            for batch in batches:
                batch.waiting -= 1

    def _join_batches(self, keys: Iterable[K]) -> list[_Batch[K]]:
        """Return the batches that will load the keys; add keys that are in none of them to the open batch."""
        batches: list[_Batch[K]] = []
        for batch in self._pending:
            if not batch.keys.keys().isdisjoint(keys):
                batches.append(batch)
                keys = [key for key in keys if key not in batch.keys]
        if keys:
            batch = self._open_batch()
            batch.keys |= dict.fromkeys(keys)
            if batch not in batches:
                batches.append(batch)
        return batches

    def _open_batch(self) -> _Batch[K]:
        """Return the batch that still accepts keys, scheduling a new one if necessary."""
        if not self._pending or not self._pending[-1].is_open:
            batch = _Batch[K](self._load)
            self._pending.append(batch)
            batch.task.add_done_callback(self._end)
            if self._running is not None:
                self._running.add(batch.task)
        return self._pending[-1]

    def _end(self, task: asyncio.Task[None]) -> None:
        if self._running is not None:
            self._running.discard(task)
        if not task.cancelled():
            task.exception()  # mark it as retrieved: all callers may be cancelled, or have failed with another batch

    async def _load(self, batch: _Batch[K]) -> None:
        await asyncio.sleep(0)  # callers that resume in the turn after the first one join as well
        batch.is_open = False
        try:
            if batch.waiting:
                keys = [*batch.keys]
                self._values.update(zip(keys, await self._load_batch(keys), strict=True))
        finally:
            self._pending.remove(batch)


class _Batch(Generic[K]):
    """Keys that are loaded together, with the number of callers that wait for them."""

    def __init__(self, load: Callable[[_Batch[K]], Coroutine[Any, Any, None]]) -> None:
        self.keys: dict[K, None] = {}
        self.waiting = 0
        self.task = asyncio.create_task(load(self))
        self.is_open = True
        """Whether the batch accepts more keys."""
