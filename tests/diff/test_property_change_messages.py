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
                    ChangeKind.REQUIRED_ADDED, "/required", breaks={BACKWARD, FULL}, message="a is required now."
                )
            ],
        ),
        (
            {**table(a=TEXT), "required": ["a"]},
            table(a=TEXT),
            [
                ExpectedChange(
                    ChangeKind.REQUIRED_REMOVED, "/required", breaks={FORWARD, FULL}, message="a is optional now."
                )
            ],
        ),
        (
            obj(),
            obj(required=["a"]),
            [
                ExpectedChange(
                    ChangeKind.REQUIRED_ADDED, "/required", breaks={BACKWARD, FULL}, message="a is required now."
                )
            ],
        ),
        (
            obj(required=["a"]),
            obj(),
            [
                ExpectedChange(
                    ChangeKind.REQUIRED_REMOVED, "/required", breaks={FORWARD, FULL}, message="a is optional now."
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
                    message="a was added.",
                ),
                ExpectedChange(
                    ChangeKind.REQUIRED_REMOVED, "/required", breaks={FORWARD, FULL}, message="a is optional now."
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
                    message="a was removed.",
                ),
                ExpectedChange(
                    ChangeKind.REQUIRED_ADDED, "/required", breaks={BACKWARD, FULL}, message="a is required now."
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
                    message="b was added (it is required).",
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
                    message="The schema: rule for fields that match '^x/' was removed.",
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
                    message="The schema: rule for fields that match '^x/' was added.",
                ),
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/patternProperties/^y",
                    after="^y",
                    breaks={BACKWARD, FULL},
                    message="The schema: rule for fields that match '^y' was added.",
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
                    message="The schema: dependency on 'a' was added.",
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
                    message="The schema: dependency on 'a' was removed.",
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
                    message="The schema: dependency on 'a' was removed.",
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
                    message="The schema: undeclared fields are not allowed any more.",
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
                    message="The schema: undeclared fields are allowed now.",
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
                    message="The schema: undeclared fields are not allowed any more.",
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
                    message="The schema: undeclared fields are allowed now.",
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
                    message="The schema: undeclared fields are allowed now.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_WIDENED,
                    "/additionalProperties/type",
                    before=[],
                    after=["string"],
                    breaks={FORWARD, FULL},
                    message="*: string is allowed now (was nothing).",
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
                    message="The schema: undeclared fields are not allowed any more.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_NARROWED,
                    "/additionalProperties",
                    before=["string"],
                    after=[],
                    breaks={BACKWARD, FULL},
                    message="*: no value is allowed any more (was string).",
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
                    message="The schema: undeclared fields are restricted now.",
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
                    message="The schema: undeclared fields are not restricted any more.",
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
                    message="*: type changed from string to integer.",
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
                    message="The schema: names of fields are not restricted any more.",
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
                    message="The schema: names of fields are restricted now.",
                )
            ],
        ),
    ],
)
def test_a_change_of_another_object_keyword_has_its_kind_delta_modes_and_message(old, new, expected):
    assert list_changes(old, new) == expected
