"""The door: size, depth and kind of every value, checked without recursion before anything else looks at the document."""

import math
from typing import cast

from tessera_gql.diff.refusals import SchemaError

MAX_DEPTH = 200
MAX_NODES = 250_000
MAX_TEXT = 8_000_000
MAX_LIST = 10_000
MAX_REFS = 5_000


def guard(document: object) -> None:
    """Raises `SchemaError` when the document is not JSON or is larger than the limits above."""
    nodes = text = 0
    stack: list[tuple[object, str, int]] = [(document, "", 0)]
    while stack:
        value, at, depth = stack.pop()
        nodes += 1
        match value:
            case None | bool() | int():
                continue
            case str():
                text += len(value)
            case float():
                if not math.isfinite(value):
                    raise SchemaError("a number is not finite, and JSON has no NaN or Infinity.", pointer=at)
            case list() | dict():
                if depth >= MAX_DEPTH:
                    raise SchemaError(
                        f"it is nested deeper than {MAX_DEPTH} levels; flatten it or split it with $defs.",
                        pointer=_short(at),
                        limit=MAX_DEPTH,
                    )
                for key, item in _children(value, at):
                    text += len(key)
                    stack.append((item, f"{at}/{key}", depth + 1))
            case _:
                raise SchemaError(
                    f"{type(value).__name__} is not a JSON value; send parsed JSON.", pointer=at
                )
        if nodes > MAX_NODES or text > MAX_TEXT:
            limit = MAX_NODES if nodes > MAX_NODES else MAX_TEXT
            raise SchemaError(
                f"it is larger than {MAX_NODES:,} values or {MAX_TEXT:,} characters; split it.", limit=limit
            )


def _children(value: object, at: str) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
        for key, _ in items:
            if not isinstance(key, str):
                raise SchemaError("an object has a key that is not text; send parsed JSON.", pointer=at)
        return [(cast("str", key).replace("~", "~0").replace("/", "~1"), item) for key, item in items]
    listed = cast("list[object]", value)
    if len(listed) > MAX_LIST:
        raise SchemaError(f"a list has more than {MAX_LIST:,} items; shorten it.", pointer=at, limit=MAX_LIST)
    return [(str(index), item) for index, item in enumerate(listed)]


def _short(at: str) -> str:
    return at if len(at) <= 400 else at[:400] + "…"
