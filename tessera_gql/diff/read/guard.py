"""Check type, size and depth of every value of a document, before any other module reads it. Without recursion.

Every container gets a number that is equal exactly when the JSON values are equal, so that later stages compare
subtrees by comparing two integers.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from tessera_gql.diff.errors import SchemaError
from tessera_gql.diff.values.json import escape_token

MAX_DEPTH = 200
MAX_VALUES = 250_000
MAX_TEXT = 8_000_000
MAX_ENUM = 10_000
MAX_BITS = 4_096
CONTAINERS = (dict, list)
TEXT_ONLY, INTEGERS_ONLY, FLOATS_ONLY, NUMBERS_ONLY = {str}, {int}, {float}, {int, float}
REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef", "$id", "id", "$anchor", "$dynamicAnchor"})


@dataclass
class Identities:
    """Identity numbers of JSON values, shared by the compared documents.

    `with_references` are the numbers of values that contain a reference. `valid_schemas` are the numbers of values
    known to be valid schemas, by the year of the draft. `meta_schemas` are the documents of meta-schemas to which the
    compared documents refer, by URI.
    """

    numbers: dict[object, int] = field(default_factory=dict[object, int])
    with_references: set[int] = field(default_factory=set[int])
    sorted_names: dict[tuple[str, ...], tuple[tuple[str, ...], bool]] = field(
        default_factory=dict[tuple[str, ...], tuple[tuple[str, ...], bool]]
    )
    valid_schemas: dict[int, set[int]] = field(default_factory=dict[int, set[int]])
    meta_schemas: dict[str, object] = field(default_factory=dict[str, object])


def guard(document: object, identities: Identities | None = None) -> dict[int, int]:
    """Map the `id()` of every container to its identity number. Raises `SchemaError` if it is not JSON or too large."""
    if not isinstance(document, dict | list):
        _check_scalar(document, document, document)
    containers: list[object] = []
    level: list[object] = [document] if isinstance(document, dict | list) else []
    depth = values = text = 0
    while level:
        next_level: list[object] = []
        for container in level:
            if isinstance(container, dict):
                text += _scan_object(cast("dict[object, object]", container), next_level, document)
                values += len(cast("dict[object, object]", container))
            elif isinstance(container, list):
                text += _scan_list(cast("list[object]", container), next_level, document)
                values += len(cast("list[object]", container))
            if values > MAX_VALUES or text > MAX_TEXT:
                raise SchemaError(
                    f"it is larger than {MAX_VALUES:,} values or {MAX_TEXT:,} characters; split it.",
                    limit=MAX_VALUES if values > MAX_VALUES else MAX_TEXT,
                )
        if next_level and depth >= MAX_DEPTH:
            raise SchemaError(
                f"it is nested deeper than {MAX_DEPTH} levels; flatten it, or name the parts in $defs.",
                pointer=_find_pointer(document, next_level[0]).rpartition("/")[0],
                limit=MAX_DEPTH,
            )
        containers += level
        level, depth = next_level, depth + 1
    return _number_containers(containers, identities or Identities())


def _scan_object(entries: dict[object, object], next_level: list[object], document: object) -> int:
    """Append the containers in an object to the next level; return the size of its text."""
    size = 0
    for key, item in entries.items():
        if not isinstance(key, str):
            pointer = _find_pointer(document, entries)
            raise SchemaError("an object has a key that is not text; send parsed JSON.", pointer=pointer)
        size += len(key)
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, dict):
            next_level.append(cast("object", item))
        elif isinstance(item, list):
            if key == "enum" and len(cast("list[object]", item)) > MAX_ENUM:
                raise SchemaError(
                    f"an enum has more than {MAX_ENUM:,} values; a type or a pattern would say it.",
                    pointer=_find_pointer(document, cast("object", item)),
                    limit=MAX_ENUM,
                )
            next_level.append(cast("object", item))
        else:
            _check_scalar(item, document, entries)
    return size


def _scan_list(items: list[object], next_level: list[object], document: object) -> int:
    """Append the containers in a list to the next level; return the size of its text."""
    kinds = {*map(type, items)}
    if kinds == TEXT_ONLY:
        return sum(map(len, cast("list[str]", items)))
    if kinds == INTEGERS_ONLY:
        _check_scalar(max(cast("list[int]", items), key=abs), document, items)
        return 0
    size = 0
    for item in items:
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, CONTAINERS):
            next_level.append(item)
        else:
            _check_scalar(item, document, items)
    return size


def _check_scalar(value: object, document: object, holder: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        pointer = _find_pointer(document, holder)
        raise SchemaError("a number is not finite, and JSON has no NaN or Infinity.", pointer=pointer)
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise SchemaError(
            f"a number has more than {MAX_BITS:,} bits; nobody reads it exactly.",
            pointer=_find_pointer(document, holder),
            limit=MAX_BITS,
        )
    if not isinstance(value, str | int | float | None):
        pointer = _find_pointer(document, holder)
        raise SchemaError(f"{type(value).__name__} is not a JSON value; send parsed JSON.", pointer=pointer)


def _find_pointer(document: object, target: object) -> str:
    """Find the pointer of a container. Slow, so used for errors only."""
    queue = [(document, "")]
    for value, pointer in queue:
        if value is target:
            return pointer
        entries = cast("dict[object, object]", value).items() if isinstance(value, dict) else enumerate(_items(value))
        for key, item in entries:
            if isinstance(item, dict | list):
                queue.append((item, f"{pointer}/{escape_token(str(key))}"))
    return ""


def _items(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _number_containers(containers: list[object], identities: Identities) -> dict[int, int]:
    numbers_by_id: dict[int, int] = {}
    numbers, with_references = identities.numbers, identities.with_references
    tag: object
    items: Iterable[object]
    for value in reversed(containers):
        if isinstance(value, dict):
            entries: dict[str, object] = value
            names, is_bound = _sort_names(entries, identities)
            tag, items = names, map(entries.__getitem__, names)
        else:
            is_bound = False
            tag, items = _represent_list(cast("list[object]", value))
        parts = [item if isinstance(item, str) else identity(item, numbers_by_id) for item in items]
        number = numbers.setdefault((tag, *parts), len(numbers))
        if is_bound or not with_references.isdisjoint(parts):
            with_references.add(number)
        numbers_by_id[id(value)] = number
    return numbers_by_id


def _represent_list(items: list[object]) -> tuple[str, list[object]]:
    """Return a tag and parts that are equal exactly when the lists are. Numbers only are represented by one text."""
    kinds = {*map(type, items)}
    if kinds == INTEGERS_ONLY:
        return "numbers", [repr(items)]
    if kinds in (FLOATS_ONLY, NUMBERS_ONLY):
        return "numbers", [repr([_normalize_number(item) for item in items])]
    return "list", items


def _sort_names(entries: dict[str, object], identities: Identities) -> tuple[tuple[str, ...], bool]:
    """Return the sorted names, and whether one of them defines or uses a reference."""
    names = (*entries,)
    result = identities.sorted_names.get(names)
    if result is None:
        ordered = tuple(sorted(names))
        result = identities.sorted_names[names] = ordered, not REFERENCES.isdisjoint(ordered)
    return result


TRUE, FALSE = object(), object()


def identity(value: object, numbers_by_id: dict[int, int]) -> object:
    """Return a hashable value that is equal exactly when the JSON values are.

    A number is wrapped in a tuple, because an int stands for a container. It is represented by its text, because
    numbers with the same hash are easy to find, and make a dict slow; hashes of text differ in every process.
    """
    if isinstance(value, str) or value is None:
        return value
    number = numbers_by_id.get(id(value))
    if number is not None:
        return number
    if isinstance(value, bool):
        return TRUE if value else FALSE
    return (repr(_normalize_number(value)),)


def _normalize_number(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
