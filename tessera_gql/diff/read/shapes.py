"""Check the value of each keyword against the shape its draft requires. Agrees with `jsonschema.check_schema`."""

from collections.abc import Callable, Iterator
from typing import cast

from tessera_gql.diff.errors import SchemaError
from tessera_gql.diff.read.dialects import DRAFT_4, MIXED, Dialect
from tessera_gql.diff.values.json import canonical_json, escape_token
from tessera_gql.diff.values.regular_languages import is_pattern

TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
Subschemas = Iterator[tuple[str, object]]
ListCheck = Callable[[object, str, str], list[object]]
ShapeCheck = Callable[[object, str, str], Subschemas | None]
"""Raises `SchemaError` for a value of another shape; returns the subschemas in the value with their pointers."""


def check_shape(schema: object, pointer: str, dialect: Dialect) -> list[tuple[str, object]]:
    """Return the subschemas with their pointers. Raises `SchemaError` at the first invalid keyword."""
    if isinstance(schema, bool) and dialect is not DRAFT_4:
        return []
    if not isinstance(schema, dict):
        kinds = "an object" if dialect is DRAFT_4 else "an object or a boolean"
        reason = f"a schema is {kinds} in {dialect.name}, not {_describe_json(schema)}."
        is_items = pointer.endswith("/items") and not pointer.endswith("/properties/items")
        if is_items and isinstance(schema, list) and "prefixItems" in dialect.shapes:
            reason += " Put the schemas of the first items in prefixItems."
        raise SchemaError(reason, pointer=pointer)
    subschemas: list[tuple[str, object]] = []
    for key, value in cast("dict[str, object]", schema).items():
        shape = dialect.shapes.get(key)
        if shape is None or (isinstance(value, str) and (shape == "text" or (shape == "types" and value in TYPES))):
            continue
        keyword_pointer = f"{pointer}/{escape_token(key)}"
        subschemas += SHAPES[shape](value, keyword_pointer, key) or ()
    if dialect is MIXED:
        _check_tuple(cast("dict[str, object]", schema), pointer)
    return subschemas


def _check_tuple(entries: dict[str, object], pointer: str) -> None:
    if "prefixItems" in entries and isinstance(entries.get("items"), list):
        reason = "no draft has prefixItems and a list in items together; keep one, or name the draft in $schema."
        raise SchemaError(reason, pointer=f"{pointer}/prefixItems")


def _shape_error(key: str, expected: str, value: object, pointer: str) -> SchemaError:
    return SchemaError(f"{key} must be {expected}, not {_describe_json(value)}.", pointer=pointer)


