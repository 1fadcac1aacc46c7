"""The door: kind, size and depth of every value, without recursion. Nothing else may look at a document before it.

On the way every container gets a number that is equal exactly when the JSON values are equal, so that later stages compare
whole subtrees by comparing two integers.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from tessera_gql.diff.json import escaped
from tessera_gql.diff.refusals import SchemaError

MAX_DEPTH = 200
MAX_VALUES = 250_000
MAX_TEXT = 8_000_000
MAX_ENUM = 10_000
REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef", "$id", "id", "$anchor", "$dynamicAnchor"})


class Place(NamedTuple):
    """A container in the document, with the way back to the root."""

    value: object
    depth: int
    parent: int
    key: str


@dataclass
class Identities:
    """Numbers for JSON values, shared by the documents that are compared. `bound` are those that contain a reference."""

    numbers: dict[object, int] = field(default_factory=dict[object, int])
    bound: set[int] = field(default_factory=set[int])


def guard(document: object, identities: Identities | None = None) -> dict[int, int]:
    """The identity of every container by its `id()`. Raises `SchemaError` when the document is not JSON or too large."""
    places = [Place(document, 0, -1, "")]
    values = text = 0
    for index, place in enumerate(places):
        inside, size = _children(places, index) if isinstance(place.value, dict | list) else ([], 0)
        values += size
        text += sum(map(_length, inside))
        if values > MAX_VALUES or text > MAX_TEXT:
            limit = MAX_VALUES if values > MAX_VALUES else MAX_TEXT
            raise SchemaError(
                f"it is larger than {MAX_VALUES:,} values or {MAX_TEXT:,} characters; split it.", limit=limit
            )
    if not isinstance(document, dict | list):
        _scalar(document, places, 0)
    return _identify(places, identities or Identities())


def _length(value: object) -> int:
    return len(value) if isinstance(value, str) else 0


def _children(places: list[Place], index: int) -> tuple[list[object], int]:
    """The scalars and keys of a container; its own containers are queued."""
    value, depth, _, name = places[index]
    scalars: list[object] = []
    if isinstance(value, dict):
        entries = cast("dict[object, object]", value).items()
    else:
        items = cast("list[object]", value)
        if name == "enum" and len(items) > MAX_ENUM:
            raise SchemaError(
                f"an enum has more than {MAX_ENUM:,} values; a type or a pattern would say it.",
                pointer=_pointer(places, index),
                limit=MAX_ENUM,
            )
        entries = enumerate(items)
    for key, item in entries:
        if isinstance(item, dict | list):
            if depth >= MAX_DEPTH:
                raise _too_deep(places, index)
            places.append(Place(item, depth + 1, index, key if isinstance(key, str) else str(key)))
        else:
            scalars.append(item)
            _scalar(item, places, index)
        if not isinstance(key, str):
            if isinstance(value, dict):
                raise SchemaError(
                    "an object has a key that is not text; send parsed JSON.", pointer=_pointer(places, index)
                )
        else:
            scalars.append(key)
    return scalars, len(entries) if isinstance(value, dict) else len(scalars)


def _scalar(value: object, places: list[Place], index: int) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise SchemaError("a number is not finite, and JSON has no NaN or Infinity.", pointer=_pointer(places, index))
    if not isinstance(value, str | int | float | None):
        raise SchemaError(
            f"{type(value).__name__} is not a JSON value; send parsed JSON.", pointer=_pointer(places, index)
        )


def _too_deep(places: list[Place], index: int) -> SchemaError:
    return SchemaError(
        f"it is nested deeper than {MAX_DEPTH} levels; flatten it, or name the parts in $defs.",
        pointer=_pointer(places, index),
        limit=MAX_DEPTH,
    )


def _pointer(places: list[Place], index: int) -> str:
    tokens: list[str] = []
    while index > 0:
        tokens.append(escaped(places[index].key))
        index = places[index].parent
    return "".join("/" + token for token in reversed(tokens))


def _identify(places: list[Place], identities: Identities) -> dict[int, int]:
    found: dict[int, int] = {}
    numbers, bound = identities.numbers, identities.bound
    for place in reversed(places):
        value = place.value
        if isinstance(value, dict):
            entries = cast("dict[str, object]", value)
            parts = [(key, _identity(item, found)) for key, item in entries.items()]
            number = numbers.setdefault(("object", frozenset(parts)), len(numbers))
            held = any(isinstance(part, int) and part in bound for _, part in parts)
            if held or not REFERENCES.isdisjoint(entries):
                bound.add(number)
        elif isinstance(value, list):
            listed = [_identity(item, found) for item in cast("list[object]", value)]
            number = numbers.setdefault(("list", tuple(listed)), len(numbers))
            if any(isinstance(part, int) and part in bound for part in listed):
                bound.add(number)
        else:
            continue
        found[id(value)] = number
    return found


def _identity(value: object, found: dict[int, int]) -> object:
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, dict | list):
        return found[id(cast("object", value))]
    if isinstance(value, bool):
        return ("flag", value)
    return ("number", value)
