"""Pushdown: the values of a field with all that is selected below it as JSON text, from one query of the database.

The executor copies the text into the reply. It knows neither the query nor the database: a `PlanPushdown` decides for a
step of a plan whether its subtree can be pushed down.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import orjson

from tessera_gql.executor.batch import BoundBatch


class PushdownFailed(Exception):  # noqa: N818 - the fields below it are loaded instead
    """The query of a pushdown failed."""


class JsonFragment:
    """JSON text in the place of a value of a reply. It has neither floats nor integers beyond 32 bits.

    It is not a dataclass, which orjson would encode as an object of its own accord.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def decode(self) -> Any:
        return orjson.loads(self.text)


def decode_fragments(reply: Any) -> Any:
    """Put values in the place of the fragments of a reply, for readers in this process, and return it."""
    if type(reply) is JsonFragment:
        return reply.decode()
    containers = [reply]
    while containers:
        container = containers.pop()
        for key, item in container.items() if type(container) is dict else enumerate(container):
            kind = type(item)
            if kind is dict or kind is list:
                containers.append(item)
            elif kind is JsonFragment:
                container[key] = item.decode()
    return reply


class Pushdown(Protocol):
    """Loads the values of a step, and of the steps below it, as fragments."""

    @property
    def steps(self) -> Sequence[Any]:
        """The steps of the plan whose arguments the query needs."""
        ...

    @property
    def loads_by_key(self) -> bool:
        """Whether a loader would load the values of several such steps with one query."""
        ...

    def bind(self, context: Any, arguments: Sequence[Mapping[str, Any]]) -> BoundBatch:
        """Bind to the arguments of the steps. Raise for bad arguments as the fields would."""
        ...


PlanPushdown: TypeAlias = Callable[[Any], Pushdown | None]
"""Returns the pushdown of a step of a plan; None if its values are loaded."""
