"""Changes of the keywords about properties, with pointer, delta, broken modes and message."""

import pytest

from tessera_gql.diff import ChangeKind
from tests.diff.expected_changes import BACKWARD, FORWARD, FULL, ExpectedChange, list_changes
from tests.diff.schemas import DRAFT_7, INTEGER, TEXT, obj, table


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            table(a=TEXT),
            {**table(a=TEXT), "required": ["a"]},
            [
                ExpectedChange(
                    ChangeKind.REQUIRED_ADDED, "/required", breaks={BACKWARD, FULL}, message="a: it is required now."
                )
            ],
        ),
        (
            {**table(a=TEXT), "required": ["a"]},
            table(a=TEXT),
            [
                ExpectedChange(
                    ChangeKind.REQUIRED_REMOVED,
                    "/required",
                    breaks={FORWARD, FULL},
                    message="a: it is no longer required.",
                )
            ],
        ),
        (
            obj(),
            obj(required=["a"]),
            [
                ExpectedChange(
                    ChangeKind.REQUIRED_ADDED, "/required", breaks={BACKWARD, FULL}, message="a: it is required now."
                )
            ],
        ),
        (
            obj(required=["a"]),
            obj(),
            [
                ExpectedChange(
                    ChangeKind.REQUIRED_REMOVED,
                    "/required",
                    breaks={FORWARD, FULL},
                    message="a: it is no longer required.",
                )
            ],
        ),
        (
            obj(required=["a"]),
            table(a=TEXT),
            [
                ExpectedChange(
                    ChangeKind.PROPERTY_ADDED,
                    "/properties/a",
                    after={"type": "string", "required": False},
                    breaks={BACKWARD, FORWARD, FULL},
                    message="a: it is new.",
                ),
                ExpectedChange(
                    ChangeKind.REQUIRED_REMOVED,
                    "/required",
                    breaks={FORWARD, FULL},
                    message="a: it is no longer required.",
                ),
            ],
        ),
        (
            table(a=TEXT),
            obj(required=["a"]),
            [
                ExpectedChange(
                    ChangeKind.PROPERTY_REMOVED,
                    "/properties/a",
                    before={"type": "string", "required": False},
                    breaks={BACKWARD, FORWARD, FULL},
                    message="a: it is gone.",
                ),
                ExpectedChange(
                    ChangeKind.REQUIRED_ADDED, "/required", breaks={BACKWARD, FULL}, message="a: it is required now."
                ),
            ],
        ),
        (
            table(a=TEXT),
            {**table(a=TEXT, b=TEXT), "required": ["b"]},
            [
                ExpectedChange(
                    ChangeKind.PROPERTY_ADDED,
                    "/properties/b",
                    after={"type": "string", "required": True},
                    breaks={BACKWARD, FORWARD, FULL},
                    message="b: it is new and required.",
                )
            ],
        ),
        (
            obj(patternProperties={"^x/": TEXT}),
            obj(),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/patternProperties/^x~1",
                    before="^x/",
                    breaks={FORWARD, FULL},
                    message="The document: patternProperties is looser than before.",
                )
            ],
        ),
        (
            obj(),
            obj(patternProperties={"^x/": TEXT, "^y": TEXT}),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/patternProperties/^x~1",
                    after="^x/",
                    breaks={BACKWARD, FULL},
                    message="The document: patternProperties is tighter than before.",
                ),
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/patternProperties/^y",
                    after="^y",
                    breaks={BACKWARD, FULL},
                    message="The document: patternProperties is tighter than before.",
                ),
            ],
        ),
        (
            obj(),
            obj(dependentRequired={"a": ["b"]}),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/dependentRequired/a",
                    after="a",
                    breaks={BACKWARD, FULL},
                    message="The document: dependentRequired is tighter than before.",
                )
            ],
        ),
        (
            obj(dependentSchemas={"a": {"required": ["b"]}}),
            obj(),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/dependentSchemas/a",
                    before="a",
                    breaks={FORWARD, FULL},
                    message="The document: dependentSchemas is looser than before.",
                )
            ],
        ),
        (
            {**DRAFT_7, **obj(dependencies={"a": ["b"]})},
            {**DRAFT_7, **obj()},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/dependencies/a",
                    before="a",
                    breaks={FORWARD, FULL},
                    message="The document: dependencies is looser than before.",
                )
            ],
        ),
    ],
)
def test_a_change_of_declared_names_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            table(a=TEXT),
            {**table(a=TEXT), "additionalProperties": False},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/additionalProperties",
                    before=True,
                    after=False,
                    breaks={BACKWARD, FULL},
                    message="The document: additionalProperties is tighter than before.",
                )
            ],
        ),
        (
            {**table(a=TEXT), "additionalProperties": False},
            table(a=TEXT),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/additionalProperties",
                    before=False,
                    after=True,
                    breaks={FORWARD, FULL},
                    message="The document: additionalProperties is looser than before.",
                )
            ],
        ),
        (
            table(a=TEXT),
            {**table(a=TEXT), "unevaluatedProperties": False},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/unevaluatedProperties",
                    before=True,
                    after=False,
                    breaks={BACKWARD, FULL},
                    message="The document: unevaluatedProperties is tighter than before.",
                )
            ],
        ),
        (
            {**table(a=TEXT), "unevaluatedProperties": False},
            table(a=TEXT),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/unevaluatedProperties",
                    before=False,
                    after=True,
                    breaks={FORWARD, FULL},
                    message="The document: unevaluatedProperties is looser than before.",
                )
            ],
        ),
        (
            {**table(a=TEXT), "additionalProperties": False},
            {**table(a=TEXT), "additionalProperties": TEXT},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/additionalProperties",
                    before=False,
                    after=True,
                    breaks={FORWARD, FULL},
                    message="The document: additionalProperties is looser than before.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_WIDENED,
                    "/additionalProperties/type",
                    before=[],
                    after=["string"],
                    breaks={FORWARD, FULL},
                    message="*: the type was nothing and is string.",
                ),
            ],
        ),
        (
            {**table(a=TEXT), "additionalProperties": TEXT},
            {**table(a=TEXT), "additionalProperties": False},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/additionalProperties",
                    before=True,
                    after=False,
                    breaks={BACKWARD, FULL},
                    message="The document: additionalProperties is tighter than before.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_NARROWED,
                    "/additionalProperties",
                    before=["string"],
                    after=[],
                    breaks={BACKWARD, FULL},
                    message="*: the type was string and is nothing.",
                ),
            ],
        ),
        (
            table(a=TEXT),
            {**table(a=TEXT), "additionalProperties": TEXT},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/additionalProperties",
                    breaks={FULL},
                    message="The document: additionalProperties is tighter than before.",
                )
            ],
        ),
        (
            {**table(a=TEXT), "additionalProperties": TEXT},
            table(a=TEXT),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/additionalProperties",
                    breaks={FULL},
                    message="The document: additionalProperties is looser than before.",
                )
            ],
        ),
        (table(a=TEXT), {**table(a=TEXT), "additionalProperties": True}, []),
        (
            obj(additionalProperties=TEXT),
            obj(additionalProperties=INTEGER),
            [
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/additionalProperties/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="*: the type was string and is integer.",
                )
            ],
        ),
        (
            obj(propertyNames={"maxLength": 2}),
            obj(),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/propertyNames",
                    breaks={FORWARD, FULL},
                    message="The document: propertyNames is looser than before.",
                )
            ],
        ),
        (
            obj(),
            obj(propertyNames={"maxLength": 2}),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/propertyNames",
                    breaks={BACKWARD, FULL},
                    message="The document: propertyNames is tighter than before.",
                )
            ],
        ),
    ],
)
def test_a_change_of_another_object_keyword_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected
