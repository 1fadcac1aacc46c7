"""The door: kind, size and depth of every value, without recursion. Nothing else may look at a document before it.

On the way every container gets a number that is equal exactly when the JSON values are equal, so that later stages
compare whole subtrees by comparing two integers.
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
MAX_BITS = 4_096
REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef", "$id", "id", "$anchor", "$dynamicAnchor"})


class Place(NamedTuple):
    """A container in the document, with the way back to the root."""

    value: object
    depth: int
    parent: int
    key: str


@dataclass
class Identities:
    """Numbers for JSON values, shared by the documents compared. `bound` are those that contain a reference."""

    numbers: dict[object, int] = field(default_factory=dict[object, int])
    bound: set[int] = field(default_factory=set[int])


def guard(document: object, identities: Identities | None = None) -> dict[int, int]:
    """The identity of every container by its `id()`. Raises `SchemaError` for what is not JSON or too large."""
    places = [Place(document, 0, -1, "")]
    values = text = 0
    if not isinstance(document, dict | list):
        _check_scalar(document, places, 0)
    for index, place in enumerate(places):
        if isinstance(place.value, dict):
            text += _object(places, index, cast("dict[object, object]", place.value))
        elif isinstance(place.value, list):
            text += _list(places, index, cast("list[object]", place.value))
        values += len(cast("list[object]", place.value)) if isinstance(place.value, dict | list) else 1
        if values > MAX_VALUES or text > MAX_TEXT:
            raise SchemaError(
                f"it is larger than {MAX_VALUES:,} values or {MAX_TEXT:,} characters; split it.",
                limit=MAX_VALUES if values > MAX_VALUES else MAX_TEXT,
            )
    return _identify(places, identities or Identities())


def _object(places: list[Place], index: int, entries: dict[object, object]) -> int:
    """Queues the containers in an object; returns the size of its text."""
    depth, size = places[index].depth + 1, 0
    for key, item in entries.items():
        if not isinstance(key, str):
            raise SchemaError(
                "an object has a key that is not text; send parsed JSON.", pointer=_pointer(places, index)
            )
        size += len(key)
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, dict | list):
            _check_depth(places, index)
            places.append(Place(item, depth, index, key))
        elif item is not None:
            _check_scalar(item, places, index)
    return size


def _list(places: list[Place], index: int, items: list[object]) -> int:
    """Queues the containers in a list; returns the size of its text."""
    depth, size = places[index].depth + 1, 0
    if len(items) > MAX_ENUM and places[index].key == "enum":
        raise SchemaError(
            f"an enum has more than {MAX_ENUM:,} values; a type or a pattern would say it.",
            pointer=_pointer(places, index),
            limit=MAX_ENUM,
        )
    for position, item in enumerate(items):
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, dict | list):
            _check_depth(places, index)
            places.append(Place(item, depth, index, str(position)))
        elif item is not None:
            _check_scalar(item, places, index)
    return size


def _check_scalar(value: object, places: list[Place], index: int) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise SchemaError("a number is not finite, and JSON has no NaN or Infinity.", pointer=_pointer(places, index))
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise SchemaError(
            f"a number has more than {MAX_BITS:,} bits; nobody reads it exactly.",
            pointer=_pointer(places, index),
            limit=MAX_BITS,
        )
    if not isinstance(value, str | int | float | None):
        raise SchemaError(
            f"{type(value).__name__} is not a JSON value; send parsed JSON.", pointer=_pointer(places, index)
        )


def _check_depth(places: list[Place], index: int) -> None:
    if places[index].depth >= MAX_DEPTH:
        raise SchemaError(
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
            names = sorted(entries)
            parts = [identity(entries[name], found) for name in names]
            number = numbers.setdefault((len(names), *names, *parts), len(numbers))
            is_bound = not REFERENCES.isdisjoint(names)
        elif isinstance(value, list):
            parts = [identity(item, found) for item in cast("list[object]", value)]
            number = numbers.setdefault((None, *parts), len(numbers))
            is_bound = False
        else:
            continue
        if is_bound or (bound and any(isinstance(part, int) and part in bound for part in parts)):
            bound.add(number)
        found[id(value)] = number
    return found


TRUE, FALSE = object(), object()


def identity(value: object, found: dict[int, int]) -> object:
    """Hashable, and equal exactly when the values are: text is itself, a container its number, a number in a tuple."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, dict | list):
        return found[id(cast("object", value))]
    if isinstance(value, bool):
        return TRUE if value else FALSE
    return (value,)
