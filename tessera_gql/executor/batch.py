"""How a field says that it is answered for many parents at once; what it declares is also its ordinary resolver."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

DECLARED = "batch"
"""The key in the metadata of a Strawberry field under which its Batch is found."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A batch within one operation, its arguments read."""

    key: Callable[[Any], Hashable]
    """What the parent points at; None points at nothing."""
    load_many: Callable[[list[Any]], Awaitable[Sequence[Any]]]
    """What is found under each key, in their order: a DataLoader's."""
    show: Callable[[Any, Any], Any]
    """The field's value, given a key and what was found under it."""


@dataclass(frozen=True)
class Batch:
    """The parents' distinct keys are asked for once, and what is found is completed once, whoever points at it."""

    bind: Callable[..., Bound]
    """Given Strawberry's `info` and, by name, the arguments that the client gave."""
    reads: tuple[str, ...] | None = None
    """The attributes of the parent that it looks at, as paths; what it finds, it only shows. None if it does more."""

    async def resolve(self, root: Any, info: Any, **arguments: Any) -> Any:
        """For one parent."""
        bound = self.bind(info, **arguments)
        if (key := bound.key(root)) is None:
            return None
        (found,) = await bound.load_many([key])
        return bound.show(key, found)
