"""Numbers and strings: which is found, which is proven absent, and where the search for one ends."""

import pytest

from tessera_gql.diff import Certainty, Mode, compare
from tessera_gql.diff.prove.constraints import NoWitness, Witness
from tests.diff.oracle import is_valid
from tests.diff.test_solver import refuted

TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
UNREAD = "(?=a)"


def either(*options):
    return {"anyOf": [*options]}


def whole_or(*values):
    return either(WHOLE, {"enum": [*values]})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # whole numbers: the one nearest the only limit, or nearest zero between two
        (WHOLE, False, 0),
        (WHOLE, {"enum": [0]}, 1),
        (WHOLE, {"enum": [0, 1]}, -1),
        (WHOLE, {"enum": [0, 1, -1]}, 2),
        ({"minimum": 3, **WHOLE}, False, 3),
        ({"exclusiveMinimum": 3, **WHOLE}, False, 4),
        ({"minimum": 2.5, **WHOLE}, False, 3),
        ({"exclusiveMinimum": 2.5, **WHOLE}, False, 3),
        ({"minimum": -3, **WHOLE}, False, -3),
        ({"minimum": -3, **WHOLE}, {"enum": [-3]}, -2),
        ({"maximum": 3, **WHOLE}, False, 3),
        ({"exclusiveMaximum": 3, **WHOLE}, False, 2),
        ({"maximum": 2.5, **WHOLE}, False, 2),
        ({"exclusiveMaximum": 2.5, **WHOLE}, False, 2),
        ({"maximum": 3, **WHOLE}, {"enum": [3, 2, 1]}, 0),
        ({"minimum": 3, "maximum": 5, **WHOLE}, {"enum": [3]}, 4),
        ({"minimum": 3, "maximum": 5, **WHOLE}, {"enum": [3, 4]}, 5),
        ({"minimum": -5, "maximum": -3, **WHOLE}, {"enum": [-3]}, -4),
        ({"minimum": -1, "maximum": 3, **WHOLE}, {"enum": [0, 1, -1]}, 2),
        ({"minimum": -3, "maximum": 1, **WHOLE}, {"enum": [0, 1, -1]}, -2),
        ({"minimum": 3, "maximum": 5, **WHOLE}, {"enum": [3, 4, 5]}, None),
        ({"minimum": -1, "maximum": 1, **WHOLE}, {"enum": [0, 1, -1]}, None),
        ({"minimum": -5, "maximum": -3, **WHOLE}, {"enum": [-3, -4, -5]}, None),
        ({"minimum": 3, "maximum": 3, **WHOLE}, False, 3),
        ({"minimum": 3, "exclusiveMaximum": 3, **WHOLE}, False, None),
        ({"exclusiveMinimum": 3, "maximum": 3, **WHOLE}, False, None),
        ({"exclusiveMinimum": 3, "exclusiveMaximum": 4, **WHOLE}, False, None),
        ({"minimum": 4, "maximum": 3, **WHOLE}, False, None),
        ({"minimum": 9, "maximum": 3, **WHOLE}, False, None),
        ({"minimum": -3, "maximum": -9, **WHOLE}, False, None),
        # two limits on one side, and two lists
        ({"maximum": 1, "exclusiveMaximum": 1, **WHOLE}, False, 0),
        ({"exclusiveMaximum": 1, "maximum": 1, **WHOLE}, False, 0),
        ({"maximum": 2, "exclusiveMaximum": 1, **WHOLE}, False, 0),
        ({"maximum": 1, "exclusiveMaximum": 2, **WHOLE}, False, 1),
        ({"minimum": 1, "exclusiveMinimum": 1, **WHOLE}, False, 2),
        ({"exclusiveMinimum": 1, "minimum": 1, **WHOLE}, False, 2),
        ({"minimum": 2, "exclusiveMinimum": 1, **WHOLE}, False, 2),
        ({"minimum": 1, "exclusiveMinimum": 2, **WHOLE}, False, 3),
        ({"allOf": [{"maximum": 1}, {"exclusiveMaximum": 1}], **WHOLE}, False, 0),
        ({"allOf": [{"minimum": 1}, {"exclusiveMinimum": 1}], **WHOLE}, False, 2),
        ({"enum": [1, 2], "const": 2}, False, 2),
        ({"const": 2, "enum": [1, 2]}, False, 2),
        ({"const": 2, "enum": [1, 2]}, {"const": 2}, None),
        ({"const": 3, "enum": [1, 2]}, False, None),
        ({"enum": [1, 2], "const": 3}, False, None),
        # steps
        ({"multipleOf": 4, "minimum": 5, **WHOLE}, False, 8),
        ({"multipleOf": 4, "exclusiveMinimum": 8, **WHOLE}, False, 12),
        ({"multipleOf": 4, "maximum": 7, **WHOLE}, False, 4),
        ({"multipleOf": 4, "exclusiveMaximum": 8, **WHOLE}, False, 4),
        ({"multipleOf": 4, "minimum": 1, **WHOLE}, {"multipleOf": 8}, 4),
        ({"multipleOf": 4, "minimum": 5, "maximum": 7, **WHOLE}, False, None),
        ({"allOf": [{"multipleOf": 4}, {"multipleOf": 6}], "minimum": 1, **NUMBER}, False, 12),
        ({"allOf": [{"multipleOf": 0.5}, {"multipleOf": 0.75}], "minimum": 1, **NUMBER}, WHOLE, 1.5),
        ({"allOf": [{"multipleOf": 0.4}, {"multipleOf": 0.6}], "minimum": 0.1, "type": "number"}, WHOLE, 1.2),
        ({"multipleOf": 1.5, **WHOLE, "minimum": 1}, False, 3),
        ({"multipleOf": 0.5, "minimum": 0.6, "maximum": 1.4, **NUMBER}, WHOLE, None),
        ({"multipleOf": 4, **WHOLE}, {"multipleOf": 2}, None),
        # numbers with a fraction: the middle, then the quarters, of the interval or of a unit near the limit
        (NUMBER, WHOLE, -0.5),
        (NUMBER, whole_or(-0.5), -0.75),
        (NUMBER, whole_or(-0.5, -0.75), -0.25),
        ({"minimum": 3, **NUMBER}, WHOLE, 4.5),
        ({"minimum": 3.5, **NUMBER}, WHOLE, 4.5),
        ({"minimum": 3, **NUMBER}, whole_or(4.5), 4.25),
        ({"minimum": 7, **NUMBER}, WHOLE, 8.5),
        ({"minimum": -3.5, **NUMBER}, WHOLE, -2.5),
        ({"maximum": 7, **NUMBER}, WHOLE, 5.5),
        ({"maximum": -3.5, **NUMBER}, WHOLE, -4.5),
        ({"minimum": 3, **NUMBER}, whole_or(4.5, 4.25), 4.75),
        ({"minimum": 3, **NUMBER}, whole_or(4.5, 4.25, 4.75), 4.125),
        ({"maximum": 3, **NUMBER}, WHOLE, 1.5),
        ({"maximum": 3.5, **NUMBER}, WHOLE, 2.5),
        ({"maximum": 3, **NUMBER}, whole_or(1.5), 1.25),
        ({"maximum": 3, **NUMBER}, whole_or(1.5, 1.25), 1.75),
        ({"minimum": 1, "maximum": 2, **NUMBER}, WHOLE, 1.5),
        ({"minimum": 0.2, "maximum": 0.4, **NUMBER}, WHOLE, 0.3),
        ({"minimum": 1, "maximum": 2, **NUMBER}, whole_or(1.5), 1.25),
        ({"minimum": 1, "maximum": 2, **NUMBER}, either(WHOLE, {"multipleOf": 0.25}), 1.125),
        ({"minimum": 1.5, "maximum": 1.5, **NUMBER}, WHOLE, 1.5),
        ({"minimum": 1.5, "maximum": 1.5, **NUMBER}, {"multipleOf": 0.5}, None),
        ({"minimum": 1.5, "maximum": 1.5, **NUMBER}, {"const": 1.5}, None),
        ({"minimum": 1.5, "maximum": 1.5, **NUMBER}, {"const": 1}, 1.5),
        ({"exclusiveMinimum": 1.5, "exclusiveMaximum": 1.5, **NUMBER}, False, None),
        ({"exclusiveMinimum": 1.5, "maximum": 1.5, **NUMBER}, False, None),
        ({"minimum": 2.5, "maximum": 1.5, **NUMBER}, False, None),
        ({"minimum": 2.5, "exclusiveMaximum": 1.5, **NUMBER}, False, None),
        # a count may be written as a float
        ({"minLength": 2.0, **TEXT}, False, "aa"),
        (TEXT, {"maxLength": 1.0}, "aa"),
        # beyond a limit
        (WHOLE, {"minimum": 3}, 2),
        (WHOLE, {"exclusiveMinimum": 3}, 3),
        (WHOLE, {"maximum": 3}, 4),
        (WHOLE, {"exclusiveMaximum": 3}, 3),
        ({"minimum": 2, **WHOLE}, {"minimum": 3}, 2),
        ({"maximum": 4, **WHOLE}, {"maximum": 3}, 4),
        # strings
        ({"type": ["string", "null"]}, {"type": "null"}, ""),
        ({}, {"type": ["null", "boolean"]}, ""),
        (True, {"type": ["null", "boolean"]}, ""),
        (True, {"type": ["null", "boolean", "string"]}, 0),
        ({"minLength": 2, **TEXT}, False, "aa"),
        (TEXT, {"maxLength": 2}, "aaa"),
        (TEXT, {"minLength": 2}, ""),
        ({"minLength": 1, **TEXT}, {"minLength": 2}, "a"),
        ({"minLength": 1, **TEXT}, {"minLength": 1}, None),
        ({"maxLength": 1, **TEXT}, {"maxLength": 1}, None),
        ({"maxLength": 1, **TEXT}, {"maxLength": 0}, "a"),
        ({"allOf": [{"minLength": 1}, {"minLength": 3}, {"minLength": 2}], **TEXT}, False, "aaa"),
        ({"allOf": [{"maxLength": 3}, {"maxLength": 1}], **TEXT}, {"maxLength": 1}, None),
        ({"minLength": 3, "maxLength": 2, **TEXT}, False, None),
        ({"maxLength": 1, **TEXT}, {"enum": [""]}, "a"),
        ({"maxLength": 0, **TEXT}, {"enum": [""]}, None),
        ({"maxLength": 0, **TEXT}, {"enum": ["a"]}, ""),
        ({"minLength": 1, "maxLength": 1, **TEXT}, {"enum": ["a", "b", 'c"']}, "c"),
        (TEXT, {"enum": ["", "a", "b"]}, "c"),
        ({"minLength": 2, **TEXT}, {"enum": ["aa", "bb", "ab"]}, "cc"),
        ({"pattern": "^a", **TEXT}, {"pattern": "^aa"}, "a"),
        ({"pattern": '^"+$', **TEXT}, {"enum": ['"']}, '""'),
    ],
)
def test_the_plainest_number_or_text_is_found_or_proven_absent(old, new, expected):
    found = refuted(old, new)
    assert found == (NoWitness.EMPTY if expected is None else Witness(expected))
    assert not isinstance(found, Witness) or type(found.value) is type(expected)


@pytest.mark.parametrize(
    "old",
    [
        NUMBER,
        {"minimum": 3, **NUMBER},
        {"maximum": 3, **NUMBER},
        {"exclusiveMinimum": 0, "exclusiveMaximum": 1, **NUMBER},
    ],
)
def test_63_fractions_are_tried_and_each_lies_within_the_limits(old):
    tried = []
    while isinstance(found := refuted(old, whole_or(*tried)), Witness):
        assert is_valid(old, found.value)
        tried.append(found.value)
    assert found is NoWitness.UNKNOWN
    assert len(set(tried)) == len(tried) == 63


def test_two_thousand_whole_numbers_are_tried():
    for limits in ({"minimum": 1}, {"maximum": -1}, {}):
        first = [*range(1, 2_001)] if "minimum" in limits else [*range(-1, -2_001, -1)]
        listed = first if limits else [*range(-999, 1_001)]
        assert refuted({**limits, **WHOLE}, {"enum": listed}) is NoWitness.UNKNOWN
        assert refuted({**limits, **WHOLE}, {"enum": listed[:-1]}) == Witness(listed[-1])


def test_a_range_of_two_thousand_whole_numbers_is_proven_empty_and_no_wider_one():
    for low in (0, -1_000):
        listed = [*range(low, low + 2_001)]
        assert refuted({"minimum": low, "maximum": low + 1_999, **WHOLE}, {"enum": listed[:-1]}) is NoWitness.EMPTY
        assert refuted({"minimum": low, "maximum": low + 2_000, **WHOLE}, {"enum": listed}) is NoWitness.UNKNOWN


def test_a_number_no_float_can_hold_is_not_claimed():
    old = {"minimum": 10**400, **NUMBER}
    (change,) = compare(old, {**old, "multipleOf": 1}).breaking_changes(Mode.BACKWARD)
    assert change.certainty is Certainty.UNPROVEN
    (change,) = compare({"minimum": 10**400, **WHOLE}, {"minimum": 10**400 + 1, **WHOLE}).breaking_changes(
        Mode.BACKWARD
    )
    assert change.counterexample == 10**400


def test_a_text_that_only_a_pattern_beyond_us_forbids_is_not_claimed():
    assert refuted({"pattern": UNREAD, **TEXT}, False) is NoWitness.UNKNOWN
    assert refuted({"pattern": UNREAD, "maxLength": 0, "minLength": 1, **TEXT}, False) is NoWitness.EMPTY
    assert refuted({"allOf": [{"pattern": UNREAD}, {"pattern": "^a$"}], **TEXT}, {"pattern": "a"}) is NoWitness.EMPTY
