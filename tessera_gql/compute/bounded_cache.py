"""A cache of values that follow from rows which never change, bounded by the sizes of the values in all."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """The values that were read last, as many as fit in a size. Each value counts one more than its size."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._size = 0

    def find(self, key: K) -> V | None:
        """Return the value of a key, which then counts as read last; None if it is not kept."""
        if (entry := self._values.get(key)) is None:
            return None
        self._values.move_to_end(key)
        return entry[0]

    def keep(self, key: K, value: V, size: int) -> None:
        """Keep a value, and drop those that were read longest ago. One that alone exceeds the size is not kept."""
        if key in self._values or size >= self._max_size:
            return
        self._values[key] = value, size + 1
        self._size += size + 1
        while self._size > self._max_size:
            _, (_, dropped) = self._values.popitem(last=False)
            self._size -= dropped
