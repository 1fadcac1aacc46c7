"""The `data_type` of a column becomes JSON Schema that every value of the type satisfies."""

import time

import pytest
from jsonschema import Draft202012Validator

from tessera_gql.formats import dbt, warehouse_types
from tests.formats.manifests import check, column, logical, manifest, read_column, read_one, table


def schema(data_type: str):
    """The schema of a type without physical types."""
    return logical(warehouse_types.parse_type(data_type).schema)


@pytest.mark.parametrize(
    ("spellings", "expected"),
    [
        ("int INTEGER bigint smallint TINYINT(1) int64 hugeint long serial int4 uint8", {"type": "integer"}),
        ("numeric(38,0) NUMBER(38) decimal(10,0)", {"type": "integer"}),
        ("float FLOAT64 double real numeric bignumeric number decimal", {"type": "number"}),
        ("bool BOOLEAN", {"type": "boolean"}),
        ("string TEXT varchar char nvarchar bpchar VARCHAR(16777216) varchar(max)", {"type": "string"}),
        ("date", {"type": "string", "format": "date"}),
        ("time timetz TIME(3)", {"type": "string", "format": "time"}),
        ("timestamp datetime TIMESTAMP(6) datetime2", {"type": "string", "format": "date-time"}),
        ("uuid uniqueidentifier", {"type": "string", "format": "uuid"}),
        ("array list", {"type": "array"}),
        ("object struct record map", {"type": "object"}),
    ],
)
def test_the_usual_spellings_of_the_warehouses_are_known(spellings, expected):
    for spelling in spellings.split():
        assert schema(spelling) == expected, spelling


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("double precision", {"type": "number"}),
        ("character varying", {"type": "string"}),
        ("int unsigned", {"type": "integer"}),
        ('varchar collate "de-ci"', {"type": "string"}),
        ("timestamp(6) with time zone", schema("timestamptz")),
        ("timestamp without time zone", schema("timestamp_ntz")),
        ("time without time zone", {"type": "string", "format": "time"}),
    ],
)
def test_types_with_several_words_are_known(spelling, expected):
    assert schema(spelling) == expected


def test_precision_scale_and_length_are_in_the_physical_type_and_no_constraint():
    assert warehouse_types.parse_type("NUMERIC(10, 2)").schema == {
        "type": "number",
        "x-physical-type": {"family": "decimal", "precision": 10, "scale": 2, "text": "numeric(10,2)"},
    }
    enforced = table("orders", column("code", "varchar(20)"), contract={"enforced": True})
    assert read_one(enforced).schema["properties"]["code"] == {
        "type": ["string", "null"],
        "x-physical-type": {"family": "text", "length": 20, "text": "varchar(20)"},
    }


def test_each_type_in_a_nested_one_has_its_own_physical_type():
    physical_types = warehouse_types.parse_type("struct<a: array<decimal(10,2)>, b: map<string, int>>").schema
    properties = physical_types["properties"]
    assert physical_types["x-physical-type"] == {"family": "struct", "text": "struct"}
    assert properties["a"]["x-physical-type"] == {"family": "array", "text": "array"}
    assert properties["a"]["items"]["x-physical-type"]["text"] == "decimal(10,2)"
    assert properties["b"]["x-physical-type"]["key"] == {"family": "text", "text": "string"}
    assert properties["b"]["additionalProperties"]["x-physical-type"]["bits"] == 32


def test_the_spelling_of_a_struct_or_array_is_no_part_of_its_physical_type():
    spellings = ("struct", "record", "OBJECT", "struct<a int>")
    assert {warehouse_types.parse_type(name).schema["x-physical-type"]["text"] for name in spellings} == {"struct"}
    assert warehouse_types.parse_type("list").schema["x-physical-type"] == {"family": "array", "text": "array"}


def test_the_schema_of_a_nested_type_grows_with_its_text_and_not_with_its_depth():
    columns = ",".join(f"c{number} int" for number in range(2_000))
    for opening, closing in (("struct<a ", ">"), ("map<", ",int>"), ("map<int,", ">"), ("struct<", ">")):
        spelling = f"{opening * 20}struct<{columns}>{closing * 20}"
        start = time.process_time()
        parsed = warehouse_types.parse_type(spelling)
        assert time.process_time() - start < 1
        assert len(str(parsed.schema)) < 20 * len(spelling)


def test_the_adapter_decides_what_a_name_means():
    columns = [column("at", "timestamp"), column("name", "varchar")]
    by_adapter = {
        adapter: {
            name: schema["x-physical-type"]
            for name, schema in read_one(table("orders", *columns), adapter=adapter).schema["properties"].items()
        }
        for adapter in ("redshift", "databricks")
    }
    assert by_adapter["redshift"]["name"] == {"family": "text", "length": 256, "text": "varchar"}
    assert by_adapter["databricks"]["name"] == {"family": "text", "text": "varchar"}
    assert [by_adapter[adapter]["at"]["timezone"] for adapter in by_adapter] == ["without", "local"]


def test_semi_structured_types_take_any_value():
    assert [schema(name) for name in ("VARIANT", "json", "super")] == [{}, {}, {}]


