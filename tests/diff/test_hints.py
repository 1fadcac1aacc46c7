"""A hint is offered only if comparing again shows that it does not break."""

import pytest

from tessera_gql.diff import Mode, compare
from tests.diff.schemas import INTEGER, NULLABLE_TEXT, NUMBER, TEXT, array, obj


def table(*required, **columns):
    return obj(properties=columns, required=[*required])


def hints(old, new):
    return [change.hint for change in compare(old, new).breaking_changes(Mode.FULL)]


SHORT, SHORTER = {**TEXT, "maxLength": 3}, {**TEXT, "maxLength": 2}
KEPT = "Keep maxLength as it was: 3."


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (table("b", a=TEXT, b=TEXT), table("a", "b", a=TEXT, b=TEXT), "Leave a optional."),
        (table(a=TEXT), table("a", a=TEXT), "Leave a optional."),
        (table(a=TEXT), table("b", a=TEXT, b=TEXT), "Leave b optional."),
        (obj(allOf=[table(a=TEXT)]), obj(allOf=[table("a", a=TEXT)]), "Leave a optional."),
        (table(a=TEXT), table(a=INTEGER), "Accept both: integer, string."),
        (table(a=NULLABLE_TEXT), table(a=TEXT), "Accept both: null, string."),
        (table(a={"enum": [1, 2]}), table(a={"enum": [2]}), "Keep the old values among those allowed."),
        (table(a=SHORT), table(a=SHORTER), KEPT),
        (table(a=TEXT), table(a=SHORTER), "Leave maxLength out."),
        (array(prefixItems=[{}, SHORT]), array(prefixItems=[{}, SHORTER]), KEPT),
        (table(**{"a/b~c": SHORT}), table(**{"a/b~c": SHORTER}), KEPT),
        (table(a={**TEXT, "default": "x"}), table(a=TEXT), "Keep the default."),
        (table(a=TEXT, b=TEXT), table(a=TEXT), "Keep b and mark it deprecated until nobody reads it."),
        (table(user_id=TEXT), table(userId=TEXT), "Keep user_id and mark it deprecated until nobody reads it."),
    ],
)
def test_a_hint_that_does_not_break_is_offered(old, new, expected):
    assert hints(old, new) == [expected]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (table(a=TEXT), table(a=TEXT, b=TEXT)),
        (table(a=TEXT), {**table(a=TEXT), "additionalProperties": TEXT}),
        (table(a=TEXT), {**table(a=TEXT), "additionalProperties": False}),
        (table(a=TEXT), table(a={**TEXT, "enum": ["x"]})),
        (table(a={"const": 1}), table(a={"const": 2})),
        (table(a={**NUMBER, "exclusiveMinimum": 1}), table(a={**NUMBER, "exclusiveMinimum": 2})),
        (table(a={**TEXT, "allOf": [SHORT]}), table(a={**TEXT, "allOf": [SHORTER]})),
        (table(a={**TEXT, "default": None}), table(a=TEXT)),
        (TEXT, False),
    ],
)
def test_nothing_is_offered_that_would_break_all_the_same(old, new):
    assert set(hints(old, new)) == {None}


def test_a_hint_is_offered_although_another_change_still_breaks():
    assert hints(table(a=SHORT, b=TEXT), table(a=SHORTER, b=INTEGER)) == [KEPT, "Accept both: integer, string."]


def test_a_hint_that_needs_a_removed_definition_is_not_offered():
    old = {**table(a=TEXT, b={"$ref": "#/$defs/b"}), "$defs": {"b": TEXT}}
    (gone,) = compare(old, table(a=TEXT)).breaking_changes(Mode.BACKWARD)
    assert gone.hint is None


def test_the_schemas_stay_as_they_are():
    old, new = table(a=SHORT), table(a=SHORTER)
    assert hints(old, new) == [KEPT]
    assert new == table(a=SHORTER)


def columns(count, schema):
    return {f"c{index}": schema for index in range(count)}


def test_the_first_twenty_changes_get_a_hint():
    found = hints(table(**columns(22, SHORT)), table(**columns(22, SHORTER)))
    assert found == [KEPT] * 20 + [None] * 2


@pytest.mark.parametrize(("count", "expected"), [(249, KEPT), (250, None)])
def test_hints_are_for_schemas_of_five_hundred_parts_together(count, expected):
    old, new = (table(a=each, **columns(count - 1, {})) for each in (SHORT, SHORTER))
    assert hints(old, new) == [expected]
