"""Types are described in text, and changes of several parts are reported at the right pointer."""

import pytest

from tessera_gql.diff import ChangeKind, Mode, compare, list_fields
from tests.diff.schemas import ARRAY, INTEGER, NULL, NUMBER, TEXT, table

K = ChangeKind


def nested(levels, leaf, keyword="anyOf"):
    for _ in range(levels):
        leaf = {keyword: [leaf]}
    return leaf


@pytest.mark.parametrize(
    ("schema", "type_name", "nullable"),
    [
        ({}, "any", False),
        (True, "any", False),
        (False, "nothing", False),
        (TEXT, "string", False),
        (INTEGER, "integer", False),
        (NUMBER, "number", False),
        ({"type": ["number", "integer"]}, "number", False),
        ({"type": ["string", "integer", "null", "array"]}, "array | integer | string | null", True),
        ({"type": ["object", "number", "boolean"]}, "boolean | number | object", False),
        (NULL, "null", True),
        ({**TEXT, "nullable": True}, "string | null", True),
        ({"nullable": True}, "any", False),
        ({**TEXT, "nullable": False}, "string", False),
        # listed values decide where no type is declared
        ({"const": "x"}, "string", False),
        ({"const": 1}, "integer", False),
        ({"const": 1.0}, "integer", False),
        ({"const": 1.5}, "number", False),
        ({"enum": [1, 1.5]}, "number", False),
        ({"enum": ["x", None, True, [], {}]}, "array | boolean | object | string | null", True),
        ({"enum": [None]}, "null", True),
        ({"enum": []}, "nothing", False),
        ({"type": ["string", "null"], "enum": ["a"]}, "string | null", True),
        # alternatives
        ({"anyOf": [TEXT, INTEGER]}, "integer | string", False),
        ({"oneOf": [TEXT, INTEGER]}, "integer | string", False),
        ({"anyOf": [TEXT, NULL]}, "string | null", True),
        ({"oneOf": [NULL, TEXT]}, "string | null", True),
        ({"anyOf": [TEXT, {"enum": [None]}]}, "string | null", True),
        ({"anyOf": [TEXT, {"const": None}]}, "string | null", True),
        ({"anyOf": [TEXT, {"const": None, "title": "none"}]}, "string | null", True),
        ({"anyOf": [NULL, NULL]}, "null", True),
        ({"anyOf": [TEXT, INTEGER, NULL]}, "integer | string | null", True),
        ({"anyOf": [TEXT, {}]}, "any", False),
        ({"type": ["string", "array"], "anyOf": [TEXT, INTEGER]}, "string", False),
        ({"anyOf": [TEXT, INTEGER], "oneOf": [INTEGER, ARRAY]}, "integer", False),
        ({"anyOf": [{"allOf": [TEXT]}, INTEGER]}, "any", False),
        (nested(4, {"anyOf": [TEXT]}), "any", False),
        (nested(3, {"anyOf": [TEXT]}), "string", False),
        (nested(3, {"oneOf": [TEXT]}, "oneOf"), "string", False),
        # several parts
        ({"allOf": [TEXT, {"type": ["string", "integer"]}]}, "string", False),
        ({"allOf": [{"anyOf": [TEXT, NULL]}, {"type": ["string", "null", "array"]}]}, "string | null", True),
        ({"allOf": [{"anyOf": [TEXT, NULL]}, TEXT]}, "string", False),
        ({"anyOf": [{"allOf": [TEXT]}, NULL]}, "string | null", True),
        ({"$ref": "#/$defs/text"}, "string", False),
        ({"anyOf": [{"$ref": "#/$defs/text"}, NULL]}, "string | null", True),
        ({"anyOf": [{"$ref": "#/$defs/text"}, INTEGER]}, "integer | string", False),
        ({"anyOf": [{"$ref": "#/$defs/text"}, {"$ref": "#/$defs/deep"}]}, "integer | string", False),
        ({"$ref": "#/$defs/text", "type": ["string", "null"]}, "string", False),
    ],
)
def test_a_type_is_described_in_text(schema, type_name, nullable):
    defs = {"text": TEXT, "deep": {"anyOf": [{"$ref": "#/$defs/whole"}]}, "whole": INTEGER}
    (field,) = list_fields({"properties": {"a": schema}, "$defs": defs})
    assert (field.type, field.nullable) == (type_name, nullable)


