"""A schema is read in the right draft, with the keywords of that draft."""

import pytest

from tessera_gql.diff import SchemaError, check
from tessera_gql.diff.read.dialects import DIALECTS, DRAFT_4, DRAFT_7, DRAFT_2019, DRAFT_2020, MIXED
from tessera_gql.diff.read.draft_detection import dialect_of
from tests.diff.engine import is_backward_compatible
from tests.diff.schemas import INTEGER, NUMBER, TEXT, array, obj, table

IN_DRAFT_4, IN_DRAFT_6, IN_DRAFT_7, IN_DRAFT_2019, IN_DRAFT_2020 = ({"$schema": dialect.uri} for dialect in DIALECTS)
PAIR = {"type": "array", "prefixItems": [TEXT], "minItems": 1}
ABOVE_1 = {"minimum": 1, "exclusiveMinimum": True}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("end", ["", "#", "/", "#/", " ", ".json"])
def test_a_schema_is_read_in_the_draft_it_names(dialect, end):
    for uri in (dialect.uri, dialect.uri.swapcase(), dialect.uri.partition("//")[2]):
        assert dialect_of({"$schema": uri + end}) is dialect
        assert dialect_of({"$schema": uri + end, **ABOVE_1, "items": [{}]}, ABOVE_1) is dialect
    for scheme in ("http", "https", "HTTPS"):
        assert dialect_of({"$schema": f"{scheme}://{dialect.uri.partition('//')[2]}"}) is dialect


@pytest.mark.parametrize(
    ("uri", "dialect"),
    [
        ("http://json-schema.org/draft-04/hyper-schema#", DRAFT_4),
        ("http://json-schema.org/draft-05/schema#", DRAFT_4),
        ("http://iglucentral.com/schemas/com.snowplowanalytics.self-desc/schema/jsonschema/1-0-0#", DRAFT_4),
        ("https://spec.openapis.org/oas/3.1/dialect/base", DRAFT_2020),
        ("https://spec.openapis.org/oas/3.1/dialect/2024-11-10", DRAFT_2020),
        ("https://spec.openapis.org/oas/3.0/dialect/base", MIXED),
        ("http://json-schema.org/schema#", DRAFT_2020),
        ("https://example.com/own-dialect", DRAFT_2020),
    ],
)
def test_a_dialect_built_on_a_draft_is_read_as_that_draft(uri, dialect):
    assert dialect_of({"$schema": uri}) is dialect


def test_an_unknown_dialect_is_read_like_a_schema_without_one():
    own = {"$schema": "https://example.com/own-dialect"}
    assert dialect_of({**own, **ABOVE_1}) is DRAFT_4
    assert dialect_of({**own, "items": [TEXT]}, {"dependencies": {"a": ["b"]}}) is DRAFT_7


@pytest.mark.parametrize(
    ("schema", "dialect"),
    [
        (True, DRAFT_2020),
        ({}, DRAFT_2020),
        (ABOVE_1, DRAFT_4),
        ({"maximum": 1, "exclusiveMaximum": False}, DRAFT_4),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, DRAFT_2020),
        ({"items": [TEXT]}, DRAFT_2019),
        ({"items": TEXT}, DRAFT_2020),
        ({"dependencies": {"a": ["b"]}}, DRAFT_7),
        ({"dependencies": {"a": {"items": {"maximum": 1, "exclusiveMaximum": True}}}}, DRAFT_4),
        ({"items": [ABOVE_1]}, DRAFT_4),
        ({"allOf": [{"items": [TEXT]}, {}]}, DRAFT_2019),
        ({"allOf": [{"items": [TEXT]}, {"not": ABOVE_1}]}, DRAFT_4),
        ({"$defs": {"a": {"properties": {"b": {"items": [TEXT]}}}}}, DRAFT_2019),
        ({"elsewhere": {"a b": {"items": [TEXT]}}, "$ref": "#/elsewhere/a%20b"}, DRAFT_2019),
        ({"items": [TEXT], "unevaluatedItems": False}, DRAFT_2019),
        ({"dependencies": {"a": ["b"]}, "if": {}}, DRAFT_7),
        ({"dependencies": {"a": ["b"]}, "items": {"$ref": "#", "title": "a"}}, DRAFT_7),
        ({"dependencies": {"a": ["b"]}, "$defs": {"a": TEXT}}, DRAFT_7),
        ({"$ref": "#/$defs/a", "maxLength": 3, "$defs": {"a": {"items": [TEXT]}}}, DRAFT_2019),
        ({"allOf": [{"$schema": "https://json-schema.org/draft-07/schema"}]}, DRAFT_7),
        ({"required": [], "enum": []}, DRAFT_2020),
        ({"dependencies": {}}, DRAFT_2020),
        ({"$recursiveRef": "#"}, DRAFT_2019),
        ({"$dynamicRef": "#"}, DRAFT_2020),
        # no draft has all keywords
        ({"prefixItems": [TEXT], "not": {"items": [TEXT]}}, MIXED),
        ({**ABOVE_1, "const": 3}, MIXED),
        ({**ABOVE_1, "not": True}, MIXED),
        ({**ABOVE_1, "enum": []}, MIXED),
        ({**ABOVE_1, "maximum": 3, "exclusiveMaximum": 5}, MIXED),
        ({"dependencies": {"a": ["b"]}, "minContains": 3}, MIXED),
        ({"dependencies": {"a": {"$ref": "#/$defs/a", "maxLength": 3}}, "$defs": {"a": TEXT}}, MIXED),
        ({**TEXT, "nullable": True}, MIXED),
        ({"nullable": True}, DRAFT_2020),
        ({**TEXT, "nullable": False}, DRAFT_2020),
        # what no reference leads to is no schema
        ({"elsewhere": {"a": {"items": [TEXT]}}}, DRAFT_2020),
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
    assert dialect_of({}, {"items": [TEXT]}) is DRAFT_2019
    assert dialect_of({"items": [TEXT]}, {"prefixItems": [TEXT]}) is MIXED
    assert dialect_of({"items": [TEXT]}, ABOVE_1) is DRAFT_4
    assert dialect_of({}, {**IN_DRAFT_4, **ABOVE_1}) is DRAFT_2020
    assert is_backward_compatible({"const": 5}, ABOVE_1)
    assert not is_backward_compatible({"const": 1}, ABOVE_1)
    assert is_backward_compatible({"const": 5}, {**IN_DRAFT_4, **ABOVE_1})


def test_a_property_named_like_an_old_keyword_does_not_change_the_draft():
    old = obj(properties={"dependencies": obj()})
    assert not is_backward_compatible(old, {**old, "dependentRequired": {"dependencies": ["b"]}})
    check({"properties": {"exclusiveMinimum": True}})


@pytest.mark.parametrize("part", [{}, {"not": {"$schema": "http://json-schema.org/draft-03/schema#"}}])
def test_an_unsupported_draft_is_refused_with_the_supported_ones(part):
    with pytest.raises(SchemaError) as refused:
        check(part or {"$schema": "https://json-schema.org/draft/next/schema"})
    assert refused.value.pointer == ("/not/$schema" if part else "/$schema")
    assert all(dialect.uri in refused.value.reason for dialect in DIALECTS)


def test_a_list_in_items_beside_prefix_items_is_refused_without_a_draft():
    with pytest.raises(SchemaError, match="no draft has prefixItems and a list in items together") as refused:
        check({"not": {"prefixItems": [TEXT], "items": [TEXT]}})
    assert refused.value.pointer == "/not/prefixItems"
    check({**IN_DRAFT_2019, "prefixItems": [TEXT], "items": [TEXT]})


WITH_DEPENDENCIES = obj(properties={"a": {}, "b": {}}, dependencies={"a": ["b"]}, additionalProperties=False)
AT_LEAST_3 = {"type": "array", "contains": True, "minContains": 3}
LONG_TEXT = {"$ref": "#/$defs/s", "maxLength": 3}


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        # a tightening for a validator that knows the keyword
        (
            {**table(a={"$ref": "#/$defs/s"}, b={"items": [{}]}), "$defs": {"s": TEXT}},
            {**table(a=LONG_TEXT, b={"items": [{}]}), "$defs": {"s": TEXT}},
            False,
        ),
        (table(a={}, b={"items": [{}]}), {**table(a={}, b={"items": [{}]}), "dependentRequired": {"a": ["b"]}}, False),
        (WITH_DEPENDENCIES, {**WITH_DEPENDENCIES, "properties": {"a": AT_LEAST_3, "b": {}}}, False),
        (
            {**table(a={"$ref": "#/$defs/s"}), "dependencies": {"a": ["b"]}, "$defs": {"s": TEXT}},
            {**table(a=LONG_TEXT), "dependencies": {"a": ["b"]}, "$defs": {"s": TEXT}},
            False,
        ),
        # some validators ignore `dependencies`, and others `dependentRequired`
        (WITH_DEPENDENCIES, {**WITH_DEPENDENCIES, "dependencies": {}, "dependentRequired": {"a": ["b"]}}, False),
        ({**WITH_DEPENDENCIES, "dependencies": {}, "dependentRequired": {"a": ["b"]}}, WITH_DEPENDENCIES, False),
        # some validators ignore keywords next to a reference
        (
            {"items": {**TEXT, "nullable": True}, "allOf": [LONG_TEXT], "$defs": {"s": TEXT}},
            {"items": {**TEXT, "nullable": True}, "maxLength": 3},
            False,
        ),
        # keywords with one meaning in all drafts that know them
        (array(items=[TEXT], additionalItems=False), array(prefixItems=[TEXT], items=False), True),
        (array(prefixItems=[TEXT], items=False), array(items=[TEXT], additionalItems=False), True),
        (array(items=[TEXT]), array(prefixItems=[TEXT, TEXT]), False),
        ({**NUMBER, **ABOVE_1, "maximum": 3, "exclusiveMaximum": 3}, {"exclusiveMinimum": 1}, True),
        ({**NUMBER, "minimum": 1, "const": 3}, {**ABOVE_1, "const": 3}, True),
        ({**NUMBER, "minimum": 1, "not": False}, ABOVE_1, False),
    ],
)
def test_without_a_draft_no_keyword_is_ignored(old, new, holds):
    assert is_backward_compatible(old, new) == holds


