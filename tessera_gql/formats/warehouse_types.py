"""Convert the `data_type` of a warehouse column to JSON Schema. Each keyword holds for every value of the type.

`x-dbt-type` names an unknown type, or one that JSON Schema can't express in full, such as `numeric(10,2)`.
"""

import re
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import lru_cache

from tessera_gql.formats.untrusted_json import JsonObject

_MAX_LENGTH = 100_000
_MAX_CACHED_LENGTH = 100
_NESTED_KEYWORDS = frozenset({"items", "properties", "additionalProperties"})
_MAX_DEPTH = 24
_UNLIMITED_LENGTH = 65_535  # warehouses write "no limit" as this length or a larger one

_DECIMAL_TYPES = ("numeric", "decimal", "dec", "number", "fixed", "bignumeric", "bigdecimal")
_TEXT_TYPES = (
    "string text varchar char character nchar bpchar nvarchar varchar2 nvarchar2 citext clob"
    " tinytext mediumtext longtext"
)
_VARYING_TYPES = ("character varying", "char varying", "national character varying", "nchar varying")
_STRING_TYPES = frozenset([*_TEXT_TYPES.split(), *_VARYING_TYPES])
_INTEGER_TYPES = (
    "int integer bigint smallint tinyint mediumint byteint hugeint uhugeint ubigint uinteger usmallint"
    " utinyint long short byte int1 int2 int4 int8 int16 int32 int64 int128 uint8 uint16 uint32 uint64"
    " uint128 serial bigserial smallserial"
)
_FLOAT_TYPES = "float float4 float8 float16 float32 float64 double real"
_OPAQUE_TYPES = "bytes bytea binary varbinary blob interval inet cidr macaddr xml"
_UNTYPED_TYPES = "json jsonb variant super"
_STRUCT_TYPES = frozenset({"struct", "record", "row", "object", "nested"})
_LIST_TYPES = frozenset({"array", "list"})
_TIMES = ("time", "timetz", "time with time zone", "time without time zone")
_DATE_TIMES = ("timestamp", "datetime", "datetime2", "smalldatetime")
_ZONED = ("timestamptz", "timestamp_tz", "timestamp_ltz", "datetimeoffset", "timestamp with time zone")
_LOCAL = ("timestamp_ntz", "timestampntz", "timestamp without time zone")
_SCHEMAS: dict[str, JsonObject] = {
    **{name: {"type": "integer"} for name in _INTEGER_TYPES.split()},
    **{name: {"type": "number"} for name in [*_FLOAT_TYPES.split(), "double precision", *_DECIMAL_TYPES]},
    **{name: {"type": "boolean"} for name in ("bool", "boolean")},
    **{name: {"type": "string"} for name in _STRING_TYPES},
    **{name: {"type": "string", "x-dbt-type": name} for name in _OPAQUE_TYPES.split()},
    **{name: {"x-dbt-type": name} for name in _UNTYPED_TYPES.split()},
    **{name: {"type": "string", "format": "uuid"} for name in ("uuid", "uniqueidentifier")},
    "date": {"type": "string", "format": "date"},
    **{name: {"type": "string", "format": "time"} for name in _TIMES},
    **{name: {"type": "string", "format": "date-time"} for name in _DATE_TIMES},
    **{n: {"type": "string", "format": "date-time", "x-dbt-type": "timestamp with time zone"} for n in _ZONED},
    **{n: {"type": "string", "format": "date-time", "x-dbt-type": "timestamp without time zone"} for n in _LOCAL},
    **{name: {"type": "object"} for name in [*_STRUCT_TYPES, "map", "hstore"]},
    **{name: {"type": "array"} for name in _LIST_TYPES},
}

_SYMBOL_PATTERN = re.compile(r"""\s*(?:("[^"]*"|`[^`]*`|'[^']*'|[\w$.-]+|[<>()\[\],:]))""")
_CLOSING_SYMBOLS = frozenset({"", ",", ">", ")", "]"})
_OPENING_SYMBOLS = frozenset({"<", "(", "["})
_IGNORED_CLAUSES = frozenset({"collate", "comment", "options", "default"})
_IGNORED_KEYWORDS = frozenset({"signed", "unsigned"})


@dataclass(frozen=True, slots=True)
class DataType:
    """A parsed data type of a warehouse."""

    schema: JsonObject
    is_required: bool = False
    """Whether the type contains `not null`."""
    unknown: tuple[str, ...] = ()
    """The unknown type names in it; their values are not constrained."""


