"""The memory of processes over time, and whether it grows."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

from bench._results import Line

PAGE_BYTES = 4096
SAMPLE_SECONDS = 2.0
TEN_MINUTES = 600
MANY_REQUESTS = 10_000


@dataclass(frozen=True)
class Sample:
    """The resident memory of all processes together, and how far the load was by then."""

    seconds: float
    requests: int
    mebibytes: float


def resident(processes: Sequence[int]) -> float:
    """MiB that the processes hold in memory."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in processes)
    return pages * PAGE_BYTES / 2**20


async def watch(processes: Sequence[int], requests: Callable[[], int], samples: list[Sample]) -> None:
    """Append a sample every two seconds until cancelled."""
    began = time.monotonic()
    while True:
        samples.append(Sample(time.monotonic() - began, requests(), resident(processes)))
        await asyncio.sleep(SAMPLE_SECONDS)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median slope of all pairs of points (Theil and Sen): peaks, and single steps, do not move it."""
    return median((later[1] - first[1]) / (later[0] - first[0]) for first, later in combinations(points, 2))


def growth(samples: Sequence[Sample], *, ratio: float, mebibytes: float) -> list[Line]:
    """What the samples say of growth, beside the most that is allowed.

    `ratio` is between the first tenth of the samples and the last; `mebibytes` the slope, for ten minutes and for ten
    thousand requests, whichever comes sooner.
    """
    tenth = max(1, len(samples) // 10)
    first = median(sample.mebibytes for sample in samples[:tenth])
    last = median(sample.mebibytes for sample in samples[-tenth:])
    by_time = slope([(sample.seconds, sample.mebibytes) for sample in samples]) * TEN_MINUTES
    by_requests = slope([(sample.requests, sample.mebibytes) for sample in _distinct(samples)]) * MANY_REQUESTS
    return [
        Line("growth of memory after the warm-up", [(last / first - 1) * 100], "%", at_most=ratio * 100),
        Line("slope of memory in 10 minutes", [by_time], "MiB", at_most=mebibytes),
        Line("slope of memory in 10,000 requests", [by_requests], "MiB", at_most=mebibytes),
    ]


def _distinct(samples: Sequence[Sample]) -> list[Sample]:
    """One sample for each number of requests: without requests between them, two have no slope."""
    return [*{sample.requests: sample for sample in samples}.values()]
