"""Small simple schemas are recognized without reading large ones completely."""

import pytest

from tessera_gql.diff import is_table, small_schema_size

COLUMNS = {f"c{n}": {"type": "string"} for n in range(20)}


def test_the_size_of_a_small_schema_is_the_number_of_its_parts():
    assert small_schema_size({"type": "object", "properties": COLUMNS, "required": ["c1", "c2"]}) == 3 + 40 + 2
    assert small_schema_size(True) == small_schema_size({}) == 0
    assert (
        small_schema_size({"properties": {"pattern": {"type": ["string", "null"], "x-owner": {"$ref": 1}}}}) is not None
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "a"},
        {"$ref": "#"},
        {"properties": {"a": {"items": {"allOf": []}}}},
        {"items": {"oneOf": []}},
        {"items": [{"oneOf": []}]},
        {"additionalProperties": {"not": {}}},
        {"multipleOf": 3},
        {"properties": {f"c{n}": {} for n in range(500)}},
        {"enum": list(range(500))},
        {"description": "a" * 50_000},
        {"a" * 50_000: 1},
        {1: 2},
    ],
)
def test_schemas_with_other_keywords_have_no_size(schema):
    assert small_schema_size(schema) is None


def test_measuring_stops_after_a_bounded_number_of_parts():
    deep: object = {}
    for _ in range(100_000):
        deep = {"items": deep}
    assert small_schema_size(deep) is None


@pytest.mark.parametrize(
    ("schema", "is_expected"),
    [
        ({"type": "object", "properties": COLUMNS, "required": ["c1"]}, True),
        ({"properties": {"a": {"type": ["string", "null"], "x-type": "text"}}, "additionalProperties": False}, True),
        ({"properties": {}}, True),
        ({"properties": {"a": {"enum": [1, 2]}}}, False),
        ({"properties": {"a": {"type": "object", "properties": {}}}}, False),
        ({"properties": {"a": True}}, False),
        ({"properties": {"a": {}}, "additionalProperties": {"type": "string"}}, False),
        ({"type": "array", "items": {"type": "string"}}, False),
        ({"properties": ["a"]}, False),
        (True, False),
    ],
)
def test_a_table_is_an_object_of_columns_without_parts_and_lists_of_values(schema, is_expected):
    assert is_table(schema) is is_expected
