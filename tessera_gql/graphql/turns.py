"""Few queries at a time: with many, each finds its rows pushed out of the processor's caches by those of the others."""

import asyncio
from types import TracebackType

PLACES = 4
LENT_AFTER_SECONDS = 0.1
"""A query that takes longer waits for the database more than it computes: its place is given to another one."""


class Turns:
    def __init__(self, places: int = PLACES) -> None:
        self._places = asyncio.Semaphore(places)

    def turn(self) -> "Turn":
        """To be entered for as long as the query takes."""
        return Turn(self._places)


class Turn:
    __slots__ = ("_places", "_timer")

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        await self._places.acquire()
        self._timer = asyncio.get_running_loop().call_later(LENT_AFTER_SECONDS, self._give_back)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()

    def _give_back(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._places.release()
