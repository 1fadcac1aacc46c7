"""What is told of the parts of objects and arrays."""

import pytest

from tests.diff.test_change_messages import TEXT, WHOLE, array, obj, told

D7 = {"$schema": "http://json-schema.org/draft-07/schema#"}


def table(**columns):
    return obj(properties=columns)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # names
        (
            table(a=TEXT),
            {**table(a=TEXT), "required": ["a"]},
            ["REQUIRED_ADDED /required null to null BU: a: it is required now."],
        ),
        (
            {**table(a=TEXT), "required": ["a"]},
            table(a=TEXT),
            ["REQUIRED_REMOVED /required null to null FU: a: it is no longer required."],
        ),
        (obj(), obj(required=["a"]), ["REQUIRED_ADDED /required null to null BU: a: it is required now."]),
        (obj(required=["a"]), obj(), ["REQUIRED_REMOVED /required null to null FU: a: it is no longer required."]),
        (
            obj(required=["a"]),
            table(a=TEXT),
            [
                'PROPERTY_ADDED /properties/a null to {"type": "string", "required": false} BFU: a: it is new.',
                "REQUIRED_REMOVED /required null to null FU: a: it is no longer required.",
            ],
        ),
        (
            table(a=TEXT),
            obj(required=["a"]),
            [
                'PROPERTY_REMOVED /properties/a {"type": "string", "required": false} to null BFU: a: it is gone.',
                "REQUIRED_ADDED /required null to null BU: a: it is required now.",
            ],
        ),
        (
            table(a=TEXT),
            {**table(a=TEXT, b=TEXT), "required": ["b"]},
            [
                (
                    'PROPERTY_ADDED /properties/b null to {"type": '
                    '"string", "required": true} BFU: b: it is new and required.'
                )
            ],
        ),
        (
            obj(patternProperties={"^x/": TEXT}),
            obj(),
            [('CONSTRAINT_RELAXED /patternProperties/^x~1 "^x/" to null FU: patternProperties is looser than before.')],
        ),
        (
            obj(),
            obj(patternProperties={"^x/": TEXT, "^y": TEXT}),
            [
                (
                    'CONSTRAINT_TIGHTENED /patternProperties/^x~1 null to "^x/" BU: '
                    "patternProperties is tighter than before."
                ),
                (
                    'CONSTRAINT_TIGHTENED /patternProperties/^y null to "^y" BU: '
                    "patternProperties is tighter than before."
                ),
            ],
        ),
        (
            obj(),
            obj(dependentRequired={"a": ["b"]}),
            ['CONSTRAINT_TIGHTENED /dependentRequired/a null to "a" BU: dependentRequired is tighter than before.'],
        ),
        (
            obj(dependentSchemas={"a": {"required": ["b"]}}),
            obj(),
            ['CONSTRAINT_RELAXED /dependentSchemas/a "a" to null FU: dependentSchemas is looser than before.'],
        ),
        (
            {**D7, **obj(dependencies={"a": ["b"]})},
            {**D7, **obj()},
            ['CONSTRAINT_RELAXED /dependencies/a "a" to null FU: dependencies is looser than before.'],
        ),
        # others
        (
            table(a=TEXT),
            {**table(a=TEXT), "additionalProperties": False},
            [
                (
                    "CONSTRAINT_TIGHTENED /additionalProperties true to false BU: "
                    "additionalProperties is tighter than before."
                )
            ],
        ),
        (
            {**table(a=TEXT), "additionalProperties": False},
            table(a=TEXT),
            [
                (
                    "CONSTRAINT_RELAXED /additionalProperties false to true FU: "
                    "additionalProperties is looser than before."
                )
            ],
        ),
        (
            table(a=TEXT),
            {**table(a=TEXT), "unevaluatedProperties": False},
            [
                (
                    "CONSTRAINT_TIGHTENED /unevaluatedProperties true to false BU: "
                    "unevaluatedProperties is tighter than before."
                )
            ],
        ),
        (
            {**table(a=TEXT), "unevaluatedProperties": False},
            table(a=TEXT),
            [
                (
                    "CONSTRAINT_RELAXED /unevaluatedProperties false to true FU: "
                    "unevaluatedProperties is looser than before."
                )
            ],
        ),
        (
            {**table(a=TEXT), "additionalProperties": False},
            {**table(a=TEXT), "additionalProperties": TEXT},
            [
                (
                    "CONSTRAINT_RELAXED /additionalProperties false to true FU: "
                    "additionalProperties is looser than before."
                ),
                'TYPE_WIDENED /additionalProperties/type [] to ["string"] FU: *: the type was nothing and is string.',
            ],
        ),
        (
            {**table(a=TEXT), "additionalProperties": TEXT},
            {**table(a=TEXT), "additionalProperties": False},
            [
                (
                    "CONSTRAINT_TIGHTENED /additionalProperties true to false BU: "
                    "additionalProperties is tighter than before."
                ),
                'TYPE_NARROWED /additionalProperties ["string"] to [] BU: *: the type was string and is nothing.',
            ],
        ),
        (
            table(a=TEXT),
            {**table(a=TEXT), "additionalProperties": TEXT},
            [
                (
                    "CONSTRAINT_TIGHTENED /additionalProperties null to null U: "
                    "additionalProperties is tighter than before."
                )
            ],
        ),
        (
            {**table(a=TEXT), "additionalProperties": TEXT},
            table(a=TEXT),
            ["CONSTRAINT_RELAXED /additionalProperties null to null U: additionalProperties is looser than before."],
        ),
        (table(a=TEXT), {**table(a=TEXT), "additionalProperties": True}, []),
        (
            obj(additionalProperties=TEXT),
            obj(additionalProperties=WHOLE),
            [
                (
                    'TYPE_CHANGED /additionalProperties/type ["string"] to ["integer"] BFU: '
                    "*: the type was string and is integer."
                )
            ],
        ),
        (
            obj(propertyNames={"maxLength": 2}),
            obj(),
            ["CONSTRAINT_RELAXED /propertyNames null to null FU: propertyNames is looser than before."],
        ),
        (
            obj(),
            obj(propertyNames={"maxLength": 2}),
            ["CONSTRAINT_TIGHTENED /propertyNames null to null BU: propertyNames is tighter than before."],
        ),
        # items
        (array(), array(items=TEXT), ["CONSTRAINT_TIGHTENED /items null to null BU: items is tighter than before."]),
        (array(items=TEXT), array(), ["CONSTRAINT_RELAXED /items null to null FU: items is looser than before."]),
        (
            {**D7, **array(items=[TEXT], additionalItems=WHOLE)},
            {**D7, **array(items=[TEXT])},
            ["CONSTRAINT_RELAXED /additionalItems null to null FU: additionalItems is looser than before."],
        ),
        (
            {**D7, **array(items=[TEXT])},
            {**D7, **array(items=[TEXT], additionalItems=False)},
            ["CONSTRAINT_TIGHTENED /additionalItems null to null BU: additionalItems is tighter than before."],
        ),
        (
            array(unevaluatedItems=False),
            array(),
            ["CONSTRAINT_RELAXED /unevaluatedItems null to null FU: unevaluatedItems is looser than before."],
        ),
        (
            array(contains=TEXT),
            array(),
            ["CONSTRAINT_RELAXED /contains null to null FU: contains is looser than before."],
        ),
        (
            array(),
            array(contains=TEXT),
            ["CONSTRAINT_TIGHTENED /contains null to null BU: contains is tighter than before."],
        ),
        (
            array(contains=TEXT),
            array(contains=TEXT, minContains=2),
            ["CONSTRAINT_TIGHTENED /minContains 1 to 2 BU: minContains is tighter than before."],
        ),
        (
            array(contains=TEXT, minContains=3),
            array(contains=TEXT, minContains=2),
            ["CONSTRAINT_RELAXED /minContains 3 to 2 FU: minContains is looser than before."],
        ),
        (
            array(contains=TEXT),
            array(contains=TEXT, maxContains=2),
            ["CONSTRAINT_TIGHTENED /maxContains null to 2 BU: maxContains is tighter than before."],
        ),
        (
            array(contains=TEXT, maxContains=2),
            array(contains=TEXT, maxContains=3),
            ["CONSTRAINT_RELAXED /maxContains 2 to 3 FU: maxContains is looser than before."],
        ),
        (
            array(contains=TEXT, maxContains=3),
            array(contains=TEXT, maxContains=2),
            ["CONSTRAINT_TIGHTENED /maxContains 3 to 2 BU: maxContains is tighter than before."],
        ),
        (
            array(contains=TEXT, maxContains=2),
            array(contains=TEXT),
            ["CONSTRAINT_RELAXED /maxContains 2 to null FU: maxContains is looser than before."],
        ),
        (
            array(contains={"minimum": 1}),
            array(contains={"minimum": 2}),
            ["CONSTRAINT_TIGHTENED /contains/minimum 1 to 2 BU: []: minimum is tighter than before."],
        ),
    ],
)
def test_what_became_of_a_keyword_about_parts_is_told(old, new, expected):
    assert told(old, new) == expected
