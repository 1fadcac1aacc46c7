"""The value of each keyword is checked by the rules of its draft."""

import pytest

from tessera_gql.diff import SchemaError, check
from tessera_gql.diff.read.dialects import DIALECTS

DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019, DRAFT_2020 = ({"$schema": dialect.uri} for dialect in DIALECTS)


@pytest.mark.parametrize(
    ("draft", "schema"),
    [
        (DRAFT_4, {"additionalItems": True, "additionalProperties": False, "items": [{}]}),
        (DRAFT_4, {"additionalItems": {}, "additionalProperties": {}, "items": {}}),
        (DRAFT_4, {"enum": [1, True, "1", None, [1], {"a": 1}]}),
        (DRAFT_4, {"dependencies": {"a": ["b"], "c": {}}, "required": ["a", "b"]}),
        (DRAFT_4, {"exclusiveMinimum": False, "exclusiveMaximum": True, "const": 3, "contains": 3, "propertyNames": 3}),
        (
            DRAFT_6,
            {"enum": [], "required": [], "dependencies": {"a": [], "b": False}, "examples": [], "const": {"type": 3}},
        ),
        (DRAFT_6, {"exclusiveMinimum": 1, "exclusiveMaximum": 2.5, "enum": [1, 1.0], "if": 3}),
        (
            DRAFT_7,
            {"items": [True, {}], "additionalItems": False, "if": True, "then": {}, "else": False, "readOnly": True},
        ),
        (DRAFT_7, {"minContains": "x", "$defs": 3, "deprecated": "yes", "dependentRequired": 3, "unevaluatedItems": 3}),
        (
            DRAFT_2019,
            {"dependentRequired": {"a": []}, "dependentSchemas": {"a": True}, "minContains": 0, "maxContains": 2.0},
        ),
        (DRAFT_2019, {"items": [True], "additionalItems": {}, "$recursiveAnchor": False, "$vocabulary": {"x": True}}),
        (DRAFT_2019, {"prefixItems": 3, "$dynamicAnchor": 3}),
        (DRAFT_2020, {"prefixItems": [True, {}], "items": False, "additionalItems": 3, "nullable": "yes", "x-any": 3}),
        (
            DRAFT_2020,
            {"type": ["string", "null"], "pattern": "^a", "patternProperties": {"^a": True}, "uniqueItems": False},
        ),
        (
            DRAFT_2020,
            {"multipleOf": 0.01, "minimum": -1.5, "minLength": 0, "maxLength": 2.0, "format": "any", "title": ""},
        ),
        (
            DRAFT_2020,
            {"type": "array", "not": True, "allOf": [{}], "anyOf": [False], "oneOf": [True], "properties": {}},
        ),
    ],
)
def test_valid_keyword_values_of_each_draft_are_read(draft, schema):
    check({**draft, **schema})


