"""A warehouse's `data_type` in JSON Schema: claim only what every value of the type fulfils, name the rest.

`x-dbt-type` is that name: an unknown type's, or one's that JSON Schema cannot say in full (`numeric(10,2)`).
"""

import re
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import lru_cache

from tessera_gql.formats.document import JsonObject

_LONGEST = 100_000
_REPEATED = 100  # shorter types are parsed once: a warehouse spells few
_INSIDES = frozenset({"items", "properties", "additionalProperties"})
_DEEPEST = 24
_UNLIMITED = 65_535  # a length from here on is how warehouses spell "no limit"

_DECIMALS = ("numeric", "decimal", "dec", "number", "fixed", "bignumeric", "bigdecimal")
_TEXTS = (
    "string text varchar char character nchar bpchar nvarchar varchar2 nvarchar2 citext clob"
    " tinytext mediumtext longtext"
)
_VARYING = ("character varying", "char varying", "national character varying", "nchar varying")
_STRINGS = frozenset([*_TEXTS.split(), *_VARYING])
_INTEGERS = (
    "int integer bigint smallint tinyint mediumint byteint hugeint uhugeint ubigint uinteger usmallint"
    " utinyint long short byte int1 int2 int4 int8 int16 int32 int64 int128 uint8 uint16 uint32 uint64"
    " uint128 serial bigserial smallserial"
)
_FLOATS = "float float4 float8 float16 float32 float64 double real"
_OPAQUE = "bytes bytea binary varbinary blob interval inet cidr macaddr xml"
_ANYTHING = "json jsonb variant super"
_STRUCTS = frozenset({"struct", "record", "row", "object", "nested"})
_LISTS = frozenset({"array", "list"})
_ZONED = ("timestamptz", "timestamp_tz", "timestamp_ltz", "datetimeoffset", "timestamp with time zone")
_LOCAL = ("timestamp_ntz", "timestampntz", "timestamp without time zone")
_PLAIN: dict[str, JsonObject] = {
    **{name: {"type": "integer"} for name in _INTEGERS.split()},
    **{name: {"type": "number"} for name in [*_FLOATS.split(), "double precision", *_DECIMALS]},
    **{name: {"type": "boolean"} for name in ("bool", "boolean")},
    **{name: {"type": "string"} for name in _STRINGS},
    **{name: {"type": "string", "x-dbt-type": name} for name in _OPAQUE.split()},
    **{name: {"x-dbt-type": name} for name in _ANYTHING.split()},
    **{name: {"type": "string", "format": "uuid"} for name in ("uuid", "uniqueidentifier")},
    "date": {"type": "string", "format": "date"},
    **{name: {"type": "string", "format": "time"} for name in ("time", "timetz", "time with time zone")},
    "time without time zone": {"type": "string", "format": "time"},
    **{
        name: {"type": "string", "format": "date-time"}
        for name in ("timestamp", "datetime", "datetime2", "smalldatetime")
    },
    **{n: {"type": "string", "format": "date-time", "x-dbt-type": "timestamp with time zone"} for n in _ZONED},
    **{n: {"type": "string", "format": "date-time", "x-dbt-type": "timestamp without time zone"} for n in _LOCAL},
    **{name: {"type": "object"} for name in [*_STRUCTS, "map", "hstore"]},
    **{name: {"type": "array"} for name in _LISTS},
}

_TOKEN = re.compile(r"""\s*(?:("[^"]*"|`[^`]*`|'[^']*'|[\w$.-]+|[<>()\[\],:]))""")
_ENDS = frozenset({"", ",", ">", ")", "]"})
_OPENS = frozenset({"<", "(", "["})
_REMARKS = frozenset({"collate", "comment", "options", "default"})
_SIGNS = frozenset({"signed", "unsigned"})


@dataclass(frozen=True, slots=True)
class DataType:
    schema: JsonObject
    is_required: bool = False
    """The type itself says `not null`."""
    unknown: tuple[str, ...] = ()
    """Type names inside it that this module does not know; their values are left unconstrained."""


def read(data_type: str, *, is_sized: bool) -> DataType:
    """`is_sized`: the warehouse itself holds the lengths (a table built under an enforced contract), so that
    `varchar(20)` promises `maxLength: 20`; otherwise the length is only named."""
    parse = _remembered if len(data_type) <= _REPEATED else _parse
    parsed = parse(data_type, is_sized)
    return replace(parsed, schema=deepcopy(parsed.schema)) if _INSIDES & parsed.schema.keys() else parsed


def _parse(data_type: str, is_sized: bool) -> DataType:  # noqa: FBT001 - read's own argument; a cache wants it positional
    cursor = _Cursor(_tokens(data_type), is_sized=is_sized)
    try:
        schema, is_required = _type(cursor, 0)
        cursor.expect("")
    except _Unreadable:
        name = _spelled(data_type)
        return DataType({"x-dbt-type": name}, unknown=(name,))
    return DataType(schema, is_required, tuple(cursor.unknown))


_remembered = lru_cache(maxsize=1_024)(_parse)


def nullable(schema: JsonObject) -> JsonObject:
    """The schema that also takes null. Without `type` and `enum` it already does."""
    wider = dict(schema)
    if "type" in schema:
        wider["type"] = [schema["type"], "null"]
    if "enum" in schema:
        wider["enum"] = [*schema["enum"], None]
    return wider


class _Unreadable(Exception):  # noqa: N818 - caught where it is raised for: it never leaves this module
    pass


