"""Few queries at a time: with many, each finds its rows pushed out of the processor's caches by those of the others.

Callers take turns, and none has all places or all connections to the database, so that a burst of one of them hardly
delays the others.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable
from types import TracebackType

PLACES = 4
LENT_AFTER_SECONDS = 0.1
"""A query that takes longer and has computed little of the time waits for the database: another one gets its place."""
LITTLE_SECONDS = 0.02


class Turns:
    """`connections`: to the database, of which one caller's queries leave one to others."""

    def __init__(self, places: int = PLACES, connections: int = 20) -> None:
        self._free = places
        self._most_places = max(1, places - 1)
        self._most_running = max(1, connections - 1)
        self._held: Counter[Hashable] = Counter()
        """Places by caller."""
        self._running: Counter[Hashable] = Counter()
        """Queries by caller, those included that have lent their places."""
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()
        """By caller, whose turn comes next first."""

    def turn(self, caller: Hashable = None) -> "Turn":
        """To be entered for as long as the query takes. Callers that are None are not distinguished, nor limited."""
        return Turn(self, caller)

    async def take(self, caller: Hashable) -> None:
        """Wait for a place."""
        if self._may_have(caller):
            self._assign(caller)
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self.give_back(caller)
                self.leave(caller)
            raise

    def give_back(self, caller: Hashable) -> None:
        """The place of a query that has ended, or that waits for the database."""
        self._free += 1
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]
        self._serve()

    def leave(self, caller: Hashable) -> None:
        """A query has ended."""
        self._running[caller] -= 1
        if not self._running[caller]:
            del self._running[caller]
        self._serve()

    def _may_have(self, caller: Hashable) -> bool:
        is_modest = self._held[caller] < self._most_places and self._running[caller] < self._most_running
        return bool(self._free) and (caller is None or is_modest)

    def _assign(self, caller: Hashable) -> None:
        self._free -= 1
        self._held[caller] += 1
        self._running[caller] += 1

    def _serve(self) -> None:
        """Give places to the callers in their order, one each; their other queries wait for another round."""
        for caller in [*self._waiting]:
            if not self._free:
                return
            if not self._may_have(caller):
                continue
            queue = self._waiting.pop(caller)
            while queue:
                place = queue.popleft()
                if not place.done():  # it is if its query was cancelled
                    self._assign(caller)
                    place.set_result(None)
                    break
            if queue:
                self._waiting[caller] = queue


class Turn:
    __slots__ = ("_caller", "_computed", "_timer", "_turns")

    def __init__(self, turns: Turns, caller: Hashable) -> None:
        self._turns = turns
        self._caller = caller
        self._timer: asyncio.TimerHandle | None = None
        self._computed = 0.0

    async def __aenter__(self) -> None:
        await self._turns.take(self._caller)
        self._timer = asyncio.get_running_loop().call_later(LENT_AFTER_SECONDS, self._lend)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()
        self._turns.leave(self._caller)

    def spend(self, seconds: float) -> None:
        """The query has computed for so long."""
        self._computed += seconds

    def _lend(self) -> None:
        if self._computed > LITTLE_SECONDS:
            self._computed = 0.0
            self._timer = asyncio.get_running_loop().call_later(LENT_AFTER_SECONDS, self._lend)
        else:
            self._give_back()

    def _give_back(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._turns.give_back(self._caller)
