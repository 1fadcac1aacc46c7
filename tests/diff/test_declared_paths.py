"""A field that only one schema declares is reported at its path."""

import pytest

from tessera_gql.diff import ChangeKind, Mode, compare
from tests.diff.schemas import INTEGER, TEXT

K = ChangeKind


def table(**columns):
    return {"properties": columns}


X, XY = table(x=TEXT), table(x=TEXT, y=TEXT)


def removed_properties(old, new):
    """Path and pointer of each property that the new schema lacks."""
    changes = compare(old, new).changes
    return {(change.path, change.pointer) for change in changes if change.kind is K.PROPERTY_REMOVED}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (XY, X, {("y", "/properties/y")}),
        (table(a=XY), table(a=X), {("a.y", "/properties/a/properties/y")}),
        (table(a=X), table(a={}), {("a.x", "/properties/a/properties/x")}),
        (table(a=X), table(a=True), {("a.x", "/properties/a/properties/x")}),
        (table(a=X), table(a=TEXT), {("a.x", "/properties/a/properties/x")}),
        ({"items": XY}, {"items": X}, {("[].y", "/items/properties/y")}),
        ({"items": X}, {}, {("[].x", "/items/properties/x")}),
        ({"prefixItems": [{}, X]}, {"prefixItems": [{}]}, {("[].x", "/prefixItems/1/properties/x")}),
        ({"prefixItems": [X], "items": table(y=TEXT)}, {"items": X}, {("[].y", "/items/properties/y")}),
        ({"prefixItems": [X]}, {"items": X}, set()),
        ({"additionalProperties": X}, {}, {("*.x", "/additionalProperties/properties/x")}),
        ({"patternProperties": {"^a": X}}, {}, {("*.x", "/patternProperties/^a/properties/x")}),
        ({"patternProperties": {"^a": X}}, {"additionalProperties": X}, set()),
        (
            table(a={"additionalProperties": {"items": X}}),
            table(a={}),
            {("a.*[].x", "/properties/a/additionalProperties/items/properties/x")},
        ),
        ({"allOf": [X, table(y=TEXT)]}, {"anyOf": [X, TEXT]}, {("y", "/allOf/1/properties/y")}),
        (
            {"if": X, "then": table(y=TEXT), "else": table(z=TEXT)},
            {},
            {("x", "/if/properties/x"), ("y", "/then/properties/y"), ("z", "/else/properties/z")},
        ),
        ({"not": X}, {}, set()),
        ({"dependentSchemas": {"a": X}}, {}, {("x", "/dependentSchemas/a/properties/x")}),
        ({"allOf": [table(a=X), table(a=table(y=TEXT))]}, table(a=X), {("a.y", "/allOf/1/properties/a/properties/y")}),
        ({"oneOf": [table(a=TEXT), table(a=INTEGER)]}, {}, {("a", "/oneOf/0/properties/a")}),
        (
            {"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {**X, "items": {"$ref": "#/$defs/b"}}, "b": X}},
            {"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {**X, "items": {"$ref": "#/$defs/b"}}, "b": {}}},
            {("[][].x", "/$defs/b/properties/x")},
        ),
        ({**X, "items": {"$ref": "#"}}, {**X, "items": {"items": {"$ref": "#"}}}, {("[].x", "/properties/x")}),
    ],
)
def test_a_removed_field_is_reported_at_its_old_pointer(old, new, expected):
    assert removed_properties(old, new) == expected
    if expected:
        assert not compare(old, new).is_compatible(Mode.BACKWARD)
        assert not compare(new, old).is_compatible(Mode.FORWARD)


def test_an_added_field_breaks_forward_at_its_pointer():
    changes = [change for change in compare({"items": X}, {"items": XY}).changes if change.kind is K.PROPERTY_ADDED]
    assert [(change.path, change.pointer) for change in changes] == [("[].y", "/items/properties/y")]
    assert Mode.FORWARD in changes[0].breaks


@pytest.mark.parametrize(
    "plain",
    [
        {"enum": [1]},
        {"const": 1, "title": "t"},
        {"type": "number", "minimum": 1, "maximum": 2, "exclusiveMinimum": 0, "exclusiveMaximum": 3, "multipleOf": 1},
        {"type": "string", "minLength": 1, "maxLength": 3, "pattern": "^a", "format": "date"},
        {"description": "d", "default": 1, "examples": [1], "deprecated": True, "nullable": True, "$comment": "c"},
        {"readOnly": True, "writeOnly": False},
    ],
)
def test_a_field_without_nested_fields_loses_no_field(plain):
    assert removed_properties(table(a=plain), table(a={})) == set()
    assert removed_properties(table(a={**plain, **X}), table(a=plain)) == {("a.x", "/properties/a/properties/x")}
