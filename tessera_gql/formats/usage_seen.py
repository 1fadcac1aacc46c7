"""Remember millions of ids in little memory, to count what a log repeats once."""

from array import array
from bisect import bisect_left

RECENT_IDS = 400_000
_MASK = (1 << 64) - 1


class SeenIds:
    """The ids that were added, as hashes of 64 bits: 8 bytes for each, and a small part of them in a set.

    Of ten million ids, two have the same hash in one of 300,000 logs; the second one then counts as repeated.
    """

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._runs: list[array[int]] = []

    def add(self, text: str) -> bool:
        """Add an id; return whether it is new."""
        number = hash(text) & _MASK
        if number in self._recent:
            return False
        for run in self._runs:
            position = bisect_left(run, number)
            if position < len(run) and run[position] == number:
                return False
        self._recent.add(number)
        if len(self._recent) >= RECENT_IDS:
            self._runs.append(array("Q", sorted(self._recent)))
            self._recent = set()
        return True
