"""Convert the type of a warehouse column to JSON Schema. Each keyword holds for every value of the type.

`x-physical-type` adds what JSON Schema can't express, such as precision and scale. An array, struct or map has it at
each type in it, so that a change there is reported at its own path.
"""

from collections.abc import Iterable, Iterator, Mapping
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
    """Parse a data type of an adapter of dbt or a dialect of SQL. The schema is the caller's, who may change it."""
    parse = _parse_cached if len(data_type) <= _MAX_CACHED_LENGTH else _parse
    parsed = parse(data_type, dialect)
    schema = parsed.schema
    copied = dict(schema) if _NESTED_KEYWORDS.isdisjoint(schema) else deepcopy(schema)
    return DataType(copied, parsed.is_required, parsed.unknown)


def _parse(data_type: str, dialect: str | None) -> DataType:
    try:
        syntax = parse_type_syntax(data_type)
        schema = _convert(syntax, convert_syntax(syntax, dialect, normalize_spelling(data_type)))
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


def _convert(syntax: TypeSyntax, physical: PhysicalType) -> JsonObject:
    """Convert a parsed type. The parts of an array, struct or map have their own physical types in their schemas."""
    schema = _SCHEMAS[Family(syntax.name)] if syntax.parts else _common_schema(syntax)
    match physical:
        case PhysicalType(family=Family.ARRAY, element=PhysicalType() as element):
            schema = {**schema, "items": _convert_part(syntax.parts[0][1], element)}
        case PhysicalType(family=Family.MAP, value=PhysicalType() as value):
            schema = {**schema, "additionalProperties": _convert_part(syntax.parts[1][1], value)}
        case PhysicalType(family=Family.STRUCT, fields=tuple() as fields):
            schema = {**schema, **_convert_fields({str(name): part for name, part in syntax.parts}, fields)}
        case PhysicalType(family=Family.ARRAY | Family.MAP | Family.STRUCT):
            pass
        case _:
            return {**schema, "x-physical-type": physical.as_json()}
    outer = replace(physical, text=syntax.name, element=None, value=None, fields=None)
    return {**schema, "x-physical-type": outer.as_json()}


def _common_schema(syntax: TypeSyntax) -> JsonObject:
    """Return the schema of the family that a name has in most warehouses.

    So a column has the same schema whether the dialect is known or not.
    """
    common = convert_syntax(syntax, None)
    return _OTHER_SCHEMAS.get(common.text, {}) if common.family is None else _SCHEMAS[common.family]


def _convert_part(syntax: TypeSyntax, physical: PhysicalType) -> JsonObject:
    schema = _convert(syntax, physical)
    return schema if syntax.is_required else allow_null(schema)


def _convert_fields(parts: Mapping[str, TypeSyntax], fields: Iterable[tuple[str, PhysicalType]]) -> JsonObject:
    properties = {name: _convert_part(parts[name], physical) for name, physical in fields}
    required = sorted(name for name, part in parts.items() if part.is_required)
    return {"properties": properties, **({"required": required} if required else {})}


def _iterate_unknown(syntax: TypeSyntax) -> Iterator[str]:
    if syntax.parts:
        for _, part in syntax.parts:
            yield from _iterate_unknown(part)
        return
    common = convert_syntax(syntax, None)
    if common.family is None and common.text not in _OTHER_SCHEMAS:
        yield common.text