@pytest.mark.parametrize("old", [{**TEXT, "nullable": True}, {"type": ["string", "null"], "nullable": True}])
def test_nullable_counts_only_in_openapi_and_without_a_draft(old):
    openapi = {"$schema": "https://spec.openapis.org/oas/3.0/dialect/base"}
    assert is_backward_compatible({**openapi, **old}, {**IN_DRAFT_7, "type": ["string", "null"]})
    assert is_backward_compatible(old, {"type": ["string", "null"]})
    assert is_backward_compatible({"type": ["string", "null"]}, {**openapi, **TEXT, "nullable": True})
    for draft in (IN_DRAFT_4, IN_DRAFT_7, IN_DRAFT_2020, {"$schema": "https://spec.openapis.org/oas/3.1/dialect/base"}):
        assert not is_backward_compatible({"type": ["string", "null"]}, {**draft, **TEXT, "nullable": True})
        assert is_backward_compatible({**draft, **TEXT, "nullable": True}, {**draft, **TEXT})


WHOLE = {**NUMBER, "multipleOf": 1}
ALL_OR_NONE_WHOLE = [{"items": INTEGER}, {"items": {"not": INTEGER}}]


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        ({**IN_DRAFT_4, **WHOLE}, {**IN_DRAFT_4, **INTEGER}, False),
        ({**IN_DRAFT_4, **INTEGER}, {**IN_DRAFT_4, **WHOLE}, True),
        ({**IN_DRAFT_4, **INTEGER, "minimum": 3}, {**IN_DRAFT_4, **INTEGER}, True),
        ({**IN_DRAFT_4, "anyOf": [INTEGER, TEXT]}, {**IN_DRAFT_4, "anyOf": [TEXT, INTEGER, {"type": "null"}]}, True),
        ({**IN_DRAFT_4, "anyOf": [WHOLE, TEXT]}, {**IN_DRAFT_4, "type": ["string", "integer"]}, False),
        ({**IN_DRAFT_4, "enum": [1]}, {**IN_DRAFT_4, **INTEGER}, False),
        ({**IN_DRAFT_4, "enum": [[1]]}, {**IN_DRAFT_4, "items": INTEGER}, False),
        ({**IN_DRAFT_4, "enum": [1], **INTEGER}, {**IN_DRAFT_4, **INTEGER}, True),
        ({**IN_DRAFT_4, "enum": [[1, 2]]}, {**IN_DRAFT_4, "anyOf": ALL_OR_NONE_WHOLE}, False),
        ({**IN_DRAFT_4, "enum": [[1, 2.0]]}, {**IN_DRAFT_4, "type": "array", "items": NUMBER}, True),
        ({**IN_DRAFT_4, "enum": [[1, 2, 3, 4]]}, {**IN_DRAFT_4, "anyOf": ALL_OR_NONE_WHOLE}, False),
        ({**IN_DRAFT_4, **WHOLE, "not": INTEGER}, False, False),
        ({**IN_DRAFT_4, **table(a=WHOLE)}, {**IN_DRAFT_4, **table(a=INTEGER)}, False),
        ({**IN_DRAFT_6, **INTEGER}, {**IN_DRAFT_4, **INTEGER}, False),
        ({**IN_DRAFT_4, **INTEGER}, {**IN_DRAFT_6, **INTEGER}, True),
        ({**IN_DRAFT_6, **WHOLE}, {**IN_DRAFT_6, **INTEGER}, True),
        ({**IN_DRAFT_6, "enum": [1]}, {**IN_DRAFT_6, **INTEGER}, True),
    ],
)
def test_a_number_with_a_decimal_point_is_no_integer_in_draft_4(old, new, holds):
    assert is_backward_compatible(old, new) == holds


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
