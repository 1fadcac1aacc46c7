"""Changes of alternatives and conditions, with pointer, delta, broken modes and message."""

import pytest

from tessera_gql.diff import ChangeKind
from tests.diff.expected_changes import BACKWARD, FORWARD, FULL, ExpectedChange, list_changes
from tests.diff.schemas import INTEGER, NULL, NUMBER, TEXT, array, table


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            {"anyOf": [TEXT, INTEGER]},
            {"anyOf": [TEXT, array()]},
            [
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "",
                    before=["integer", "string"],
                    after=["array", "string"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The schema: type changed from integer | string to array | string.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/anyOf/1/type",
                    before=["integer"],
                    after=["array"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The schema: type changed from integer to array.",
                ),
            ],
        ),
        (
            {"anyOf": [TEXT, INTEGER, NULL]},
            {"anyOf": [TEXT]},
            [
                ExpectedChange(
                    ChangeKind.NULLABLE_REMOVED,
                    "",
                    before=True,
                    after=False,
                    breaks={BACKWARD, FULL},
                    message="The schema: null is not allowed any more.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_NARROWED,
                    "",
                    before=["integer", "string"],
                    after=["string"],
                    breaks={BACKWARD, FULL},
                    message="The schema: type narrowed from integer | string to string.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/anyOf",
                    breaks={BACKWARD, FULL},
                    message="The schema: 2 alternatives were removed.",
                ),
            ],
        ),
        (
            {"anyOf": [TEXT]},
            {"anyOf": [INTEGER, TEXT, array()]},
            [
                ExpectedChange(
                    ChangeKind.TYPE_WIDENED,
                    "",
                    before=["string"],
                    after=["array", "integer", "string"],
                    breaks={FORWARD, FULL},
                    message="The schema: type widened from string to array | integer | string.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/anyOf",
                    breaks={FORWARD, FULL},
                    message="The schema: 2 alternatives were added.",
                ),
            ],
        ),
        (
            {"oneOf": [TEXT, INTEGER]},
            {"oneOf": [TEXT]},
            [
                ExpectedChange(
                    ChangeKind.TYPE_NARROWED,
                    "",
                    before=["integer", "string"],
                    after=["string"],
                    breaks={BACKWARD, FULL},
                    message="The schema: type narrowed from integer | string to string.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/oneOf",
                    breaks={BACKWARD, FULL},
                    message="The schema: 1 alternative was removed.",
                ),
            ],
        ),
        (
            {"oneOf": [TEXT]},
            {"oneOf": [TEXT, INTEGER]},
            [
                ExpectedChange(
                    ChangeKind.TYPE_WIDENED,
                    "",
                    before=["string"],
                    after=["integer", "string"],
                    breaks={FORWARD, FULL},
                    message="The schema: type widened from string to integer | string.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/oneOf",
                    breaks={FORWARD, FULL},
                    message="The schema: 1 alternative was added.",
                ),
            ],
        ),
        ({"anyOf": [TEXT, INTEGER]}, {"anyOf": [INTEGER, TEXT]}, []),
        (
            {"anyOf": [TEXT, {"minimum": 1, **INTEGER}]},
            {"anyOf": [{"minimum": 2, **INTEGER}, TEXT]},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/anyOf/0/minimum",
                    before=1,
                    after=2,
                    breaks={BACKWARD, FULL},
                    message="The schema: minimum tightened from 1 to 2.",
                )
            ],
        ),
        (
            {"anyOf": [table(a=TEXT), table(b=INTEGER)]},
            {"anyOf": [table(a=TEXT), table(b=NUMBER)]},
            [
                ExpectedChange(
                    ChangeKind.TYPE_WIDENED,
                    "/anyOf/1/properties/b/type",
                    before=["integer"],
                    after=["number"],
                    breaks={FORWARD, FULL},
                    message="b: type widened from integer to number.",
                )
            ],
        ),
        (
            {"anyOf": [TEXT, INTEGER]},
            {"allOf": [{"anyOf": [TEXT, INTEGER]}, {"anyOf": [TEXT, array()]}]},
            [
                ExpectedChange(
                    ChangeKind.TYPE_NARROWED,
                    "",
                    before=["integer", "string"],
                    after=["string"],
                    breaks={BACKWARD, FULL},
                    message="The schema: type narrowed from integer | string to string.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/allOf/0/anyOf",
                    breaks={BACKWARD, FULL},
                    message="The schema: alternatives changed (anyOf).",
                ),
            ],
        ),
        (
            {"allOf": [{"anyOf": [TEXT, INTEGER]}, {"anyOf": [TEXT, array()]}]},
            {"anyOf": [TEXT, INTEGER]},
            [
                ExpectedChange(
                    ChangeKind.TYPE_WIDENED,
                    "",
                    before=["string"],
                    after=["integer", "string"],
                    breaks={FORWARD, FULL},
                    message="The schema: type widened from string to integer | string.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/anyOf",
                    breaks={FORWARD, FULL},
                    message="The schema: alternatives changed (anyOf).",
                ),
            ],
        ),
        (
            {},
            {"anyOf": [TEXT, INTEGER]},
            [
                ExpectedChange(
                    ChangeKind.TYPE_NARROWED,
                    "",
                    after=["integer", "string"],
                    breaks={BACKWARD, FULL},
                    message="The schema: type narrowed from any to integer | string.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/anyOf",
                    breaks={BACKWARD, FULL},
                    message="The schema: alternatives changed (anyOf).",
                ),
            ],
        ),
        (
            {"anyOf": [TEXT, INTEGER]},
            {},
            [
                ExpectedChange(
                    ChangeKind.TYPE_WIDENED,
                    "",
                    before=["integer", "string"],
                    breaks={FORWARD, FULL},
                    message="The schema: type widened from integer | string to any.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/anyOf",
                    breaks={FORWARD, FULL},
                    message="The schema: alternatives changed (anyOf).",
                ),
            ],
        ),
        (
            {"oneOf": [NUMBER, {"minimum": 3}]},
            {"anyOf": [NUMBER, {"minimum": 3}]},
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/anyOf",
                    breaks={FORWARD, FULL},
                    message="The schema: alternatives changed (anyOf).",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/oneOf",
                    breaks={FORWARD, FULL},
                    message="The schema: alternatives changed (oneOf).",
                ),
            ],
        ),
    ],
)
def test_a_change_of_alternatives_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            {"not": TEXT},
            {},
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/not",
                    breaks={FORWARD, FULL},
                    message="The schema: excluded values changed (not).",
                )
            ],
        ),
        (
            {},
            {"not": TEXT},
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/not",
                    breaks={BACKWARD, FULL},
                    message="The schema: excluded values changed (not).",
                )
            ],
        ),
        (
            {"not": TEXT},
            {"not": INTEGER},
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/not",
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The schema: excluded values changed (not).",
                )
            ],
        ),
        (
            {"if": TEXT, "then": {"minLength": 1}},
            {"if": TEXT, "then": {"minLength": 2}},
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/then",
                    breaks={BACKWARD, FULL},
                    message="The schema: condition changed (then).",
                )
            ],
        ),
        (
            {"if": TEXT, "then": {"minLength": 1}},
            {"if": TEXT},
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/then",
                    breaks={FORWARD, FULL},
                    message="The schema: condition changed (then).",
                )
            ],
        ),
        (
            {"if": TEXT, "else": INTEGER},
            {"if": TEXT, "else": NUMBER},
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/else",
                    breaks={FORWARD, FULL},
                    message="The schema: condition changed (else).",
                )
            ],
        ),
        (
            {"if": TEXT, "then": {"minLength": 1}},
            {"if": INTEGER, "then": {"minLength": 1}},
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/if",
                    breaks={FORWARD, FULL},
                    message="The schema: condition changed (if).",
                )
            ],
        ),
        ({"if": TEXT}, {}, []),
    ],
)
def test_a_change_of_a_condition_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected
