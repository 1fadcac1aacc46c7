"""What is told of a value: kind, place, delta, the modes it breaks and the words."""

import json

import pytest

from tessera_gql.diff import Mode, compare

LETTERS = {Mode.BACKWARD: "B", Mode.FORWARD: "F", Mode.FULL: "U"}
TEXT, WHOLE, NUMBER, NULL = ({"type": name} for name in ("string", "integer", "number", "null"))
MAYBE = {"type": ["string", "null"]}


def array(**words):
    return {"type": "array", **words}


def obj(**words):
    return {"type": "object", **words}


def told(old, new):
    return [_told(change) for change in compare(old, new).changes]


def _told(change):
    delta = f"{json.dumps(change.before)} to {json.dumps(change.after)}"
    letters = "".join(letter for mode, letter in LETTERS.items() if mode in change.breaks)
    return f"{change.kind} {change.pointer} {delta} {letters}: {change.message.removeprefix('The document: ')}"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # types and null
        ({}, TEXT, ['TYPE_NARROWED /type null to ["string"] BU: the type was any and is string.']),
        (TEXT, {}, ['TYPE_WIDENED  ["string"] to null FU: the type was string and is any.']),
        (
            MAYBE,
            NULL,
            ['TYPE_NARROWED /type ["null", "string"] to ["null"] BU: the type was string | null and is null.'],
        ),
        (
            NULL,
            MAYBE,
            ['TYPE_WIDENED /type ["null"] to ["null", "string"] FU: the type was null and is string | null.'],
        ),
        (NULL, TEXT, ['TYPE_CHANGED /type ["null"] to ["string"] BFU: the type was null and is string.']),
        (
            MAYBE,
            WHOLE,
            [
                "NULLABLE_REMOVED /type true to false BU: null is no longer allowed.",
                'TYPE_CHANGED /type ["string"] to ["integer"] BFU: the type was string | null and is integer.',
            ],
        ),
        (
            TEXT,
            {"type": ["integer", "null"]},
            [
                "NULLABLE_ADDED /type false to true FU: null is allowed now.",
                'TYPE_CHANGED /type ["string"] to ["integer"] BFU: the type was string and is integer | null.',
            ],
        ),
        (WHOLE, NUMBER, ['TYPE_WIDENED /type ["integer"] to ["number"] FU: the type was integer and is number.']),
        (
            {},
            {"type": ["string", "integer"]},
            ['TYPE_NARROWED /type null to ["integer", "string"] BU: the type was any and is integer | string.'],
        ),
        (
            {"type": ["boolean", "integer", "string"]},
            {"type": ["array", "number", "object"]},
            [
                (
                    'TYPE_CHANGED /type ["boolean", "integer", "string"] to ["array", "number", "object"] BFU: '
                    "the type was boolean | integer | string and is array | number | object."
                )
            ],
        ),
        (
            {"anyOf": [TEXT, NULL]},
            WHOLE,
            [
                "NULLABLE_REMOVED /anyOf/0/type true to false BU: null is no longer allowed.",
                'TYPE_CHANGED /type ["string"] to ["integer"] BFU: the type was string | null and is integer.',
            ],
        ),
        # values
        (
            {"const": 1},
            {"const": 2},
            [
                "ENUM_VALUES_ADDED /const null to [2] FU: 1 value is allowed now.",
                "ENUM_VALUES_REMOVED /const [1] to null BU: 1 value is no longer allowed.",
            ],
        ),
        (
            {"enum": [1, 2, 3]},
            {"const": 3},
            ["ENUM_VALUES_REMOVED /const [1, 2] to null BU: 2 values are no longer allowed."],
        ),
        ({"const": 3}, {"enum": [3, 4, 5]}, ["ENUM_VALUES_ADDED /enum null to [4, 5] FU: 2 values are allowed now."]),
        (
            TEXT,
            {**TEXT, "enum": ["a"]},
            ["ENUM_VALUES_REMOVED /enum null to null BU: any value was allowed, now only those listed."],
        ),
        (
            {**TEXT, "enum": ["a"]},
            TEXT,
            ["ENUM_VALUES_ADDED /enum null to null FU: only listed values were allowed, now any."],
        ),
        # numbers
        (
            NUMBER,
            {**NUMBER, "exclusiveMinimum": 1},
            ['CONSTRAINT_TIGHTENED /exclusiveMinimum null to {"exclusive": 1} BU: minimum is tighter than before.'],
        ),
        (
            {**NUMBER, "minimum": 0},
            NUMBER,
            ["CONSTRAINT_RELAXED /minimum 0 to null FU: minimum is looser than before."],
        ),
        (
            {**NUMBER, "minimum": 1},
            {**NUMBER, "exclusiveMinimum": 1.5},
            ['CONSTRAINT_TIGHTENED /exclusiveMinimum 1 to {"exclusive": 1.5} BU: minimum is tighter than before.'],
        ),
        (
            {**NUMBER, "maximum": 1},
            {**NUMBER, "exclusiveMaximum": 1},
            ['CONSTRAINT_TIGHTENED /exclusiveMaximum 1 to {"exclusive": 1} BU: maximum is tighter than before.'],
        ),
        (
            {**NUMBER, "exclusiveMaximum": 1},
            {**NUMBER, "maximum": 1},
            ['CONSTRAINT_RELAXED /maximum {"exclusive": 1} to 1 FU: maximum is looser than before.'],
        ),
        (
            {**NUMBER, "maximum": -1},
            {**NUMBER, "maximum": -2},
            ["CONSTRAINT_TIGHTENED /maximum -1 to -2 BU: maximum is tighter than before."],
        ),
        (
            {**NUMBER, "maximum": 3},
            NUMBER,
            ["CONSTRAINT_RELAXED /maximum 3 to null FU: maximum is looser than before."],
        ),
        (
            NUMBER,
            {**NUMBER, "multipleOf": 2},
            ["CONSTRAINT_TIGHTENED /multipleOf null to 2 BU: multipleOf is different."],
        ),
        (
            {**NUMBER, "multipleOf": 2},
            NUMBER,
            ["CONSTRAINT_RELAXED /multipleOf 2 to null FU: multipleOf is different."],
        ),
        (
            {**NUMBER, "multipleOf": 0.5},
            {**NUMBER, "multipleOf": 1.5},
            ["CONSTRAINT_TIGHTENED /multipleOf 0.5 to 1.5 BU: multipleOf is different."],
        ),
        (
            {**NUMBER, "multipleOf": 4},
            {**NUMBER, "allOf": [{"multipleOf": 2}, {"multipleOf": 3}]},
            ["CONSTRAINT_CHANGED /allOf/0/multipleOf 4 to 2 BFU: multipleOf is different."],
        ),
        # how many
        (
            TEXT,
            {**TEXT, "minLength": 2},
            ["CONSTRAINT_TIGHTENED /minLength null to 2 BU: minLength is tighter than before."],
        ),
        (
            {**TEXT, "minLength": 2},
            TEXT,
            ["CONSTRAINT_RELAXED /minLength 2 to null FU: minLength is looser than before."],
        ),
        (
            {**TEXT, "minLength": 2},
            {**TEXT, "minLength": 1},
            ["CONSTRAINT_RELAXED /minLength 2 to 1 FU: minLength is looser than before."],
        ),
        (
            TEXT,
            {**TEXT, "maxLength": 2},
            ["CONSTRAINT_TIGHTENED /maxLength null to 2 BU: maxLength is tighter than before."],
        ),
        (
            {**TEXT, "maxLength": 2},
            TEXT,
            ["CONSTRAINT_RELAXED /maxLength 2 to null FU: maxLength is looser than before."],
        ),
        (
            {**TEXT, "maxLength": 2},
            {**TEXT, "maxLength": 3},
            ["CONSTRAINT_RELAXED /maxLength 2 to 3 FU: maxLength is looser than before."],
        ),
        (array(), array(minItems=1), ["CONSTRAINT_TIGHTENED /minItems null to 1 BU: minItems is tighter than before."]),
        (array(maxItems=1), array(), ["CONSTRAINT_RELAXED /maxItems 1 to null FU: maxItems is looser than before."]),
        (
            obj(minProperties=1),
            obj(),
            ["CONSTRAINT_RELAXED /minProperties 1 to null FU: minProperties is looser than before."],
        ),
        (
            obj(maxProperties=1),
            obj(maxProperties=0),
            ["CONSTRAINT_TIGHTENED /maxProperties 1 to 0 BU: maxProperties is tighter than before."],
        ),
        (
            array(),
            array(uniqueItems=True),
            ["CONSTRAINT_TIGHTENED /uniqueItems false to true BU: uniqueItems is tighter than before."],
        ),
        (
            array(uniqueItems=True),
            array(),
            ["CONSTRAINT_RELAXED /uniqueItems true to false FU: uniqueItems is looser than before."],
        ),
        (array(uniqueItems=False), array(), []),
        # texts
        (TEXT, {**TEXT, "pattern": "^a"}, ['CONSTRAINT_TIGHTENED /pattern null to "^a" BU: the pattern is different.']),
        ({**TEXT, "pattern": "^a"}, TEXT, ['CONSTRAINT_RELAXED /pattern "^a" to null FU: the pattern is different.']),
        (
            {**TEXT, "pattern": "^a"},
            {**TEXT, "pattern": "^b"},
            ['CONSTRAINT_CHANGED /pattern "^a" to "^b" BFU: the pattern is different.'],
        ),
        (
            {**TEXT, "pattern": "^a"},
            {**TEXT, "allOf": [{"pattern": "^a"}, {"pattern": "b$"}]},
            ['CONSTRAINT_TIGHTENED /allOf/0/pattern "^a" to "^a, b$" BU: the pattern is different.'],
        ),
        (
            {**TEXT, "allOf": [{"pattern": "^a"}, {"pattern": "b$"}]},
            {**TEXT, "pattern": "^a"},
            ['CONSTRAINT_RELAXED /pattern "^a, b$" to "^a" FU: the pattern is different.'],
        ),
        (
            TEXT,
            {**TEXT, "format": "date"},
            ['FORMAT_CHANGED /format null to "date" U: the format is different; formats are not checked.'],
        ),
        (
            {**TEXT, "format": "date"},
            TEXT,
            ['FORMAT_CHANGED /format "date" to null U: the format is different; formats are not checked.'],
        ),
        (
            {**TEXT, "format": "date"},
            {**TEXT, "format": "time"},
            ['FORMAT_CHANGED /format "date" to "time" U: the format is different; formats are not checked.'],
        ),
        # what is told only
        (TEXT, {**TEXT, "default": "x"}, ['DEFAULT_ADDED /default null to "x" FU: it has a default now.']),
        ({**TEXT, "default": "x"}, TEXT, ['DEFAULT_REMOVED /default "x" to null BU: it has no default any more.']),
        (
            {**TEXT, "default": "x"},
            {**TEXT, "default": None},
            ['DEFAULT_CHANGED /default "x" to null U: its default is another one.'],
        ),
        (
            {**TEXT, "default": 1},
            {**TEXT, "default": True},
            ["DEFAULT_CHANGED /default 1 to true U: its default is another one."],
        ),
        ({**TEXT, "default": 1}, {**TEXT, "default": 1.0}, []),
        (TEXT, {**TEXT, "deprecated": True}, ["DEPRECATED_CHANGED /deprecated false to true : it is deprecated now."]),
        (
            {**TEXT, "deprecated": True},
            TEXT,
            ["DEPRECATED_CHANGED /deprecated true to false : it is no longer deprecated."],
        ),
        (TEXT, {**TEXT, "deprecated": False}, []),
        ({**TEXT, "title": "a"}, TEXT, ['ANNOTATION_CHANGED /title "a" to null : title is different.']),
        (TEXT, {**TEXT, "x-a/b": 1}, ["ANNOTATION_CHANGED /x-a~1b null to 1 : x-a/b is different."]),
        (TEXT, {**TEXT, "examples": ["a"]}, ["ANNOTATION_CHANGED /examples null to null : examples is different."]),
        (TEXT, {**TEXT, "x-many": {"a": 1}}, ["ANNOTATION_CHANGED /x-many null to null : x-many is different."]),
        (
            {**TEXT, "title": "a"},
            {**TEXT, "title": "b"},
            ['ANNOTATION_CHANGED /title "a" to "b" : title is different.'],
        ),
        (
            TEXT,
            {**TEXT, "allOf": [{"title": "b", "deprecated": True}]},
            [
                "DEPRECATED_CHANGED /allOf/0/deprecated false to true : it is deprecated now.",
                'ANNOTATION_CHANGED /allOf/0/title null to "b" : title is different.',
            ],
        ),
        (TEXT, {**TEXT, "unknown": 1}, []),
    ],
)
def test_what_became_of_a_keyword_is_told(old, new, expected):
    assert told(old, new) == expected


@pytest.mark.parametrize("part", [{"pattern": "^a"}, {"multipleOf": 2}, {"minLength": 1}, {"contains": TEXT}])
def test_what_stays_as_it_was_is_not_told_beside_what_does_not(part):
    old, new = ({"allOf": [part], "maxLength": limit} for limit in (3, 2))
    assert told(old, new) == ["CONSTRAINT_TIGHTENED /maxLength 3 to 2 BU: maxLength is tighter than before."]


@pytest.mark.parametrize(("length", "told"), [(200, "x" * 200), (201, "x" * 200 + "…"), (500, "x" * 200 + "…")])
def test_a_long_title_is_told_by_its_beginning(length, told):
    (change,) = compare({"title": "short"}, {"title": "x" * length}).changes
    assert (change.before, change.after) == ("short", told)