@pytest.mark.parametrize(
    ("draft", "schema", "pointer", "message"),
    [
        (DRAFT_4, {"not": True}, "/not", "a schema is an object in draft 4, not a boolean."),
        (DRAFT_4, {"items": []}, "/items", "items must not be empty."),
        (DRAFT_4, {"additionalItems": 3}, "/additionalItems", "a schema is an object in draft 4, not this number."),
        (
            DRAFT_4,
            {"additionalProperties": []},
            "/additionalProperties",
            "a schema is an object in draft 4, not a list.",
        ),
        (DRAFT_4, {"enum": []}, "/enum", "enum must not be empty."),
        (DRAFT_4, {"enum": [1, 2, 1.0]}, "/enum", "enum must list each value once."),
        (DRAFT_4, {"enum": "x"}, "/enum", "enum must be a list, not text."),
        (DRAFT_4, {"required": ["a", "a"]}, "/required", "required must be a list of different names."),
        (DRAFT_4, {"required": []}, "/required", "required must not be empty."),
        (DRAFT_4, {"dependencies": {"a": []}}, "/dependencies/a", "dependencies must not be empty."),
        (
            DRAFT_4,
            {"dependencies": {"a": ["b", "b"]}},
            "/dependencies/a",
            "dependencies must be a list of different names.",
        ),
        (
            DRAFT_4,
            {"dependencies": {"a/b": True}},
            "/dependencies/a~1b",
            "a schema is an object in draft 4, not a boolean.",
        ),
        (DRAFT_4, {"exclusiveMinimum": 1}, "/exclusiveMinimum", "exclusiveMinimum must be a boolean, not this number."),
        (DRAFT_6, {"not": None}, "/not", "a schema is an object or a boolean in draft 6, not null."),
        (DRAFT_6, {"exclusiveMinimum": True}, "/exclusiveMinimum", "exclusiveMinimum must be a number, not a boolean."),
        (DRAFT_6, {"enum": {}}, "/enum", "enum must be a list, not an object."),
        (
            DRAFT_6,
            {"dependencies": {"a": 1}},
            "/dependencies/a",
            "a schema is an object or a boolean in draft 6, not this number.",
        ),
        (DRAFT_6, {"dependencies": []}, "/dependencies", "dependencies must be an object, not a list."),
        (DRAFT_7, {"items": "x"}, "/items", "a schema is an object or a boolean in draft 7, not text."),
        (DRAFT_7, {"items": [{}, 1]}, "/items/1", "a schema is an object or a boolean in draft 7, not this number."),
        (DRAFT_7, {"items": []}, "/items", "items must not be empty."),
        (DRAFT_7, {"if": 3}, "/if", "a schema is an object or a boolean in draft 7, not this number."),
        (
            DRAFT_2019,
            {"$vocabulary": {"x": 3}},
            "/$vocabulary/x",
            "$vocabulary must be an object of booleans, not this number.",
        ),
        (
            DRAFT_2019,
            {"dependentRequired": {"a": "b"}},
            "/dependentRequired/a",
            "dependentRequired must be a list, not text.",
        ),
        (
            DRAFT_2019,
            {"dependentSchemas": {"a": ["b"]}},
            "/dependentSchemas/a",
            "a schema is an object or a boolean in 2019-09, not a list.",
        ),
        (
            DRAFT_2019,
            {"minContains": -1},
            "/minContains",
            "minContains must be a whole number from 0, not this number.",
        ),
        (DRAFT_2020, {"items": [{}]}, "/items", "not a list. Put the schemas of the first items in prefixItems."),
        (DRAFT_2020, {"properties": {"items": [{}]}}, "/properties/items", "in 2020-12, not a list."),
        (DRAFT_2020, {"prefixItems": []}, "/prefixItems", "prefixItems must not be empty."),
        (DRAFT_2020, {"prefixItems": {}}, "/prefixItems", "prefixItems must be a list, not an object."),
        (DRAFT_2020, {"type": []}, "/type", "type must not be empty."),
        (
            DRAFT_2020,
            {"type": ["string", "string"]},
            "/type",
            "type must be one or more different names of array, boolean, ",
        ),
        (DRAFT_2020, {"type": ["string", None]}, "/type", "type must be one or more different names of"),
        (DRAFT_2020, {"type": None}, "/type", "type must be one or more different names of"),
        (DRAFT_2020, {"type": "any"}, "/type", "boolean, integer, null, number, object, string."),
        (DRAFT_2020, {"minimum": "1"}, "/minimum", "minimum must be a number, not text."),
        (DRAFT_2020, {"minimum": False}, "/minimum", "minimum must be a number, not a boolean."),
        (DRAFT_2020, {"multipleOf": -1}, "/multipleOf", "multipleOf must be a number above 0, not this number."),
        (DRAFT_2020, {"multipleOf": True}, "/multipleOf", "multipleOf must be a number above 0, not a boolean."),
        (DRAFT_2020, {"maxItems": 0.5}, "/maxItems", "maxItems must be a whole number from 0, not this number."),
        (DRAFT_2020, {"maxItems": "3"}, "/maxItems", "maxItems must be a whole number from 0, not text."),
        (DRAFT_2020, {"maxItems": False}, "/maxItems", "maxItems must be a whole number from 0, not a boolean."),
        (DRAFT_2020, {"pattern": 3}, "/pattern", "pattern must be text, not this number."),
        (DRAFT_2020, {"pattern": "("}, "/pattern", "pattern is not a regular expression; correct it."),
        (
            DRAFT_2020,
            {"patternProperties": []},
            "/patternProperties",
            "patternProperties must be an object, not a list.",
        ),
        (DRAFT_2020, {"patternProperties": {"a": 1}}, "/patternProperties/a", "a schema is an object or a boolean"),
        (
            DRAFT_2020,
            {"properties": {"m~n": []}},
            "/properties/m~0n",
            "a schema is an object or a boolean in 2020-12, not a list.",
        ),
        *((draft, {"$id": 5}, "/$id", "$id must be text, not this number.") for draft in (DRAFT_7, DRAFT_2020)),
        (DRAFT_2020, {"description": None}, "/description", "description must be text, not null."),
        (DRAFT_2020, {"$comment": []}, "/$comment", "$comment must be text, not a list."),
        (DRAFT_2020, {"deprecated": {}}, "/deprecated", "deprecated must be a boolean, not an object."),
        (DRAFT_2020, {"examples": 1.5}, "/examples", "examples must be a list, not this number."),
        (DRAFT_2020, {"allOf": [{}, {"anyOf": [{"not": 1.5}]}]}, "/allOf/1/anyOf/0/not", "not this number."),
        (
            DRAFT_2020,
            {"$defs": {"a": {"$defs": {"b/c": 3}}}},
            "/$defs/a/$defs/b~1c",
            "a schema is an object or a boolean",
        ),
    ],
)
def test_invalid_keyword_values_of_each_draft_are_refused_with_a_message(draft, schema, pointer, message):
    with pytest.raises(SchemaError) as refused:
        check({**draft, **schema})
    assert refused.value.pointer == pointer
    assert message in refused.value.reason
    assert refused.value.limit is None
    assert refused.value.side is None


def test_the_first_of_several_mistakes_is_reported():
    for first, second in (("minimum", "maximum"), ("maximum", "minimum")):
        with pytest.raises(SchemaError) as refused:
            check({first: "x", second: "y"})
        assert refused.value.pointer == f"/{first}"


def test_a_subschema_valid_in_one_draft_is_checked_again_in_another_draft():
    shared = {"properties": {"a": {"exclusiveMinimum": True}}}
    check({**DRAFT_4, **shared})
    with pytest.raises(SchemaError):
        check({**DRAFT_7, **shared})
    with pytest.raises(SchemaError):
        check({"not": {"const": {"type": 3}}, "anyOf": [{"type": 3}]})


def test_an_error_message_names_side_and_pointer_if_there_are_any():
    assert str(SchemaError("it is wrong.")) == "it is wrong."
    assert str(SchemaError("it is wrong.", pointer="/a")) == "it is wrong. (at /a)"
    refused = SchemaError("it is wrong.", pointer="/a", limit=3).with_side("old")
    assert str(refused) == "The old schema: it is wrong. (at /a)"
    assert (refused.reason, refused.pointer, refused.limit, refused.side) == ("it is wrong.", "/a", 3, "old")
    assert refused.args == ("it is wrong.",)
    plain = SchemaError("it is wrong.")
    assert (plain.pointer, plain.limit, plain.side) == ("", None, None)