def parse_type(data_type: str, *, is_sized: bool) -> DataType:
    """Parse a data type.

    With `is_sized` the warehouse enforces lengths, as in a table built under an enforced contract, so that
    `varchar(20)` becomes `maxLength: 20`; otherwise the length is only in `x-dbt-type`.
    """
    parse = _parse_cached if len(data_type) <= _MAX_CACHED_LENGTH else _parse
    parsed = parse(data_type, is_sized)
    return replace(parsed, schema=deepcopy(parsed.schema)) if _NESTED_KEYWORDS & parsed.schema.keys() else parsed


def _parse(data_type: str, is_sized: bool) -> DataType:  # noqa: FBT001 - positional for the cache
    cursor = _Cursor(_split_symbols(data_type), is_sized=is_sized)
    try:
        schema, is_required = _parse_type(cursor, 0)
        cursor.expect("")
    except _SyntaxError:
        name = _normalize(data_type)
        return DataType({"x-dbt-type": name}, unknown=(name,))
    return DataType(schema, is_required, tuple(cursor.unknown))


_parse_cached = lru_cache(maxsize=1_024)(_parse)


def allow_null(schema: JsonObject) -> JsonObject:
    """Return a schema that also accepts null. One without `type` and `enum` does already."""
    nullable = dict(schema)
    if "type" in schema:
        nullable["type"] = [schema["type"], "null"]
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable


class _SyntaxError(Exception):
    """The text of a data type can't be parsed."""


@dataclass(slots=True)
class _Cursor:
    """A position in the symbols of a type, and the unknown type names met so far."""

    symbols: list[str]
    is_sized: bool = field(kw_only=True)
    position: int = 0
    unknown: list[str] = field(default_factory=list)

    @property
    def next_symbol(self) -> str:
        """The symbol that `take` returns next; empty at the end."""
        return self._symbol_at(self.position)

    @property
    def following_symbol(self) -> str:
        return self._symbol_at(self.position + 1)

    def _symbol_at(self, position: int) -> str:
        return self.symbols[position] if position < len(self.symbols) else ""

    def take(self) -> str:
        symbol = self.next_symbol
        self.position += 1
        return symbol

    def expect(self, *symbols: str) -> None:
        if self.take() not in symbols:
            raise _SyntaxError


def _split_symbols(data_type: str) -> list[str]:
    """Split a type into words and marks. Any other character makes it unreadable: `?` matches no rule."""
    symbols: list[str] = []
    position = 0
    text = data_type.strip()[: _MAX_LENGTH + 1]
    while position < len(text):
        match = _SYMBOL_PATTERN.match(text, position)
        if match is None or position >= _MAX_LENGTH:
            return ["?", "?", ","]
        symbols.append(match[1])
        position = match.end()
    return symbols


def _parse_type(cursor: _Cursor, depth: int) -> tuple[JsonObject, bool]:
    """Parse one type up to its `,`, closing mark or end. Returns the schema, and whether it is `not null`."""
    if depth > _MAX_DEPTH or cursor.next_symbol in _CLOSING_SYMBOLS:
        raise _SyntaxError
    container = cursor.next_symbol.lower()
    if container in _STRUCT_TYPES | _LIST_TYPES | {"map"} and cursor.following_symbol in ("<", "("):
        schema = _parse_container(cursor, depth)
        keywords, _ = _parse_keywords(cursor)
    else:
        keywords, arguments = _parse_keywords(cursor)
        name = " ".join(keyword for keyword in keywords if keyword not in {"not", "null"})
        schema = _to_schema(name, arguments, cursor)
    while cursor.next_symbol == "[":
        cursor.take()
        if cursor.take() != "]":  # a fixed length
            cursor.expect("]")
        schema = {"type": "array", "items": allow_null(schema)}
    return schema, keywords[-2:] == ["not", "null"]


def _parse_keywords(cursor: _Cursor) -> tuple[list[str], list[str]]:
    """Parse the lower-cased words and the arguments of a plain type, such as `timestamp(6) with time zone`."""
    keywords: list[str] = []
    arguments: list[str] = []
    while (symbol := cursor.next_symbol) not in _CLOSING_SYMBOLS and symbol != "[":
        cursor.take()
        if symbol == "(" and keywords and not arguments:
            arguments = _parse_arguments(cursor)
        elif symbol in {*_OPENING_SYMBOLS, ":"}:
            raise _SyntaxError
        elif symbol.lower() in _IGNORED_CLAUSES:
            _skip_clause(cursor)
        elif symbol.lower() not in _IGNORED_KEYWORDS:
            keywords.append(symbol.lower())
    return keywords, arguments


