"""A change with several reasons is reported once for each reason."""

import pytest

from tessera_gql.diff import ChangeKind
from tests.diff.expected_changes import BACKWARD, FORWARD, FULL, ExpectedChange, list_changes
from tests.diff.schemas import INTEGER, NULL, TEXT, array, obj, table


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            array(prefixItems=[TEXT, TEXT]),
            array(items=INTEGER),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/items",
                    breaks={BACKWARD, FULL},
                    message="The schema: items are restricted now.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/items/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="[]: type changed from string to integer.",
                ),
            ],
        ),
        (
            array(prefixItems=[TEXT, NULL]),
            array(items=INTEGER),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/items",
                    breaks={BACKWARD, FULL},
                    message="The schema: items are restricted now.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/items/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="[]: type changed from string to integer.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/items/type",
                    before=["null"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="[]: type changed from null to integer.",
                ),
            ],
        ),
        (
            array(items=INTEGER),
            array(prefixItems=[TEXT, TEXT], items=TEXT),
            [
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/items/type",
                    before=["integer"],
                    after=["string"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="[]: type changed from integer to string.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/prefixItems/0/type",
                    before=["integer"],
                    after=["string"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="[0]: type changed from integer to string.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/prefixItems/1/type",
                    before=["integer"],
                    after=["string"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="[1]: type changed from integer to string.",
                ),
            ],
        ),
        (
            {"dependentSchemas": {"x": table(y=TEXT)}},
            {"dependentSchemas": {"x": {}}},
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "",
                    breaks={FORWARD, FULL},
                    message="The schema accepts more than before.",
                ),
                ExpectedChange(
                    ChangeKind.PROPERTY_REMOVED,
                    "/dependentSchemas/x/properties/y",
                    before={"type": "string", "required": False},
                    breaks={BACKWARD, FULL},
                    message="y was removed.",
                ),
            ],
        ),
        (
            {"dependentSchemas": {"x": {}}},
            {"dependentSchemas": {"x": table(y=TEXT)}},
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "",
                    breaks={BACKWARD, FULL},
                    message="The schema accepts less than before.",
                ),
                ExpectedChange(
                    ChangeKind.PROPERTY_ADDED,
                    "/dependentSchemas/x/properties/y",
                    after={"type": "string", "required": False},
                    breaks={FORWARD, FULL},
                    message="y was added.",
                ),
            ],
        ),
        (
            {"dependentSchemas": {"x": table(user_id=TEXT)}},
            {"dependentSchemas": {"x": table(userId=TEXT)}},
            [
                ExpectedChange(
                    ChangeKind.PROPERTY_RENAMED,
                    "/dependentSchemas/x/properties/userId",
                    before="user_id",
                    after="userId",
                    breaks={BACKWARD, FORWARD, FULL},
                    message="user_id was renamed to userId.",
                )
            ],
        ),
        (
            {"allOf": [table(user_id=TEXT), table(user_id={})]},
            {"allOf": [table(userId=TEXT), table(userId={})]},
            [
                ExpectedChange(
                    ChangeKind.PROPERTY_RENAMED,
                    "/allOf/0/properties/userId",
                    before="user_id",
                    after="userId",
                    breaks={BACKWARD, FORWARD, FULL},
                    message="user_id was renamed to userId.",
                )
            ],
        ),
        (
            {**table(user_id=TEXT), "required": ["user_id"]},
            {**table(userId=TEXT), "required": ["userId"]},
            [
                ExpectedChange(
                    ChangeKind.PROPERTY_RENAMED,
                    "/properties/userId",
                    before="user_id",
                    after="userId",
                    breaks={BACKWARD, FORWARD, FULL},
                    message="user_id was renamed to userId.",
                )
            ],
        ),
        (
            array(prefixItems=[table(user_id=TEXT), table(user_id=TEXT)]),
            array(items=table(userId=TEXT)),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/items",
                    breaks={BACKWARD, FULL},
                    message="The schema: items are restricted now.",
                ),
                ExpectedChange(
                    ChangeKind.PROPERTY_RENAMED,
                    "/items/properties/userId",
                    before="user_id",
                    after="userId",
                    breaks={BACKWARD, FORWARD, FULL},
                    message="[].user_id was renamed to userId.",
                ),
                ExpectedChange(
                    ChangeKind.PROPERTY_REMOVED,
                    "/prefixItems/1/properties/user_id",
                    before={"type": "string", "required": False},
                    breaks={FULL},
                    message="[].user_id was removed.",
                ),
            ],
        ),
        (
            array(prefixItems=[table(a=TEXT), table(a=TEXT)]),
            array(items=table(b=INTEGER)),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_TIGHTENED,
                    "/items",
                    breaks={BACKWARD, FULL},
                    message="The schema: items are restricted now.",
                ),
                ExpectedChange(
                    ChangeKind.PROPERTY_ADDED,
                    "/items/properties/b",
                    after={"type": "integer", "required": False},
                    breaks={FORWARD, FULL},
                    message="[].b was added.",
                ),
                ExpectedChange(
                    ChangeKind.PROPERTY_REMOVED,
                    "/prefixItems/0/properties/a",
                    before={"type": "string", "required": False},
                    breaks={BACKWARD, FULL},
                    message="[].a was removed.",
                ),
                ExpectedChange(
                    ChangeKind.PROPERTY_REMOVED,
                    "/prefixItems/1/properties/a",
                    before={"type": "string", "required": False},
                    breaks={FULL},
                    message="[].a was removed.",
                ),
            ],
        ),
        (
            {"anyOf": [table(a=TEXT, b=TEXT), table(b=TEXT)]},
            {"anyOf": [table(a=TEXT), table()]},
            [
                ExpectedChange(
                    ChangeKind.PROPERTY_REMOVED,
                    "/anyOf/0/properties/b",
                    before={"type": "string", "required": False},
                    breaks={BACKWARD, FULL},
                    message="b was removed.",
                ),
                ExpectedChange(
                    ChangeKind.PROPERTY_REMOVED,
                    "/anyOf/1/properties/b",
                    before={"type": "string", "required": False},
                    breaks={FORWARD, FULL},
                    message="b was removed.",
                ),
            ],
        ),
        (
            obj(anyOf=[{"required": ["a"]}, {"required": ["b"]}], properties={"a": TEXT, "b": TEXT}),
            obj(properties={"a": TEXT, "b": TEXT}),
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/anyOf",
                    breaks={FORWARD, FULL},
                    message="The schema: alternatives changed (anyOf).",
                )
            ],
        ),
        ({"allOf": [{"anyOf": [TEXT, NULL]}, {"maxLength": 3}]}, {"type": ["string", "null"], "maxLength": 3}, []),
        (
            array(items={"items": {"items": TEXT}}),
            array(items={"items": {"items": INTEGER}}),
            [
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/items/items/items/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="[][][]: type changed from string to integer.",
                )
            ],
        ),
        (
            {"anyOf": [array(items=TEXT), obj(additionalProperties=TEXT)]},
            {"anyOf": [array(items=INTEGER), obj(additionalProperties=INTEGER)]},
            [
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/anyOf/0/items/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="[]: type changed from string to integer.",
                ),
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/anyOf/1/additionalProperties/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="*: type changed from string to integer.",
                ),
            ],
        ),
    ],
)
def test_a_change_is_reported_once_for_each_reason(old, new, expected):
    assert list_changes(old, new) == expected
