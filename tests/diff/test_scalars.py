"""The solver finds numbers and strings that meet all constraints, or proves that there are none, within limits."""

import pytest

from tessera_gql.diff import Certainty, Mode, compare
from tessera_gql.diff.prove.constraints import NoWitness, Witness
from tests.diff.engine import find_witness
from tests.diff.oracle import is_valid
from tests.diff.schemas import INTEGER, NUMBER, TEXT

UNREADABLE = "(?=a)"


def any_of(*options):
    return {"anyOf": [*options]}


def integer_or(*values):
    return any_of(INTEGER, {"enum": [*values]})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # whole numbers: the one nearest the only limit, or nearest zero between two
        (INTEGER, False, 0),
        (INTEGER, {"enum": [0]}, 1),
        (INTEGER, {"enum": [0, 1]}, -1),
        (INTEGER, {"enum": [0, 1, -1]}, 2),
        ({"minimum": 3, **INTEGER}, False, 3),
        ({"exclusiveMinimum": 3, **INTEGER}, False, 4),
        ({"minimum": 2.5, **INTEGER}, False, 3),
        ({"exclusiveMinimum": 2.5, **INTEGER}, False, 3),
        ({"minimum": -3, **INTEGER}, False, -3),
        ({"minimum": -3, **INTEGER}, {"enum": [-3]}, -2),
        ({"maximum": 3, **INTEGER}, False, 3),
        ({"exclusiveMaximum": 3, **INTEGER}, False, 2),
        ({"maximum": 2.5, **INTEGER}, False, 2),
        ({"exclusiveMaximum": 2.5, **INTEGER}, False, 2),
        ({"maximum": 3, **INTEGER}, {"enum": [3, 2, 1]}, 0),
        ({"minimum": 3, "maximum": 5, **INTEGER}, {"enum": [3]}, 4),
        ({"minimum": 3, "maximum": 5, **INTEGER}, {"enum": [3, 4]}, 5),
        ({"minimum": -5, "maximum": -3, **INTEGER}, {"enum": [-3]}, -4),
        ({"minimum": -1, "maximum": 3, **INTEGER}, {"enum": [0, 1, -1]}, 2),
        ({"minimum": -3, "maximum": 1, **INTEGER}, {"enum": [0, 1, -1]}, -2),
        ({"minimum": 3, "maximum": 5, **INTEGER}, {"enum": [3, 4, 5]}, None),
        ({"minimum": -1, "maximum": 1, **INTEGER}, {"enum": [0, 1, -1]}, None),
        ({"minimum": -5, "maximum": -3, **INTEGER}, {"enum": [-3, -4, -5]}, None),
        ({"minimum": 3, "maximum": 3, **INTEGER}, False, 3),
        ({"minimum": 3, "exclusiveMaximum": 3, **INTEGER}, False, None),
        ({"exclusiveMinimum": 3, "maximum": 3, **INTEGER}, False, None),
        ({"exclusiveMinimum": 3, "exclusiveMaximum": 4, **INTEGER}, False, None),
        ({"minimum": 4, "maximum": 3, **INTEGER}, False, None),
        ({"minimum": 9, "maximum": 3, **INTEGER}, False, None),
        ({"minimum": -3, "maximum": -9, **INTEGER}, False, None),
        # two limits on one side, and two lists
        ({"maximum": 1, "exclusiveMaximum": 1, **INTEGER}, False, 0),
        ({"exclusiveMaximum": 1, "maximum": 1, **INTEGER}, False, 0),
        ({"maximum": 2, "exclusiveMaximum": 1, **INTEGER}, False, 0),
        ({"maximum": 1, "exclusiveMaximum": 2, **INTEGER}, False, 1),
        ({"minimum": 1, "exclusiveMinimum": 1, **INTEGER}, False, 2),
        ({"exclusiveMinimum": 1, "minimum": 1, **INTEGER}, False, 2),
        ({"minimum": 2, "exclusiveMinimum": 1, **INTEGER}, False, 2),
        ({"minimum": 1, "exclusiveMinimum": 2, **INTEGER}, False, 3),
        ({"allOf": [{"maximum": 1}, {"exclusiveMaximum": 1}], **INTEGER}, False, 0),
        ({"allOf": [{"minimum": 1}, {"exclusiveMinimum": 1}], **INTEGER}, False, 2),
        ({"enum": [1, 2], "const": 2}, False, 2),
        ({"const": 2, "enum": [1, 2]}, False, 2),
        ({"const": 2, "enum": [1, 2]}, {"const": 2}, None),
        ({"const": 3, "enum": [1, 2]}, False, None),
        ({"enum": [1, 2], "const": 3}, False, None),
        # steps
        ({"multipleOf": 4, "minimum": 5, **INTEGER}, False, 8),
        ({"multipleOf": 4, "exclusiveMinimum": 8, **INTEGER}, False, 12),
        ({"multipleOf": 4, "maximum": 7, **INTEGER}, False, 4),
        ({"multipleOf": 4, "exclusiveMaximum": 8, **INTEGER}, False, 4),
        ({"multipleOf": 4, "minimum": 1, **INTEGER}, {"multipleOf": 8}, 4),
        ({"multipleOf": 4, "minimum": 5, "maximum": 7, **INTEGER}, False, None),
        ({"allOf": [{"multipleOf": 4}, {"multipleOf": 6}], "minimum": 1, **NUMBER}, False, 12),
        ({"allOf": [{"multipleOf": 0.5}, {"multipleOf": 0.75}], "minimum": 1, **NUMBER}, INTEGER, 1.5),
        ({"allOf": [{"multipleOf": 0.4}, {"multipleOf": 0.6}], "minimum": 0.1, "type": "number"}, INTEGER, 1.2),
        ({"multipleOf": 1.5, **INTEGER, "minimum": 1}, False, 3),
        ({"multipleOf": 0.5, "minimum": 0.6, "maximum": 1.4, **NUMBER}, INTEGER, None),
        ({"multipleOf": 4, **INTEGER}, {"multipleOf": 2}, None),
        # numbers with a fraction: the middle, then the quarters, of the interval or of a unit near the limit
        (NUMBER, INTEGER, -0.5),
        (NUMBER, integer_or(-0.5), -0.75),
        (NUMBER, integer_or(-0.5, -0.75), -0.25),
        ({"minimum": 3, **NUMBER}, INTEGER, 4.5),
        ({"minimum": 3.5, **NUMBER}, INTEGER, 4.5),
        ({"minimum": 3, **NUMBER}, integer_or(4.5), 4.25),
        ({"minimum": 7, **NUMBER}, INTEGER, 8.5),
        ({"minimum": -3.5, **NUMBER}, INTEGER, -2.5),
        ({"maximum": 7, **NUMBER}, INTEGER, 5.5),
        ({"maximum": -3.5, **NUMBER}, INTEGER, -4.5),
        ({"minimum": 3, **NUMBER}, integer_or(4.5, 4.25), 4.75),
        ({"minimum": 3, **NUMBER}, integer_or(4.5, 4.25, 4.75), 4.125),
        ({"maximum": 3, **NUMBER}, INTEGER, 1.5),
        ({"maximum": 3.5, **NUMBER}, INTEGER, 2.5),
        ({"maximum": 3, **NUMBER}, integer_or(1.5), 1.25),
        ({"maximum": 3, **NUMBER}, integer_or(1.5, 1.25), 1.75),
        ({"minimum": 1, "maximum": 2, **NUMBER}, INTEGER, 1.5),
        ({"minimum": 0.2, "maximum": 0.4, **NUMBER}, INTEGER, 0.3),
        ({"minimum": 1, "maximum": 2, **NUMBER}, integer_or(1.5), 1.25),
        ({"minimum": 1, "maximum": 2, **NUMBER}, any_of(INTEGER, {"multipleOf": 0.25}), 1.125),
        ({"minimum": 1.5, "maximum": 1.5, **NUMBER}, INTEGER, 1.5),
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
        (INTEGER, {"minimum": 3}, 2),
        (INTEGER, {"exclusiveMinimum": 3}, 3),
        (INTEGER, {"maximum": 3}, 4),
        (INTEGER, {"exclusiveMaximum": 3}, 3),
        ({"minimum": 2, **INTEGER}, {"minimum": 3}, 2),
        ({"maximum": 4, **INTEGER}, {"maximum": 3}, 4),
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
def test_the_simplest_number_or_text_is_found_or_proven_absent(old, new, expected):
    witness = find_witness(old, new)
    assert witness == (NoWitness.EMPTY if expected is None else Witness(expected))
    assert not isinstance(witness, Witness) or type(witness.value) is type(expected)