@dataclass(slots=True)
class _Cursor:
    tokens: list[str]
    is_sized: bool = field(kw_only=True)
    at: int = 0
    unknown: list[str] = field(default_factory=list)

    @property
    def ahead(self) -> str:
        """The token in front, `""` at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        word = self.ahead
        self.at += 1
        return word

    def expect(self, *tokens: str) -> None:
        if self.take() not in tokens:
            raise _Unreadable


def _tokens(data_type: str) -> list[str]:
    """The words and marks of a type; a lone `?` where something in it is neither, which no rule accepts."""
    found: list[str] = []
    at = 0
    text = data_type.strip()[: _LONGEST + 1]
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or at >= _LONGEST:
            return ["?", "?", ","]
        found.append(match[1])
        at = match.end()
    return found


def _type(cursor: _Cursor, depth: int) -> tuple[JsonObject, bool]:
    """One type up to its `,`, closing mark or end, and whether it says `not null`."""
    if depth > _DEEPEST or cursor.ahead in _ENDS:
        raise _Unreadable
    first = cursor.ahead.lower()
    if first in _STRUCTS | _LISTS | {"map"} and cursor.tokens[cursor.at + 1 : cursor.at + 2] in (
        ["<"],
        ["("],
    ):
        schema = _container(cursor, depth)
        words, _ = _words(cursor)
    else:
        words, arguments = _words(cursor)
        schema = _plain(" ".join(word for word in words if word not in {"not", "null"}), arguments, cursor)
    while cursor.ahead == "[":
        cursor.take()
        if cursor.take() != "]":  # a fixed length
            cursor.expect("]")
        schema = {"type": "array", "items": nullable(schema)}
    return schema, words[-2:] == ["not", "null"]


def _words(cursor: _Cursor) -> tuple[list[str], list[str]]:
    """The lower-cased words of a plain type, and its arguments amid them: `timestamp(6) with time zone`."""
    words: list[str] = []
    arguments: list[str] = []
    while (word := cursor.ahead) not in _ENDS and word != "[":
        cursor.take()
        if word == "(" and words and not arguments:
            arguments = _arguments(cursor)
        elif word in {*_OPENS, ":"}:
            raise _Unreadable
        elif word.lower() in _REMARKS:
            _skip_remark(cursor)
        elif word.lower() not in _SIGNS:
            words.append(word.lower())
    return words, arguments


def _arguments(cursor: _Cursor) -> list[str]:
    arguments: list[str] = []
    while (word := cursor.take()) != ")":
        if word in _ENDS - {","} or word in _OPENS:
            raise _Unreadable
        if word != ",":
            arguments.append(word)
    return arguments


def _skip_remark(cursor: _Cursor) -> None:
    """What follows `collate`, `comment`, `options` or `default`: one word, or one bracket."""
    if cursor.take() == "(":
        while cursor.take() != ")":
            if not cursor.ahead:
                raise _Unreadable


def _container(cursor: _Cursor, depth: int) -> JsonObject:
    name = cursor.take().lower()
    cursor.take()
    if name in _LISTS:
        schema: JsonObject = {"type": "array", "items": _inner(cursor, depth)}
    elif name == "map":
        _inner(cursor, depth)
        cursor.expect(",")
        schema = {"type": "object", "additionalProperties": _inner(cursor, depth)}
    else:
        schema = _struct(cursor, depth)
    cursor.expect(">", ")")
    return schema


def _inner(cursor: _Cursor, depth: int) -> JsonObject:
    schema, is_required = _type(cursor, depth + 1)
    return schema if is_required else nullable(schema)


def _struct(cursor: _Cursor, depth: int) -> JsonObject:
    """`a int64, b: string not null, "c d" array<int>`; a field without a name is not described."""
    properties: JsonObject = {}
    required: set[str] = set()
    while True:
        name = _field_name(cursor)
        schema, is_required = _type(cursor, depth + 1)
        if name:
            properties[name] = schema if is_required else nullable(schema)
            required |= {name} if is_required else set()
        if cursor.ahead != ",":
            break
        cursor.take()
    parts = {"properties": dict(sorted(properties.items())), "required": sorted(required)}
    return {"type": "object"} | {keyword: value for keyword, value in parts.items() if value}


def _field_name(cursor: _Cursor) -> str | None:
    following = cursor.tokens[cursor.at + 1] if cursor.at + 1 < len(cursor.tokens) else ""
    if cursor.ahead in _ENDS or following in _ENDS or following in _OPENS:
        return None
    name = cursor.take()
    if cursor.ahead == ":":
        cursor.take()
    return name.strip('"`')


def _plain(name: str, arguments: list[str], cursor: _Cursor) -> JsonObject:
    if name.startswith("_") and name[1:] in _PLAIN:  # PostgreSQL's own name for an array of them
        return {"type": "array", "items": nullable(_PLAIN[name[1:]])}
    if name not in _PLAIN:
        spelled = _spelled(f"{name}({','.join(arguments)})" if arguments else name)
        cursor.unknown.append(spelled)
        return {"x-dbt-type": spelled}
    if name in _DECIMALS:
        return _decimal(name, arguments)
    if name in _STRINGS:
        return _string(name, arguments, is_sized=cursor.is_sized)
    return dict(_PLAIN[name])


def _decimal(name: str, arguments: list[str]) -> JsonObject:
    """Scale 0, written or implied by a lone precision, is an integer; without arguments warehouses differ."""
    match arguments:
        case [_] | [_, "0"]:
            return {"type": "integer"}
        case [precision, scale]:
            return {"type": "number", "x-dbt-type": f"{name}({precision},{scale})"}
        case _:
            return {"type": "number"}


def _string(name: str, arguments: list[str], *, is_sized: bool) -> JsonObject:
    length = int(arguments[0]) if arguments and re.fullmatch("[0-9]{1,9}", arguments[0]) else _UNLIMITED
    if length >= _UNLIMITED:
        return {"type": "string"}
    return (
        {"type": "string", "maxLength": length} if is_sized else {"type": "string", "x-dbt-type": f"{name}({length})"}
    )


def _spelled(data_type: str) -> str:
    return " ".join(data_type.lower().replace("\0", "").split())[:200]
