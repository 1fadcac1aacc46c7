"""Convert the type of a warehouse column to JSON Schema. Each keyword holds for every value of the type.

`x-physical-type` adds what JSON Schema can't express, such as precision and scale. An array, struct or map has it at
each type in it, so that a change there is reported at its own path.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache

from tessera_gql.diff import Family, PhysicalType
from tessera_gql.formats.physical_types import convert_syntax, normalize_spelling
from tessera_gql.formats.type_syntax import TypeSyntax, TypeSyntaxError, parse_type_syntax
from tessera_gql.formats.untrusted_json import JsonObject

_MAX_CACHED_LENGTH = 100
_NESTED_KEYWORDS = frozenset({"items", "properties", "additionalProperties"})
_SCHEMAS: dict[Family, JsonObject] = {
    Family.INTEGER: {"type": "integer"},
    Family.DECIMAL: {"type": "number"},
    Family.FLOAT: {"type": "number"},
    Family.TEXT: {"type": "string"},
    Family.BINARY: {"type": "string"},
    Family.BOOLEAN: {"type": "boolean"},
    Family.DATE: {"type": "string", "format": "date"},
    Family.TIME: {"type": "string", "format": "time"},
    Family.TIMESTAMP: {"type": "string", "format": "date-time"},
    Family.INTERVAL: {"type": "string"},
    Family.JSON: {},
    Family.GEOGRAPHY: {},
    Family.ARRAY: {"type": "array"},
    Family.STRUCT: {"type": "object"},
    Family.MAP: {"type": "object"},
}
_OTHER_SCHEMAS: dict[str, JsonObject] = {
    **{name: {"type": "string", "format": "uuid"} for name in ("uuid", "uniqueidentifier")},
    **{name: {"type": "string"} for name in ("inet", "cidr", "macaddr", "xml")},
    "hstore": {"type": "object"},
}
"""The schemas of types that belong to no family."""


@dataclass(frozen=True, slots=True)
class DataType:
    """A parsed data type of a warehouse."""

    schema: JsonObject
    is_required: bool = False
    """Whether the type contains `not null`."""
    unknown: tuple[str, ...] = ()
    """The unknown type names in it; their values are not constrained."""


def parse_type(data_type: str, dialect: str | None = None) -> DataType:
    """Parse a data type of an adapter of dbt or a dialect of SQL."""
    parse = _parse_cached if len(data_type) <= _MAX_CACHED_LENGTH else _parse
    parsed = parse(data_type, dialect)
    return replace(parsed, schema=deepcopy(parsed.schema)) if _NESTED_KEYWORDS & parsed.schema.keys() else parsed


def _parse(data_type: str, dialect: str | None) -> DataType:
    try:
        syntax = parse_type_syntax(data_type)
        schema = _convert(syntax, dialect, normalize_spelling(data_type))
    except TypeSyntaxError:
        text = normalize_spelling(data_type)
        return DataType({"x-physical-type": PhysicalType(None, text).as_json()}, unknown=(text,))
    return DataType(schema, syntax.is_required, tuple(_iterate_unknown(syntax)))


_parse_cached = lru_cache(maxsize=1_024)(_parse)


def allow_null(schema: JsonObject) -> JsonObject:
    """Return a schema that also accepts null. One without `type` and `enum` does already."""
    nullable = dict(schema)
    if "type" in schema:
        nullable["type"] = [schema["type"], "null"]
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable


def _convert(syntax: TypeSyntax, dialect: str | None, text: str | None = None) -> JsonObject:
    """Convert a parsed type. The family that JSON Schema shows is that of the common names.

    So the same column has the same schema whether the dialect is known or not.
    """
    physical = convert_syntax(syntax, dialect, text)
    common = convert_syntax(replace(syntax, parts=()), None)
    schema = _OTHER_SCHEMAS.get(common.text, {}) if common.family is None else _SCHEMAS[common.family]
    match physical.family:
        case Family.ARRAY | Family.STRUCT | Family.MAP as family:
            physical = PhysicalType(family, family.value, length=physical.length, key=physical.key)
            schema = {**schema, **_convert_parts(syntax, dialect)}
        case _:
            pass
    return {**schema, "x-physical-type": physical.as_json()}


def _convert_parts(syntax: TypeSyntax, dialect: str | None) -> JsonObject:
    fields = (item for item in syntax.parts if syntax.name != "struct" or item[0] is not None)
    parts = {name: (_convert(part, dialect), part.is_required) for name, part in fields}
    schemas = {name: schema if is_required else allow_null(schema) for name, (schema, is_required) in parts.items()}
    match syntax.name:
        case "array":
            return {"items": schemas[None]} if schemas else {}
        case "map":
            return {"additionalProperties": schemas[None]} if schemas else {}
        case _:
            required = sorted(str(name) for name, (_, is_required) in parts.items() if is_required)
            keywords = {"properties": dict(sorted((str(name), schema) for name, schema in schemas.items()))}
            return {keyword: value for keyword, value in {**keywords, "required": required}.items() if value}


def _iterate_unknown(syntax: TypeSyntax) -> Iterator[str]:
    if syntax.parts:
        for _, part in syntax.parts:
            yield from _iterate_unknown(part)
        return
    common = convert_syntax(syntax, None)
    if common.family is None and common.text not in _OTHER_SCHEMAS:
        yield common.text
