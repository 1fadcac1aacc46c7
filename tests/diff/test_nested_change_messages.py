"""Changes below the root are reported at their own pointer."""

import pytest

from tessera_gql.diff import ChangeKind
from tests.diff.expected_changes import BACKWARD, FORWARD, FULL, ExpectedChange, list_changes
from tests.diff.schemas import INTEGER, NUMBER, TEXT, array, obj, table


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            obj(patternProperties={"^x": TEXT}),
            obj(patternProperties={"^x": INTEGER}),
            [
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/patternProperties/^x/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="*: type changed from string to integer.",
                )
            ],
        ),
        (
            obj(propertyNames={"maxLength": 2}),
            obj(propertyNames={"maxLength": 3}),
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/propertyNames/maxLength",
                    before=2,
                    after=3,
                    breaks={FORWARD, FULL},
                    message="The schema (names of its fields): maxLength relaxed from 2 to 3.",
                )
            ],
        ),
        (
            array(prefixItems=[TEXT, INTEGER]),
            array(prefixItems=[TEXT, NUMBER]),
            [
                ExpectedChange(
                    ChangeKind.TYPE_WIDENED,
                    "/prefixItems/1/type",
                    before=["integer"],
                    after=["number"],
                    breaks={FORWARD, FULL},
                    message="[1]: type widened from integer to number.",
                )
            ],
        ),
        (
            array(prefixItems=[TEXT], items=INTEGER),
            array(prefixItems=[TEXT], items=NUMBER),
            [
                ExpectedChange(
                    ChangeKind.TYPE_WIDENED,
                    "/items/type",
                    before=["integer"],
                    after=["number"],
                    breaks={FORWARD, FULL},
                    message="[]: type widened from integer to number.",
                )
            ],
        ),
        (
            array(prefixItems=[TEXT], items=INTEGER),
            array(items=INTEGER),
            [
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/items/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="[]: type changed from string to integer.",
                )
            ],
        ),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": table(x=TEXT)}},
            {"$ref": "#/$defs/b", "$defs": {"b": table(x=INTEGER)}},
            [
                ExpectedChange(
                    ChangeKind.TYPE_CHANGED,
                    "/$defs/b/properties/x/type",
                    before=["string"],
                    after=["integer"],
                    breaks={BACKWARD, FORWARD, FULL},
                    message="x: type changed from string to integer.",
                )
            ],
        ),
        (
            {**table(a={"$ref": "#/$defs/p"}, b={"$ref": "#/$defs/p"}), "$defs": {"p": {"maxLength": 2}}},
            {**table(a={"$ref": "#/$defs/p"}, b={"$ref": "#/$defs/p"}), "$defs": {"p": {"maxLength": 3}}},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_RELAXED,
                    "/$defs/p/maxLength",
                    before=2,
                    after=3,
                    breaks={FORWARD, FULL},
                    message="a: maxLength relaxed from 2 to 3.",
                )
            ],
        ),
        ({"allOf": [table(a=TEXT), {"required": ["a"]}]}, {**table(a=TEXT), "required": ["a"]}, []),
        (
            {"type": "string", "pattern": "(?=a)a"},
            {"type": "string", "pattern": "(?=b)b"},
            [
                ExpectedChange(
                    ChangeKind.CONSTRAINT_CHANGED,
                    "/pattern",
                    before="(?=a)a",
                    after="(?=b)b",
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The schema: pattern changed from '(?=a)a' to '(?=b)b'.",
                )
            ],
        ),
        (
            {"not": {"pattern": "(?=a)a"}},
            {"not": {"pattern": "(?=b)b"}},
            [
                ExpectedChange(
                    ChangeKind.COMPOSITION_CHANGED,
                    "/not",
                    breaks={BACKWARD, FORWARD, FULL},
                    message="The schema: excluded values changed (not).",
                )
            ],
        ),
    ],
)
def test_a_change_below_the_root_is_reported_at_its_pointer(old, new, expected):
    assert list_changes(old, new) == expected
