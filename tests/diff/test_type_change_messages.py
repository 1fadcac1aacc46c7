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
                    message="The document: the type was any and is string.",
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
                    message="The document: the type was string and is any.",
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
                    message="The document: the type was string | null and is null.",
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
                    message="The document: the type was null and is string | null.",
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
                    message="The document: the type was null and is string.",
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
                    message="The document: null is no longer allowed.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The document: the type was string | null and is integer.",
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
                    message="The document: null is allowed now.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The document: the type was string and is integer | null.",
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
                    message="The document: the type was integer and is number.",
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
                    message="The document: the type was any and is integer | string.",
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
                    message="The document: the type was boolean | integer | string and is array | number | object.",
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
                    message="The document: null is no longer allowed.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The document: the type was string | null and is integer.",
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
                    message="The document: 1 value is allowed now.",
                ),
                ExpectedChange(
                    ChangeKind.ENUM_VALUES_REMOVED,
                    "/const",
                    before=[1],
                    breaks={BACKWARD, FULL},
                    message="The document: 1 value is no longer allowed.",
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
                    message="The document: 2 values are no longer allowed.",
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
                    message="The document: 2 values are allowed now.",
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
                    message="The document: any value was allowed, now only those listed.",
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
                    message="The document: only listed values were allowed, now any.",
                )
            ],
        ),
    ],
)
def test_a_change_of_the_listed_values_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected
