"""Changes of numeric limits, lengths and counts, with pointer, delta, broken modes and message."""

import pytest

from tessera_gql.diff import ChangeKind
from tests.diff.expected_changes import BACKWARD, FORWARD, FULL, ExpectedChange, list_changes
from tests.diff.schemas import NUMBER, TEXT, array, obj


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            NUMBER,
            {**NUMBER, "exclusiveMinimum": 1},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/exclusiveMinimum",
                    after={"exclusive": 1},
                    breaks={BACKWARD, FULL},
                    message="The document: minimum is tighter than before.",
                )
            ],
        ),
        (
            {**NUMBER, "minimum": 0},
            NUMBER,
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/minimum",
                    before=0,
                    breaks={FORWARD, FULL},
                    message="The document: minimum is looser than before.",
                )
            ],
        ),
        (
            {**NUMBER, "minimum": 1},
            {**NUMBER, "exclusiveMinimum": 1.5},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/exclusiveMinimum",
                    before=1,
                    after={"exclusive": 1.5},
                    breaks={BACKWARD, FULL},
                    message="The document: minimum is tighter than before.",
                )
            ],
        ),
        (
            {**NUMBER, "maximum": 1},
            {**NUMBER, "exclusiveMaximum": 1},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/exclusiveMaximum",
                    before=1,
                    after={"exclusive": 1},
                    breaks={BACKWARD, FULL},
                    message="The document: maximum is tighter than before.",
                )
            ],
        ),
        (
            {**NUMBER, "exclusiveMaximum": 1},
            {**NUMBER, "maximum": 1},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/maximum",
                    before={"exclusive": 1},
                    after=1,
                    breaks={FORWARD, FULL},
                    message="The document: maximum is looser than before.",
                )
            ],
        ),
        (
            {**NUMBER, "maximum": -1},
            {**NUMBER, "maximum": -2},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/maximum",
                    before=-1,
                    after=-2,
                    breaks={BACKWARD, FULL},
                    message="The document: maximum is tighter than before.",
                )
            ],
        ),
        (
            {**NUMBER, "maximum": 3},
            NUMBER,
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/maximum",
                    before=3,
                    breaks={FORWARD, FULL},
                    message="The document: maximum is looser than before.",
                )
            ],
        ),
        (
            NUMBER,
            {**NUMBER, "multipleOf": 2},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/multipleOf",
                    after=2,
                    breaks={BACKWARD, FULL},
                    message="The document: multipleOf is different.",
                )
            ],
        ),
        (
            {**NUMBER, "multipleOf": 2},
            NUMBER,
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/multipleOf",
                    before=2,
                    breaks={FORWARD, FULL},
                    message="The document: multipleOf is different.",
                )
            ],
        ),
        (
            {**NUMBER, "multipleOf": 0.5},
            {**NUMBER, "multipleOf": 1.5},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/multipleOf",
                    before=0.5,
                    after=1.5,
                    breaks={BACKWARD, FULL},
                    message="The document: multipleOf is different.",
                )
            ],
        ),
        (
            {**NUMBER, "multipleOf": 4},
            {**NUMBER, "allOf": [{"multipleOf": 2}, {"multipleOf": 3}]},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_CHANGED,
                    "/allOf/0/multipleOf",
                    before=4,
                    after=2,
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The document: multipleOf is different.",
                )
            ],
        ),
    ],
)
def test_a_change_of_a_numeric_limit_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            TEXT,
            {**TEXT, "minLength": 2},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/minLength",
                    after=2,
                    breaks={BACKWARD, FULL},
                    message="The document: minLength is tighter than before.",
                )
            ],
        ),
        (
            {**TEXT, "minLength": 2},
            TEXT,
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/minLength",
                    before=2,
                    breaks={FORWARD, FULL},
                    message="The document: minLength is looser than before.",
                )
            ],
        ),
        (
            {**TEXT, "minLength": 2},
            {**TEXT, "minLength": 1},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/minLength",
                    before=2,
                    after=1,
                    breaks={FORWARD, FULL},
                    message="The document: minLength is looser than before.",
                )
            ],
        ),
        (
            TEXT,
            {**TEXT, "maxLength": 2},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/maxLength",
                    after=2,
                    breaks={BACKWARD, FULL},
                    message="The document: maxLength is tighter than before.",
                )
            ],
        ),
        (
            {**TEXT, "maxLength": 2},
            TEXT,
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/maxLength",
                    before=2,
                    breaks={FORWARD, FULL},
                    message="The document: maxLength is looser than before.",
                )
            ],
        ),
        (
            {**TEXT, "maxLength": 2},
            {**TEXT, "maxLength": 3},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/maxLength",
                    before=2,
                    after=3,
                    breaks={FORWARD, FULL},
                    message="The document: maxLength is looser than before.",
                )
            ],
        ),
        (
            array(),
            array(minItems=1),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/minItems",
                    after=1,
                    breaks={BACKWARD, FULL},
                    message="The document: minItems is tighter than before.",
                )
            ],
        ),
        (
            array(maxItems=1),
            array(),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/maxItems",
                    before=1,
                    breaks={FORWARD, FULL},
                    message="The document: maxItems is looser than before.",
                )
            ],
        ),
        (
            obj(minProperties=1),
            obj(),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/minProperties",
                    before=1,
                    breaks={FORWARD, FULL},
                    message="The document: minProperties is looser than before.",
                )
            ],
        ),
        (
            obj(maxProperties=1),
            obj(maxProperties=0),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/maxProperties",
                    before=1,
                    after=0,
                    breaks={BACKWARD, FULL},
                    message="The document: maxProperties is tighter than before.",
                )
            ],
        ),
        (
            array(),
            array(uniqueItems=True),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/uniqueItems",
                    before=False,
                    after=True,
                    breaks={BACKWARD, FULL},
                    message="The document: uniqueItems is tighter than before.",
                )
            ],
        ),
        (
            array(uniqueItems=True),
            array(),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/uniqueItems",
                    before=True,
                    after=False,
                    breaks={FORWARD, FULL},
                    message="The document: uniqueItems is looser than before.",
                )
            ],
        ),
        (array(uniqueItems=False), array(), []),
    ],
)
def test_a_change_of_a_length_or_count_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected
