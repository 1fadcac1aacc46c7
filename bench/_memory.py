"""Sample the memory of processes over time, and judge its growth.

The growth over the whole time must stay below a ratio, and both slopes below a number of MiB: in ten minutes and in ten
thousand requests. The first slope shows a leak without requests, the second one a leak that a slow machine hides.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

from bench._figures import Figure

PAGE_BYTES = 4096
SAMPLE_SECONDS = 2.0
TEN_MINUTES = 600
MANY_REQUESTS = 10_000


@dataclass(frozen=True)
class Sample:
    """The resident memory of all processes together, with the time and the number of requests so far."""

    seconds: float
    requests: int
    mebibytes: float


def resident(processes: Sequence[int]) -> float:
    """Return the resident memory of the processes in MiB."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in processes)
    return pages * PAGE_BYTES / 2**20


async def watch(processes: Sequence[int], requests: Callable[[], int], samples: list[Sample]) -> None:
    """Append a sample every two seconds until cancelled."""
    began = time.monotonic()
    while True:
        samples.append(Sample(time.monotonic() - began, requests(), resident(processes)))
        await asyncio.sleep(SAMPLE_SECONDS)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the Theil-Sen slope, the median of all pairs, which peaks and single steps hardly change."""
    return median((later[1] - first[1]) / (later[0] - first[0]) for first, later in combinations(points, 2))


def growth(samples: Sequence[Sample], *, ratio: float, mebibytes: float) -> list[Figure]:
    """Return the growth from the first tenth of the samples to the last, limited by `ratio`, and both slopes."""
    tenth = max(1, len(samples) // 10)
    first = median(sample.mebibytes for sample in samples[:tenth])
    last = median(sample.mebibytes for sample in samples[-tenth:])
    by_time = slope([(sample.seconds, sample.mebibytes) for sample in samples]) * TEN_MINUTES
    by_requests = slope([(sample.requests, sample.mebibytes) for sample in _distinct(samples)]) * MANY_REQUESTS
    return [
        Figure("growth of memory after the warm-up", [(last / first - 1) * 100], "%", at_most=ratio * 100),
        Figure("slope of memory in 10 minutes", [by_time], "MiB", at_most=mebibytes),
        Figure("slope of memory in 10,000 requests", [by_requests], "MiB", at_most=mebibytes),
    ]


def _distinct(samples: Sequence[Sample]) -> list[Sample]:
    """Return the last sample of each number of requests; two with the same number have no slope."""
    return [*{sample.requests: sample for sample in samples}.values()]
