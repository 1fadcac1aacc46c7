"""`unevaluatedProperties` and `unevaluatedItems` close schemas, and what they leave open is undecided."""

import pytest

from tessera_gql.diff import Mode, compare
from tests.diff.schemas import INTEGER, NUMBER, TEXT

A, B = {"properties": {"a": INTEGER}}, {"properties": {"b": INTEGER}}
ONLY_A = {"type": "object", "properties": {"a": INTEGER}, "additionalProperties": False}
CLOSED = {"unevaluatedProperties": False}
ANCHORED = {"$dynamicAnchor": "x", **B}
OPAQUE = {"$dynamicRef": "#x", "$defs": {"x": ANCHORED, "y": {"$id": "y", **ANCHORED}}}
LIST = {"type": "array", "prefixItems": [INTEGER], "unevaluatedItems": False}


def nested(levels, leaf):
    for _ in range(levels):
        leaf = {"allOf": [leaf]}
    return leaf


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        (ONLY_A, {**A, **CLOSED}, True),
        (ONLY_A, {"allOf": [A], **CLOSED}, True),
        (ONLY_A, {"allOf": [{"allOf": [A]}, B], **CLOSED}, True),
        (ONLY_A, {"$ref": "#/$defs/a", "$defs": {"a": A}, **CLOSED}, True),
        (ONLY_A, {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": A}, **CLOSED}, True),
        (ONLY_A, {**B, **CLOSED}, False),
        (ONLY_A, {"allOf": [B], **CLOSED}, False),
        (ONLY_A, {**B, "unevaluatedProperties": NUMBER}, True),
        (ONLY_A, {**B, "unevaluatedProperties": TEXT}, False),
        (ONLY_A, {"patternProperties": {"^a": NUMBER}, **CLOSED}, True),
        (ONLY_A, {"patternProperties": {"^b": NUMBER}, **CLOSED}, False),
        (ONLY_A, {"allOf": [{"patternProperties": {"^a": NUMBER}}], **CLOSED}, True),
        (ONLY_A, {**A, "additionalProperties": NUMBER, **CLOSED}, True),
        (ONLY_A, {"allOf": [{**A, "additionalProperties": True}], **CLOSED}, True),
        # properties evaluated by a condition or a dynamic reference are allowed
        ({"type": "object", "if": {"additionalProperties": INTEGER}, **CLOSED}, {"maxProperties": 0}, False),
        ({"type": "object", "if": {"unevaluatedProperties": INTEGER}, **CLOSED}, {"maxProperties": 0}, False),
        ({"type": "object", "if": B, **CLOSED}, {"maxProperties": 1}, True),
        ({"type": "object", **OPAQUE, **CLOSED}, {"maxProperties": 0}, False),
        ({**A, **OPAQUE}, {"properties": {"a": INTEGER, "b": TEXT}}, False),
        ({"type": "object", "anyOf": [{"unevaluatedProperties": TEXT}], **CLOSED}, {**A, **CLOSED}, False),
        ({"type": "object", "anyOf": [{"additionalProperties": TEXT}], **CLOSED}, {**A, **CLOSED}, False),
        # an unreadable schema equals itself
        ({"anyOf": [LIST, TEXT]}, {"anyOf": [LIST, TEXT, INTEGER]}, True),
        ({"oneOf": [LIST, TEXT]}, {"anyOf": [TEXT, LIST]}, True),
        # nothing is proven if it depends on the value or on a self-reference
        (ONLY_A, {"anyOf": [A, B], **CLOSED}, False),
        (ONLY_A, {"allOf": [{"$ref": "#"}], **A, **CLOSED}, False),
        (ONLY_A, {**nested(30, A), **CLOSED}, True),
        # each keyword applies to its own type
        ({"type": "object"}, {"unevaluatedItems": False}, True),
        (ONLY_A, {**A, **CLOSED, "unevaluatedItems": False}, True),
        ({"type": "array"}, CLOSED, True),
        ({"type": "array"}, {"unevaluatedItems": False}, False),
        ({"type": "array", "maxItems": 0}, {"unevaluatedItems": False}, False),
        ({"type": ["string", "null", "number"]}, {"unevaluatedItems": False, **CLOSED}, True),
        ({"type": "object", **CLOSED}, {"maxProperties": 0}, True),
        # additionalProperties has evaluated every property
        ({"additionalProperties": TEXT}, {"additionalProperties": TEXT, **CLOSED}, True),
        ({"additionalProperties": TEXT}, {"allOf": [{"additionalProperties": TEXT}], **CLOSED}, True),
        ({"additionalProperties": TEXT}, {"anyOf": [{"additionalProperties": TEXT}], **A, **CLOSED}, False),
        # the values that a schema with the keyword accepts are never underestimated
        ({"type": "object", **A, **CLOSED}, {"type": "object", "properties": {"a": TEXT}}, False),
        ({"type": "object", **A, **CLOSED}, {"type": "object", "properties": {"a": NUMBER}}, True),
        ({"type": "array", "items": INTEGER, "unevaluatedItems": False}, {"items": TEXT}, False),
        ({"type": "array", "items": INTEGER, "unevaluatedItems": False}, {"items": NUMBER}, True),
    ],
)
def test_every_document_of_the_old_schema_is_valid_under_the_new_schema(old, new, holds):
    breaking = [
        change for change in compare(old, new).breaking_changes(Mode.BACKWARD) if change.kind != "PROPERTY_REMOVED"
    ]
    assert (not breaking) == holds, breaking


def test_definitions_that_many_conjunctions_share_are_read_once():
    defs = {f"n{level}": {"allOf": [{"$ref": f"#/$defs/n{level + 1}"}] * 9} for level in range(9)}
    new = {"$ref": "#/$defs/n0", "$defs": {**defs, "n9": A}, **CLOSED}
    assert compare({"type": "object", **B}, new).breaking_changes(Mode.BACKWARD)
