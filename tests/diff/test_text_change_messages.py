"""Changes of patterns, formats, defaults and annotations, with pointer, delta, broken modes and message."""

import pytest

from tessera_gql.diff import ChangeKind, compare
from tests.diff.expected_changes import BACKWARD, FORWARD, FULL, ExpectedChange, list_changes
from tests.diff.schemas import TEXT


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            TEXT,
            {**TEXT, "pattern": "^a"},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/pattern",
                    after="^a",
                    breaks={BACKWARD, FULL},
                    message="The schema: pattern was added: '^a'.",
                )
            ],
        ),
        (
            {**TEXT, "pattern": "^a"},
            TEXT,
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/pattern",
                    before="^a",
                    breaks={FORWARD, FULL},
                    message="The schema: pattern was removed (was '^a').",
                )
            ],
        ),
        (
            {**TEXT, "pattern": "^a"},
            {**TEXT, "pattern": "^b"},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_CHANGED,
                    "/pattern",
                    before="^a",
                    after="^b",
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The schema: pattern changed from '^a' to '^b'.",
                )
            ],
        ),
        (
            {**TEXT, "pattern": "^a"},
            {**TEXT, "allOf": [{"pattern": "^a"}, {"pattern": "b$"}]},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/allOf/0/pattern",
                    before="^a",
                    after="^a, b$",
                    breaks={BACKWARD, FULL},
                    message="The schema: pattern tightened from '^a' to '^a', 'b$'.",
                )
            ],
        ),
        (
            {**TEXT, "allOf": [{"pattern": "^a"}, {"pattern": "b$"}]},
            {**TEXT, "pattern": "^a"},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/pattern",
                    before="^a, b$",
                    after="^a",
                    breaks={FORWARD, FULL},
                    message="The schema: pattern relaxed from '^a', 'b$' to '^a'.",
                )
            ],
        ),
        (
            TEXT,
            {**TEXT, "format": "date"},
            [
                ExpectedChange(
                    ChangeKind.FORMAT_CHANGED,
                    "/format",
                    after="date",
                    breaks={FULL},
                    message="The schema: format was added: 'date'; formats are not checked.",
                )
            ],
        ),
        (
            {**TEXT, "format": "date"},
            TEXT,
            [
                ExpectedChange(
                    ChangeKind.FORMAT_CHANGED,
                    "/format",
                    before="date",
                    breaks={FULL},
                    message="The schema: format was removed (was 'date'); formats are not checked.",
                )
            ],
        ),
        (
            {**TEXT, "format": "date"},
            {**TEXT, "format": "time"},
            [
                ExpectedChange(
                    ChangeKind.FORMAT_CHANGED,
                    "/format",
                    before="date",
                    after="time",
                    breaks={FULL},
                    message="The schema: format changed from 'date' to 'time'; formats are not checked.",
                )
            ],
        ),
    ],
)
def test_a_change_of_pattern_or_format_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            TEXT,
            {**TEXT, "default": "x"},
            [
                ExpectedChange(
                    ChangeKind.DEFAULT_ADDED,
                    "/default",
                    after="x",
                    breaks={FORWARD, FULL},
                    message="The schema: default was added: 'x'.",
                )
            ],
        ),
        (
            {**TEXT, "default": "x"},
            TEXT,
            [
                ExpectedChange(
                    ChangeKind.DEFAULT_REMOVED,
                    "/default",
                    before="x",
                    breaks={BACKWARD, FULL},
                    message="The schema: default was removed (was 'x').",
                )
            ],
        ),
        (
            {**TEXT, "default": "x"},
            {**TEXT, "default": None},
            [
                ExpectedChange(
                    ChangeKind.DEFAULT_CHANGED,
                    "/default",
                    before="x",
                    breaks={FULL},
                    message="The schema: default changed from 'x' to null.",
                )
            ],
        ),
        (
            {**TEXT, "default": 1},
            {**TEXT, "default": True},
            [
                ExpectedChange(
                    ChangeKind.DEFAULT_CHANGED,
                    "/default",
                    before=1,
                    after=True,
                    breaks={FULL},
                    message="The schema: default changed from 1 to true.",
                )
            ],
        ),
        ({**TEXT, "default": 1}, {**TEXT, "default": 1.0}, []),
        (
            TEXT,
            {**TEXT, "deprecated": True},
            [
                ExpectedChange(
                    ChangeKind.DEPRECATED_CHANGED,
                    "/deprecated",
                    before=False,
                    after=True,
                    message="The schema is deprecated now.",
                )
            ],
        ),
        (
            {**TEXT, "deprecated": True},
            TEXT,
            [
                ExpectedChange(
                    ChangeKind.DEPRECATED_CHANGED,
                    "/deprecated",
                    before=True,
                    after=False,
                    message="The schema is not deprecated any more.",
                )
            ],
        ),
        (TEXT, {**TEXT, "deprecated": False}, []),
        (
            {**TEXT, "title": "a"},
            TEXT,
            [
                ExpectedChange(
                    ChangeKind.ANNOTATION_CHANGED,
                    "/title",
                    before="a",
                    message="The schema: title was removed (was 'a').",
                )
            ],
        ),
        (
            TEXT,
            {**TEXT, "x-a/b": 1},
            [
                ExpectedChange(
                    ChangeKind.ANNOTATION_CHANGED, "/x-a~1b", after=1, message="The schema: x-a/b was added: 1."
                )
            ],
        ),
        (
            TEXT,
            {**TEXT, "examples": ["a"]},
            [
                ExpectedChange(
                    ChangeKind.ANNOTATION_CHANGED, "/examples", message='The schema: examples was added: ["a"].'
                )
            ],
        ),
        (
            TEXT,
            {**TEXT, "x-many": {"a": 1}},
            [
                ExpectedChange(
                    ChangeKind.ANNOTATION_CHANGED, "/x-many", message='The schema: x-many was added: {"a":1}.'
                )
            ],
        ),
        (
            {**TEXT, "title": "a"},
            {**TEXT, "title": "b"},
            [
                ExpectedChange(
                    ChangeKind.ANNOTATION_CHANGED,
                    "/title",
                    before="a",
                    after="b",
                    message="The schema: title changed from 'a' to 'b'.",
                )
            ],
        ),
        (
            TEXT,
            {**TEXT, "allOf": [{"title": "b", "deprecated": True}]},
            [
                ExpectedChange(
                    ChangeKind.DEPRECATED_CHANGED,
                    "/allOf/0/deprecated",
                    before=False,
                    after=True,
                    message="The schema is deprecated now.",
                ),
                ExpectedChange(
                    ChangeKind.ANNOTATION_CHANGED,
                    "/allOf/0/title",
                    after="b",
                    message="The schema: title was added: 'b'.",
                ),
            ],
        ),
        (
            TEXT,
            {**TEXT, "unknown": 1},
            [
                ExpectedChange(
                    ChangeKind.ANNOTATION_CHANGED, "/unknown", after=1, message="The schema: unknown was added: 1."
                )
            ],
        ),
    ],
)
def test_a_change_of_a_default_or_annotation_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected


@pytest.mark.parametrize("part", [{"pattern": "^a"}, {"multipleOf": 2}, {"minLength": 1}, {"contains": TEXT}])
def test_an_unchanged_keyword_is_not_reported_with_a_changed_one(part):
    old, new = ({"allOf": [part], "maxLength": limit} for limit in (3, 2))
    assert list_changes(old, new) == [
        ExpectedChange(
            ChangeKind.CONSTRAINT_TIGHTENED,
            "/maxLength",
            before=3,
            after=2,
            breaks={BACKWARD, FULL},
            message="The schema: maxLength tightened from 3 to 2.",
        )
    ]


@pytest.mark.parametrize(("length", "expected"), [(200, "x" * 200), (201, "x" * 200 + "…"), (500, "x" * 200 + "…")])
def test_a_long_title_is_shortened(length, expected):
    (change,) = compare({"title": "short"}, {"title": "x" * length}).changes
    assert (change.before, change.after) == ("short", expected)