@pytest.mark.parametrize(
    "old",
    [
        NUMBER,
        {"minimum": 3, **NUMBER},
        {"maximum": 3, **NUMBER},
        {"exclusiveMinimum": 0, "exclusiveMaximum": 1, **NUMBER},
    ],
)
def test_63_fractions_within_the_limits_are_tried(old):
    tried = []
    while isinstance(witness := find_witness(old, integer_or(*tried)), Witness):
        assert is_valid(old, witness.value)
        tried.append(witness.value)
    assert witness is NoWitness.UNKNOWN
    assert len(set(tried)) == len(tried) == 63


def test_two_thousand_whole_numbers_are_tried():
    for limits in ({"minimum": 1}, {"maximum": -1}, {}):
        first = [*range(1, 2_001)] if "minimum" in limits else [*range(-1, -2_001, -1)]
        listed = first if limits else [*range(-999, 1_001)]
        assert find_witness({**limits, **INTEGER}, {"enum": listed}) is NoWitness.UNKNOWN
        assert find_witness({**limits, **INTEGER}, {"enum": listed[:-1]}) == Witness(listed[-1])


def test_ranges_up_to_two_thousand_integers_are_proven_empty():
    for low in (0, -1_000):
        listed = [*range(low, low + 2_001)]
        assert (
            find_witness({"minimum": low, "maximum": low + 1_999, **INTEGER}, {"enum": listed[:-1]}) is NoWitness.EMPTY
        )
        assert find_witness({"minimum": low, "maximum": low + 2_000, **INTEGER}, {"enum": listed}) is NoWitness.UNKNOWN


def test_a_number_no_float_can_hold_is_not_claimed():
    old = {"minimum": 10**400, **NUMBER}
    (change,) = compare(old, {**old, "multipleOf": 1}).breaking_changes(Mode.BACKWARD)
    assert change.certainty is Certainty.UNPROVEN
    (change,) = compare({"minimum": 10**400, **INTEGER}, {"minimum": 10**400 + 1, **INTEGER}).breaking_changes(
        Mode.BACKWARD
    )
    assert change.counterexample == 10**400


def test_a_text_that_only_a_pattern_beyond_us_forbids_is_not_claimed():
    assert find_witness({"pattern": UNREADABLE, **TEXT}, False) is NoWitness.UNKNOWN
    assert find_witness({"pattern": UNREADABLE, "maxLength": 0, "minLength": 1, **TEXT}, False) is NoWitness.EMPTY
    assert (
        find_witness({"allOf": [{"pattern": UNREADABLE}, {"pattern": "^a$"}], **TEXT}, {"pattern": "a"})
        is NoWitness.EMPTY
    )
