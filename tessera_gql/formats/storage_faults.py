"""Check that PostgreSQL and SQLite can store a text or JSON value."""

import dataclasses
import math
import re
from collections.abc import Iterable
from typing import Any, cast

MAX_DEPTH = 200
_SURROGATE = re.compile("[\ud800-\udfff]")


def find_storage_fault(value: Any, max_depth: int = MAX_DEPTH) -> str | None:
    """Return the reason why a text or JSON value can't be stored, or None. Iterative, so that depth is no problem."""
    level: list[Any] = [value]
    for _ in range(max_depth + 1):
        next_level: list[Any] = []
        for item in level:
            if reason := _find_fault(item):
                return reason
            next_level.extend(_nested_values(item))
        if not next_level:
            return None
        level = next_level
    return f"it is nested deeper than {max_depth} levels; flatten it"


def _find_fault(value: Any) -> str | None:
    match value:
        case float() if not math.isfinite(value):
            return "it has a number that is not finite, which JSON does not know"
        case str() if "\0" in value:
            return "it has the character NUL, which no database keeps; remove it"
        case str() if _SURROGATE.search(value):
            return "it has half of a surrogate pair, which is no character; remove it"
        case _:
            return None


def _nested_values(value: Any) -> Iterable[Any]:
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
