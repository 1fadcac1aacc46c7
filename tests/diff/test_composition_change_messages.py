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
                    message="The document: the type was integer | string and is array | string.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/anyOf/1/type",
                    before=["integer"],
                    after=["array"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The document: the type was integer and is array.",
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
                    message="The document: null is no longer allowed.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_NARROWED,
                    "",
                    before=["integer", "string"],
                    after=["string"],
                    breaks={BACKWARD, FULL},
                    message="The document: the type was integer | string | null and is string.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/anyOf",
                    breaks={BACKWARD, FULL},
                    message="The document: 2 alternatives are gone.",
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
                    message="The document: the type was string and is array | integer | string.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/anyOf",
                    breaks={FORWARD, FULL},
                    message="The document: 2 alternatives are new.",
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
                    message="The document: the type was integer | string and is string.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/oneOf",
                    breaks={BACKWARD, FULL},
                    message="The document: 1 alternative is gone.",
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
                    message="The document: the type was string and is integer | string.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/oneOf",
                    breaks={FORWARD, FULL},
                    message="The document: 1 alternative is new.",
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
                    message="The document: minimum is tighter than before.",
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
                    message="b: the type was integer and is number.",
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
                    message="The document: the type was integer | string and is string.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/allOf/0/anyOf",
                    breaks={BACKWARD, FULL},
                    message="The document: anyOf is different.",
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
                    message="The document: the type was string and is integer | string.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/anyOf",
                    breaks={FORWARD, FULL},
                    message="The document: anyOf is different.",
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
                    message="The document: the type was any and is integer | string.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/anyOf",
                    breaks={BACKWARD, FULL},
                    message="The document: anyOf is different.",
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
                    message="The document: the type was integer | string and is any.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/anyOf",
                    breaks={FORWARD, FULL},
                    message="The document: anyOf is different.",
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
                    message="The document: anyOf is different.",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/oneOf",
                    breaks={FORWARD, FULL},
                    message="The document: oneOf is different.",
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
                    message="The document: not is different.",
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
                    message="The document: not is different.",
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
                    message="The document: not is different.",
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
                    message="The document: then is different.",
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
                    message="The document: then is different.",
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
                    message="The document: else is different.",
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
                    message="The document: if is different.",
                )
            ],
        ),
        ({"if": TEXT}, {}, []),
    ],
)
def test_a_change_of_a_condition_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected
