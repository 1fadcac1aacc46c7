"""Lists that are known to have more items than are counted: for a while they are not counted anew for each page.

To count to 10,000 takes several times as long as a page. A process forgets what it knows with each of its own writes.
"""

import time
from collections.abc import Hashable
from dataclasses import dataclass, field

LIFETIME_SECONDS = 30.0
MAX_LISTS = 1_000


@dataclass
class LongLists:
    """The lists of one database, each named by its source and conditions, with the time until which it is long."""

    _expire_at: dict[Hashable, float] = field(default_factory=dict[Hashable, float])

    def __contains__(self, name: Hashable) -> bool:
        return self._expire_at.get(name, 0.0) > time.monotonic()

    def add(self, name: Hashable) -> None:
        """Remember that a list has more items than are counted."""
        self._expire_at.pop(name, None)
        if len(self._expire_at) >= MAX_LISTS:
            del self._expire_at[next(iter(self._expire_at))]
        self._expire_at[name] = time.monotonic() + LIFETIME_SECONDS

    def clear(self) -> None:
        """Forget all lists, because rows have changed."""
        self._expire_at.clear()
