"""Find the draft of a schema without `$schema`: the newest one in which it is valid and that has all its keywords.

Old and new are read in one draft. If no draft has the keywords of both, they are read in the dialect `MIXED`.
"""

from collections.abc import Callable, Iterator
from typing import cast
from urllib.parse import unquote

from tessera_gql.diff.errors import SchemaError
from tessera_gql.diff.keywords.groups import NON_ASSERTING
from tessera_gql.diff.read.dialects import DIALECTS, MIXED, Dialect, declared_dialect, has_asserting_siblings
from tessera_gql.diff.values.json import resolve_pointer

Entries = dict[str, object]
Drafts = int
"""A set of drafts as a bit mask, in the order of `DIALECTS`."""


def _drafts_where(condition: Callable[[Dialect], bool]) -> Drafts:
    return sum(1 << position for position, dialect in enumerate(DIALECTS) if condition(dialect))


NO_DRAFT = 0
ALL_DRAFTS = (1 << len(DIALECTS)) - 1
DRAFT_4_ONLY = _drafts_where(lambda dialect: dialect.year == 4)
FROM_DRAFT_6 = ALL_DRAFTS & ~DRAFT_4_ONLY
UNTIL_2019 = _drafts_where(lambda dialect: dialect.year <= 2019)
FROM_2019 = _drafts_where(lambda dialect: dialect.knows_siblings_of_ref)

_SHAPES = {key: shape for dialect in DIALECTS for key, shape in dialect.shapes.items()}
_LOCATIONS = {
    key: "values" if shape in ("map", "pattern map", "dependencies") else "itself"
    for key, shape in {**_SHAPES, "items": "schema"}.items()
    if shape in ("map", "pattern map", "dependencies", "schema", "schemas")
}
"""The keywords with subschemas, and whether these are the value itself (or the items of a list) or its values."""
_UNCONDITIONAL = NON_ASSERTING | {"id", "$id", "additionalItems", "dependencies"}
_DRAFTS_BY_KEYWORD = {
    key: drafts
    for key in _SHAPES.keys() - _UNCONDITIONAL
    if (drafts := _drafts_where(lambda dialect: key in dialect.shapes)) != ALL_DRAFTS  # noqa: B023 - called at once
}


def dialect_of(schema: object, *peers: object) -> Dialect:
    """Return the dialect named by `$schema`, or the newest draft that reads this schema and those peers without one."""
    declared = declared_dialect(schema)
    if declared is not None:
        return declared
    drafts = possible_drafts(schema)
    for peer in filter(_is_silent, peers):
        drafts &= possible_drafts(peer)
    return DIALECTS[drafts.bit_length() - 1] if drafts else MIXED


def _is_silent(schema: object) -> bool:
    try:
        return declared_dialect(schema) is None
    except SchemaError:  # reported when that schema is read
        return False


def possible_drafts(schema: object) -> Drafts:
    """Return the drafts in which no keyword would be ignored or have another shape.

    Looks at subschemas and at targets of references in the document, never at names and data.
    """
    drafts, stack, visited = ALL_DRAFTS, [schema], set[int]()
    while stack and drafts:
        value = stack.pop()
        if isinstance(value, bool):
            drafts &= FROM_DRAFT_6
        elif isinstance(value, dict) and id(value) not in visited:
            visited.add(id(value))
            entries = cast("Entries", value)
            drafts &= _drafts_of_entries(entries)
            stack += _nested_schemas(entries)
            reference = entries.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/"):
                stack.append(resolve_pointer(schema, unquote(reference[1:])))
    return drafts


def _drafts_of_entries(entries: Entries) -> Drafts:
    drafts = ALL_DRAFTS
    for key, value in entries.items():
        drafts &= _DRAFTS_BY_KEYWORD.get(key, ALL_DRAFTS)
        condition = _CONDITIONS.get(key)
        if condition is not None:
            drafts &= condition(value, entries)
    return drafts


def _drafts_of_exclusive_bound(value: object, _entries: Entries) -> Drafts:
    return DRAFT_4_ONLY if isinstance(value, bool) else FROM_DRAFT_6


def _drafts_of_list(value: object, _entries: Entries) -> Drafts:
    return FROM_DRAFT_6 if value == [] else ALL_DRAFTS


def _drafts_of_items(value: object, _entries: Entries) -> Drafts:
    return UNTIL_2019 if isinstance(value, list) else ALL_DRAFTS


def _drafts_of_dependencies(value: object, _entries: Entries) -> Drafts:
    return _drafts_where(lambda dialect: dialect.knows_dependencies) if value else ALL_DRAFTS


def _drafts_of_nullable(value: object, entries: Entries) -> Drafts:
    return NO_DRAFT if value is True and "type" in entries else ALL_DRAFTS


def _drafts_of_reference(_value: object, entries: Entries) -> Drafts:
    return FROM_2019 if has_asserting_siblings(entries) else ALL_DRAFTS


def _drafts_of_declaration(_value: object, entries: Entries) -> Drafts:
    """Return the drafts that the `$schema` of a subschema allows."""
    try:
        declared = declared_dialect(entries)
    except SchemaError:  # reported when the schema is read
        return ALL_DRAFTS
    return ALL_DRAFTS if declared is None else _drafts_where(lambda dialect: dialect is declared)


_CONDITIONS: dict[str, Callable[[object, Entries], Drafts]] = {
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), _drafts_of_exclusive_bound),
    **dict.fromkeys(("required", "enum"), _drafts_of_list),
    "items": _drafts_of_items,
    "dependencies": _drafts_of_dependencies,
    "nullable": _drafts_of_nullable,
    "$ref": _drafts_of_reference,
    "$schema": _drafts_of_declaration,
}
"""The drafts that the value of a keyword or its siblings allow."""


def _nested_schemas(entries: Entries) -> Iterator[object]:
    for key, value in entries.items():
        location = _LOCATIONS.get(key)
        if location is None or (isinstance(value, bool) and key in ("additionalProperties", "additionalItems")):
            continue
        if location == "itself":
            yield from cast("list[object]", value) if isinstance(value, list) else (value,)
        elif isinstance(value, dict):
            yield from cast("dict[str, object]", value).values()