def _describe_json(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "this number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "an object"


def _read_schema(value: object, pointer: str, key: str) -> Subschemas:  # noqa: ARG001 - one signature for every shape
    yield pointer, value


def _check_list(value: object, pointer: str, key: str) -> list[object]:
    if not isinstance(value, list):
        raise _shape_error(key, "a list", value, pointer)
    return cast("list[object]", value)


def _check_non_empty_list(value: object, pointer: str, key: str) -> list[object]:
    items = _check_list(value, pointer, key)
    if not items:
        raise SchemaError(f"{key} must not be empty.", pointer=pointer)
    return items


def _read_map(value: object, pointer: str, key: str) -> Subschemas:
    if not isinstance(value, dict):
        raise _shape_error(key, "an object", value, pointer)
    for name, item in cast("dict[str, object]", value).items():
        yield f"{pointer}/{escape_token(name)}", item


def _read_pattern_map(value: object, pointer: str, key: str) -> Subschemas:
    yield from _read_map(value, pointer, key)
    for name in cast("dict[str, object]", value):
        _check_pattern(name, pointer, key)


def _read_schemas(value: object, pointer: str, key: str) -> Subschemas:
    for index, item in enumerate(_check_non_empty_list(value, pointer, key)):
        yield f"{pointer}/{index}", item


def _read_items(value: object, pointer: str, key: str) -> Subschemas:
    return _read_schemas(value, pointer, key) if isinstance(value, list) else _read_schema(value, pointer, key)


def _check_flag_or_number(value: object, pointer: str, key: str) -> None:
    if not isinstance(value, bool | int | float):
        raise _shape_error(key, "a number or a boolean", value, pointer)


def _read_flag_or_schema(value: object, pointer: str, key: str) -> Subschemas | None:
    return None if isinstance(value, bool) else _read_schema(value, pointer, key)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return _is_number(value) and cast("float", value) >= 0 and cast("float", value) == int(cast("float", value))


def _shape_check(expected: str, test: Callable[[object], bool]) -> ShapeCheck:
    def shape(value: object, pointer: str, key: str) -> None:
        if not test(value):
            raise _shape_error(key, expected, value, pointer)

    return shape


def _check_pattern(value: object, pointer: str, key: str) -> None:
    if not isinstance(value, str):
        raise _shape_error(key, "text", value, pointer)
    if not is_pattern(value):
        raise SchemaError(f"{key} is not a regular expression; correct it.", pointer=pointer)


def _check_names(value: object, pointer: str, key: str, check_list: ListCheck = _check_list) -> None:
    items = check_list(value, pointer, key)
    if not all(isinstance(item, str) for item in items) or len(set(cast("list[str]", items))) < len(items):
        raise SchemaError(f"{key} must be a list of different names.", pointer=pointer)


def _check_some_values(value: object, pointer: str, key: str) -> None:
    items = _check_non_empty_list(value, pointer, key)
    if len({canonical_json(item) for item in items}) < len(items):
        raise SchemaError(f"{key} must list each value once.", pointer=pointer)


def _check_values(value: object, pointer: str, key: str) -> None:
    _check_list(value, pointer, key)


def _check_types(value: object, pointer: str, key: str) -> None:
    items = _check_non_empty_list(value, pointer, key) if isinstance(value, list) else [value]
    if not all(isinstance(item, str) and item in TYPES for item in items) or len({*map(str, items)}) < len(items):
        raise SchemaError(f"{key} must be one or more different names of {', '.join(sorted(TYPES))}.", pointer=pointer)


def _check_names_map(value: object, pointer: str, key: str) -> None:
    for item_pointer, item in _read_map(value, pointer, key):
        _check_names(item, item_pointer, key)


def _read_dependencies(value: object, pointer: str, key: str, check_list: ListCheck = _check_list) -> Subschemas:
    for item_pointer, item in _read_map(value, pointer, key):
        if isinstance(item, list):
            _check_names(cast("object", item), item_pointer, key, check_list)
        else:
            yield item_pointer, item


def _check_flags(value: object, pointer: str, key: str) -> None:
    for item_pointer, item in _read_map(value, pointer, key):
        if not isinstance(item, bool):
            raise _shape_error(key, "an object of booleans", item, item_pointer)


SHAPES: dict[str, ShapeCheck] = {
    "anything": lambda _value, _at, _key: None,
    "schema": _read_schema,
    "schemas": _read_schemas,
    "map": _read_map,
    "pattern map": _read_pattern_map,
    "items": _read_items,
    "flag or number": _check_flag_or_number,
    "flag or schema": _read_flag_or_schema,
    "text": _shape_check("text", lambda value: isinstance(value, str)),
    "flag": _shape_check("a boolean", lambda value: isinstance(value, bool)),
    "number": _shape_check("a number", _is_number),
    "positive": _shape_check("a number above 0", lambda value: _is_number(value) and cast("float", value) > 0),
    "count": _shape_check("a whole number from 0", _is_count),
    "pattern": _check_pattern,
    "names": _check_names,
    "some names": lambda value, pointer, key: _check_names(value, pointer, key, _check_non_empty_list),
    "names map": _check_names_map,
    "values": _check_values,
    "some values": _check_some_values,
    "types": _check_types,
    "dependencies": _read_dependencies,
    "some dependencies": lambda value, pointer, key: _read_dependencies(value, pointer, key, _check_non_empty_list),
    "flags": _check_flags,
}
