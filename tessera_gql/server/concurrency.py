"""Concurrency limit for queries: with few at a time, their rows stay in the processor's caches.

Slots are assigned to callers in turn. One caller never has all slots or all database connections, so that its burst
hardly delays the other callers.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass

SLOTS = 4
RELEASE_AFTER_SECONDS = 0.1
"""A query that takes longer with little CPU time waits for the database, so its slot is released for another query."""
MAX_WAITING_CPU_SECONDS = 0.02
"""CPU time up to which a query counts as waiting for the database."""


class ConcurrencyLimiter:
    """Assigns slots to queries. The queries of one caller use at most `connections` - 1 database connections."""

    def __init__(self, slots: int = SLOTS, connections: int = 20) -> None:
        self._free = slots
        self._max_slots = max(1, slots - 1)
        self._max_running = max(1, connections - 1)
        self._slots: Counter[Hashable] = Counter()
        """Occupied slots by caller."""
        self._running: Counter[Hashable] = Counter()
        """Running queries by caller, including those that have released their slots."""
        self._queues: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()
        """Waiting queries by caller, the next caller first."""

    def slot(self, caller: Hashable = None) -> "Slot":
        """Return a context manager that holds a slot for a query. A caller of None has no limit of its own."""
        return Slot(self, caller)

    async def take_turns(self) -> None:
        """Let other tasks run if all slots are occupied.

        A request calls it between its steps: the first steps of a burst of requests would else hold the event loop.
        """
        if not self._free:
            await asyncio.sleep(0)

    async def acquire(self, caller: Hashable) -> None:
        """Wait for a slot and occupy it."""
        if self._may_take(caller):
            self._assign(caller)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(caller, deque()).append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self.release(caller)
                self.finish(caller)
            raise

    def release(self, caller: Hashable) -> None:
        """Release the slot of a query that has ended or waits for the database."""
        self._free += 1
        self._decrement(self._slots, caller)

    def finish(self, caller: Hashable) -> None:
        self._decrement(self._running, caller)

    def _decrement(self, counts: Counter[Hashable], caller: Hashable) -> None:
        counts[caller] -= 1
        if not counts[caller]:
            del counts[caller]
        self._assign_free_slots()

    def _may_take(self, caller: Hashable) -> bool:
        is_within_share = self._slots[caller] < self._max_slots and self._running[caller] < self._max_running
        return bool(self._free) and (caller is None or is_within_share)

    def _assign(self, caller: Hashable) -> None:
        self._free -= 1
        self._slots[caller] += 1
        self._running[caller] += 1

    def _assign_free_slots(self) -> None:
        """Assign free slots round-robin, one per caller in each round."""
        for caller in [*self._queues]:
            if not self._free:
                return
            if not self._may_take(caller):
                continue
            queue = self._queues.pop(caller)
            while queue:
                waiter = queue.popleft()
                if not waiter.done():  # the query was cancelled
                    self._assign(caller)
                    waiter.set_result(None)
                    break
            if queue:
                self._queues[caller] = queue


@dataclass(eq=False, slots=True)
class Slot:
    """Holds a slot for one query and releases it while the query waits for the database."""

    _limiter: ConcurrencyLimiter
    _caller: Hashable
    _timer: asyncio.TimerHandle | None = None
    _cpu_seconds: float = 0.0

    async def __aenter__(self) -> None:
        await self._limiter.acquire(self._caller)
        self._timer = asyncio.get_running_loop().call_later(RELEASE_AFTER_SECONDS, self._release_if_waiting)

    async def __aexit__(self, *_: object) -> None:
        self._release()
        self._limiter.finish(self._caller)

    def add_cpu_seconds(self, seconds: float) -> None:
        self._cpu_seconds += seconds

    def _release_if_waiting(self) -> None:
        if self._cpu_seconds > MAX_WAITING_CPU_SECONDS:
            self._cpu_seconds = 0.0
            self._timer = asyncio.get_running_loop().call_later(RELEASE_AFTER_SECONDS, self._release_if_waiting)
        else:
            self._release()

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._limiter.release(self._caller)
