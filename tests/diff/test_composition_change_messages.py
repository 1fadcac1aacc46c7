"""What is told of properties one side declares, of alternatives and conditions."""

import pytest

from tests.diff.test_change_messages import NULL, NUMBER, TEXT, WHOLE, array, obj, told
from tests.diff.test_subschema_change_messages import table


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # properties that one side declares
        (
            table(a=TEXT),
            TEXT,
            [
                'PROPERTY_REMOVED /properties/a {"type": "string", "required": false} to null BU: a: it is gone.',
                'TYPE_CHANGED /type ["object"] to ["string"] BFU: the type was object and is string.',
            ],
        ),
        (
            TEXT,
            table(a=TEXT),
            [
                'PROPERTY_ADDED /properties/a null to {"type": "string", "required": false} FU: a: it is new.',
                'TYPE_CHANGED /type ["string"] to ["object"] BFU: the type was string and is object.',
            ],
        ),
        (
            obj(properties={"a": TEXT}, patternProperties={"^x": TEXT}),
            obj(properties={"a": TEXT, "b": TEXT}, patternProperties={"^x": TEXT}),
            ['PROPERTY_ADDED /properties/b null to {"type": "string", "required": false} BFU: b: it is new.'],
        ),
        (
            obj(properties={"a": TEXT}, additionalProperties=TEXT),
            obj(properties={"a": TEXT, "b": WHOLE}, additionalProperties=TEXT),
            [
                "COMPOSITION_CHANGED  null to null FU: it accepts more than before.",
                'PROPERTY_ADDED /properties/b null to {"type": "integer", "required": false} BFU: b: it is new.',
            ],
        ),
        (
            obj(properties={"a": TEXT}, additionalProperties=False, allOf=[{}]),
            obj(properties={"a": TEXT, "b": TEXT}, additionalProperties=False),
            [
                "COMPOSITION_CHANGED  null to null FU: it accepts more than before.",
                'PROPERTY_ADDED /properties/b null to {"type": "string", "required": false} FU: b: it is new.',
            ],
        ),
        (
            table(a=TEXT, b=TEXT),
            obj(properties={"a": TEXT}, anyOf=[table(b=TEXT), {}]),
            [
                "COMPOSITION_CHANGED /anyOf null to null FU: anyOf is different.",
                "COMPOSITION_CHANGED /properties/b null to null FU: b: it is declared in another branch now.",
            ],
        ),
        (
            obj(properties={"a": TEXT}, anyOf=[table(b=TEXT), {}]),
            table(a=TEXT, b=TEXT),
            [
                "COMPOSITION_CHANGED /anyOf null to null BU: anyOf is different.",
                "COMPOSITION_CHANGED /properties/b null to null BU: b: it is declared in another branch now.",
            ],
        ),
        (
            table(a=table(b=TEXT)),
            table(a=table(c=WHOLE)),
            [
                (
                    'PROPERTY_REMOVED /properties/a/properties/b {"type": '
                    '"string", "required": false} to null BU: a.b: it is gone.'
                ),
                (
                    'PROPERTY_ADDED /properties/a/properties/c null to {"type": '
                    '"integer", "required": false} FU: a.c: it is new.'
                ),
            ],
        ),
        # alternatives
        (
            {"anyOf": [TEXT, WHOLE]},
            {"anyOf": [TEXT, array()]},
            [
                (
                    'TYPE_CHANGED  ["integer", "string"] to ["array", "string"] BFU: '
                    "the type was integer | string and is array | string."
                ),
                'TYPE_CHANGED /anyOf/1/type ["integer"] to ["array"] BFU: the type was integer and is array.',
            ],
        ),
        (
            {"anyOf": [TEXT, WHOLE, NULL]},
            {"anyOf": [TEXT]},
            [
                "NULLABLE_REMOVED  true to false BU: null is no longer allowed.",
                (
                    'TYPE_NARROWED  ["integer", "string"] to ["string"] BU: '
                    "the type was integer | string | null and is string."
                ),
                "COMPOSITION_CHANGED /anyOf null to null BU: 2 alternatives are gone.",
            ],
        ),
        (
            {"anyOf": [TEXT]},
            {"anyOf": [WHOLE, TEXT, array()]},
            [
                (
                    'TYPE_WIDENED  ["string"] to ["array", "integer", "string"] FU: '
                    "the type was string and is array | integer | string."
                ),
                "COMPOSITION_CHANGED /anyOf null to null FU: 2 alternatives are new.",
            ],
        ),
        (
            {"oneOf": [TEXT, WHOLE]},
            {"oneOf": [TEXT]},
            [
                'TYPE_NARROWED  ["integer", "string"] to ["string"] BU: the type was integer | string and is string.',
                "COMPOSITION_CHANGED /oneOf null to null BU: 1 alternative is gone.",
            ],
        ),
        (
            {"oneOf": [TEXT]},
            {"oneOf": [TEXT, WHOLE]},
            [
                'TYPE_WIDENED  ["string"] to ["integer", "string"] FU: the type was string and is integer | string.',
                "COMPOSITION_CHANGED /oneOf null to null FU: 1 alternative is new.",
            ],
        ),
        ({"anyOf": [TEXT, WHOLE]}, {"anyOf": [WHOLE, TEXT]}, []),
        (
            {"anyOf": [TEXT, {"minimum": 1, **WHOLE}]},
            {"anyOf": [{"minimum": 2, **WHOLE}, TEXT]},
            ["CONSTRAINT_TIGHTENED /anyOf/0/minimum 1 to 2 BU: minimum is tighter than before."],
        ),
        (
            {"anyOf": [table(a=TEXT), table(b=WHOLE)]},
            {"anyOf": [table(a=TEXT), table(b=NUMBER)]},
            [
                (
                    'TYPE_WIDENED /anyOf/1/properties/b/type ["integer"] to ["number"] FU: '
                    "b: the type was integer and is number."
                )
            ],
        ),
        (
            {"anyOf": [TEXT, WHOLE]},
            {"allOf": [{"anyOf": [TEXT, WHOLE]}, {"anyOf": [TEXT, array()]}]},
            [
                'TYPE_NARROWED  ["integer", "string"] to ["string"] BU: the type was integer | string and is string.',
                "COMPOSITION_CHANGED /allOf/0/anyOf null to null BU: anyOf is different.",
            ],
        ),
        (
            {"allOf": [{"anyOf": [TEXT, WHOLE]}, {"anyOf": [TEXT, array()]}]},
            {"anyOf": [TEXT, WHOLE]},
            [
                'TYPE_WIDENED  ["string"] to ["integer", "string"] FU: the type was string and is integer | string.',
                "COMPOSITION_CHANGED /anyOf null to null FU: anyOf is different.",
            ],
        ),
        (
            {},
            {"anyOf": [TEXT, WHOLE]},
            [
                'TYPE_NARROWED  null to ["integer", "string"] BU: the type was any and is integer | string.',
                "COMPOSITION_CHANGED /anyOf null to null BU: anyOf is different.",
            ],
        ),
        (
            {"anyOf": [TEXT, WHOLE]},
            {},
            [
                'TYPE_WIDENED  ["integer", "string"] to null FU: the type was integer | string and is any.',
                "COMPOSITION_CHANGED /anyOf null to null FU: anyOf is different.",
            ],
        ),
        (
            {"oneOf": [NUMBER, {"minimum": 3}]},
            {"anyOf": [NUMBER, {"minimum": 3}]},
            [
                "COMPOSITION_CHANGED /anyOf null to null FU: anyOf is different.",
                "COMPOSITION_CHANGED /oneOf null to null FU: oneOf is different.",
            ],
        ),
        # conditions
        ({"not": TEXT}, {}, ["COMPOSITION_CHANGED /not null to null FU: not is different."]),
        ({}, {"not": TEXT}, ["COMPOSITION_CHANGED /not null to null BU: not is different."]),
        ({"not": TEXT}, {"not": WHOLE}, ["COMPOSITION_CHANGED /not null to null BFU: not is different."]),
        (
            {"if": TEXT, "then": {"minLength": 1}},
            {"if": TEXT, "then": {"minLength": 2}},
            ["COMPOSITION_CHANGED /then null to null BU: then is different."],
        ),
        (
            {"if": TEXT, "then": {"minLength": 1}},
            {"if": TEXT},
            ["COMPOSITION_CHANGED /then null to null FU: then is different."],
        ),
        (
            {"if": TEXT, "else": WHOLE},
            {"if": TEXT, "else": NUMBER},
            ["COMPOSITION_CHANGED /else null to null FU: else is different."],
        ),
        (
            {"if": TEXT, "then": {"minLength": 1}},
            {"if": WHOLE, "then": {"minLength": 1}},
            ["COMPOSITION_CHANGED /if null to null FU: if is different."],
        ),
        ({"if": TEXT}, {}, []),
    ],
)
def test_what_became_of_the_structure_is_told(old, new, expected):
    assert told(old, new) == expected


def test_what_comes_after_a_property_that_went_is_told_too():
    assert told(table(a=TEXT, b=TEXT, c=NULL), table(b=WHOLE, c=NULL)) == [
        'PROPERTY_REMOVED /properties/a {"type": "string", "required": false} to null BU: a: it is gone.',
        'TYPE_CHANGED /properties/b/type ["string"] to ["integer"] BFU: b: the type was string and is integer.',
    ]