def _parse_arguments(cursor: _Cursor) -> list[str]:
    arguments: list[str] = []
    while (symbol := cursor.take()) != ")":
        if symbol in _CLOSING_SYMBOLS - {","} or symbol in _OPENING_SYMBOLS:
            raise _SyntaxError
        if symbol != ",":
            arguments.append(symbol)
    return arguments


def _skip_clause(cursor: _Cursor) -> None:
    """Skip the word or bracket that follows `collate`, `comment`, `options` or `default`."""
    if cursor.take() == "(":
        while cursor.take() != ")":
            if not cursor.next_symbol:
                raise _SyntaxError


def _parse_container(cursor: _Cursor, depth: int) -> JsonObject:
    name = cursor.take().lower()
    cursor.take()
    if name in _LIST_TYPES:
        schema: JsonObject = {"type": "array", "items": _parse_element(cursor, depth)}
    elif name == "map":
        _parse_element(cursor, depth)
        cursor.expect(",")
        schema = {"type": "object", "additionalProperties": _parse_element(cursor, depth)}
    else:
        schema = _parse_struct(cursor, depth)
    cursor.expect(">", ")")
    return schema


def _parse_element(cursor: _Cursor, depth: int) -> JsonObject:
    schema, is_required = _parse_type(cursor, depth + 1)
    return schema if is_required else allow_null(schema)


def _parse_struct(cursor: _Cursor, depth: int) -> JsonObject:
    """Parse `a int64, b: string not null, "c d" array<int>`. A field without a name is left out."""
    properties: JsonObject = {}
    required: set[str] = set()
    while True:
        name = _parse_field_name(cursor)
        schema, is_required = _parse_type(cursor, depth + 1)
        if name:
            properties[name] = schema if is_required else allow_null(schema)
            required |= {name} if is_required else set()
        if cursor.next_symbol != ",":
            break
        cursor.take()
    keywords = {"properties": dict(sorted(properties.items())), "required": sorted(required)}
    return {"type": "object"} | {keyword: value for keyword, value in keywords.items() if value}


def _parse_field_name(cursor: _Cursor) -> str | None:
    following = cursor.following_symbol
    if cursor.next_symbol in _CLOSING_SYMBOLS or following in _CLOSING_SYMBOLS | _OPENING_SYMBOLS:
        return None
    name = cursor.take()
    if cursor.next_symbol == ":":
        cursor.take()
    return name.strip('"`')


def _to_schema(name: str, arguments: list[str], cursor: _Cursor) -> JsonObject:
    if name.startswith("_") and name[1:] in _SCHEMAS:  # PostgreSQL's internal name of an array type
        return {"type": "array", "items": allow_null(_SCHEMAS[name[1:]])}
    if name not in _SCHEMAS:
        type_name = _normalize(f"{name}({','.join(arguments)})" if arguments else name)
        cursor.unknown.append(type_name)
        return {"x-dbt-type": type_name}
    if name in _DECIMAL_TYPES:
        return _decimal_schema(name, arguments)
    if name in _STRING_TYPES:
        return _string_schema(name, arguments, is_sized=cursor.is_sized)
    return dict(_SCHEMAS[name])


def _decimal_schema(name: str, arguments: list[str]) -> JsonObject:
    """Return an integer schema for scale 0, also implied by a lone precision. Without arguments warehouses differ."""
    match arguments:
        case [_] | [_, "0"]:
            return {"type": "integer"}
        case [precision, scale]:
            return {"type": "number", "x-dbt-type": f"{name}({precision},{scale})"}
        case _:
            return {"type": "number"}


def _string_schema(name: str, arguments: list[str], *, is_sized: bool) -> JsonObject:
    length = int(arguments[0]) if arguments and re.fullmatch("[0-9]{1,9}", arguments[0]) else _UNLIMITED_LENGTH
    if length >= _UNLIMITED_LENGTH:
        return {"type": "string"}
    return {"type": "string"} | ({"maxLength": length} if is_sized else {"x-dbt-type": f"{name}({length})"})


def _normalize(data_type: str) -> str:
    return " ".join(data_type.lower().replace("\0", "").split())[:200]
