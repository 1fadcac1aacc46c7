"""Properties that only one side declares, with pointer, delta, broken modes and message."""

import pytest

from tessera_gql.diff import ChangeKind
from tests.diff.expected_changes import BACKWARD, FORWARD, FULL, ExpectedChange, list_changes
from tests.diff.schemas import INTEGER, NULL, TEXT, obj, table


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            table(a=TEXT),
            TEXT,
            [
                ExpectedChange(
                    ChangeKind.PROPERTY_REMOVED,
                    "/properties/a",
                    before={"type": "string", "required": False},
                    breaks={BACKWARD, FULL},
                    message="a was removed.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/type",
                    before=["object"],
                    after=["string"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The schema: type changed from object to string.",
                ),
            ],
        ),
        (
            TEXT,
            table(a=TEXT),
            [
                ExpectedChange(
                    ChangeKind.PROPERTY_ADDED,
                    "/properties/a",
                    after={"type": "string", "required": False},
                    breaks={FORWARD, FULL},
                    message="a was added.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/type",
                    before=["string"],
                    after=["object"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The schema: type changed from string to object.",
                ),
            ],
        ),
        (
            obj(properties={"a": TEXT}, patternProperties={"^x": TEXT}),
            obj(properties={"a": TEXT, "b": TEXT}, patternProperties={"^x": TEXT}),
            [
                ExpectedChange(
                    ChangeKind.PROPERTY_ADDED,
                    "/properties/b",
                    after={"type": "string", "required": False},
                    breaks={BACKWARD, FORWARD, FULL},
                    message="b was added.",
                )
            ],
        ),
        (
            obj(properties={"a": TEXT}, additionalProperties=TEXT),
            obj(properties={"a": TEXT, "b": INTEGER}, additionalProperties=TEXT),
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "",
                    breaks={FULL},
                    message="The schema may have values in its old fields that were not allowed before.",
                ),
                ExpectedChange(
                    ChangeKind.PROPERTY_ADDED,
                    "/properties/b",
                    after={"type": "integer", "required": False},
                    breaks={BACKWARD, FORWARD, FULL},
                    message="b was added.",
                ),
            ],
        ),
        (
            obj(properties={"a": TEXT}, additionalProperties=False, allOf=[{}]),
            obj(properties={"a": TEXT, "b": TEXT}, additionalProperties=False),
            [
                ExpectedChange(
                    ChangeKind.PROPERTY_ADDED,
                    "/properties/b",
                    after={"type": "string", "required": False},
                    breaks={FORWARD, FULL},
                    message="b was added.",
                )
            ],
        ),
        (
            table(a=TEXT, b=TEXT),
            obj(properties={"a": TEXT}, anyOf=[table(b=TEXT), {}]),
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/anyOf",
                    breaks={FORWARD, FULL},
                    message="The schema: alternatives changed (anyOf).",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/properties/b",
                    breaks={FORWARD, FULL},
                    message="b is declared in another branch now.",
                ),
            ],
        ),
        (
            obj(properties={"a": TEXT}, anyOf=[table(b=TEXT), {}]),
            table(a=TEXT, b=TEXT),
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/anyOf",
                    breaks={BACKWARD, FULL},
                    message="The schema: alternatives changed (anyOf).",
                ),
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/properties/b",
                    breaks={BACKWARD, FULL},
                    message="b is declared in another branch now.",
                ),
            ],
        ),
        (
            table(a=table(b=TEXT)),
            table(a=table(c=INTEGER)),
            [
                ExpectedChange(
                    ChangeKind.PROPERTY_REMOVED,
                    "/properties/a/properties/b",
                    before={"type": "string", "required": False},
                    breaks={BACKWARD, FULL},
                    message="a.b was removed.",
                ),
                ExpectedChange(
                    ChangeKind.PROPERTY_ADDED,
                    "/properties/a/properties/c",
                    after={"type": "integer", "required": False},
                    breaks={FORWARD, FULL},
                    message="a.c was added.",
                ),
            ],
        ),
    ],
)
def test_a_property_of_one_side_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected


def test_changes_after_a_removed_property_are_reported_too():
    assert list_changes(table(a=TEXT, b=TEXT, c=NULL), table(b=INTEGER, c=NULL)) == [
        ExpectedChange(
            ChangeKind.PROPERTY_REMOVED,
            "/properties/a",
            before={"type": "string", "required": False},
            breaks={BACKWARD, FULL},
            message="a was removed.",
        ),
        ExpectedChange(
            ChangeKind.TYPE_CHANGED,
            "/properties/b/type",
            before=["string"],
            after=["integer"],
            breaks={BACKWARD, FORWARD, FULL},
            message="b: type changed from string to integer.",
        ),
    ]
