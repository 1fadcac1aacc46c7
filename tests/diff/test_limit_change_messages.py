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
                    message="The schema: minimum was added: 1 (exclusive).",
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
                    message="The schema: minimum was removed (was 0).",
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
                    message="The schema: minimum tightened from 1 to 1.5 (exclusive).",
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
                    message="The schema: maximum tightened from 1 to 1 (exclusive).",
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
                    message="The schema: maximum relaxed from 1 (exclusive) to 1.",
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
                    message="The schema: maximum tightened from -1 to -2.",
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
                    message="The schema: maximum was removed (was 3).",
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
                    message="The schema: multipleOf was added: 2.",
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
                    message="The schema: multipleOf was removed (was 2).",
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
                    message="The schema: multipleOf tightened from 0.5 to 1.5.",
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
                    message="The schema: multipleOf changed from 4 to 2, 3.",
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
                    message="The schema: minLength was added: 2.",
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
                    message="The schema: minLength was removed (was 2).",
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
                    message="The schema: minLength relaxed from 2 to 1.",
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
                    message="The schema: maxLength was added: 2.",
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
                    message="The schema: maxLength was removed (was 2).",
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
                    message="The schema: maxLength relaxed from 2 to 3.",
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
                    message="The schema: minItems was added: 1.",
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
                    message="The schema: maxItems was removed (was 1).",
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
                    message="The schema: minProperties was removed (was 1).",
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
                    message="The schema: maxProperties tightened from 1 to 0.",
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
                    message="The schema: duplicate items are not allowed any more.",
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
                    message="The schema: duplicate items are allowed now.",
                )
            ],
        ),
        (array(uniqueItems=False), array(), []),
    ],
)
def test_a_change_of_a_length_or_count_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected
