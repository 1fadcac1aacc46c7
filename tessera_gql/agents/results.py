"""Results of tools: bounded in size, with the total of every list, and free of invisible characters.

All texts in a result were written by other teams. They stay values of a JSON document, which an agent reads as data.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from tessera_gql.escaping import escape_terminal

MAX_BYTES = 20_000
"""Size of a result as JSON. A client sends it to a model as a whole."""
ITEM_LIMITS = (100, 50, 25, 12, 6, 3, 1, 0)
"""Items per list, tried in this order until the result fits."""
TEXT_LIMITS = (600, 120)

Result: TypeAlias = dict[str, Any]


class ToolError(Exception):
    """The refusal of a tool call, with a code of the API and a message that says what to do next."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Listing:
    """The first items of a list, and the number of all. Rendered as `items`, `total` and `omitted`."""

    items: Sequence[Any]
    total: int | None = None


@dataclass(frozen=True)
class Verbatim:
    """A JSON value that is kept as it is, such as a schema that the agent may edit and propose."""

    value: Any


def fit(result: Mapping[str, Any]) -> Result:
    """Render a result within MAX_BYTES: lists are shortened first, then texts. Raises ToolError if that is too little.

    Every list states its total and how many items were left out.
    """
    for text_limit in TEXT_LIMITS:
        for item_limit in ITEM_LIMITS:
            rendered = _render(result, item_limit, text_limit)
            if measure(rendered) <= MAX_BYTES:
                return dict(rendered)
    raise ToolError("TOO_LARGE", f"The result has more than {MAX_BYTES:,} bytes. Ask for less, such as one field.")


def measure(value: Any) -> int:
    """Return the size of a value as JSON, in bytes."""
    return len(encode(value).encode("utf-8", "replace"))


def encode(value: Any) -> str:
    """Encode a value as JSON on one line, with invisible characters escaped."""
    return escape_terminal(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


def _render(value: Any, item_limit: int, text_limit: int) -> Any:
    match value:
        case Verbatim():
            return value.value
        case Listing():
            items = value.items[:item_limit]
            total = len(value.items) if value.total is None else value.total
            rendered = [_render(item, item_limit, text_limit) for item in items]
            return {"total": total, "omitted": max(total - len(items), 0), "items": rendered}
        case Mapping():
            return {key: _render(item, item_limit, text_limit) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case datetime():
            return value.isoformat()
        case str():
            return bound_text(value, text_limit)
        case _:
            return value


def bound_text(text: str, limit: int = TEXT_LIMITS[0]) -> str:
    """Escape invisible characters of a text, and state how many characters are left out of a long one."""
    rest = len(text) - limit
    return escape_terminal(text) if rest <= 0 else f"{escape_terminal(text[:limit])}… ({rest:,} more characters)"
