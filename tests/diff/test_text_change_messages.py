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
                    message="The document: the pattern is different.",
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
                    message="The document: the pattern is different.",
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
                    message="The document: the pattern is different.",
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
                    message="The document: the pattern is different.",
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
                    message="The document: the pattern is different.",
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
                    message="The document: the format is different; formats are not checked.",
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
                    message="The document: the format is different; formats are not checked.",
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
                    message="The document: the format is different; formats are not checked.",
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
                    message="The document: it has a default now.",
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
                    message="The document: it has no default any more.",
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
                    message="The document: its default is another one.",
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
                    message="The document: its default is another one.",
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
                    message="The document: it is deprecated now.",
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
                    message="The document: it is no longer deprecated.",
                )
            ],
        ),
        (TEXT, {**TEXT, "deprecated": False}, []),
        (
            {**TEXT, "title": "a"},
            TEXT,
            [
                ExpectedChange(
                    ChangeKind.ANNOTATION_CHANGED, "/title", before="a", message="The document: title is different."
                )
            ],
        ),
        (
            TEXT,
            {**TEXT, "x-a/b": 1},
            [
                ExpectedChange(
                    ChangeKind.ANNOTATION_CHANGED, "/x-a~1b", after=1, message="The document: x-a/b is different."
                )
            ],
        ),
        (
            TEXT,
            {**TEXT, "examples": ["a"]},
            [
                ExpectedChange(
                    ChangeKind.ANNOTATION_CHANGED, "/examples", message="The document: examples is different."
                )
            ],
        ),
        (
            TEXT,
            {**TEXT, "x-many": {"a": 1}},
            [ExpectedChange(ChangeKind.ANNOTATION_CHANGED, "/x-many", message="The document: x-many is different.")],
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
                    message="The document: title is different.",
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
                    message="The document: it is deprecated now.",
                ),
                ExpectedChange(
                    ChangeKind.ANNOTATION_CHANGED,
                    "/allOf/0/title",
                    after="b",
                    message="The document: title is different.",
                ),
            ],
        ),
        (TEXT, {**TEXT, "unknown": 1}, []),
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
            message="The document: maxLength is tighter than before.",
        )
    ]


@pytest.mark.parametrize(("length", "expected"), [(200, "x" * 200), (201, "x" * 200 + "…"), (500, "x" * 200 + "…")])
def test_a_long_title_is_shortened(length, expected):
    (change,) = compare({"title": "short"}, {"title": "x" * length}).changes
    assert (change.before, change.after) == ("short", expected)
