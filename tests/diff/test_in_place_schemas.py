"""The schemas that apply to one value are found, with their declared names and self-references."""

import pytest

from tessera_gql.diff.read.in_place import has_cycle, in_place_names, in_place_schemas
from tests.diff.engine import parse_schema
from tests.diff.schemas import TEXT, array, obj

SELF = {"$ref": "#"}


@pytest.mark.parametrize(
    "schema",
    [
        SELF,
        {"allOf": [SELF]},
        {"anyOf": [TEXT, SELF]},
        {"oneOf": [TEXT, SELF]},
        {"not": SELF},
        {"if": SELF, "then": TEXT},
        {"if": TEXT, "then": SELF},
        {"if": TEXT, "else": SELF},
        {"dependentSchemas": {"a": SELF}},
        {"anyOf": [TEXT, {"allOf": [{"$ref": "#/anyOf/1"}]}]},
        {"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [TEXT, {"$ref": "#/$defs/a"}]}}},
        obj(properties={"a": {"$ref": "#/properties/a"}}),
    ],
)
def test_a_schema_that_applies_itself_to_the_same_value_is_self_referential(schema):
    assert has_cycle(parse_schema(schema))


@pytest.mark.parametrize(
    "schema",
    [
        TEXT,
        True,
        obj(properties={"a": SELF}, additionalProperties=SELF, propertyNames=SELF),
        array(items=SELF, prefixItems=[SELF], contains=SELF),
        {"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}], "$defs": {"a": {"not": TEXT}}},
        {"not": {"$ref": "#/$defs/a"}, "$defs": {"a": TEXT}},
    ],
)
def test_a_schema_that_applies_itself_to_other_values_is_not_self_referential(schema):
    assert not has_cycle(parse_schema(schema))


def test_names_are_declared_through_references_and_every_branch_but_not_by_a_negation():
    parts = {
        "properties": {"a": obj(properties={"inside": {}})},
        "patternProperties": {"^p": {}},
        "allOf": [
            obj(properties={"b": {}}),
            {"anyOf": [obj(properties={"c": {}}), {"oneOf": [obj(properties={"d": {}})]}]},
        ],
        "if": obj(properties={"e": {}}),
        "then": obj(properties={"f": {}}),
        "else": obj(patternProperties={"^q": {}}),
        "dependentSchemas": {"x": obj(properties={"g": {}})},
        "$ref": "#/$defs/h",
        "not": obj(properties={"never": {}}),
        "$defs": {"h": obj(properties={"h": {}}), "i": obj(properties={"i": {}})},
    }
    assert in_place_names(parse_schema(parts)) == (set("abcdefgh"), {"^p", "^q"})


def test_parts_come_in_document_order_and_each_once():
    schema = {"$ref": "#/$defs/a", "anyOf": [TEXT, {"allOf": [{"$ref": "#/$defs/a"}]}], "$defs": {"a": {"minimum": 1}}}
    assert [schema.pointer for schema in in_place_schemas(parse_schema(schema))] == [
        "",
        "/$defs/a",
        "/anyOf/0",
        "/anyOf/1",
        "/anyOf/1/allOf/0",
    ]
