"""Which texts and JSON values both databases can keep."""

import dataclasses
import math
import re
from collections.abc import Iterable
from typing import Any, cast

MAX_DEPTH = 200
SURROGATE = re.compile("[\ud800-\udfff]")


def storable(value: Any) -> str | None:
    """Return why the text or JSON value can't be kept, or None. Walks without recursion."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for one in level:
            if fault := _fault(one):
                return fault
            inner.extend(_inside(one))
        if not inner:
            return None
        level = inner
    return f"it is nested deeper than {MAX_DEPTH} levels; flatten it"


def _fault(value: Any) -> str | None:
    match value:
        case float() if not math.isfinite(value):
            return "it has a number that is not finite, which JSON does not know"
        case str() if "\0" in value:
            return "it has the character NUL, which no database keeps; remove it"
        case str() if SURROGATE.search(value):
            return "it has half of a surrogate pair, which is no character; remove it"
        case _:
            return None


def _inside(value: Any) -> Iterable[Any]:
    match value:
        case dict():
            entries = cast("dict[str, Any]", value)
            return [*entries.keys(), *entries.values()]
        case list() | tuple():
            return cast("list[Any]", value)
        case _ if dataclasses.is_dataclass(value):
            return [getattr(value, field.name) for field in dataclasses.fields(value)]
        case _:
            return ()
