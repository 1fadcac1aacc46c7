"""A break by a keyword that no comparer describes is listed beside a break of an unrelated column."""

from typing import Any

import pytest

from tessera_gql.diff import ChangeKind, Mode, compare
from tests.diff.schemas import DRAFT_7, DRAFT_2020, INTEGER, NULL, TEXT, table

X, Y, Z = ({"required": [name]} for name in "xyz")
BROKEN_KEYWORDS = {
    "dependentRequired": ({"dependentRequired": {"x": ["y"]}}, {"dependentRequired": {"x": ["y", "z"]}}),
    "dependentSchemas": ({"dependentSchemas": {"x": Y}}, {"dependentSchemas": {"x": Z}}),
    "dependencies": ({**DRAFT_7, "dependencies": {"x": ["y"]}}, {**DRAFT_7, "dependencies": {"x": ["z"]}}),
    "dependencies on a schema": ({**DRAFT_7, "dependencies": {"x": Y}}, {**DRAFT_7, "dependencies": {"x": Z}}),
    "a repeated option of oneOf": ({"oneOf": [X, Y]}, {"oneOf": [X, X, Y]}),
    "an option of oneOf that overlaps now": (
        {"oneOf": [X, {**X, "maxProperties": 0}]},
        {"oneOf": [X, {**X, "maxProperties": 9}]},
    ),
    "unevaluatedProperties": ({**DRAFT_2020, "unevaluatedProperties": True}, {"unevaluatedProperties": INTEGER}),
    "a keyword beside a reference": (
        {"allOf": [{"$ref": "#/$defs/rule"}], "$defs": {"rule": {"dependentRequired": {"x": ["y"]}}}},
        {"allOf": [{"$ref": "#/$defs/rule"}], "$defs": {"rule": {"dependentRequired": {"x": ["z"]}}}},
    ),
}


def columns(a: Any) -> Any:
    return table(a=a, x=TEXT, y=TEXT, z=TEXT)


def breaking_fields(old: Any, new: Any, mode: Mode) -> set[tuple[str, ...]]:
    return {change.fields for change in compare(old, new).breaking_changes(mode)}


@pytest.mark.parametrize(("old", "new"), BROKEN_KEYWORDS.values(), ids=BROKEN_KEYWORDS)
@pytest.mark.parametrize(("mode", "opposite"), [(Mode.BACKWARD, Mode.FORWARD), (Mode.FORWARD, Mode.BACKWARD)])
def test_a_broken_keyword_is_listed_beside_a_broken_column(old, new, mode, opposite):
    before, after = {**columns({}), **old}, {**columns(INTEGER), **new}
    if mode is Mode.FORWARD:
        before, after = after, before
    assert breaking_fields(before, after, mode) == {("a",), ("",)}
    assert ("a",) not in breaking_fields(before, after, opposite)


@pytest.mark.parametrize(("old", "new"), BROKEN_KEYWORDS.values(), ids=BROKEN_KEYWORDS)
def test_a_broken_keyword_is_listed_beside_a_required_column(old, new):
    before, after = {**columns({}), **old}, {**columns({}), **new, "required": ["a"]}
    kinds = {change.kind for change in compare(before, after).breaking_changes(Mode.BACKWARD)}
    assert ChangeKind.REQUIRED_ADDED in kinds
    assert len(kinds) == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"dependentRequired": {"x": ["y", "z"]}}, {"dependentRequired": {"x": ["y"]}}),
        ({"dependentSchemas": {"x": {"required": ["y", "z"]}}}, {"dependentSchemas": {"x": Y}}),
        ({"required": ["z"], "dependentRequired": {"x": []}}, {"required": ["z"], "dependentRequired": {"x": ["z"]}}),
        ({"oneOf": [X, {"not": X}]}, {"oneOf": [{"not": X}, X]}),
        ({"anyOf": [X, Y]}, {"anyOf": [X, Y, X]}),
        ({"anyOf": [NULL, {"type": "object"}]}, {"type": ["object", "null"]}),
    ],
)
def test_a_keyword_that_refuses_no_written_value_is_not_listed_beside_a_broken_column(old, new):
    assert breaking_fields({**columns({}), **old}, {**columns(INTEGER), **new}, Mode.BACKWARD) == {("a",)}


def test_a_changed_option_is_told_once_beside_a_broken_column():
    old, new = ({"oneOf": [table(k={"const": 1}, n=n), table(k={"const": 2})]} for n in ({}, TEXT))
    diff = compare({**columns({}), **old}, {**columns(INTEGER), **new})
    assert [change.path for change in diff.breaking_changes(Mode.BACKWARD)] == ["n", "a"]


def test_a_broken_keyword_is_named_with_its_pointer():
    old, new = BROKEN_KEYWORDS["dependentRequired"]
    diff = compare({**columns({}), **old}, {**columns(INTEGER), **new})
    [change] = [change for change in diff.changes if change.kind is ChangeKind.COMPOSITION_CHANGED]
    assert (change.pointer, change.message) == ("/dependentRequired", "The schema: dependentRequired changed.")
    assert change.breaks == {Mode.BACKWARD, Mode.FULL}
