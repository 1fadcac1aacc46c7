"""Is it a schema? Each keyword's value against the shape its draft gives it; agrees with `jsonschema.check_schema`."""

from collections.abc import Callable, Iterator
from typing import cast

from tessera_gql.diff.dialects import DRAFT_4, Dialect
from tessera_gql.diff.json import canonical, escaped
from tessera_gql.diff.refusals import SchemaError
from tessera_gql.diff.regex import is_pattern

TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
Inside = Iterator[tuple[str, object]]
Listed = Callable[[object, str, str], list[object]]


def check_shape(schema: object, at: str, dialect: Dialect) -> list[tuple[str, object]]:
    """The subschemas with their pointers. Raises `SchemaError` at the first keyword whose value cannot be right."""
    if isinstance(schema, bool) and dialect is not DRAFT_4:
        return []
    if not isinstance(schema, dict):
        kinds = "an object" if dialect is DRAFT_4 else "an object or a boolean"
        raise SchemaError(f"a schema is {kinds} in {dialect.name}, not {_name(schema)}.", pointer=at)
    inside: list[tuple[str, object]] = []
    for key, value in cast("dict[str, object]", schema).items():
        shape = dialect.shapes.get(key)
        if shape is None or (isinstance(value, str) and (shape == "text" or (shape == "types" and value in TYPES))):
            continue
        where = f"{at}/{escaped(key)}"
        inside += SHAPES[shape](value, where, key)
    return inside


def _refuse(key: str, expected: str, value: object, at: str) -> SchemaError:
    return SchemaError(f"{key} must be {expected}, not {_name(value)}.", pointer=at)


def _name(value: object) -> str:
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


def _schema(value: object, at: str, key: str) -> Inside:  # noqa: ARG001 - one signature for every shape
    yield at, value


def _list(value: object, at: str, key: str) -> list[object]:
    if not isinstance(value, list):
        raise _refuse(key, "a list", value, at)
    return cast("list[object]", value)


def _some(value: object, at: str, key: str) -> list[object]:
    items = _list(value, at, key)
    if not items:
        raise SchemaError(f"{key} must not be empty.", pointer=at)
    return items


def _map(value: object, at: str, key: str) -> Inside:
    if not isinstance(value, dict):
        raise _refuse(key, "an object", value, at)
    for name, item in cast("dict[str, object]", value).items():
        yield f"{at}/{escaped(name)}", item


def _pattern_map(value: object, at: str, key: str) -> Inside:
    yield from _map(value, at, key)
    for name in cast("dict[str, object]", value):
        _pattern(name, at, key)


def _schemas(value: object, at: str, key: str) -> Inside:
    for index, item in enumerate(_some(value, at, key)):
        yield f"{at}/{index}", item


def _items(value: object, at: str, key: str) -> Inside:
    return _schemas(value, at, key) if isinstance(value, list) else _schema(value, at, key)


def _flag_or_schema(value: object, at: str, key: str) -> Inside:
    return iter(()) if isinstance(value, bool) else _schema(value, at, key)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return _is_number(value) and cast("float", value) >= 0 and cast("float", value) == int(cast("float", value))


def _is(expected: str, test: Callable[[object], bool]) -> Callable[[object, str, str], Inside]:
    def shape(value: object, at: str, key: str) -> Inside:
        if not test(value):
            raise _refuse(key, expected, value, at)
        return iter(())

    return shape


def _pattern(value: object, at: str, key: str) -> Inside:
    if not isinstance(value, str):
        raise _refuse(key, "text", value, at)
    if not is_pattern(value):
        raise SchemaError(f"{key} is not a regular expression; correct it.", pointer=at)
    return iter(())


def _names(value: object, at: str, key: str, listed: Listed = _list) -> Inside:
    items = listed(value, at, key)
    if not all(isinstance(item, str) for item in items) or len(set(cast("list[str]", items))) < len(items):
        raise SchemaError(f"{key} must be a list of different names.", pointer=at)
    return iter(())


def _some_values(value: object, at: str, key: str) -> Inside:
    items = _some(value, at, key)
    if len({canonical(item) for item in items}) < len(items):
        raise SchemaError(f"{key} must list each value once.", pointer=at)
    return iter(())


def _values(value: object, at: str, key: str) -> Inside:
    _list(value, at, key)
    return iter(())


def _types(value: object, at: str, key: str) -> Inside:
    items = _some(value, at, key) if isinstance(value, list) else [value]
    if not all(isinstance(item, str) and item in TYPES for item in items) or len({*map(str, items)}) < len(items):
        raise SchemaError(f"{key} must be one or more different names of {', '.join(sorted(TYPES))}.", pointer=at)
    return iter(())


def _names_map(value: object, at: str, key: str) -> Inside:
    for where, item in _map(value, at, key):
        _names(item, where, key)
    return iter(())


def _dependencies(value: object, at: str, key: str, listed: Listed = _list) -> Inside:
    for where, item in _map(value, at, key):
        if isinstance(item, list):
            _names(cast("object", item), where, key, listed)
        else:
            yield where, item


def _flags(value: object, at: str, key: str) -> Inside:
    for where, item in _map(value, at, key):
        if not isinstance(item, bool):
            raise _refuse(key, "an object of booleans", item, where)
    return iter(())


SHAPES: dict[str, Callable[[object, str, str], Inside]] = {
    "anything": lambda _value, _at, _key: iter(()),
    "schema": _schema,
    "schemas": _schemas,
    "map": _map,
    "pattern map": _pattern_map,
    "items": _items,
    "flag or schema": _flag_or_schema,
    "text": _is("text", lambda value: isinstance(value, str)),
    "flag": _is("a boolean", lambda value: isinstance(value, bool)),
    "number": _is("a number", _is_number),
    "positive": _is("a number above 0", lambda value: _is_number(value) and cast("float", value) > 0),
    "count": _is("a whole number from 0", _is_count),
    "pattern": _pattern,
    "names": _names,
    "some names": lambda value, at, key: _names(value, at, key, _some),
    "names map": _names_map,
    "values": _values,
    "some values": _some_values,
    "types": _types,
    "dependencies": _dependencies,
    "some dependencies": lambda value, at, key: _dependencies(value, at, key, _some),
    "flags": _flags,
}
