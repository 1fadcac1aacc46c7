"""The declared fields of a schema are listed as registrations may name them."""

from dataclasses import FrozenInstanceError

import pytest

from tessera_gql.diff import Field, canonical_json, list_fields
from tessera_gql.diff.differences import (
    ItemStep,
    OtherPropertyStep,
    PropertyNameStep,
    PropertyStep,
    SameValueStep,
    declared_field,
    format_route,
)
from tessera_gql.diff.read.view import View


def paths(schema):
    return [field.path for field in list_fields(schema)]


def test_fields_are_listed_in_document_order_with_their_attributes():
    schema = {
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "integer", "description": "key"},
            "note": {"type": ["string", "null"], "deprecated": True},
            "free": {},
        },
    }
    assert list_fields(schema) == (
        Field("id", "integer", required=True, nullable=False, description="key", deprecated=False),
        Field("note", "string | null", required=False, nullable=True, description=None, deprecated=True),
        Field("free", "any", required=False, nullable=False, description=None, deprecated=False),
    )


def test_fields_are_found_below_items_references_branches_and_maps():
    schema = {
        "properties": {
            "items": {"type": "array", "items": {"properties": {"sku": True}}},
            "address": {"anyOf": [{"$ref": "#/$defs/address"}, {"type": "null"}]},
            "prices": {"additionalProperties": {"properties": {"net": True}}},
            "pair": {"prefixItems": [{"properties": {"left": True}}, True]},
        },
        "allOf": [{"properties": {"extra": {"type": "number"}}}],
        "patternProperties": {"^x": {"properties": {"y": True}}},
        "$defs": {"address": {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}},
    }
    assert paths(schema) == [
        "items",
        "items[].sku",
        "address",
        "address.city",
        "prices",
        "prices.*.net",
        "pair",
        "pair[].left",
        "extra",
        "*.y",
    ]
    fields = {field.path: field for field in list_fields(schema)}
    assert (fields["address"].type, fields["address"].nullable) == ("object | null", True)
    assert fields["address.city"].required


def test_a_recursive_schema_is_entered_once():
    schema = {"properties": {"leaf": True, "children": {"items": {"$ref": "#"}}}}
    assert paths(schema) == ["leaf", "children", "children[].leaf", "children[].children"]


def test_references_that_double_at_every_level_end_at_the_limit():
    levels = {
        f"l{n}": {"properties": {"a": {"$ref": f"#/$defs/l{n + 1}"}, "b": {"$ref": f"#/$defs/l{n + 1}"}}}
        for n in range(30)
    }
    assert len(list_fields({"$ref": "#/$defs/l0", "$defs": {**levels, "l30": True}})) == 20_000


def test_booleans_declare_nothing():
    assert list_fields(True) == list_fields(False) == ()


def test_canonical_text_is_equal_exactly_when_the_values_are():
    assert (
        canonical_json({"b": [1.0, True], "a": None})
        == '{"a":null,"b":[1,true]}'
        == canonical_json({"a": None, "b": [1, True]})
    )
    assert canonical_json(1) != canonical_json(True)
    assert canonical_json(0.5) == "0.5"
    assert canonical_json("é\n") == '"é\\n"'


def test_a_field_declared_twice_merges_both_declarations():
    left = {"required": ["a"], "properties": {"a": {"type": "string", "description": "first"}}}
    right = {"properties": {"a": {"type": "null", "deprecated": True, "description": "second"}}}
    merged = Field("[].a", "string | null", required=True, nullable=True, description="first", deprecated=True)
    assert list_fields({"prefixItems": [left, right]}) == (merged,)
    assert list_fields({"prefixItems": [left], "items": right}) == (merged,)
    assert list_fields({"items": {"anyOf": [{}, left]}})[0].required is False


def test_attributes_in_a_subschema_belong_to_the_field():
    part = {"deprecated": True, "description": "told"}
    schema = {"allOf": [{"required": ["a"]}], "properties": {"a": {"allOf": [part]}, "b": {"title": "b"}}}
    assert list_fields(schema) == (
        Field("a", "any", required=True, nullable=False, description="told", deprecated=True),
        Field("b", "any", required=False, nullable=False, description=None, deprecated=False),
    )


def test_a_reference_is_followed_once_on_each_path():
    schema = {
        "properties": {"a": {"$ref": "#/$defs/a"}, "b": {"$ref": "#/$defs/b"}},
        "$defs": {"a": {"properties": {"x": {"$ref": "#/$defs/b"}}}, "b": {"properties": {"y": {"$ref": "#/$defs/a"}}}},
    }
    assert paths(schema) == ["a", "a.x", "a.x.y", "a.x.y.x", "b", "b.y", "b.y.x", "b.y.x.y"]


def test_pattern_and_additional_names_belong_to_the_field_above():
    schema = {"properties": {"a": {"additionalProperties": {"properties": {"b": {}}}}}}
    assert paths(schema) == ["a", "a.*.b"]
    assert paths({"items": {"items": {"properties": {"b": {}}}}}) == ["[][].b"]


@pytest.mark.parametrize(
    ("route", "parent", "path"),
    [
        ((), "", ""),
        ((PropertyStep("a"),), "", "a"),
        ((PropertyStep("a"), PropertyStep("b")), "", "a.b"),
        ((PropertyStep("b"),), "a", "a.b"),
        (
            (
                PropertyStep("a"),
                ItemStep(0),
                OtherPropertyStep(),
                SameValueStep(),
                PropertyNameStep(),
                PropertyStep("b"),
            ),
            "",
            "a[].*.b",
        ),
        ((ItemStep(3), ItemStep(0)), "", "[][]"),
        ((OtherPropertyStep("^x"),), "", "*"),
        ((OtherPropertyStep(), PropertyStep("x")), "", "*.x"),
        ((SameValueStep(), PropertyNameStep()), "a", "a"),
    ],
)
def test_a_route_is_formatted_as_a_path(route, parent, path):
    assert format_route(route, parent) == path


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("a", "a"),
        ("tags[]", "tags"),
        ("tags[][]", "tags"),
        ("tags[].sku", "tags[].sku"),
        ("prices.*", "prices"),
        ("prices.*[]", "prices"),
        ("prices[].*", "prices"),
        ("a*", "a*"),
        ("*.net", "*.net"),
        ("*", ""),
        ("*[]", ""),
        ("[]", ""),
        ("[].*", ""),
        ("", ""),
    ],
)
def test_a_path_belongs_to_the_nearest_declared_field_above(path, field):
    assert declared_field(path) == field


@pytest.mark.parametrize(
    "step", [PropertyStep("a"), ItemStep(0), OtherPropertyStep(), PropertyNameStep(), SameValueStep(), View(())]
)
def test_a_route_is_immutable(step):
    with pytest.raises(FrozenInstanceError):
        step.name = "b"
