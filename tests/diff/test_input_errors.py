"""An invalid schema is refused with a `SchemaError` that has a pointer and the exceeded limit if there is one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import SchemaError as Invalid
from jsonschema import validators

from tessera_gql.diff import SchemaError, check, compare, list_fields
from tessera_gql.diff.read.dialects import DIALECTS
from tests.diff.generators import law, values


def nested(levels):
    schema = {"type": "string"}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "pointer", "limit", "reason"),
    [
        (1, "", None, "a schema is an object or a boolean in 2020-12, not this number"),
        (None, "", None, "not null"),
        ([], "", None, "not a list"),
        ("x", "", None, "not text"),
        ({"type": "strnig"}, "/type", None, "different names of array, boolean"),
        ({"properties": {"a/b": {"type": 1}}}, "/properties/a~1b/type", None, "type must be"),
        ({"properties": []}, "/properties", None, "properties must be an object, not a list"),
        ({"required": ["a", "a"]}, "/required", None, "different names"),
        ({"required": "a"}, "/required", None, "required must be a list, not text"),
        ({"minLength": -1}, "/minLength", None, "a whole number from 0, not this number"),
        ({"minLength": 1.5}, "/minLength", None, "a whole number from 0"),
        ({"minLength": True}, "/minLength", None, "not a boolean"),
        ({"multipleOf": 0}, "/multipleOf", None, "a number above 0"),
        ({"pattern": "("}, "/pattern", None, "pattern is not a regular expression"),
        ({"patternProperties": {"[": True}}, "/patternProperties", None, "not a regular expression"),
        ({"allOf": []}, "/allOf", None, "allOf must not be empty"),
        ({"anyOf": [True, 3]}, "/anyOf/1", None, "a schema is"),
        ({"uniqueItems": "yes"}, "/uniqueItems", None, "uniqueItems must be a boolean, not text"),
        ({"title": {}}, "/title", None, "title must be text, not an object"),
        ({"$schema": "http://json-schema.org/draft-03/schema#"}, "/$schema", None, "not a draft read here"),
        ({"$schema": 7}, "/$schema", None, "not a draft read here"),
        ({"$ref": "#/$defs/none"}, "/$ref", None, "leads nowhere (#/$defs/none)"),
        ({"$ref": "#none"}, "/$ref", None, "leads nowhere (#none)"),
        ({"items": {"$ref": "http://example.com/x"}}, "/items/$ref", None, "nothing is ever fetched"),
        ({"$ref": "file:///etc/passwd"}, "/$ref", None, "nothing is ever fetched"),
        ({"$ref": "http://[x#a"}, "", None, "not a URI"),
        ({"$ref": "#/enum/0", "enum": ["x"]}, "/enum/0", None, "a schema is"),
        ({"minimum": float("nan")}, "", None, "not finite"),
        ({"minimum": 1 << 5_000}, "", 4_096, "more than 4,096 bits"),
        ({"enum": [{1: 2}]}, "/enum/0", None, "a key that is not text"),
        ({"enum": [(1,)]}, "/enum", None, "tuple is not a JSON value"),
        (nested(5_000), None, 200, "nested deeper than 200 levels"),
        ({"enum": list(range(10_001))}, "/enum", 10_000, "more than 10,000 values"),
        ({"examples": [[0] * 300_000]}, "", 250_000, "larger than 250,000 values"),
        ({"title": "x" * 8_000_001}, "", 8_000_000, "8,000,000 characters"),
        ({"allOf": [{"$ref": "#/$defs/a"}] * 5_001, "$defs": {"a": True}}, "", 5_000, "more than 5,000 references"),
        ({"dependentRequired": {"a": [1]}}, "/dependentRequired/a", None, "different names"),
        ({"$vocabulary": {"x": 1}}, "/$vocabulary/x", None, "booleans"),
    ],
)
def test_an_invalid_schema_is_refused_with_pointer_and_reason(schema, pointer, limit, reason):
    with pytest.raises(SchemaError, match=re.escape(reason)) as caught:
        check(schema)
    assert caught.value.limit == limit
    assert pointer is None or caught.value.pointer == pointer
    assert reason in caught.value.reason


def test_depth_of_200_is_read_and_compared_and_201_refused():
    check(nested(199))
    assert compare(nested(199), {"items": nested(198)}).changes == ()
    assert compare(nested(150), nested(151)).changes
    with pytest.raises(SchemaError):
        check(nested(201))


def test_the_side_is_named():
    with pytest.raises(SchemaError) as caught:
        compare(True, {"type": 1})
    assert caught.value.side == "new"
    assert str(caught.value).startswith("The new schema: type must be")
    assert str(caught.value).endswith("(at /type)")
    with pytest.raises(SchemaError) as caught:
        compare({"type": 1}, True)
    assert caught.value.side == "old"


def test_listing_fields_refuses_the_schemas_that_check_refuses():
    with pytest.raises(SchemaError):
        list_fields({"type": 1})


def test_a_reference_inside_data_is_data():
    check({"const": {"$ref": "#/nowhere"}, "properties": {"$ref": {"type": "string"}}, "enum": [{"$id": 3}]})


KEYWORDS = sorted({keyword for dialect in DIALECTS for keyword in dialect.shapes} - {"$schema", "$ref", "$id", "id"})
KEYWORDS = [
    keyword for keyword in KEYWORDS if not keyword.startswith("$dynamic") and not keyword.startswith("$recursive")
]


@law(4_000, 150)
@given(
    st.sampled_from(DIALECTS),
    st.dictionaries(
        st.sampled_from([keyword for keyword in KEYWORDS if keyword not in ("$anchor", "$vocabulary", "format")]),
        values | st.dictionaries(st.sampled_from(("a", "b")), values) | st.lists(st.just({}), max_size=2) | st.just({}),
        max_size=2,
    ),
)
def test_the_shape_check_agrees_with_the_metaschema(dialect, schema):
    schema = {"$schema": dialect.uri, **schema}
    try:
        validators.validator_for(schema).check_schema(schema)
        is_valid = True
    except Invalid:
        is_valid = False
    try:
        check(schema)
        is_read = True
    except SchemaError:
        is_read = False
    assert is_read == is_valid
