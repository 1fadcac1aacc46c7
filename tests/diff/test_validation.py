"""The solver's own validation of a value agrees with `jsonschema` wherever it gives a verdict."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tessera_gql.diff import SchemaError
from tessera_gql.diff.prove.validation import accepts, all_true, any_true, count_between
from tests.diff.engine import parse_schema
from tests.diff.generators import boundary_documents, law, schemas
from tests.diff.oracle import asks_itself, is_valid
from tests.diff.schemas import INTEGER, NUMBER, TEXT


@law(3_000, 60)
@given(schemas, st.randoms(use_true_random=False))
def test_reading_agrees_with_jsonschema(schema, random):
    try:
        root = parse_schema(schema)
    except SchemaError:
        assume(False)
        raise
    assume(not asks_itself(schema))
    documents = boundary_documents(schema)
    for document in random.sample(documents, min(60, len(documents))):
        verdict = accepts(root, document)
        assert verdict is None or verdict == is_valid(schema, document), document


UNREADABLE = {"pattern": "(?=a)"}


@pytest.mark.parametrize(
    ("schema", "document", "verdict"),
    [
        (UNREADABLE, "a", None),
        (UNREADABLE, 1, True),
        ({"not": UNREADABLE}, "a", None),
        ({"anyOf": [UNREADABLE, {"type": "string"}]}, "a", True),
        ({"anyOf": [UNREADABLE, {"type": "integer"}]}, "a", None),
        ({"allOf": [UNREADABLE, {"type": "integer"}]}, "a", False),
        ({"oneOf": [UNREADABLE, {"type": "string"}, {"minLength": 1}]}, "a", False),
        ({"oneOf": [UNREADABLE, {"type": "string"}]}, "a", None),
        ({"if": UNREADABLE, "then": {"minLength": 1}, "else": {"minLength": 1}}, "a", True),
        ({"if": UNREADABLE, "then": {"minLength": 2}, "else": {"minLength": 1}}, "a", None),
        ({"patternProperties": {"(?=a)": {"type": "string"}}}, {"a": "x"}, True),
        ({"patternProperties": {"(?=a)": {"type": "string"}}}, {"a": 1}, None),
        ({"patternProperties": {"(?=a)": True}, "additionalProperties": False}, {"a": 1}, None),
        ({"patternProperties": {"(?=a)": True}, "additionalProperties": True}, {"a": 1}, True),
        ({"patternProperties": {"^a": True}, "additionalProperties": False}, {"a": 1}, True),
        (
            {"properties": {"a": True}, "patternProperties": {"(?=a)": True}, "additionalProperties": False},
            {"a": 1},
            True,
        ),
        ({"unevaluatedProperties": False}, {"a": 1}, None),
        ({"unevaluatedProperties": False}, {}, True),
        ({"unevaluatedProperties": False}, "a", True),
        ({"$ref": "#"}, 1, None),
    ],
)
def test_an_unreadable_keyword_is_unknown_unless_the_remaining_keywords_decide(schema, document, verdict):
    assert accepts(parse_schema(schema), document) is verdict


def test_composition_keywords_follow_three_valued_logic():
    assert all_true([True, None]) is None
    assert all_true([None, False]) is False
    assert all_true([]) is True
    assert any_true([None, True]) is True
    assert any_true([None, False]) is None
    assert any_true([]) is False
    assert count_between([True, None], 1, 1) is None
    assert count_between([True, True], 1, 1) is False
    assert count_between([None], 2, None) is False
    assert count_between([True, None], 1, None) is True
    assert count_between([True], 1, 1) is True
    assert count_between([], 0, 0) is True
    assert count_between([None], 0, 0) is None
    assert count_between([True], 0, 0) is False
    assert count_between([None, None], 1, 1) is None
    assert count_between([False], 1, None) is False
    assert count_between([True, None], 1, 2) is True
    assert count_between([True, True, False], 1, 2) is True


@pytest.mark.parametrize(
    ("schema", "valid", "invalid"),
    [
        (True, [1, None, {}], []),
        (False, [], [1, None, {}]),
        ({"type": ["integer", "null"]}, [1, 1.0, None], [1.5, True, "1"]),
        ({"enum": [1, "a", [1]]}, [1, 1.0, "a", [1.0]], [True, "b", [True], 2]),
        ({"const": None}, [None], [0, False, ""]),
        ({"minLength": 1, "maxLength": 2}, ["a", "ab", 1, []], ["", "abc"]),
        ({"pattern": "^a"}, ["a", "ab", 1], ["b", "ba", ""]),
        ({"minimum": 1, "maximum": 2}, [1, 2, 1.5, "x", True], [0.5, 2.5, 0, 3]),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 2}, [1.5], [1, 2, 0, 3]),
        ({"multipleOf": 0.25}, [0.5, 1, 0, "x"], [0.3]),
        ({"multipleOf": 2}, [4, 4.0, -2], [3, 0.5]),
        ({"minItems": 1, "maxItems": 2}, [[1], [1, 2], {}], [[], [1, 2, 3]]),
        ({"prefixItems": [TEXT, INTEGER], "items": False}, [[], ["a"], ["a", 1]], [[1], ["a", "b"], ["a", 1, 1]]),
        ({"prefixItems": [TEXT], "items": INTEGER}, [["a", 1, 2]], [["a", "b"], ["a", 1, "b"]]),
        ({"items": INTEGER}, [[], [1, 2]], [["a"], [1, "a"]]),
        ({"uniqueItems": True}, [[], [1, 2], [1, True], [[1], [2]]], [[1, 1.0], [{"a": 1}, 2, {"a": 1.0}]]),
        ({"uniqueItems": False}, [[1, 1]], []),
        ({"contains": INTEGER}, [[1], ["a", 1], [1, 1], "a"], [[], ["a"]]),
        ({"contains": INTEGER, "minContains": 2, "maxContains": 3}, [[1, 1], [1, "a", 1, 1]], [[1], [1, 1, 1, 1]]),
        ({"contains": INTEGER, "minContains": 0}, [[], ["a"]], []),
        ({"contains": INTEGER, "maxContains": 1}, [[1, "a"]], [[1, 1], []]),
        ({"required": ["a", "b"]}, [{"a": None, "b": 1}, []], [{}, {"b": 1}, {"a": 1}]),
        ({"minProperties": 1, "maxProperties": 2}, [{"a": 1}, {"a": 1, "b": 1}], [{}, {"a": 1, "b": 1, "c": 1}]),
        ({"properties": {"a": INTEGER}}, [{}, {"a": 1}, {"b": "x"}], [{"a": "x"}]),
        ({"properties": {"a": INTEGER}, "additionalProperties": False}, [{}, {"a": 1}], [{"b": 1}, {"a": 1, "b": 1}]),
        ({"additionalProperties": INTEGER}, [{}, {"a": 1}], [{"a": "x"}]),
        (
            {"patternProperties": {"^a": INTEGER}, "additionalProperties": TEXT},
            [{"a": 1, "b": "x"}],
            [{"a": "x"}, {"b": 1}],
        ),
        ({"properties": {"a": NUMBER}, "patternProperties": {"^a": INTEGER}}, [{"a": 1}], [{"a": 1.5}, {"a": "x"}]),
        ({"patternProperties": {"a": NUMBER, "b": INTEGER}}, [{"ab": 1, "a": 1.5}], [{"ab": 1.5}, {"b": 1.5}]),
        ({"propertyNames": {"maxLength": 1}}, [{"a": 1}, {}], [{"ab": 1}, {"a": 1, "ab": 1}]),
        ({"dependentRequired": {"a": ["b"]}}, [{"b": 1}, {"a": 1, "b": 1}, {}], [{"a": 1}]),
        ({"dependentSchemas": {"a": {"maxProperties": 1}}}, [{"a": 1}, {"b": 1, "c": 1}], [{"a": 1, "b": 1}]),
        ({"allOf": [INTEGER, {"minimum": 1}]}, [1], [0, 1.5, "a"]),
        ({"anyOf": [INTEGER, TEXT]}, [1, "a"], [1.5, None]),
        ({"oneOf": [NUMBER, INTEGER, TEXT]}, [1.5, "a"], [1, None]),
        ({"not": INTEGER}, ["a", 1.5], [1, 1.0]),
        ({"if": INTEGER, "then": {"minimum": 1}, "else": TEXT}, [1, "a"], [0, None, 1.5]),
        ({"if": INTEGER, "then": {"minimum": 1}}, [1, "a", None], [0]),
        ({"if": INTEGER, "else": TEXT}, [1, 0, "a"], [None]),
        ({"$ref": "#/$defs/a", "$defs": {"a": INTEGER}}, [1], ["a"]),
        ({"items": {"$ref": "#"}, "maxItems": 1}, [[], [[]], [[[]]], 1], [[[], []], [[[], []]]]),
    ],
)
def test_a_keyword_accepts_and_refuses_the_listed_values(schema, valid, invalid):
    root = parse_schema(schema)
    for document in (*valid, *invalid):
        assert accepts(root, document) is is_valid(schema, document), document
    assert [accepts(root, document) for document in (*valid, *invalid)] == [True] * len(valid) + [False] * len(invalid)


def test_a_shared_or_self_referential_schema_is_evaluated_once():
    defs = {f"n{level}": {"anyOf": [{"$ref": f"#/$defs/n{level + 1}"}] * 2} for level in range(12)}
    root = parse_schema({"$ref": "#/$defs/n0", "$defs": {**defs, "n12": {"type": "string"}}})
    assert accepts(root, 0) is False
    assert accepts(root, "a") is True
    again = {"anyOf": [{"not": {"$ref": "#/$defs/a"}}, {"type": "object"}, {"$ref": "#/$defs/a"}]}
    for level in range(3):
        again = {"oneOf": [again, {"allOf": [again, {"$ref": "#/$defs/a"}]}], "title": str(level)}
    assert accepts(parse_schema({"$ref": "#/$defs/a", "$defs": {"a": again}}), 0) is None


def test_alternatives_that_only_list_values_are_counted_as_they_are_read():
    listed = [{"const": 1, "title": "one"}, {"enum": [1.0, "a"]}, {"const": True}, {"const": [1]}]
    values: tuple[Any, ...] = (0, 1, 1.0, True, "a", [1], [True])
    for keyword, listed_values in (("anyOf", [1, 1.0, True, "a", [1]]), ("oneOf", [True, "a", [1]])):
        root = parse_schema({keyword: listed})
        assert [value for value in values if accepts(root, value)] == listed_values
        assert all(accepts(root, value) is is_valid({keyword: listed}, value) for value in values)
