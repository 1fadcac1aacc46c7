"""The shape of each keyword's value, draft by draft: what is a schema, and how a value that is none is named."""

import pytest

from tessera_gql.diff import SchemaError, check
from tessera_gql.diff.read.dialects import DIALECTS

D4, D6, D7, D19, D20 = ({"$schema": dialect.uri} for dialect in DIALECTS)


@pytest.mark.parametrize(
    ("draft", "schema"),
    [
        (D4, {"additionalItems": True, "additionalProperties": False, "items": [{}]}),
        (D4, {"additionalItems": {}, "additionalProperties": {}, "items": {}}),
        (D4, {"enum": [1, True, "1", None, [1], {"a": 1}]}),
        (D4, {"dependencies": {"a": ["b"], "c": {}}, "required": ["a", "b"]}),
        (D4, {"exclusiveMinimum": False, "exclusiveMaximum": True, "const": 3, "contains": 3, "propertyNames": 3}),
        (D6, {"enum": [], "required": [], "dependencies": {"a": [], "b": False}, "examples": [], "const": {"type": 3}}),
        (D6, {"exclusiveMinimum": 1, "exclusiveMaximum": 2.5, "enum": [1, 1.0], "if": 3}),
        (D7, {"items": [True, {}], "additionalItems": False, "if": True, "then": {}, "else": False, "readOnly": True}),
        (D7, {"minContains": "x", "$defs": 3, "deprecated": "yes", "dependentRequired": 3, "unevaluatedItems": 3}),
        (D19, {"dependentRequired": {"a": []}, "dependentSchemas": {"a": True}, "minContains": 0, "maxContains": 2.0}),
        (D19, {"items": [True], "additionalItems": {}, "$recursiveAnchor": False, "$vocabulary": {"x": True}}),
        (D19, {"prefixItems": 3, "$dynamicAnchor": 3}),
        (D20, {"prefixItems": [True, {}], "items": False, "additionalItems": 3, "nullable": "yes", "x-any": 3}),
        (D20, {"type": ["string", "null"], "pattern": "^a", "patternProperties": {"^a": True}, "uniqueItems": False}),
        (D20, {"multipleOf": 0.01, "minimum": -1.5, "minLength": 0, "maxLength": 2.0, "format": "any", "title": ""}),
        (D20, {"type": "array", "not": True, "allOf": [{}], "anyOf": [False], "oneOf": [True], "properties": {}}),
    ],
)
def test_what_a_draft_allows_is_read(draft, schema):
    check({**draft, **schema})


@pytest.mark.parametrize(
    ("draft", "schema", "pointer", "said"),
    [
        (D4, {"not": True}, "/not", "a schema is an object in draft 4, not a boolean."),
        (D4, {"items": []}, "/items", "items must not be empty."),
        (D4, {"additionalItems": 3}, "/additionalItems", "a schema is an object in draft 4, not this number."),
        (D4, {"additionalProperties": []}, "/additionalProperties", "a schema is an object in draft 4, not a list."),
        (D4, {"enum": []}, "/enum", "enum must not be empty."),
        (D4, {"enum": [1, 2, 1.0]}, "/enum", "enum must list each value once."),
        (D4, {"enum": "x"}, "/enum", "enum must be a list, not text."),
        (D4, {"required": ["a", "a"]}, "/required", "required must be a list of different names."),
        (D4, {"required": []}, "/required", "required must not be empty."),
        (D4, {"dependencies": {"a": []}}, "/dependencies/a", "dependencies must not be empty."),
        (D4, {"dependencies": {"a": ["b", "b"]}}, "/dependencies/a", "dependencies must be a list of different names."),
        (D4, {"dependencies": {"a/b": True}}, "/dependencies/a~1b", "a schema is an object in draft 4, not a boolean."),
        (D4, {"exclusiveMinimum": 1}, "/exclusiveMinimum", "exclusiveMinimum must be a boolean, not this number."),
        (D6, {"not": None}, "/not", "a schema is an object or a boolean in draft 6, not null."),
        (D6, {"exclusiveMinimum": True}, "/exclusiveMinimum", "exclusiveMinimum must be a number, not a boolean."),
        (D6, {"enum": {}}, "/enum", "enum must be a list, not an object."),
        (
            D6,
            {"dependencies": {"a": 1}},
            "/dependencies/a",
            "a schema is an object or a boolean in draft 6, not this number.",
        ),
        (D6, {"dependencies": []}, "/dependencies", "dependencies must be an object, not a list."),
        (D7, {"items": "x"}, "/items", "a schema is an object or a boolean in draft 7, not text."),
        (D7, {"items": [{}, 1]}, "/items/1", "a schema is an object or a boolean in draft 7, not this number."),
        (D7, {"items": []}, "/items", "items must not be empty."),
        (D7, {"if": 3}, "/if", "a schema is an object or a boolean in draft 7, not this number."),
        (
            D19,
            {"$vocabulary": {"x": 3}},
            "/$vocabulary/x",
            "$vocabulary must be an object of booleans, not this number.",
        ),
        (D19, {"dependentRequired": {"a": "b"}}, "/dependentRequired/a", "dependentRequired must be a list, not text."),
        (
            D19,
            {"dependentSchemas": {"a": ["b"]}},
            "/dependentSchemas/a",
            "a schema is an object or a boolean in 2019-09, not a list.",
        ),
        (D19, {"minContains": -1}, "/minContains", "minContains must be a whole number from 0, not this number."),
        (D20, {"items": [{}]}, "/items", "a schema is an object or a boolean in 2020-12, not a list."),
        (D20, {"prefixItems": []}, "/prefixItems", "prefixItems must not be empty."),
        (D20, {"prefixItems": {}}, "/prefixItems", "prefixItems must be a list, not an object."),
        (D20, {"type": []}, "/type", "type must not be empty."),
        (D20, {"type": ["string", "string"]}, "/type", "type must be one or more different names of array, boolean, "),
        (D20, {"type": ["string", None]}, "/type", "type must be one or more different names of"),
        (D20, {"type": None}, "/type", "type must be one or more different names of"),
        (D20, {"type": "any"}, "/type", "boolean, integer, null, number, object, string."),
        (D20, {"minimum": "1"}, "/minimum", "minimum must be a number, not text."),
        (D20, {"minimum": False}, "/minimum", "minimum must be a number, not a boolean."),
        (D20, {"multipleOf": -1}, "/multipleOf", "multipleOf must be a number above 0, not this number."),
        (D20, {"multipleOf": True}, "/multipleOf", "multipleOf must be a number above 0, not a boolean."),
        (D20, {"maxItems": 0.5}, "/maxItems", "maxItems must be a whole number from 0, not this number."),
        (D20, {"maxItems": "3"}, "/maxItems", "maxItems must be a whole number from 0, not text."),
        (D20, {"maxItems": False}, "/maxItems", "maxItems must be a whole number from 0, not a boolean."),
        (D20, {"pattern": 3}, "/pattern", "pattern must be text, not this number."),
        (D20, {"pattern": "("}, "/pattern", "pattern is not a regular expression; correct it."),
        (D20, {"patternProperties": []}, "/patternProperties", "patternProperties must be an object, not a list."),
        (D20, {"patternProperties": {"a": 1}}, "/patternProperties/a", "a schema is an object or a boolean"),
        (
            D20,
            {"properties": {"m~n": []}},
            "/properties/m~0n",
            "a schema is an object or a boolean in 2020-12, not a list.",
        ),
        (D20, {"description": None}, "/description", "description must be text, not null."),
        (D20, {"$comment": []}, "/$comment", "$comment must be text, not a list."),
        (D20, {"deprecated": {}}, "/deprecated", "deprecated must be a boolean, not an object."),
        (D20, {"examples": 1.5}, "/examples", "examples must be a list, not this number."),
        (D20, {"allOf": [{}, {"anyOf": [{"not": 1.5}]}]}, "/allOf/1/anyOf/0/not", "not this number."),
        (D20, {"$defs": {"a": {"$defs": {"b/c": 3}}}}, "/$defs/a/$defs/b~1c", "a schema is an object or a boolean"),
    ],
)
def test_what_a_draft_does_not_allow_is_named(draft, schema, pointer, said):
    with pytest.raises(SchemaError) as refused:
        check({**draft, **schema})
    assert refused.value.pointer == pointer
    assert said in refused.value.reason
    assert refused.value.limit is None
    assert refused.value.side is None


def test_of_several_mistakes_the_first_is_named():
    for first, second in (("minimum", "maximum"), ("maximum", "minimum")):
        with pytest.raises(SchemaError) as refused:
            check({first: "x", second: "y"})
        assert refused.value.pointer == f"/{first}"


def test_a_subschema_that_is_fine_in_one_draft_is_checked_again_in_another():
    shared = {"properties": {"a": {"exclusiveMinimum": True}}}
    check({**D4, **shared})
    with pytest.raises(SchemaError):
        check({**D7, **shared})
    with pytest.raises(SchemaError):
        check({"not": {"const": {"type": 3}}, "anyOf": [{"type": 3}]})


def test_a_refusal_in_words_names_side_and_place_where_there_are_any():
    assert str(SchemaError("it is wrong.")) == "it is wrong."
    assert str(SchemaError("it is wrong.", pointer="/a")) == "it is wrong. (at /a)"
    refused = SchemaError("it is wrong.", pointer="/a", limit=3).with_side("old")
    assert str(refused) == "The old schema: it is wrong. (at /a)"
    assert (refused.reason, refused.pointer, refused.limit, refused.side) == ("it is wrong.", "/a", 3, "old")
    assert refused.args == ("it is wrong.",)
    plain = SchemaError("it is wrong.")
    assert (plain.pointer, plain.limit, plain.side) == ("", None, None)
