"""Convert the text of a column type of any warehouse to a physical type, and back to SQL.

A name means the same in most warehouses; `_DIALECTS` lists what a name means in one of them, as a type in the common
names. A default that depends on the warehouse, such as the length of `varchar`, is used only if the dialect is known.
An integer has its size in bits; one that is stored as a decimal of scale 0 has its digits.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from tessera_gql.diff import Family, PhysicalType
from tessera_gql.formats.type_syntax import ARRAY, MAP, STRUCT, TypeSyntax, TypeSyntaxError, parse_type_syntax

_MAX_SPELLING = 200
_NUMBER_PATTERN = re.compile("-?[0-9]{1,3}|[0-9]{4,12}")
_IGNORED_SPACE_PATTERN = re.compile(r"(?<=[(<,]) | (?=[)>,(<])")
_QUOTES = frozenset("'\"`")
_PLAIN_NAME_PATTERN = re.compile(r"\w+")
_BITS = {
    8: "tinyint int1 byte byteint utinyint uint8",
    16: "smallint int2 int16 short smallserial serial2 usmallint uint16",
    24: "mediumint",
    32: "integer int int4 int32 serial serial4 uinteger uint32",
    64: "bigint int8 int64 long bigserial serial8 ubigint uint64",
    128: "int128 hugeint uint128 uhugeint",
    256: "int256 uint256",
}
_NAME_BY_BITS = {bits: names.split()[0] for bits, names in _BITS.items()}
_INTEGERS = {
    name: PhysicalType(Family.INTEGER, bits=bits, unsigned=name.startswith("u"))
    for bits, names in _BITS.items()
    for name in names.split()
}
_FLOATS = {
    **dict.fromkeys(("real", "float4", "float32"), 32),
    **dict.fromkeys(("double precision", "double", "float8", "float64"), 64),
    "float16": 16,
    "float": None,
}
_DECIMALS = ("decimal", "numeric", "dec", "number", "fixed", "bignumeric", "bigdecimal")
_DECIMAL_DIGITS = {"decimal32": 9, "decimal64": 18, "decimal128": 38, "decimal256": 76}  # the argument is the scale
_TEXTS = (
    *"text varchar string char character nchar bpchar nvarchar varchar2 nvarchar2 citext clob fixedstring".split(),  # noqa: SIM905
    *("tinytext", "mediumtext", "longtext"),
    *("character varying", "char varying", "national character varying", "nchar varying", "national character"),
)
_BINARIES = ("varbinary", "binary", "bytes", "bytea", "blob", "binary varying", "varbyte")
_JSONS = ("json", "jsonb", "variant", "super")
_TIMEZONES = {
    **dict.fromkeys(("time", "timestamp", "datetime", "datetime64"), None),
    **dict.fromkeys(("timetz", "timestamptz", "timestamp_tz", "datetimeoffset"), "with"),
    **dict.fromkeys(("time with time zone", "timestamp with time zone"), "with"),
    **dict.fromkeys(("time without time zone", "timestamp without time zone"), "without"),
    **dict.fromkeys(("timestamp_ntz", "timestampntz", "datetime2", "smalldatetime"), "without"),
    **dict.fromkeys(("timestamp_s", "timestamp_ms", "timestamp_us", "timestamp_ns"), "without"),
    **dict.fromkeys(("timestamp_ltz", "timestampltz", "timestamp with local time zone"), "local"),
}
_ZONES = {"with": "with time zone", "without": "without time zone", "local": "with local time zone"}
_SIZED_NAMES: dict[Family | None, str] = {Family.TEXT: "varchar", Family.BINARY: "varbinary"}
_WITHOUT_ARGUMENTS = frozenset({Family.GEOGRAPHY, Family.JSON, Family.BOOLEAN, Family.DATE})
_CODE_PAGE_TEXTS = frozenset({"char", "character", "varchar", "text"})
_MAX_DIGITS = 1_000
_REAL_DIGITS = 24  # `float(24)` is a `real`: https://www.postgresql.org/docs/current/datatype-numeric.html
_FRACTION_DIGITS = {"timestamp_s": 0, "timestamp_ms": 3, "timestamp_us": 6, "timestamp_ns": 9, "smalldatetime": 0}
_TYPES: dict[str, PhysicalType] = {
    **_INTEGERS,
    "bignum": PhysicalType(Family.INTEGER),
    **{name: PhysicalType(Family.FLOAT, bits=bits) for name, bits in _FLOATS.items()},
    **{name: PhysicalType(Family.DECIMAL) for name in _DECIMALS},
    **{name: PhysicalType(Family.DECIMAL, precision=digits) for name, digits in _DECIMAL_DIGITS.items()},
    **{name: PhysicalType(Family.TEXT) for name in _TEXTS},
    **{name: PhysicalType(Family.BINARY) for name in _BINARIES},
    **{name: PhysicalType(Family.BOOLEAN) for name in ("boolean", "bool")},
    "date": PhysicalType(Family.DATE),
    **{
        name: PhysicalType(
            Family.TIME if name.startswith("time") and not name.startswith("timestamp") else Family.TIMESTAMP,
            timezone=timezone,
            precision=_FRACTION_DIGITS.get(name),
        )
        for name, timezone in _TIMEZONES.items()
    },
    "interval": PhysicalType(Family.INTERVAL),
    **{name: PhysicalType(Family.JSON) for name in _JSONS},
    "geography": PhysicalType(Family.GEOGRAPHY),
    **{name: PhysicalType(Family(name)) for name in (ARRAY, STRUCT, MAP)},
}


def _times(digits: int, *, zoned: str = "", local: str = "", plain: str = "timestamp datetime") -> dict[str, str]:
    """Define the default digits of a fraction of a second, and the kind of time zone that a name has."""
    kinds = {
        f"timestamp({digits}) without time zone": f"{plain} timestamp_ntz timestampntz",
        f"timestamp({digits}) with time zone": f"{zoned} timestamptz timestamp_tz",
        f"timestamp({digits}) with local time zone": f"{local} timestamp_ltz timestampltz",
        f"time({digits}) without time zone": "time",
        f"time({digits}) with time zone": "timetz",
    }
    by_short_name = {name: spelling for spelling, names in kinds.items() for name in names.split()}
    return {spelling.replace(f"({digits})", ""): spelling for spelling in kinds} | by_short_name


def _define(names: str, spelling: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), spelling)


_CHARS = "char character nchar"
_VARCHARS = "varchar nvarchar"
_VARYING = dict.fromkeys(("character varying", "char varying", "nchar varying"), "varchar")
_INTEGER_NAMES = "int integer bigint smallint tinyint byteint"
_DIALECTS: dict[str, Mapping[str, str]] = {
    # https://docs.snowflake.com/en/sql-reference/intro-summary-data-types: integers are NUMBER(38,0)
    "snowflake": {
        **_define(f"{_INTEGER_NAMES} number decimal numeric dec", "decimal(38,0)"),
        **_define("float float4 float8 double real", "double precision"),
        **_define(f"{_VARCHARS} string text nvarchar2", "varchar(16777216)"),
        **dict.fromkeys(_VARYING, "varchar(16777216)"),
        **_define(_CHARS, "varchar(1)"),
        **_define("binary varbinary", "varbinary(8388608)"),
        **_times(9),
    },
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types
    "bigquery": {
        **_define(f"{_INTEGER_NAMES} int64", "bigint"),
        **_define("numeric decimal", "decimal(38,9)"),
        **_define("bignumeric bigdecimal", "decimal(76,38)"),
        **_define("float float64", "double precision"),
        **_times(6, zoned="timestamp", plain="datetime"),
    },
    # https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html: TEXT is VARCHAR(256)
    "redshift": {
        **_define(f"{_VARCHARS} text", "varchar(256)"),
        **dict.fromkeys(_VARYING, "varchar(256)"),
        **_define(_CHARS, "varchar(1)"),
        "bpchar": "varchar(256)",
        **_define("decimal numeric", "decimal(18,0)"),
        "float": "double precision",
        **_times(6),
    },
    # https://www.postgresql.org/docs/current/datatype.html: `numeric` has no limits
    "postgres": {**_define(_CHARS, "varchar(1)"), "float": "double precision", "interval": "interval(6)", **_times(6)},
    # https://docs.databricks.com/en/sql/language-manual/sql-ref-datatypes.html: TIMESTAMP is of the session's zone
    "databricks": {
        **_define("decimal dec numeric", "decimal(10,0)"),
        "float": "real",
        **_times(6, local="timestamp", plain=""),
    },
    # https://trino.io/docs/current/language/types.html
    "trino": {**_define(_CHARS, "varchar(1)"), "decimal": "decimal(38,0)", "float": "real", **_times(3)},
    # https://duckdb.org/docs/stable/sql/data_types/overview.html
    "duckdb": {**_define("decimal numeric", "decimal(18,3)"), "float": "real", **_times(6)},
    # https://learn.microsoft.com/sql/t-sql/data-types/data-types-transact-sql: `timestamp` is a row version
    "tsql": {
        **_define("decimal numeric dec", "decimal(18,0)"),
        **_define(f"{_CHARS} {_VARCHARS}", "varchar(1)"),
        **_define("binary varbinary", "varbinary(1)"),
        **_times(7, plain=""),
        "timestamp": "rowversion",
        "datetime": "timestamp(3) without time zone",
        "datetime2": "timestamp(7) without time zone",
        "datetimeoffset": "timestamp(7) with time zone",
        "float": "double precision",
        "tinyint": "utinyint",
        "bit": "boolean",
        "money": "decimal(19,4)",
        "smallmoney": "decimal(10,4)",
    },
    # https://clickhouse.com/docs/sql-reference/data-types: DateTime is a point in time, shown in a zone
    "clickhouse": {
        "int8": "tinyint",
        "decimal": "decimal(10,0)",
        "float": "real",
        "datetime": "timestamp(0) with local time zone",
        "datetime64": "timestamp(3) with local time zone",
    },
    # https://dev.mysql.com/doc/refman/8.4/en/data-types.html: TIMESTAMP is converted to the session's zone
    "mysql": {
        **_define("decimal numeric dec fixed", "decimal(10,0)"),
        **_define(_CHARS, "varchar(1)"),
        **_times(0, local="timestamp", plain="datetime"),
        "float": "real",
        "real": "double precision",
        "binary": "varbinary(1)",
        "tinytext": "varchar(255)",
        "text": "varchar(65535)",
        "mediumtext": "varchar(16777215)",
        "longtext": "varchar(4294967295)",
        "blob": "varbinary(65535)",
    },
    # https://www.sqlite.org/datatype3.html: all numbers have up to 64 bits
    "sqlite": {
        **_define(f"{_INTEGER_NAMES} mediumint int2 int8", "bigint"),
        **_define("real float", "double precision"),
    },
}
_DIALECT_BY_ADAPTER = {
    **{name: name for name in _DIALECTS},
    "postgresql": "postgres",
    "spark": "databricks",
    **dict.fromkeys(("athena", "presto"), "trino"),
    **dict.fromkeys(("sqlserver", "synapse", "fabric", "azure"), "tsql"),
    "mariadb": "mysql",
}


def parse_physical_type(text: str, dialect: str | None = None) -> PhysicalType:
    """Parse a column type of an adapter of dbt or a dialect of SQL. One that is not understood has only its text."""
    try:
        return convert_syntax(parse_type_syntax(text), dialect, normalize_spelling(text))
    except TypeSyntaxError:
        return PhysicalType(None, normalize_spelling(text))


def normalize_spelling(text: str) -> str:
    """Return a type in lower case, without spaces that mean nothing. A long one is cut and ends with a hash."""
    spelling = " ".join(text.lower().replace("\0", "").split())
    if not _QUOTES.intersection(spelling):
        spelling = _IGNORED_SPACE_PATTERN.sub("", spelling)
    if len(spelling) <= _MAX_SPELLING:
        return spelling
    return f"{spelling[:_MAX_SPELLING]}… {hashlib.sha256(spelling.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def convert_syntax(syntax: TypeSyntax, dialect: str | None, text: str | None = None) -> PhysicalType:
    """Convert a parsed type, and the types in it. Without a text, that of a container is in the common names."""
    if not syntax.parts:
        return replace(_convert_plain(syntax, dialect), text=text or _spell(syntax))
    physical = _convert_container(syntax, dialect)
    return replace(physical, text=text or normalize_spelling(render_physical_type(physical)))


def _convert_container(syntax: TypeSyntax, dialect: str | None) -> PhysicalType:
    parts = [(name, convert_syntax(part, dialect)) for name, part in syntax.parts]
    match syntax.name, parts:
        case "array", [(_, element)]:
            lengths = (number for number in _read_numbers(syntax) if number >= 0)
            return PhysicalType(Family.ARRAY, element=element, length=next(lengths, None))
        case "map", [(_, key), (_, value)]:
            return PhysicalType(Family.MAP, key=key, value=value)
        case _:
            fields = {name: part for name, part in parts if name is not None}
            if len(fields) < len(parts):  # a field without a name, or two with the same one
                types = ", ".join(f"{_quote(name or '')} {render_physical_type(part)}" for name, part in parts)
                return PhysicalType(None, normalize_spelling(f"struct<{types}>"))
            return PhysicalType(Family.STRUCT, fields=tuple(sorted(fields.items())))


def _convert_plain(syntax: TypeSyntax, dialect: str | None) -> PhysicalType:
    name, known_dialect = syntax.name, _DIALECT_BY_ADAPTER.get(dialect or "")
    base = _find_type(name, known_dialect)
    if syntax.is_unsigned and base.family is Family.INTEGER:
        base = replace(base, unsigned=True)
    if known_dialect == "tsql" and name in _CODE_PAGE_TEXTS:
        base = replace(base, unicode=False)
    if base.family is None or (syntax.is_unsigned and not base.unsigned) or _is_refined(syntax, base.family):
        return PhysicalType(None)
    return _apply_arguments(base, syntax) if syntax.arguments else _normalize_scale(base)


def _spell(syntax: TypeSyntax) -> str:
    first_word, zone, last_words = syntax.name.partition(" with")
    arguments = f"({','.join(syntax.arguments)})" if syntax.arguments else ""
    return normalize_spelling(f"{first_word}{arguments}{zone}{last_words}{' unsigned' * syntax.is_unsigned}")


@lru_cache
def _find_type(name: str, dialect: str | None) -> PhysicalType:
    """Find the type of a name without arguments."""
    spelling = _DIALECTS[dialect].get(name) if dialect else None
    if spelling is not None:
        return _convert_plain(parse_type_syntax(spelling), None)
    return _TYPES.get(name, PhysicalType(None))


def _is_refined(syntax: TypeSyntax, family: Family) -> bool:
    """Return whether the arguments have a meaning that is not understood, as in `geography(point,4326)`."""
    numbers = _read_numbers(syntax)
    is_sized = family in {Family.TEXT, Family.BINARY}
    is_invalid = any(number < 0 for number in numbers[:1]) or (not is_sized and max(numbers, default=0) > _MAX_DIGITS)
    return is_invalid or (bool(syntax.arguments) and family in _WITHOUT_ARGUMENTS)


def _apply_arguments(base: PhysicalType, syntax: TypeSyntax) -> PhysicalType:
    numbers = _read_numbers(syntax)
    first = numbers[0] if numbers else None
    if syntax.name in _DECIMAL_DIGITS:
        return _normalize_scale(replace(base, scale=first or 0))
    if syntax.name in _DECIMALS and numbers:
        scale = numbers[1] if len(numbers) > 1 else 0
        return _normalize_scale(PhysicalType(Family.DECIMAL, precision=first, scale=scale))
    match base.family:
        case Family.FLOAT if syntax.name == "float" and first is not None:
            return replace(base, bits=32 if first <= _REAL_DIGITS else 64)
        case Family.TEXT | Family.BINARY:
            return replace(base, length=first)  # `varchar(max)` has no limit
        case Family.TIME | Family.TIMESTAMP | Family.INTERVAL if first is not None:
            return replace(base, precision=first)
        case _:
            return base


def _normalize_scale(physical: PhysicalType) -> PhysicalType:
    """Return an integer for a decimal without digits after the point."""
    is_integer = physical.family is Family.DECIMAL and physical.scale == 0
    return PhysicalType(Family.INTEGER, precision=physical.precision) if is_integer else physical


def _read_numbers(syntax: TypeSyntax) -> list[int]:
    return [int(argument) for argument in syntax.arguments if _NUMBER_PATTERN.fullmatch(argument)]


def spell_physical_type(physical: PhysicalType) -> str:
    """Return the text of a type, or its SQL if the text means the same only in a known dialect."""
    rendered = render_physical_type(physical)
    spellings = [text for text in (physical.text, rendered) if text]
    return next((text for text in spellings if _is_spelling(text, physical)), physical.text or rendered)


def _is_spelling(text: str, physical: PhysicalType) -> bool:
    return replace(parse_physical_type(text), text="") == replace(physical, text="")


def render_physical_type(physical: PhysicalType) -> str:
    """Return the type as SQL in the common names. To parse it without a dialect gives the same type again."""
    match physical.family:
        case Family.INTEGER:
            return _render_integer(physical)
        case Family.DECIMAL | Family.TEXT | Family.BINARY | Family.INTERVAL:
            return _render_sized(physical)
        case Family.FLOAT:
            return next(name for name, bits in _FLOATS.items() if bits == physical.bits)
        case Family.TIME | Family.TIMESTAMP:
            zone = f" {_ZONES[physical.timezone]}" if physical.timezone else ""
            return f"{_render_sized(physical)}{zone}"
        case Family.ARRAY | Family.STRUCT | Family.MAP:
            return _render_container(physical)
        case None:
            return physical.text
        case family:
            return family.value


def _render_integer(physical: PhysicalType) -> str:
    if physical.bits is None:
        return "bignum" if physical.precision is None else f"decimal({physical.precision},0)"
    return _NAME_BY_BITS[physical.bits] + " unsigned" * physical.unsigned


def _render_sized(physical: PhysicalType) -> str:
    sizes = [size for size in (physical.precision, physical.scale, physical.length) if size is not None]
    name = _SIZED_NAMES.get(physical.family, str(physical.family))
    return f"{name}({','.join(map(str, sizes))})" if sizes else name


def _render_container(physical: PhysicalType) -> str:
    if physical.element is not None:
        element = render_physical_type(physical.element)
        return f"array<{element}>" if physical.length is None else f"{element}[{physical.length}]"
    if physical.key is not None and physical.value is not None:
        return f"map<{render_physical_type(physical.key)}, {render_physical_type(physical.value)}>"
    if physical.fields is not None:
        fields = (f"{_quote(name)} {render_physical_type(part)}" for name, part in physical.fields)
        return f"struct<{', '.join(fields)}>"
    return physical.family or ""


def _quote(name: str) -> str:
    if _PLAIN_NAME_PATTERN.fullmatch(name):
        return name
    return f"`{name}`" if '"' in name else f'"{name}"'
