"""Compatibility verdicts are sound in cases that are easy to get wrong."""

import pytest

from tessera_gql.diff import Mode, compare
from tests.diff.schemas import DRAFT_4, DRAFT_7, DRAFT_2019, INTEGER, NUMBER, TEXT, array, obj

UNREADABLE, ALSO_UNREADABLE = {"type": "string", "pattern": "(?=a)a"}, {"type": "string", "pattern": "(?=b)b"}


def pattern_property(pattern, schema):
    return {"patternProperties": {pattern: schema}}


def names_matching(pattern):
    return obj(patternProperties={pattern: {}}, additionalProperties=False)


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        # an item chosen for one constraint does not move the other items
        (array(items={"enum": [1, 2]}, maxItems=2, contains={"const": 2}), array(items={"const": 2}), False),
        (array(items={"enum": [1, 2]}, maxItems=1, contains={"const": 2}), array(items={"const": 2}), True),
        (array(contains=TEXT, minContains=2), array(contains=TEXT, minContains=1), True),
        (array(contains=TEXT, minContains=1), array(contains=TEXT, minContains=2), False),
        (array(contains=INTEGER, maxContains=1), array(contains=NUMBER, maxContains=1), False),
        (array(contains=NUMBER, maxContains=1), array(contains=INTEGER, minContains=0, maxContains=1), True),
        (array(items=INTEGER, minItems=2), array(contains=INTEGER, minContains=2), True),
        (array(items=INTEGER, minItems=2), array(contains=INTEGER, minContains=3), False),
        (array(items=INTEGER, minItems=2), array(contains=INTEGER, maxContains=1), False),
        (array(prefixItems=[INTEGER, INTEGER], minItems=2, items=TEXT), array(contains=INTEGER, minContains=2), True),
        (array(items={"type": "boolean"}, uniqueItems=True), array(maxItems=2), True),
        (array(items={"type": ["boolean", "null"]}, uniqueItems=True), array(maxItems=2), False),
        (array(items={"enum": [1, 2]}, uniqueItems=True), array(maxItems=2), True),
        (array(maxItems=1), array(uniqueItems=True), True),
        (array(maxItems=2), array(uniqueItems=True), False),
        (array(prefixItems=[TEXT, INTEGER], items=False), array(uniqueItems=True), True),
        (array(prefixItems=[TEXT], items=False), array(maxItems=1), True),
        (array(prefixItems=[TEXT]), array(items=TEXT), False),
        (array(items=False), array(maxItems=0), True),
        (array(items=INTEGER, minItems=2, contains=INTEGER, maxContains=1), False, True),
        (array(items=INTEGER, minItems=2, contains=INTEGER, maxContains=2), False, False),
        # objects
        (obj(properties={"a": TEXT}), obj(maxProperties=1), True),
        (obj(properties={"a": TEXT}), obj(properties={"a": TEXT}, additionalProperties=INTEGER), True),
        (
            obj(properties={"a": TEXT}, patternProperties={"^x": TEXT}),
            obj(properties={"a": TEXT}, maxProperties=1),
            False,
        ),
        (obj(properties={"a": TEXT}, additionalProperties=True), obj(properties={"a": TEXT, "b": INTEGER}), False),
        (obj(properties={"a": TEXT}), obj(properties={"a": TEXT, "b": INTEGER}), True),
        (obj(), obj(properties={"b": INTEGER}), False),
        # with more patterns than are distinguished, there are names besides those that match none
        (
            obj(
                patternProperties={"^a": TEXT, "^b": TEXT, "^c": TEXT},
                additionalProperties=INTEGER,
                allOf=[{"patternProperties": {"^d": {}, "^e": {}, "^f": {}}}],
            ),
            obj(additionalProperties=INTEGER),
            False,
        ),
        # one property may meet two constraints
        (obj(), {"anyOf": [pattern_property("^other$", TEXT), {"additionalProperties": TEXT}]}, False),
        (names_matching("^[ab]$"), {"anyOf": [pattern_property("^a$", TEXT), pattern_property("^[ab]$", TEXT)]}, False),
        (names_matching("^[ab]$"), {"anyOf": [pattern_property("^[ab]$", TEXT), pattern_property("^a$", TEXT)]}, False),
        (
            names_matching("^aaaa$"),
            {"anyOf": [pattern_property("^aaaa$", TEXT), {"propertyNames": {"maxLength": 3}}]},
            False,
        ),
        (
            names_matching("^[ab]$"),
            {"anyOf": [pattern_property("^a$", TEXT), pattern_property("^b$", TEXT), {"maxProperties": 2}]},
            True,
        ),
        # required properties are written, declared or not
        (obj(properties={"a": TEXT}, required=["b"]), obj(properties={"a": INTEGER}), False),
        (obj(properties={"a": TEXT}, required=["b"]), obj(properties={"a": TEXT, "b": INTEGER}), False),
        (obj(properties={"a": TEXT}, required=["b"]), obj(properties={"a": TEXT, "c": INTEGER}), True),
        (obj(properties={"a": TEXT}, dependentRequired={"a": ["b"]}), obj(properties={"a": INTEGER}), False),
        (obj(properties={"a": TEXT}, allOf=[{"required": ["b"]}]), obj(properties={"a": INTEGER}), False),
        (obj(properties={"a": TEXT}, minProperties=2), obj(properties={"a": INTEGER}), False),
        (obj(properties={"a": TEXT}, minProperties=2), obj(properties={"a": TEXT, "b": INTEGER}), False),
        (obj(properties={"a": TEXT}, minProperties=1), obj(properties={"a": TEXT, "b": INTEGER}), True),
        (obj(properties={"a": TEXT}, **{"not": {"properties": {"b": TEXT}}}), obj(properties={"a": INTEGER}), False),
        (obj(properties={"a": TEXT}, **{"not": {"maxProperties": 1}}), obj(properties={"a": INTEGER}), False),
        (obj(properties={"a": TEXT}, **{"not": {"additionalProperties": TEXT}}), obj(properties={"a": INTEGER}), False),
        (obj(properties={"a": TEXT}, **{"not": {"dependentRequired": {"b": ["c"]}}}), obj(maxProperties=0), False),
        (obj(properties={"a": TEXT}, **{"if": {"maxProperties": 1}, "then": False}), obj(maxProperties=1), False),
        (obj(properties={"a": TEXT}, **{"not": {"required": ["a"]}}), obj(maxProperties=0), True),
        # any alternative may open a schema or require a name
        (
            obj(properties={"a": TEXT}, anyOf=[{"required": ["b"]}] * 2),
            obj(properties={"b": INTEGER}, maxProperties=9),
            False,
        ),
        (
            obj(properties={"a": TEXT}, anyOf=[{"minProperties": 2}] * 2),
            obj(properties={"b": INTEGER}, maxProperties=9),
            False,
        ),
        (
            obj(properties={"a": TEXT}, anyOf=[{"additionalProperties": TEXT}] * 2),
            obj(properties={"b": INTEGER}, maxProperties=9),
            False,
        ),
        (
            obj(properties={"a": TEXT}, anyOf=[{"required": ["a"]}] * 2),
            obj(properties={"b": INTEGER}, maxProperties=9),
            True,
        ),
        (obj(required=["a", "b"]), obj(minProperties=2), True),
        (obj(required=["a"]), obj(minProperties=2), False),
        (obj(propertyNames={"enum": ["a", "b"]}), obj(maxProperties=2), True),
        (obj(propertyNames={"enum": ["a", "b"]}), obj(maxProperties=1), False),
        (obj(propertyNames=False), obj(maxProperties=0), True),
        (obj(patternProperties={"^a$": INTEGER}, additionalProperties=False), obj(maxProperties=1), True),
        (obj(patternProperties={"^[ab]$": INTEGER}, additionalProperties=False), obj(maxProperties=1), False),
        (obj(patternProperties={"a": INTEGER}), obj(patternProperties={"^a": NUMBER}), True),
        (obj(patternProperties={"^a": INTEGER}), obj(patternProperties={"a": NUMBER}), False),
        (
            obj(patternProperties={"^a": INTEGER}, additionalProperties=TEXT),
            obj(additionalProperties={"type": ["integer", "string"]}),
            True,
        ),
        (obj(dependentRequired={"a": ["b"]}, required=["a"]), obj(required=["b"]), True),
        (obj(dependentRequired={"a": ["b"]}), obj(required=["b"]), False),
        (obj(dependentSchemas={"a": {"required": ["b"]}}), obj(dependentRequired={"a": ["b"]}), True),
        (obj(dependentRequired={"a": ["b"], "b": ["c"]}), obj(dependentRequired={"a": ["c"]}), True),
        (obj(required=["a"], properties={"a": False}), {"type": "string"}, True),
        (
            obj(properties={"a": INTEGER}, unevaluatedProperties=False),
            obj(properties={"a": NUMBER}, additionalProperties=False),
            True,
        ),
        # unreadable keywords never prove anything
        (array(items=UNREADABLE), array(uniqueItems=True), False),
        (array(prefixItems=[UNREADABLE, UNREADABLE], items=False), array(uniqueItems=True), False),
        (array(items=UNREADABLE), array(items=ALSO_UNREADABLE), False),
        (array(prefixItems=[UNREADABLE]), array(prefixItems=[ALSO_UNREADABLE]), False),
        (array(items=UNREADABLE), array(contains=ALSO_UNREADABLE), False),
        (array(items=UNREADABLE), array(contains=ALSO_UNREADABLE, minContains=0, maxContains=0), False),
        (array(contains=UNREADABLE, minContains=2), array(contains=ALSO_UNREADABLE, minContains=2), False),
        (obj(properties={"a": UNREADABLE}), obj(properties={"a": ALSO_UNREADABLE}), False),
        (obj(additionalProperties=UNREADABLE), obj(additionalProperties=ALSO_UNREADABLE), False),
        (obj(additionalProperties=UNREADABLE), obj(properties={"a": ALSO_UNREADABLE}), False),
        (obj(properties={"a": UNREADABLE}), obj(additionalProperties=ALSO_UNREADABLE), False),
        (obj(propertyNames=UNREADABLE), obj(propertyNames=ALSO_UNREADABLE), False),
        (obj(patternProperties={"(?=a)": INTEGER}), obj(patternProperties={"(?=b)": INTEGER}), False),
        (obj(patternProperties={"(?=a)": INTEGER}, additionalProperties=False), obj(maxProperties=0), False),
        (obj(required=["a"], properties={"a": UNREADABLE}), False, False),
        (obj(minProperties=1, properties={"a": UNREADABLE}), False, False),
        (array(minItems=1, items=UNREADABLE), False, False),
        ({"anyOf": [UNREADABLE, INTEGER]}, {"anyOf": [ALSO_UNREADABLE, INTEGER]}, False),
        ({"enum": ["a"]}, UNREADABLE, False),
        # limits for which no document is built
        (obj(minProperties=1_000_000), obj(minProperties=999_999), True),
        (obj(minProperties=999_999), obj(minProperties=1_000_000), False),
        (array(minItems=1_000_000), array(minItems=999_999), True),
        (array(contains=TEXT, minContains=10**9), array(contains=TEXT, minContains=10**8), True),
        (array(contains=TEXT, minContains=10**8), array(contains=TEXT, minContains=10**9), False),
        ({**TEXT, "minLength": 10**9, "pattern": "^a*$"}, {**TEXT, "minLength": 10**9}, True),
        # numbers
        ({"multipleOf": 6, **INTEGER}, {"multipleOf": 3, **INTEGER}, True),
        ({"allOf": [{"multipleOf": 2}, {"multipleOf": 3}], **INTEGER}, {"multipleOf": 6, **INTEGER}, True),
        ({"multipleOf": 0.5, "minimum": 0.1, "maximum": 0.9, **NUMBER}, {"const": 0.5}, True),
        ({"multipleOf": 1.5, **NUMBER}, INTEGER, False),
        ({"multipleOf": 1.0, **NUMBER}, INTEGER, True),
        ({"minimum": 0.2, "maximum": 0.8, **INTEGER}, {"const": "never"}, True),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 2, **NUMBER}, {"minimum": 1.5}, False),
        ({"minimum": 1, **NUMBER}, INTEGER, False),
        ({"maximum": 1, **NUMBER}, INTEGER, False),
        ({"minimum": 1, "maximum": 1, **NUMBER}, INTEGER, True),
        ({"minimum": 0.5, "maximum": 0.5, **NUMBER}, {"const": 0.5}, True),
        ({"minimum": 2, "maximum": 1, **NUMBER}, False, True),
        ({"minimum": 1, "exclusiveMaximum": 1, **NUMBER}, False, True),
        ({"minimum": 1, "maximum": 2, "not": INTEGER, **NUMBER}, {"exclusiveMinimum": 1, "exclusiveMaximum": 2}, True),
        ({"minimum": -5, "maximum": -2, **INTEGER}, {"maximum": -1}, True),
        ({"maximum": -2, "multipleOf": 3, **INTEGER}, {"maximum": -3}, True),
        ({"minimum": 1, **INTEGER}, {"exclusiveMinimum": 0, **INTEGER}, True),
        ({"minimum": 1, **NUMBER}, {"exclusiveMinimum": 1, **NUMBER}, False),
        ({"minimum": -1, "maximum": 1, **INTEGER}, {"enum": [-1, 0, 1]}, True),
        ({"minimum": -1, "maximum": 2, **INTEGER}, {"enum": [-1, 0, 1]}, False),
        ({"maximum": 3, **INTEGER}, {"not": {"minimum": 3.5}}, True),
        # strings
        ({"pattern": "^a{2,3}$", **TEXT}, {"minLength": 2, "maxLength": 3}, True),
        ({"pattern": "^a{2,3}$", **TEXT}, {"maxLength": 2}, False),
        ({"pattern": "^[ab]$", **TEXT}, {"enum": ["a", "b"]}, True),
        ({"pattern": "^[abc]$", **TEXT}, {"enum": ["a", "b"]}, False),
        ({"maxLength": 0, **TEXT}, {"const": ""}, True),
        ({"enum": ["aa", "ab"]}, {"pattern": "^a"}, True),
        ({"pattern": "(?=a)", **TEXT}, {"pattern": "(?=a)", **TEXT}, True),
        ({"pattern": "(?=a)", **TEXT}, {"pattern": "a", **TEXT}, False),
        ({"pattern": "^\\d+$", **TEXT}, {"pattern": "^[0-9]*$", **TEXT}, True),
        ({"pattern": "^\\ud83d\\ude00$", **TEXT}, {"minLength": 2}, False),
        # composition
        ({"type": ["string", "integer"]}, {"anyOf": [TEXT, INTEGER]}, True),
        (NUMBER, {"anyOf": [{"type": "number", "minimum": 0}, {"type": "number", "maximum": 0}]}, True),
        (NUMBER, {"oneOf": [{"type": "number", "minimum": 0}, {"type": "number", "maximum": 0}]}, False),
        ({"oneOf": [TEXT, INTEGER]}, {"oneOf": [INTEGER, TEXT]}, True),
        ({"oneOf": [NUMBER, INTEGER]}, {"not": INTEGER}, True),
        (INTEGER, {"oneOf": [TEXT, {"type": "boolean"}]}, False),
        (INTEGER, {"oneOf": [NUMBER, {"minimum": 3}]}, False),
        (INTEGER, {"oneOf": [NUMBER, TEXT]}, True),
        (INTEGER, {"anyOf": [TEXT, {"type": "boolean"}]}, False),
        (INTEGER, {"allOf": [NUMBER, {"minimum": 0}]}, False),
        ({"$ref": "#/allOf/0", "allOf": [TEXT, True]}, TEXT, True),
        (TEXT, {"$ref": "#/allOf/1", "allOf": [True, INTEGER]}, False),
        (TEXT, {"not": INTEGER}, True),
        (TEXT, {"not": {"minLength": 2}}, False),
        ({"if": {"const": 1}, "then": False}, {"not": {"const": 1}}, True),
        ({"if": TEXT, "then": {"minLength": 1}, "else": INTEGER}, {"anyOf": [TEXT, INTEGER]}, True),
        ({"not": {}}, False, True),
        ({"enum": []}, False, True),
        # recursion
        (
            {"type": "array", "items": {"$ref": "#"}, "maxItems": 1},
            {"type": "array", "items": {"$ref": "#"}, "maxItems": 2},
            True,
        ),
        (
            {"type": "array", "items": {"$ref": "#"}, "maxItems": 2},
            {"type": "array", "items": {"$ref": "#"}, "maxItems": 1},
            False,
        ),
        (
            {
                "type": "array",
                "items": {"$ref": "#/$defs/b"},
                "$defs": {"b": {"type": "array", "items": {"$ref": "#"}}},
            },
            {"type": "array", "items": {"$ref": "#"}},
            True,
        ),
        # drafts
        (
            {**DRAFT_4, "minimum": 1, "exclusiveMinimum": True, **NUMBER},
            {**DRAFT_7, "exclusiveMinimum": 1, **NUMBER},
            True,
        ),
        ({**DRAFT_4, "minimum": 1, **NUMBER}, {**DRAFT_7, "exclusiveMinimum": 1, **NUMBER}, False),
        (
            {**DRAFT_7, "items": [TEXT, INTEGER], "additionalItems": False, "type": "array"},
            array(prefixItems=[TEXT], maxItems=2),
            True,
        ),
        (
            {**DRAFT_7, "$ref": "#/definitions/a", "maxLength": 1, "definitions": {"a": TEXT}},
            {"maxLength": 1, **TEXT},
            False,
        ),
        ({**DRAFT_2019, "$ref": "#/$defs/a", "maxLength": 1, "$defs": {"a": TEXT}}, {"maxLength": 1, **TEXT}, True),
        (
            {
                **DRAFT_4,
                "id": "http://x/y",
                "properties": {"a": {"$ref": "z"}},
                "definitions": {"q": {"id": "z", **TEXT}},
            },
            {"properties": {"a": TEXT}},
            True,
        ),
        ({**DRAFT_7, "$ref": "#here", "definitions": {"q": {"$id": "#here", **TEXT}}}, TEXT, True),
        (
            {**DRAFT_2019, "$recursiveRef": "#", "type": "array", "items": {"$recursiveRef": "#"}},
            {"type": "array"},
            True,
        ),
        ({"$dynamicRef": "#a", "$defs": {"x": {"$dynamicAnchor": "a", **TEXT}}}, TEXT, True),
        (
            TEXT,
            {
                "$dynamicRef": "#a",
                "$defs": {"x": {"$dynamicAnchor": "a", **TEXT}, "y": {"$id": "y", "$dynamicAnchor": "a"}},
            },
            False,
        ),
        ({**DRAFT_7, "dependencies": {"a": ["b"]}, "type": "object"}, obj(dependentRequired={"a": ["b"]}), True),
        ({**DRAFT_4, "const": 1}, {"const": 1}, False),
        ({**DRAFT_7, "minContains": 2, "contains": TEXT, "type": "array"}, array(contains=TEXT, minContains=2), False),
    ],
)
def test_every_document_of_the_old_schema_is_valid_under_the_new_schema(old, new, holds):
    contained = [
        change
        for change in compare(old, new).breaking_changes(Mode.BACKWARD)
        if change.kind not in ("PROPERTY_REMOVED", "DEFAULT_REMOVED")
    ]
    closes = [
        change for change in contained if isinstance(change.after, bool) and "additionalProperties" in change.pointer
    ]
    assert (not [change for change in contained if change not in closes]) == holds, contained
