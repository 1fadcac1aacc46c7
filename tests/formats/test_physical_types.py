"""The text of a column type becomes a physical type: family, sizes, time zone and the types in it."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.diff import Family, PhysicalType, read_physical_type
from tessera_gql.diff.keywords.physical_type import Relation, relate
from tessera_gql.formats import odcs
from tessera_gql.formats.physical_types import parse_physical_type, render_physical_type, spell_physical_type

F = Family


def parse(text: str, dialect: str | None = None) -> dict[str, Any]:
    """The attributes of a type without its text."""
    attributes = parse_physical_type(text, dialect).as_json()
    del attributes["text"]
    return attributes


def integer(**attributes: Any) -> dict[str, Any]:
    return {"family": "integer", **attributes}


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"family": "decimal", "precision": precision, "scale": scale}


def text(length: int | None = None) -> dict[str, Any]:
    return {"family": "text"} if length is None else {"family": "text", "length": length}


def timestamp(timezone: str | None = None, precision: int | None = None) -> dict[str, Any]:
    attributes = {"precision": precision, "timezone": timezone}
    return {"family": "timestamp"} | {name: value for name, value in attributes.items() if value is not None}


@pytest.mark.parametrize(
    ("dialect", "spelling", "expected"),
    [
        (None, "smallint", integer(bits=16)),
        (None, "INT", integer(bits=32)),
        (None, "bigint", integer(bits=64)),
        (None, "numeric(38, 0)", integer(precision=38)),
        (None, "decimal(10,2)", decimal(10, 2)),
        (None, "numeric(10,-2)", decimal(10, -2)),
        (None, "decimal", {"family": "decimal"}),
        (None, "float(24)", {"family": "float", "bits": 32}),
        (None, "double precision", {"family": "float", "bits": 64}),
        (None, "varchar", text()),
        (None, "character varying(20)", text(20)),
        (None, "varchar(max)", text()),
        (None, "bytea", {"family": "binary"}),
        (None, "bool", {"family": "boolean"}),
        (None, "date", {"family": "date"}),
        (None, "timestamp", timestamp()),
        (None, "timestamp(3) with time zone", timestamp("with", 3)),
        (None, "timestamptz", timestamp("with")),
        (None, "timestamp_ntz", timestamp("without")),
        (None, "timestamp with local time zone", timestamp("local")),
        (None, "time(3)", {"family": "time", "precision": 3}),
        (None, "jsonb", {"family": "json"}),
        (None, "geography", {"family": "geography"}),
        (None, "interval", {"family": "interval"}),
        ("snowflake", "NUMBER", integer(precision=38)),
        ("snowflake", "TINYINT", integer(precision=38)),
        ("snowflake", "VARCHAR", text(16_777_216)),
        ("snowflake", "TIMESTAMP", timestamp("without", 9)),
        ("snowflake", "TIMESTAMP_TZ(3)", timestamp("with", 3)),
        ("bigquery", "INT64", integer(bits=64)),
        ("bigquery", "NUMERIC", decimal(38, 9)),
        ("bigquery", "BIGNUMERIC", decimal(76, 38)),
        ("bigquery", "TIMESTAMP", timestamp("with", 6)),
        ("bigquery", "DATETIME", timestamp("without", 6)),
        ("redshift", "varchar", text(256)),
        ("redshift", "text", text(256)),
        ("redshift", "decimal", integer(precision=18)),
        ("postgres", "varchar", text()),
        ("postgres", "char", text(1)),
        ("postgres", "numeric", {"family": "decimal"}),
        ("databricks", "timestamp", timestamp("local", 6)),
        ("spark", "float", {"family": "float", "bits": 32}),
        ("trino", "timestamp", timestamp("without", 3)),
        ("athena", "timestamp(6) with time zone", timestamp("with", 6)),
        ("duckdb", "decimal", decimal(18, 3)),
        ("duckdb", "hugeint", integer(bits=128)),
        ("sqlserver", "tinyint", integer(bits=8, unsigned=True)),
        ("sqlserver", "bit", {"family": "boolean"}),
        ("sqlserver", "varchar(10)", {"family": "text", "length": 10, "unicode": False}),
        ("sqlserver", "datetime2", timestamp("without", 7)),
        ("sqlserver", "timestamp", {}),
        ("clickhouse", "Nullable(UInt16)", integer(bits=16, unsigned=True)),
        ("clickhouse", "LowCardinality(Nullable(String))", text()),
        ("clickhouse", "FixedString(16)", text(16)),
        ("clickhouse", "Int8", integer(bits=8)),
        ("clickhouse", "Decimal64(4)", decimal(18, 4)),
        ("clickhouse", "DateTime('UTC')", timestamp("local", 0)),
        ("clickhouse", "DateTime64(6, 'UTC')", timestamp("local", 6)),
        ("mysql", "int(11) unsigned", integer(bits=32, unsigned=True)),
        ("mysql", "text", text(65_535)),
        ("mysql", "timestamp", timestamp("local", 0)),
        ("sqlite", "INTEGER", integer(bits=64)),
        ("sqlite", "real", {"family": "float", "bits": 64}),
        ("a new warehouse", "int", integer(bits=32)),
    ],
)
def test_a_type_is_read_as_its_warehouse_defines_it(dialect, spelling, expected):
    assert parse(spelling, dialect) == expected


def test_the_types_in_a_nested_type_are_read():
    assert parse("STRUCT<a INT64, b ARRAY<STRING(10)>>", "bigquery") == {
        "family": "struct",
        "fields": {
            "a": {"family": "integer", "bits": 64, "text": "int64"},
            "b": {
                "family": "array",
                "element": {"family": "text", "length": 10, "text": "string(10)"},
                "text": "array<varchar(10)>",
            },
        },
    }
    assert parse("Map(String, Tuple(a UInt8))", "clickhouse")["value"]["fields"]["a"]["unsigned"] is True
    assert parse("integer[3]") == {"family": "array", "length": 3, "element": {**integer(bits=32), "text": "integer"}}


@pytest.mark.parametrize(
    "spelling",
    ["uuid", "geography(point,4326)", "struct<int64,string>", "struct<a int,a text>", "decimal(5000,2)",
     "varchar(-1)", "text unsigned", "enum8('a' = 1)", "int)", "foo<bar>", ""],
)  # fmt: skip
def test_a_type_that_is_not_understood_has_only_its_text(spelling):
    assert parse_physical_type(spelling) == PhysicalType(None, spelling)


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("  TIMESTAMP (6)\n  WITH   TIME ZONE ", "timestamp(6) with time zone"),
        ("Numeric ( 10 , 2 )", "numeric(10,2)"),
        ("map < string, int >", "map<string,int>"),
        ("enum('a, b', 'c')", "enum('a, b', 'c')"),
    ],
)
def test_the_text_is_in_lower_case_without_spaces_that_mean_nothing(spelling, expected):
    assert parse_physical_type(spelling).text == expected


def test_two_long_types_that_are_not_understood_have_different_texts():
    left, right = (parse_physical_type("x" * 300_000 + ending).text for ending in "ab")
    assert left != right
    assert len(left) == len(right) < 250


@pytest.mark.parametrize(
    "spelling", ["x" * 1_000_000, "array<" * 10_000, "(" * 500_000, "int" + "[]" * 40_000, "a " * 500_000]
)
def test_a_hostile_type_takes_bounded_time(spelling):
    start = time.process_time()
    parse_physical_type(spelling)
    assert time.process_time() - start < 1


DIALECTS = (None, "snowflake", "bigquery", "redshift", "postgres", "databricks", "trino", "duckdb", "sqlserver")
DIALECTS += ("clickhouse", "mysql", "sqlite")
NAMES = (
    "tinyint smallint int bigint number decimal numeric float real double char varchar nvarchar text string binary"
    " boolean date time timestamp datetime timestamptz timestamp_ntz timestamp_ltz json variant interval geography"
)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_spelling_of_a_type_means_the_same_without_the_dialect(dialect):
    for name in NAMES.split():
        physical = parse_physical_type(name, dialect)
        if physical.family is not None and physical.unicode:  # only SQL Server has texts of a code page
            again = parse_physical_type(spell_physical_type(physical))
            assert without_texts(again.as_json()) == without_texts(physical.as_json()), name


@given(st.text(max_size=60) | st.text(alphabet="aint<>(),[]:' \"`0123456789", max_size=60), st.sampled_from(DIALECTS))
def test_any_text_is_read_and_its_own_text_reads_the_same(spelling, dialect):
    physical = parse_physical_type(spelling, dialect)
    assert parse_physical_type(physical.text, dialect).family == physical.family
    assert read_physical_type(physical.as_json()) == (physical if physical.text else None)


sizes = st.none() | st.integers(1, 60)
scalars = st.one_of(
    st.builds(lambda bits, unsigned: PhysicalType(F.INTEGER, bits=bits, unsigned=unsigned),
              st.sampled_from([8, 16, 24, 32, 64, 128, 256]), st.booleans()),
    st.builds(lambda digits: PhysicalType(F.INTEGER, precision=digits), sizes),
    st.builds(lambda digits, scale: PhysicalType(F.DECIMAL, precision=digits, scale=scale),
              st.integers(1, 76), st.integers(1, 38)),
    st.just(PhysicalType(F.DECIMAL)),
    st.builds(lambda bits: PhysicalType(F.FLOAT, bits=bits), st.sampled_from([None, 16, 32, 64])),
    st.builds(lambda family, length: PhysicalType(family, length=length), st.sampled_from([F.TEXT, F.BINARY]), sizes),
    st.builds(lambda family, digits, zone: PhysicalType(family, precision=digits, timezone=zone),
              st.just(F.TIMESTAMP), sizes, st.sampled_from([None, "with", "without", "local"])),
    st.builds(lambda digits, zone: PhysicalType(F.TIME, precision=digits, timezone=zone),
              sizes, st.sampled_from([None, "with", "without"])),
    st.sampled_from([PhysicalType(family) for family in (F.BOOLEAN, F.DATE, F.JSON, F.GEOGRAPHY, F.ARRAY, F.MAP)]),
    st.builds(lambda digits: PhysicalType(F.INTERVAL, precision=digits), sizes),
)  # fmt: skip
names = st.text(alphabet="abc xyz_", min_size=1, max_size=5).map(lambda name: f"f{name}f")


def nest(types: st.SearchStrategy[PhysicalType]) -> st.SearchStrategy[PhysicalType]:
    return st.one_of(
        st.builds(lambda element, length: PhysicalType(F.ARRAY, element=element, length=length), types, sizes),
        st.builds(lambda key, value: PhysicalType(F.MAP, key=key, value=value), types, types),
        st.builds(
            lambda fields: PhysicalType(F.STRUCT, fields=tuple(sorted(fields.items()))),
            st.dictionaries(names, types, min_size=1, max_size=3),
        ),
    )


physical_types = st.recursive(scalars, nest, max_leaves=6)


def without_texts(value: Any) -> Any:
    """The JSON of a type without its texts and those of the types in it."""
    return (
        {key: without_texts(item) for key, item in value.items() if key != "text"} if isinstance(value, dict) else value
    )


@given(physical_types)
def test_a_type_that_was_rendered_reads_the_same(physical):
    assert without_texts(parse_physical_type(render_physical_type(physical)).as_json()) == without_texts(
        physical.as_json()
    )


@given(physical_types)
def test_the_keyword_of_a_type_reads_as_the_type(physical):
    assert read_physical_type(physical.as_json()) == physical


AT_MOST = (Relation.EQUAL, Relation.WIDER)


@given(scalars)
def test_every_type_holds_its_own_values(physical):
    assert relate(physical, physical) is Relation.EQUAL


@given(scalars, scalars)
def test_of_two_types_that_hold_the_values_of_each_other_neither_is_wider(left, right):
    relation, reverse = relate(left, right), relate(right, left)
    assert (relation in AT_MOST and reverse in AT_MOST) == (relation is Relation.EQUAL)
    assert (relation is Relation.WIDER) == (reverse is Relation.NARROWER)


@given(scalars, scalars, scalars)
def test_a_type_that_holds_a_wider_one_holds_the_narrower_one_too(narrow, middle, wide):
    if relate(narrow, middle) in AT_MOST and relate(middle, wide) in AT_MOST:
        assert relate(narrow, wide) in AT_MOST


CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
version: 1.2.0
servers: [{server: production, type: redshift, database: analytics}]
schema:
- name: orders
  properties:
  - {name: code, logicalType: string, physicalType: varchar}
  - {name: at, logicalType: timestamp, physicalType: "timestamp(3) with time zone"}
  - {name: shape, physicalType: geometry}
"""


def test_an_odcs_contract_keeps_physical_types_without_the_server_that_explains_them():
    (contract,) = odcs.parse_contract(CONTRACT)
    properties = contract.schema["properties"]
    assert properties["code"]["x-physical-type"] == {"family": "text", "length": 256, "text": "varchar"}
    rendered = odcs.render_contract("analytics.orders", "1.2.0", contract.schema)
    assert "physicalType: varchar(256)" in rendered
    assert "physicalType: timestamp(3) with time zone" in rendered
    assert "physicalType: geometry" in rendered
    (again,) = odcs.parse_contract(rendered)
    for name, schema in again.schema["properties"].items():
        assert without_texts(schema["x-physical-type"]) == without_texts(properties[name]["x-physical-type"])
