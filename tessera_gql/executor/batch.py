"""Batched fields: a declaration that loads the values of all parents at once and also serves as resolver."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

BATCH_KEY = "batch"
"""Key of the Batch in the metadata of a Strawberry field."""


@dataclass(frozen=True, slots=True)
class BoundBatch:
    """A batch bound to the arguments of one operation."""

    key: Callable[[Any], Hashable]
    """Returns the key of a parent; None for a null value."""
    load_many: Callable[[list[Any]], Awaitable[Sequence[Any]]]
    """Loads the row of each key in order, as a DataLoader does."""
    to_value: Callable[[Any, Any], Any]
    """Converts a key and its row to the value of the field."""


@dataclass(frozen=True)
class Batch:
    """A field that loads the distinct keys of its parents with one query and completes each value once."""

    bind: Callable[..., BoundBatch]
    """Binds the batch to Strawberry's `info` and the arguments of the client."""
    reads: tuple[str, ...] | None = None
    """Paths of the parent's attributes that the field reads; None if unknown."""
    declaration: object = None
    """What is loaded, for a pushdown (`executor/pushdown.py`); None if only `bind` can load it."""

    async def resolve(self, root: Any, info: Any, **arguments: Any) -> Any:
        """Resolve the field for one parent."""
        bound = self.bind(info, **arguments)
        if (key := bound.key(root)) is None:
            return None
        (row,) = await bound.load_many([key])
        return bound.to_value(key, row)