INT, TEXT = {"type": ["integer", "null"]}, {"type": ["string", "null"]}


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("array<string>", {"type": "array", "items": TEXT}),
        ("ARRAY(int not null)", {"type": "array", "items": {"type": "integer"}}),
        ("text[]", {"type": "array", "items": TEXT}),
        ("integer[3]", {"type": "array", "items": INT}),
        ("_int4", {"type": "array", "items": INT}),
        ("map<string, int>", {"type": "object", "additionalProperties": INT}),
        ("MAP(varchar, integer)", {"type": "object", "additionalProperties": INT}),
        ("struct<a: int, b: string>", {"type": "object", "properties": {"a": INT, "b": TEXT}}),
        ("object(b varchar, a int)", {"type": "object", "properties": {"a": INT, "b": TEXT}}),
        (
            "struct<`a b` int64 not null options('x'), c array<struct<d string>>>",
            {
                "type": "object",
                "properties": {
                    "a b": {"type": "integer"},
                    "c": {"type": ["array", "null"], "items": {"type": ["object", "null"], "properties": {"d": TEXT}}},
                },
                "required": ["a b"],
            },
        ),
        ("struct<int64, string>", {"type": "object"}),
        ("struct(a integer)[]", {"type": "array", "items": {"type": ["object", "null"], "properties": {"a": INT}}}),
        ("array<geography>", {"type": "array", "items": {}}),
    ],
)
def test_nested_types_are_described_to_their_leaves(spelling, expected):
    assert schema(spelling) == expected


@pytest.mark.parametrize(
    "spelling",
    ["geography(point,4326)", "foo<bar>", "array<", "struct<a int64", "((", "%", "int)", "array<" * 100, "x" * 300_000],
)
def test_an_unknown_type_is_reported_and_constrains_nothing(spelling):
    read = warehouse_types.parse_type(spelling)
    assert set(read.schema) == {"x-physical-type"}
    assert read.schema["x-physical-type"] == {"text": read.unknown[0]}
    assert len(read.unknown[0]) <= 220


def test_an_unknown_type_is_a_warning_that_names_the_column():
    (warning,) = dbt.parse_manifest(manifest(table("orders", column("where_at", "geography(point,4326)")))).warnings
    assert (
        warning == "Columns of the unknown type `geography(point,4326)` may hold any value: model.shop.orders.where_at."
    )


def test_a_column_may_be_null_and_absent_unless_something_says_otherwise():
    loose = read_one(table("orders", column("id", "int")))
    strict = read_one(table("orders", column("id", "int")), check("not_null", "id"))
    assert (logical(loose.schema["properties"]["id"]), loose.schema["required"]) == (INT, [])
    assert (logical(strict.schema["properties"]["id"]), strict.schema["required"]) == ({"type": "integer"}, ["id"])


def test_a_column_without_a_data_type_has_no_type_even_when_it_is_required():
    read = read_one(table("orders", column("id", description="The key.")), check("not_null", "id"))
    assert read.schema["properties"] == {"id": {"description": "The key."}}
    assert read.schema["required"] == ["id"]


def test_the_order_of_the_columns_does_not_matter_to_the_schema():
    one, other = column("a", "int"), column("b", "int")
    assert repr(read_one(table("orders", one, other)).schema) == repr(read_one(table("orders", other, one)).schema)


def test_a_dotted_column_is_a_field_of_the_record_or_of_the_repeated_record_it_names():
    columns = [
        column("items", "array<record>"),
        column("items.sku", "string"),
        column("payer", "record"),
        column("payer.address", "struct<city string>"),
        column("payer.address.zip", "string"),
        column("unlisted.field", "int64"),
    ]
    read = read_one(table("orders", *columns), check("not_null", "payer.address.zip"), adapter="bigquery")
    assert logical(read.schema["properties"]) == {
        "items": {"type": ["array", "null"], "items": {"type": ["object", "null"], "properties": {"sku": TEXT}}},
        "payer": {
            "type": ["object", "null"],
            "properties": {
                "address": {
                    "type": ["object", "null"],
                    "properties": {"city": TEXT, "zip": {"type": "string"}},
                    "required": ["zip"],
                }
            },
        },
        "unlisted": {"properties": {"field": INT}},
    }


def test_a_dot_in_a_column_name_means_nothing_where_the_warehouse_has_no_such_records():
    columns = [column("a", "text"), column("a.b", "int"), column("c.d", "int")]
    for adapter in ("postgres", "bigquery"):
        properties = read_one(table("orders", *columns[:2]), adapter=adapter).schema["properties"]
        assert set(properties) == {"a", "a.b"}
    assert set(read_one(table("orders", *columns)).schema["properties"]) == {"a", "a.b", "c.d"}


def test_a_thousand_dots_nest_nothing():
    read = read_one(table("orders", column(".".join("a" * 1_000), "int")), adapter="bigquery")
    assert len(read.schema["properties"]) == 1


def test_every_result_is_valid_json_schema():
    spellings = ["struct<a int, b array<string>>", "map<string,int>", "geography", "numeric(10,2)", "varchar(20)"]
    read = read_one(table("orders", *[column(f"c{i}", spelling) for i, spelling in enumerate(spellings)]))
    Draft202012Validator.check_schema(read.schema)
    assert logical(read_column(column("id", "int"))) == INT


def test_a_parsed_type_may_be_changed_without_effect_on_the_next_one():
    warehouse_types.parse_type("decimal(12,2)").schema["minimum"] = 0
    assert "minimum" not in warehouse_types.parse_type("decimal(12,2)").schema
