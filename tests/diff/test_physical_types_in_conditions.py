"""Changes of physical types and defaults where a schema applies under a condition, or where the walk ends."""

from typing import Any

import pytest

from tessera_gql.diff import Change, ChangeKind, Mode, compare
from tests.diff.schemas import DRAFT_7, DRAFT_2020, obj, table

EVERY_MODE = {Mode.BACKWARD, Mode.FORWARD, Mode.CONSUMER, Mode.FULL}
VARCHAR = {"x-physical-type": {"family": "text", "text": "varchar"}}
DATE = {"x-physical-type": {"family": "date", "text": "date"}}
EMPTY_STRUCT = {"x-physical-type": {"family": "struct", "text": "struct"}}
SWITCH = {"if": {"required": ["b"]}}


def type_changes(old: Any, new: Any) -> list[Change]:
    return [change for change in compare(old, new).changes if change.kind is ChangeKind.TYPE_CHANGED]


def two_groups(branch: Any) -> Any:
    return {**table(a={}), "anyOf": [{"required": ["a"]}, {"minProperties": 2}], "allOf": [{"anyOf": [branch, {}]}]}


def place_in_reference(branch: Any) -> Any:
    return {**table(a={}, b={}), **SWITCH, "then": {"$ref": "#/$defs/x"}, "$defs": {"x": branch}}


HIDDEN_PLACES = {
    "then": lambda branch: {**table(a={}, b={}), **SWITCH, "then": branch},
    "else": lambda branch: {**table(a={}, b={}), **SWITCH, "else": branch},
    "if": lambda branch: {**table(a={}, b={}), "if": branch, "then": {"required": ["b"]}},
    "not": lambda branch: {**table(a={}, b={}), "not": {**branch, "required": ["b"]}},
    "a dependent schema": lambda branch: {**table(a={}, b={}), "dependentSchemas": {"b": branch}},
    "a dependency of draft 7": lambda branch: {**DRAFT_7, **table(a={}, b={}), "dependencies": {"b": branch}},
    "a condition in a condition": lambda branch: {**table(a={}), **SWITCH, "then": {**SWITCH, "else": branch}},
    "a reference in a condition": place_in_reference,
    "the second of two groups of alternatives": two_groups,
    "an unevaluated property": lambda branch: {**DRAFT_2020, "type": "object", "unevaluatedProperties": branch},
    "an item of a long tuple": lambda branch: {**DRAFT_2020, "prefixItems": [*[{}] * 70, branch]},
    "one of very many schemas": lambda branch: obj(allOf=[*({"minProperties": n} for n in range(250)), branch]),
}
CHANGED_BRANCHES = [
    (table(a=VARCHAR), table(a=DATE)),
    (table(a={**VARCHAR, "minLength": 3}), table(a={**DATE, "minLength": 2})),
]


@pytest.mark.parametrize("place", HIDDEN_PLACES.values(), ids=HIDDEN_PLACES)
@pytest.mark.parametrize(("old", "new"), CHANGED_BRANCHES, ids=["alone", "beside another change"])
def test_another_family_breaks_every_mode_wherever_the_column_is_declared(place, old, new):
    [change] = [change for change in type_changes(place(old), place(new)) if "x-physical-type" in change.pointer]
    assert change.breaks == EVERY_MODE
    assert "physical type changed from varchar to date" in change.message


@pytest.mark.parametrize("place", HIDDEN_PLACES.values(), ids=HIDDEN_PLACES)
def test_a_removed_default_breaks_backward_wherever_it_is_declared(place):
    diff = compare(place(table(a={"default": 1})), place(table(a={})))
    assert [change.kind for change in diff.breaking_changes(Mode.BACKWARD)] == [ChangeKind.DEFAULT_REMOVED]


@pytest.mark.parametrize("place", HIDDEN_PLACES.values(), ids=HIDDEN_PLACES)
def test_another_spelling_of_a_type_breaks_nothing_wherever_it_is_declared(place):
    string = {"x-physical-type": {"family": "text", "text": "string"}}
    diff = compare(place(table(a=VARCHAR)), place(table(a=string)))
    assert not any(change.breaks for change in diff.changes)


def test_alternatives_in_another_order_keep_their_physical_types():
    branches = [{"properties": {"a": VARCHAR}}, {"properties": {"a": {**DATE, "minLength": 1}}}]
    old, new = ({**table(a={}), "oneOf": listed} for listed in (branches, branches[::-1]))
    assert compare(old, new).changes == ()


def test_an_unused_definition_may_change_its_physical_type():
    old, new = ({**table(a={}), "$defs": {"unused": declared}} for declared in (VARCHAR, DATE))
    assert type_changes(old, new) == []


def test_values_in_lists_and_constants_are_no_schemas():
    def declare(physical: Any) -> Any:
        value = {"minimum": "low", "items": 3}
        return {**DRAFT_2020, "prefixItems": [*[{}] * 70, physical], "enum": [value], "const": value}

    assert [change.breaks for change in type_changes(declare(VARCHAR), declare(DATE))] == [EVERY_MODE]


def test_the_second_of_two_types_of_a_column_is_compared_too():
    old, new = (obj(allOf=[table(a=VARCHAR), table(a=second)]) for second in (VARCHAR, DATE))
    [change] = type_changes(old, new)
    assert (change.path, change.pointer) == ("a", "/allOf/1/properties/a/x-physical-type")
    assert change.breaks == EVERY_MODE


def struct_with_field(family: str, **own: Any) -> dict[str, Any]:
    fields = {"a": {"family": family, "text": family}}
    physical = {"family": "struct", "fields": fields, "text": f"struct<a {family}>"}
    return table(s={**table(a=own), "x-physical-type": physical})


@pytest.mark.parametrize(
    ("before", "after"),
    [(EMPTY_STRUCT, EMPTY_STRUCT), (VARCHAR, VARCHAR), (VARCHAR, {"x-physical-type": {"family": "text", "length": 9}})],
)
def test_a_field_of_a_struct_is_compared_if_the_property_of_its_name_tells_nothing_of_it(before, after):
    diff = compare(struct_with_field("integer", **before), struct_with_field("date", **after))
    [change] = [change for change in diff.changes if change.kind is ChangeKind.TYPE_CHANGED]
    assert (change.path, change.breaks) == ("s.a", EVERY_MODE)


def test_a_change_of_a_field_that_its_property_tells_is_reported_once():
    integer = {"x-physical-type": {"family": "integer", "text": "integer"}}
    diff = compare(struct_with_field("integer", **integer), struct_with_field("date", **DATE))
    assert [change.pointer for change in diff.changes if change.breaks] == [
        "/properties/s/properties/a/x-physical-type"
    ]
