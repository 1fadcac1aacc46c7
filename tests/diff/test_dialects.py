"""A schema is read in the right draft, with the keywords of that draft."""

import pytest

from tessera_gql.diff import SchemaError, check
from tessera_gql.diff.read.dialects import DIALECTS, DRAFT_4, DRAFT_7, DRAFT_2019, DRAFT_2020, dialect_of
from tests.diff.engine import is_backward_compatible
from tests.diff.schemas import INTEGER, NUMBER, TEXT, array, obj

IN_DRAFT_4, IN_DRAFT_6, IN_DRAFT_7, IN_DRAFT_2019, IN_DRAFT_2020 = ({"$schema": dialect.uri} for dialect in DIALECTS)
PAIR = {"type": "array", "prefixItems": [TEXT], "minItems": 1}
ABOVE_1 = {"minimum": 1, "exclusiveMinimum": True}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("end", ["", "#"])
def test_a_schema_is_read_in_the_draft_it_names(dialect, end):
    assert dialect_of({"$schema": dialect.uri + end}) is dialect
    assert dialect_of({"$schema": dialect.uri + end, **ABOVE_1, "items": [{}]}, ABOVE_1) is dialect


@pytest.mark.parametrize(
    ("schema", "dialect"),
    [
        (True, DRAFT_2020),
        ({}, DRAFT_2020),
        (ABOVE_1, DRAFT_4),
        ({"maximum": 1, "exclusiveMaximum": False}, DRAFT_4),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, DRAFT_2020),
        ({"items": [TEXT]}, DRAFT_7),
        ({"items": TEXT}, DRAFT_2020),
        ({"dependencies": {"a": ["b"]}}, DRAFT_7),
        ({"dependencies": {"a": {"items": {"maximum": 1, "exclusiveMaximum": True}}}}, DRAFT_4),
        ({"items": [ABOVE_1]}, DRAFT_4),
        ({"allOf": [{"items": [TEXT]}, {}]}, DRAFT_7),
        ({"allOf": [{"items": [TEXT]}, {"not": ABOVE_1}]}, DRAFT_4),
        ({"$defs": {"a": {"properties": {"b": {"items": [TEXT]}}}}}, DRAFT_7),
        ({"elsewhere": {"a": {"items": [TEXT]}}}, DRAFT_7),
        # names and data are no keywords
        ({"properties": {"dependencies": {}, "exclusiveMinimum": True}}, DRAFT_2020),
        ({"$defs": {"dependencies": {}}, "patternProperties": {"exclusiveMaximum": False}}, DRAFT_2020),
        ({"const": {"dependencies": {}}, "enum": [ABOVE_1], "default": ABOVE_1, "examples": [ABOVE_1]}, DRAFT_2020),
        ({"properties": {"items": ABOVE_1}}, DRAFT_4),
    ],
)
def test_a_schema_without_a_draft_is_read_in_the_newest_draft_with_its_keywords(schema, dialect):
    assert dialect_of(schema) is dialect


def test_two_schemas_without_a_draft_are_read_in_the_same_draft():
    assert dialect_of({}, {"items": [TEXT]}) is DRAFT_7
    assert dialect_of({"items": [TEXT]}, ABOVE_1, True) is DRAFT_4
    assert dialect_of({}, {**IN_DRAFT_4, **ABOVE_1}) is DRAFT_2020
    assert not is_backward_compatible({"const": 5}, ABOVE_1)
    assert is_backward_compatible({"const": 5}, {**IN_DRAFT_4, **ABOVE_1})


def test_a_property_named_like_an_old_keyword_does_not_change_the_draft():
    old = obj(properties={"dependencies": obj()})
    assert not is_backward_compatible(old, {**old, "dependentRequired": {"dependencies": ["b"]}})
    check({"properties": {"exclusiveMinimum": True}})


def test_an_unknown_draft_is_refused_with_the_known_ones():
    with pytest.raises(SchemaError) as refused:
        check({"$schema": "http://json-schema.org/schema#"})
    assert all(dialect.uri in refused.value.reason for dialect in DIALECTS)


@pytest.mark.parametrize("part", [{"properties": {"a": IN_DRAFT_7}}, {"$defs": {"a": {**IN_DRAFT_7, "$ref": "#"}}}])
def test_a_part_in_another_draft_than_the_whole_is_refused(part):
    with pytest.raises(SchemaError, match="another draft") as refused:
        check({**IN_DRAFT_2020, **part})
    assert refused.value.pointer.endswith("/a/$schema")
    check({**IN_DRAFT_7, **part})
    check({**IN_DRAFT_2020, "properties": {"$schema": {}, "a": {"$schema": "https://example.com/own"}}})


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        # `dependencies` is split in the drafts that dropped it
        ({**IN_DRAFT_7, **obj(dependencies={"a": ["b"]})}, obj(dependentRequired={"a": ["b"]}), True),
        ({**IN_DRAFT_7, **obj(dependencies={"a": {"required": ["b"]}})}, obj(dependentRequired={"a": ["b"]}), True),
        ({**IN_DRAFT_2019, **obj(dependencies={"a": ["b"]})}, obj(dependentRequired={"a": ["b"]}), False),
        ({**IN_DRAFT_2020, **obj(dependencies={"a": ["b"]})}, obj(dependentRequired={"a": ["b"]}), False),
        ({**IN_DRAFT_2019, **obj(dependencies={"a": {"required": ["b"]}})}, obj(dependentRequired={"a": ["b"]}), False),
        ({**IN_DRAFT_2020, **obj(dependencies={"a": {"required": ["b"]}})}, obj(dependentRequired={"a": ["b"]}), False),
        ({**IN_DRAFT_2019, **obj(dependentRequired={"a": ["b"]})}, obj(dependentRequired={"a": ["b"]}), True),
        (
            {**IN_DRAFT_2019, **obj(dependentSchemas={"a": {"required": ["b"]}})},
            obj(dependentRequired={"a": ["b"]}),
            True,
        ),
        ({**IN_DRAFT_7, **obj(dependentRequired={"a": ["b"]})}, obj(dependentRequired={"a": ["b"]}), False),
        (
            {**IN_DRAFT_7, **obj(dependentSchemas={"a": {"required": ["b"]}})},
            obj(dependentRequired={"a": ["b"]}),
            False,
        ),
        # tuples
        ({**IN_DRAFT_2019, **array(items=[TEXT], minItems=1)}, PAIR, True),
        ({**IN_DRAFT_2019, **array(items=[TEXT], additionalItems=False)}, array(maxItems=1), True),
        ({**IN_DRAFT_2019, **array(items=TEXT, additionalItems=False)}, array(maxItems=1), False),
        ({**IN_DRAFT_2019, **array(prefixItems=[TEXT], minItems=1)}, PAIR, False),
        ({**IN_DRAFT_2020, **array(additionalItems=False)}, array(maxItems=0), False),
        ({**IN_DRAFT_7, **array(items=[TEXT])}, array(items=TEXT), False),
        (array(items=TEXT), {**IN_DRAFT_7, **array(items=[TEXT, TEXT])}, True),
        (array(items=TEXT), {**IN_DRAFT_7, **array(items=[TEXT, INTEGER])}, False),
        # booleans and numbers
        ({**IN_DRAFT_4, "type": "number", **ABOVE_1}, {**IN_DRAFT_6, "exclusiveMinimum": 1}, True),
        ({**IN_DRAFT_6, "exclusiveMinimum": 1, **NUMBER}, {**IN_DRAFT_4, **ABOVE_1}, True),
        ({**IN_DRAFT_6, "minimum": 1, **NUMBER}, {**IN_DRAFT_4, **ABOVE_1}, False),
        ({**IN_DRAFT_4, "maximum": 1, "exclusiveMaximum": True, **NUMBER}, {**IN_DRAFT_6, "exclusiveMaximum": 1}, True),
        ({**IN_DRAFT_6, "maximum": 1, **NUMBER}, {**IN_DRAFT_4, "maximum": 1, "exclusiveMaximum": True}, False),
        (
            {**IN_DRAFT_4, "maximum": 1, "exclusiveMaximum": False, **NUMBER},
            {**IN_DRAFT_6, "exclusiveMaximum": 1},
            False,
        ),
        ({**IN_DRAFT_4, "exclusiveMinimum": True, **NUMBER}, {"exclusiveMinimum": 0}, False),
        # keywords newer than the draft
        ({**IN_DRAFT_4, **obj(propertyNames=False)}, obj(maxProperties=0), False),
        ({**IN_DRAFT_6, **obj(propertyNames=False)}, obj(maxProperties=0), True),
        ({**IN_DRAFT_4, **array(contains=TEXT)}, array(contains=TEXT), False),
        ({**IN_DRAFT_6, **array(contains=TEXT)}, array(contains=TEXT), True),
        ({**IN_DRAFT_6, "if": True, "then": TEXT}, TEXT, False),
        ({**IN_DRAFT_7, "if": True, "then": TEXT}, TEXT, True),
        ({**IN_DRAFT_7, **array(contains=TEXT, minContains=2)}, array(minItems=2), False),
        ({**IN_DRAFT_2019, **array(contains=TEXT, minContains=2)}, array(minItems=2), True),
        (
            {**IN_DRAFT_7, **obj(properties={"a": {}}, unevaluatedProperties=False)},
            obj(additionalProperties=False),
            False,
        ),
    ],
)
def test_each_draft_reads_its_own_keywords(old, new, holds):
    assert is_backward_compatible(old, new) == holds


def test_a_reference_has_siblings_from_2019_on():
    whole = {"$ref": "#/$defs/a", "maxLength": 1, "$defs": {"a": TEXT}}
    assert [
        is_backward_compatible({**draft, **whole}, {"maxLength": 1})
        for draft in (IN_DRAFT_4, IN_DRAFT_6, IN_DRAFT_7, IN_DRAFT_2019, IN_DRAFT_2020)
    ] == [False] * 3 + [True] * 2
    assert DRAFT_2019.knows_siblings_of_ref
    assert not DRAFT_7.knows_siblings_of_ref
