"""Changes of a value's type and of the values listed for it, with pointer, delta, broken modes and message."""

import pytest

from tessera_gql.diff import ChangeKind
from tests.diff.expected_changes import BACKWARD, FORWARD, FULL, ExpectedChange, list_changes
from tests.diff.schemas import INTEGER, NULL, NULLABLE_TEXT, NUMBER, TEXT


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            {},
            TEXT,
            [
                ExpectedChange(
                    ChangeKind.TYPE_NARROWED,
                    "/type",
                    after=["string"],
                    breaks={BACKWARD, FULL},
                    message="The schema: type narrowed from any to string.",
                )
            ],
        ),
        (
            TEXT,
            {},
            [
                ExpectedChange(
                    ChangeKind.TYPE_WIDENED,
                    "",
                    before=["string"],
                    breaks={FORWARD, FULL},
                    message="The schema: type widened from string to any.",
                )
            ],
        ),
        (
            NULLABLE_TEXT,
            NULL,
            [
                ExpectedChange(
                    ChangeKind.TYPE_NARROWED,
                    "/type",
                    before=["null", "string"],
                    after=["null"],
                    breaks={BACKWARD, FULL},
                    message="The schema: type narrowed from string | null to null.",
                )
            ],
        ),
        (
            NULL,
            NULLABLE_TEXT,
            [
                ExpectedChange(
                    ChangeKind.TYPE_WIDENED,
                    "/type",
                    before=["null"],
                    after=["null", "string"],
                    breaks={FORWARD, FULL},
                    message="The schema: type widened from null to string | null.",
                )
            ],
        ),
        (
            NULL,
            TEXT,
            [
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/type",
                    before=["null"],
                    after=["string"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The schema: type changed from null to string.",
                )
            ],
        ),
        (
            NULLABLE_TEXT,
            INTEGER,
            [
                ExpectedChange(
                    ChangeKind.NULLABLE_REMOVED,
                    "/type",
                    before=True,
                    after=False,
                    breaks={BACKWARD, FULL},
                    message="The schema: null is not allowed any more.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The schema: type changed from string to integer.",
                ),
            ],
        ),
        (
            TEXT,
            {"type": ["integer", "null"]},
            [
                ExpectedChange(
                    ChangeKind.NULLABLE_ADDED,
                    "/type",
                    before=False,
                    after=True,
                    breaks={FORWARD, FULL},
                    message="The schema: null is allowed now (was never null).",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The schema: type changed from string to integer.",
                ),
            ],
        ),
        (
            INTEGER,
            NUMBER,
            [
                ExpectedChange(
                    ChangeKind.TYPE_WIDENED,
                    "/type",
                    before=["integer"],
                    after=["number"],
                    breaks={FORWARD, FULL},
                    message="The schema: type widened from integer to number.",
                )
            ],
        ),
        (
            {},
            {"type": ["string", "integer"]},
            [
                ExpectedChange(
                    ChangeKind.TYPE_NARROWED,
                    "/type",
                    after=["integer", "string"],
                    breaks={BACKWARD, FULL},
                    message="The schema: type narrowed from any to integer | string.",
                )
            ],
        ),
        (
            {"type": ["boolean", "integer", "string"]},
            {"type": ["array", "number", "object"]},
            [
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/type",
                    before=["boolean", "integer", "string"],
                    after=["array", "number", "object"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The schema: type changed from boolean | integer | string to array | number | object.",
                )
            ],
        ),
        (
            {"anyOf": [TEXT, NULL]},
            INTEGER,
            [
                ExpectedChange(
                    ChangeKind.NULLABLE_REMOVED,
                    "/anyOf/0/type",
                    before=True,
                    after=False,
                    breaks={BACKWARD, FULL},
                    message="The schema: null is not allowed any more.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The schema: type changed from string to integer.",
                ),
            ],
        ),
    ],
)
def test_a_change_of_the_type_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            {"const": 1},
            {"const": 2},
            [
                ExpectedChange(
                    ChangeKind.ENUM_VALUES_ADDED,
                    "/const",
                    after=[2],
                    breaks={FORWARD, FULL},
                    message="The schema: value was added: 2.",
                ),
                ExpectedChange(
                    ChangeKind.ENUM_VALUES_REMOVED,
                    "/const",
                    before=[1],
                    breaks={BACKWARD, FULL},
                    message="The schema: value was removed: 1.",
                ),
            ],
        ),
        (
            {"enum": [1, 2, 3]},
            {"const": 3},
            [
                ExpectedChange(
                    ChangeKind.ENUM_VALUES_REMOVED,
                    "/const",
                    before=[1, 2],
                    breaks={BACKWARD, FULL},
                    message="The schema: values were removed: 1, 2.",
                )
            ],
        ),
        (
            {"const": 3},
            {"enum": [3, 4, 5]},
            [
                ExpectedChange(
                    ChangeKind.ENUM_VALUES_ADDED,
                    "/enum",
                    after=[4, 5],
                    breaks={FORWARD, FULL},
                    message="The schema: values were added: 4, 5.",
                )
            ],
        ),
        (
            TEXT,
            {**TEXT, "enum": ["a"]},
            [
                ExpectedChange(
                    ChangeKind.ENUM_VALUES_REMOVED,
                    "/enum",
                    breaks={BACKWARD, FULL},
                    message="The schema: values were limited to 'a'.",
                )
            ],
        ),
        (
            {**TEXT, "enum": ["a"]},
            TEXT,
            [
                ExpectedChange(
                    ChangeKind.ENUM_VALUES_ADDED,
                    "/enum",
                    breaks={FORWARD, FULL},
                    message="The schema: values are not limited any more (were 'a').",
                )
            ],
        ),
    ],
)
def test_a_change_of_the_listed_values_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected
