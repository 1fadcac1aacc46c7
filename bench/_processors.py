"""Measure a piece of work by the clock, by processor time, and without its waits for a processor.

A machine that is busy with other work hands its processors out in turns. The kernel counts for each thread how long it
ran, and how long it was ready to run and had no processor; the latter is no time of the work itself.
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Duration:
    """Milliseconds of a piece of work: by the clock, of processors, and waits for a processor."""

    clock: float
    processor: float
    waits: float

    @property
    def unhindered(self) -> float:
        """The time by the clock without the waits; never less than what one processor needs for the work."""
        return min(self.clock, max(self.clock - self.waits, self.processor))


class Stopwatch:
    """Measures a block of this process, with the children of a database server, or without one."""

    def __init__(self, server: int | None = None) -> None:
        self._server = server
        self.duration = Duration(0, 0, 0)

    def __enter__(self) -> Self:
        self._before = _read(self._server)
        self._started_at = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        clock = (time.perf_counter() - self._started_at) * 1_000
        ran = waited = 0
        for thread, (ran_after, waited_after) in _read(self._server).items():
            ran_before, waited_before = self._before.get(thread, (0, 0))
            ran += ran_after - ran_before
            waited += waited_after - waited_before
        self.duration = Duration(clock, ran / 1e6, waited / 1e6)


def _read(server: int | None) -> dict[str, tuple[int, int]]:
    """Read how long each thread has run and waited for a processor, in nanoseconds.

    Not by `pathlib`: it interns the parts of a path, and from time to time Python then builds its table of interned
    strings anew, which held the event loop that is measured for 50 to 90 ms.
    """
    counts: dict[str, tuple[int, int]] = {}
    for process in ("self", *_list_children(server)):
        folder = f"/proc/{process}/task"
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in os.listdir(folder):  # noqa: PTH208 - see above
                with suppress(FileNotFoundError, ProcessLookupError):
                    ran, waited, _ = _read_words(f"{folder}/{thread}/schedstat")
                    counts[thread] = int(ran), int(waited)
    return counts


def _list_children(server: int | None) -> list[str]:
    """List the processes of a database server."""
    return [] if server is None else _read_words(f"/proc/{server}/task/{server}/children")


def _read_words(path: str) -> list[str]:
    with open(path) as file:  # noqa: PTH123 - see `_read`
        return file.read().split()