@pytest.mark.parametrize(
    ("old", "new", "kind", "pointer", "before", "after"),
    [
        (TEXT, {}, K.TYPE_WIDENED, "", ["string"], None),
        ({"allOf": [{}, TEXT]}, {"allOf": [{}, INTEGER]}, K.TYPE_CHANGED, "/allOf/1/type", ["string"], ["integer"]),
        ({"allOf": [{"minLength": 3}, {"minLength": 2}]}, {"minLength": 2}, K.CONSTRAINT_RELAXED, "/minLength", 3, 2),
        ({"allOf": [{"maxLength": 3}, {"maxLength": 2}]}, {"maxLength": 3}, K.CONSTRAINT_RELAXED, "/maxLength", 2, 3),
        ({"maxLength": 3}, {"maxLength": 3, "allOf": [{"maxLength": 2}]}, K.CONSTRAINT_TIGHTENED, "/maxLength", 3, 2),
        ({}, {"allOf": [{}, {"maxItems": 2}]}, K.CONSTRAINT_TIGHTENED, "/allOf/1/maxItems", None, 2),
        ({"allOf": [{"minimum": 2}, {"minimum": 1}]}, {"minimum": 1}, K.CONSTRAINT_RELAXED, "/minimum", 2, 1),
        ({"allOf": [{"maximum": 2}, {"maximum": 1}]}, {"maximum": 2}, K.CONSTRAINT_RELAXED, "/maximum", 1, 2),
        (
            {"enum": ["a", "b"]},
            {"allOf": [{"enum": ["a", "b"]}, {"enum": ["b", "c"]}]},
            K.ENUM_VALUES_REMOVED,
            "/allOf/0/enum",
            ["a"],
            None,
        ),
        ({"anyOf": [{"enum": ["a"]}, NULL]}, {"enum": ["a", None, "b"]}, K.ENUM_VALUES_ADDED, "/enum", None, ["b"]),
        ({"anyOf": [{"enum": ["a", "b"]}, NULL]}, {"enum": ["a", None]}, K.ENUM_VALUES_REMOVED, "/enum", ["b"], None),
        (
            {"title": "one", "allOf": [{"title": "other"}]},
            {"title": "two"},
            K.ANNOTATION_CHANGED,
            "/title",
            "one",
            "two",
        ),
    ],
)
def test_a_constraint_of_several_parts_is_reported_at_the_first_part(old, new, kind, pointer, before, after):
    (change,) = [change for change in compare(old, new).changes if change.kind is kind]
    assert (change.pointer, change.before, change.after) == (pointer, before, after)


@pytest.mark.parametrize(
    ("null", "is_plain"),
    [
        (NULL, True),
        ({"type": ["null"]}, True),
        ({"enum": [None]}, True),
        ({"const": None}, True),
        ({"type": ["null"], "minimum": 1}, False),
        ({"type": ["null", "string"]}, False),
        ({"enum": [None, "b"]}, False),
        ({"enum": [None], "const": None}, False),
        ({"enum": [None], **NULL}, False),
        ({"const": "null"}, False),
        ({"title": "none"}, False),
    ],
)
@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_a_removed_plain_null_is_a_removed_nullability_and_another_alternative_a_changed_composition(
    null, is_plain, keyword
):
    whole = {**INTEGER, "minimum": 3}
    for old in ({keyword: [whole, null]}, {keyword: [null, whole]}):
        kinds = {change.kind for change in compare(old, whole).changes}
        assert (K.COMPOSITION_CHANGED not in kinds) == is_plain
        assert K.NULLABLE_REMOVED in kinds or not is_plain
    for plain in ([whole, NULL, ARRAY], [NULL, NULL], [NULL]):
        assert K.COMPOSITION_CHANGED in {change.kind for change in compare({keyword: plain}, whole).changes}


def test_two_hundred_parts_are_distinguished_and_more_are_reported_at_the_root():
    def parts(many, limit):
        return {"allOf": [*({"minLength": 1} for _ in range(many)), {**TEXT, "maxLength": limit}]}

    (change,) = compare(parts(198, 3), parts(198, 2)).changes
    assert (change.kind, change.pointer) == (K.CONSTRAINT_TIGHTENED, "/allOf/198/maxLength")
    (change,) = compare(parts(199, 3), parts(199, 2)).changes
    assert (change.kind, change.pointer) == (K.COMPOSITION_CHANGED, "")
    assert Mode.BACKWARD in change.breaks


def test_only_fields_with_an_equal_schema_are_a_rename():
    def kinds(left, right):
        return {change.kind for change in compare(table(order_id=left), table(orderId=right)).changes}

    for left in (TEXT, {"enum": ["a", "b"]}, {**TEXT, "format": "date"}, table(a=TEXT)):
        assert K.PROPERTY_RENAMED in kinds(left, left)
    assert K.PROPERTY_RENAMED in kinds({"enum": ["a", "b"]}, {"enum": ["b", "a"]})
    for left, right in (
        (TEXT, INTEGER),
        ({"enum": ["a", "b"]}, {"enum": ["a", "c"]}),
        ({"enum": ["a"]}, TEXT),
        ({**TEXT, "format": "date"}, {**TEXT, "format": "time"}),
        (table(a=TEXT), table(b=TEXT)),
    ):
        assert K.PROPERTY_RENAMED not in kinds(left, right)
