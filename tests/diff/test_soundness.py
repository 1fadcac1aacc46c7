"""Containment, where it is easy to be wrong. `holds`: what a producer of the first writes, the second takes."""

import pytest

from tessera_gql.diff import Mode, compare

TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
UNREAD, UNREAD_TOO = {"type": "string", "pattern": "(?=a)a"}, {"type": "string", "pattern": "(?=b)b"}
D4 = {"$schema": "http://json-schema.org/draft-04/schema#"}
D7 = {"$schema": "http://json-schema.org/draft-07/schema#"}
D19 = {"$schema": "https://json-schema.org/draft/2019-09/schema"}


def array(**words):
    return {"type": "array", **words}


def obj(**words):
    return {"type": "object", **words}


def named(pattern, schema):
    return {"patternProperties": {pattern: schema}}


def only(pattern):
    return obj(patternProperties={pattern: {}}, additionalProperties=False)


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        # an item chosen for one reason leaves the others where they are
        (array(items={"enum": [1, 2]}, maxItems=2, contains={"const": 2}), array(items={"const": 2}), False),
        (array(items={"enum": [1, 2]}, maxItems=1, contains={"const": 2}), array(items={"const": 2}), True),
        (array(contains=TEXT, minContains=2), array(contains=TEXT, minContains=1), True),
        (array(contains=TEXT, minContains=1), array(contains=TEXT, minContains=2), False),
        (array(contains=WHOLE, maxContains=1), array(contains=NUMBER, maxContains=1), False),
        (array(contains=NUMBER, maxContains=1), array(contains=WHOLE, minContains=0, maxContains=1), True),
        (array(items=WHOLE, minItems=2), array(contains=WHOLE, minContains=2), True),
        (array(items=WHOLE, minItems=2), array(contains=WHOLE, minContains=3), False),
        (array(items=WHOLE, minItems=2), array(contains=WHOLE, maxContains=1), False),
        (array(prefixItems=[WHOLE, WHOLE], minItems=2, items=TEXT), array(contains=WHOLE, minContains=2), True),
        (array(items={"type": "boolean"}, uniqueItems=True), array(maxItems=2), True),
        (array(items={"type": ["boolean", "null"]}, uniqueItems=True), array(maxItems=2), False),
        (array(items={"enum": [1, 2]}, uniqueItems=True), array(maxItems=2), True),
        (array(maxItems=1), array(uniqueItems=True), True),
        (array(maxItems=2), array(uniqueItems=True), False),
        (array(prefixItems=[TEXT, WHOLE], items=False), array(uniqueItems=True), True),
        (array(prefixItems=[TEXT], items=False), array(maxItems=1), True),
        (array(prefixItems=[TEXT]), array(items=TEXT), False),
        (array(items=False), array(maxItems=0), True),
        (array(items=WHOLE, minItems=2, contains=WHOLE, maxContains=1), False, True),
        (array(items=WHOLE, minItems=2, contains=WHOLE, maxContains=2), False, False),
        # objects
        (obj(properties={"a": TEXT}), obj(maxProperties=1), True),
        (obj(properties={"a": TEXT}), obj(properties={"a": TEXT}, additionalProperties=WHOLE), True),
        (
            obj(properties={"a": TEXT}, patternProperties={"^x": TEXT}),
            obj(properties={"a": TEXT}, maxProperties=1),
            False,
        ),
        (obj(properties={"a": TEXT}, additionalProperties=True), obj(properties={"a": TEXT, "b": WHOLE}), False),
        (obj(properties={"a": TEXT}), obj(properties={"a": TEXT, "b": WHOLE}), True),
        (obj(), obj(properties={"b": WHOLE}), False),
        # with more patterns than are told apart, a name that matches none of them is not the only one
        (
            obj(
                patternProperties={"^a": TEXT, "^b": TEXT, "^c": TEXT},
                additionalProperties=WHOLE,
                allOf=[{"patternProperties": {"^d": {}, "^e": {}, "^f": {}}}],
            ),
            obj(additionalProperties=WHOLE),
            False,
        ),
        # one property may meet two demands
        (obj(), {"anyOf": [named("^other$", TEXT), {"additionalProperties": TEXT}]}, False),
        (only("^[ab]$"), {"anyOf": [named("^a$", TEXT), named("^[ab]$", TEXT)]}, False),
        (only("^[ab]$"), {"anyOf": [named("^[ab]$", TEXT), named("^a$", TEXT)]}, False),
        (only("^aaaa$"), {"anyOf": [named("^aaaa$", TEXT), {"propertyNames": {"maxLength": 3}}]}, False),
        (only("^[ab]$"), {"anyOf": [named("^a$", TEXT), named("^b$", TEXT), {"maxProperties": 2}]}, True),
        # what must be there is written, declared or not
        (obj(properties={"a": TEXT}, required=["b"]), obj(properties={"a": WHOLE}), False),
        (obj(properties={"a": TEXT}, required=["b"]), obj(properties={"a": TEXT, "b": WHOLE}), False),
        (obj(properties={"a": TEXT}, required=["b"]), obj(properties={"a": TEXT, "c": WHOLE}), True),
        (obj(properties={"a": TEXT}, dependentRequired={"a": ["b"]}), obj(properties={"a": WHOLE}), False),
        (obj(properties={"a": TEXT}, allOf=[{"required": ["b"]}]), obj(properties={"a": WHOLE}), False),
        (obj(properties={"a": TEXT}, minProperties=2), obj(properties={"a": WHOLE}), False),
        (obj(properties={"a": TEXT}, minProperties=2), obj(properties={"a": TEXT, "b": WHOLE}), False),
        (obj(properties={"a": TEXT}, minProperties=1), obj(properties={"a": TEXT, "b": WHOLE}), True),
        (obj(properties={"a": TEXT}, **{"not": {"properties": {"b": TEXT}}}), obj(properties={"a": WHOLE}), False),
        (obj(properties={"a": TEXT}, **{"not": {"maxProperties": 1}}), obj(properties={"a": WHOLE}), False),
        (obj(properties={"a": TEXT}, **{"not": {"additionalProperties": TEXT}}), obj(properties={"a": WHOLE}), False),
        (obj(properties={"a": TEXT}, **{"not": {"dependentRequired": {"b": ["c"]}}}), obj(maxProperties=0), False),
        (obj(properties={"a": TEXT}, **{"if": {"maxProperties": 1}, "then": False}), obj(maxProperties=1), False),
        (obj(properties={"a": TEXT}, **{"not": {"required": ["a"]}}), obj(maxProperties=0), True),
        # whichever alternative it is that opens a schema or needs a name
        (
            obj(properties={"a": TEXT}, anyOf=[{"required": ["b"]}] * 2),
            obj(properties={"b": WHOLE}, maxProperties=9),
            False,
        ),
        (
            obj(properties={"a": TEXT}, anyOf=[{"minProperties": 2}] * 2),
            obj(properties={"b": WHOLE}, maxProperties=9),
            False,
        ),
        (
            obj(properties={"a": TEXT}, anyOf=[{"additionalProperties": TEXT}] * 2),
            obj(properties={"b": WHOLE}, maxProperties=9),
            False,
        ),
        (
            obj(properties={"a": TEXT}, anyOf=[{"required": ["a"]}] * 2),
            obj(properties={"b": WHOLE}, maxProperties=9),
            True,
        ),
        (obj(required=["a", "b"]), obj(minProperties=2), True),
        (obj(required=["a"]), obj(minProperties=2), False),
        (obj(propertyNames={"enum": ["a", "b"]}), obj(maxProperties=2), True),
        (obj(propertyNames={"enum": ["a", "b"]}), obj(maxProperties=1), False),
        (obj(propertyNames=False), obj(maxProperties=0), True),
        (obj(patternProperties={"^a$": WHOLE}, additionalProperties=False), obj(maxProperties=1), True),
        (obj(patternProperties={"^[ab]$": WHOLE}, additionalProperties=False), obj(maxProperties=1), False),
        (obj(patternProperties={"a": WHOLE}), obj(patternProperties={"^a": NUMBER}), True),
        (obj(patternProperties={"^a": WHOLE}), obj(patternProperties={"a": NUMBER}), False),
        (
            obj(patternProperties={"^a": WHOLE}, additionalProperties=TEXT),
            obj(additionalProperties={"type": ["integer", "string"]}),
            True,
        ),
        (obj(dependentRequired={"a": ["b"]}, required=["a"]), obj(required=["b"]), True),
        (obj(dependentRequired={"a": ["b"]}), obj(required=["b"]), False),
        (obj(dependentSchemas={"a": {"required": ["b"]}}), obj(dependentRequired={"a": ["b"]}), True),
        (obj(dependentRequired={"a": ["b"], "b": ["c"]}), obj(dependentRequired={"a": ["c"]}), True),
        (obj(required=["a"], properties={"a": False}), {"type": "string"}, True),
        (
            obj(properties={"a": WHOLE}, unevaluatedProperties=False),
            obj(properties={"a": NUMBER}, additionalProperties=False),
            True,
        ),
        # what cannot be read is never taken for a proof
        (array(items=UNREAD), array(uniqueItems=True), False),
        (array(prefixItems=[UNREAD, UNREAD], items=False), array(uniqueItems=True), False),
        (array(items=UNREAD), array(items=UNREAD_TOO), False),
        (array(prefixItems=[UNREAD]), array(prefixItems=[UNREAD_TOO]), False),
        (array(items=UNREAD), array(contains=UNREAD_TOO), False),
        (array(items=UNREAD), array(contains=UNREAD_TOO, minContains=0, maxContains=0), False),
        (array(contains=UNREAD, minContains=2), array(contains=UNREAD_TOO, minContains=2), False),
        (obj(properties={"a": UNREAD}), obj(properties={"a": UNREAD_TOO}), False),
        (obj(additionalProperties=UNREAD), obj(additionalProperties=UNREAD_TOO), False),
        (obj(additionalProperties=UNREAD), obj(properties={"a": UNREAD_TOO}), False),
        (obj(properties={"a": UNREAD}), obj(additionalProperties=UNREAD_TOO), False),
        (obj(propertyNames=UNREAD), obj(propertyNames=UNREAD_TOO), False),
        (obj(patternProperties={"(?=a)": WHOLE}), obj(patternProperties={"(?=b)": WHOLE}), False),
        (obj(patternProperties={"(?=a)": WHOLE}, additionalProperties=False), obj(maxProperties=0), False),
        (obj(required=["a"], properties={"a": UNREAD}), False, False),
        (obj(minProperties=1, properties={"a": UNREAD}), False, False),
        (array(minItems=1, items=UNREAD), False, False),
        ({"anyOf": [UNREAD, WHOLE]}, {"anyOf": [UNREAD_TOO, WHOLE]}, False),
        ({"enum": ["a"]}, UNREAD, False),
        # limits nobody builds a document for
        (obj(minProperties=1_000_000), obj(minProperties=999_999), True),
        (obj(minProperties=999_999), obj(minProperties=1_000_000), False),
        (array(minItems=1_000_000), array(minItems=999_999), True),
        (array(contains=TEXT, minContains=10**9), array(contains=TEXT, minContains=10**8), True),
        (array(contains=TEXT, minContains=10**8), array(contains=TEXT, minContains=10**9), False),
        ({**TEXT, "minLength": 10**9, "pattern": "^a*$"}, {**TEXT, "minLength": 10**9}, True),
        # numbers
        ({"multipleOf": 6, **WHOLE}, {"multipleOf": 3, **WHOLE}, True),
        ({"allOf": [{"multipleOf": 2}, {"multipleOf": 3}], **WHOLE}, {"multipleOf": 6, **WHOLE}, True),
        ({"multipleOf": 0.5, "minimum": 0.1, "maximum": 0.9, **NUMBER}, {"const": 0.5}, True),
        ({"multipleOf": 1.5, **NUMBER}, WHOLE, False),
        ({"multipleOf": 1.0, **NUMBER}, WHOLE, True),
        ({"minimum": 0.2, "maximum": 0.8, **WHOLE}, {"const": "never"}, True),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 2, **NUMBER}, {"minimum": 1.5}, False),
        ({"minimum": 1, **NUMBER}, WHOLE, False),
        ({"maximum": 1, **NUMBER}, WHOLE, False),
        ({"minimum": 1, "maximum": 1, **NUMBER}, WHOLE, True),
        ({"minimum": 0.5, "maximum": 0.5, **NUMBER}, {"const": 0.5}, True),
        ({"minimum": 2, "maximum": 1, **NUMBER}, False, True),
        ({"minimum": 1, "exclusiveMaximum": 1, **NUMBER}, False, True),
        ({"minimum": 1, "maximum": 2, "not": WHOLE, **NUMBER}, {"exclusiveMinimum": 1, "exclusiveMaximum": 2}, True),
        ({"minimum": -5, "maximum": -2, **WHOLE}, {"maximum": -1}, True),
        ({"maximum": -2, "multipleOf": 3, **WHOLE}, {"maximum": -3}, True),
        ({"minimum": 1, **WHOLE}, {"exclusiveMinimum": 0, **WHOLE}, True),
        ({"minimum": 1, **NUMBER}, {"exclusiveMinimum": 1, **NUMBER}, False),
        ({"minimum": -1, "maximum": 1, **WHOLE}, {"enum": [-1, 0, 1]}, True),
        ({"minimum": -1, "maximum": 2, **WHOLE}, {"enum": [-1, 0, 1]}, False),
        ({"maximum": 3, **WHOLE}, {"not": {"minimum": 3.5}}, True),
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
        ({"type": ["string", "integer"]}, {"anyOf": [TEXT, WHOLE]}, True),
        (NUMBER, {"anyOf": [{"type": "number", "minimum": 0}, {"type": "number", "maximum": 0}]}, True),
        (NUMBER, {"oneOf": [{"type": "number", "minimum": 0}, {"type": "number", "maximum": 0}]}, False),
        ({"oneOf": [TEXT, WHOLE]}, {"oneOf": [WHOLE, TEXT]}, True),
        ({"oneOf": [NUMBER, WHOLE]}, {"not": WHOLE}, True),
        (WHOLE, {"oneOf": [TEXT, {"type": "boolean"}]}, False),
        (WHOLE, {"oneOf": [NUMBER, {"minimum": 3}]}, False),
        (WHOLE, {"oneOf": [NUMBER, TEXT]}, True),
        (WHOLE, {"anyOf": [TEXT, {"type": "boolean"}]}, False),
        (WHOLE, {"allOf": [NUMBER, {"minimum": 0}]}, False),
        ({"$ref": "#/allOf/0", "allOf": [TEXT, True]}, TEXT, True),
        (TEXT, {"$ref": "#/allOf/1", "allOf": [True, WHOLE]}, False),
        (TEXT, {"not": WHOLE}, True),
        (TEXT, {"not": {"minLength": 2}}, False),
        ({"if": {"const": 1}, "then": False}, {"not": {"const": 1}}, True),
        ({"if": TEXT, "then": {"minLength": 1}, "else": WHOLE}, {"anyOf": [TEXT, WHOLE]}, True),
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
        ({**D4, "minimum": 1, "exclusiveMinimum": True, **NUMBER}, {**D7, "exclusiveMinimum": 1, **NUMBER}, True),
        ({**D4, "minimum": 1, **NUMBER}, {**D7, "exclusiveMinimum": 1, **NUMBER}, False),
        (
            {**D7, "items": [TEXT, WHOLE], "additionalItems": False, "type": "array"},
            array(prefixItems=[TEXT], maxItems=2),
            True,
        ),
        (
            {**D7, "$ref": "#/definitions/a", "maxLength": 1, "definitions": {"a": TEXT}},
            {"maxLength": 1, **TEXT},
            False,
        ),
        ({**D19, "$ref": "#/$defs/a", "maxLength": 1, "$defs": {"a": TEXT}}, {"maxLength": 1, **TEXT}, True),
        (
            {**D4, "id": "http://x/y", "properties": {"a": {"$ref": "z"}}, "definitions": {"q": {"id": "z", **TEXT}}},
            {"properties": {"a": TEXT}},
            True,
        ),
        ({**D7, "$ref": "#here", "definitions": {"q": {"$id": "#here", **TEXT}}}, TEXT, True),
        ({**D19, "$recursiveRef": "#", "type": "array", "items": {"$recursiveRef": "#"}}, {"type": "array"}, True),
        ({"$dynamicRef": "#a", "$defs": {"x": {"$dynamicAnchor": "a", **TEXT}}}, TEXT, True),
        (
            TEXT,
            {
                "$dynamicRef": "#a",
                "$defs": {"x": {"$dynamicAnchor": "a", **TEXT}, "y": {"$id": "y", "$dynamicAnchor": "a"}},
            },
            False,
        ),
        ({**D7, "dependencies": {"a": ["b"]}, "type": "object"}, obj(dependentRequired={"a": ["b"]}), True),
        ({**D4, "const": 1}, {"const": 1}, False),
        ({**D7, "minContains": 2, "contains": TEXT, "type": "array"}, array(contains=TEXT, minContains=2), False),
    ],
)
def test_what_one_writes_the_other_takes(old, new, holds):
    contained = [
        change
        for change in compare(old, new).breaking_changes(Mode.BACKWARD)
        if change.kind not in ("PROPERTY_REMOVED", "DEFAULT_REMOVED")
    ]
    closes = [
        change for change in contained if isinstance(change.after, bool) and "additionalProperties" in change.pointer
    ]
    assert (not [change for change in contained if change not in closes]) == holds, contained
