"""A mode is weaker than another one if it lets some change pass that the other one stops."""

from itertools import product

import pytest

from tessera_gql.diff import ChangeKind, Mode, compare
from tessera_gql.policy.modes import JUDGING_MODES, compare_modes, is_weaker

WEAKER = {
    Mode.BACKWARD: {Mode.FORWARD, Mode.CONSUMER, Mode.NONE},
    Mode.FORWARD: {Mode.BACKWARD, Mode.CONSUMER, Mode.NONE},
    Mode.CONSUMER: {Mode.BACKWARD, Mode.FORWARD, Mode.NONE},
    Mode.FULL: {Mode.BACKWARD, Mode.FORWARD, Mode.CONSUMER, Mode.NONE},
    Mode.NONE: set(),
}
INTEGER, NUMBER, TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}


def table(**columns: object) -> dict[str, object]:
    return {"type": "object", "properties": columns}


EDITS = [
    (table(a=INTEGER), table()),
    (table(a=INTEGER), table(a=INTEGER, b=TEXT)),
    (table(a=INTEGER), table(a=NUMBER)),
    (table(a=NUMBER), table(a=INTEGER)),
    (table(a=INTEGER), table(a=TEXT)),
    (table(a=TEXT), {**table(a=TEXT), "required": ["a"]}),
    ({**table(a=TEXT), "required": ["a"]}, table(a=TEXT)),
]


@pytest.mark.parametrize(("before", "after"), list(product(Mode, Mode)))
def test_only_full_is_as_strong_as_every_mode_and_nothing_is_weaker_than_none(before: Mode, after: Mode) -> None:
    assert is_weaker(before, after) == (after in WEAKER[before])
    assert bool(compare_modes(before, after)) == is_weaker(before, after)


@pytest.mark.parametrize(("before", "after"), list(product(Mode, Mode)))
def test_a_mode_that_lets_an_edit_pass_which_the_other_one_stops_is_weaker(before: Mode, after: Mode) -> None:
    diffs = [compare(old, new) for old, new in EDITS]
    if any(diff.is_compatible(after) and not diff.is_compatible(before) for diff in diffs):
        assert is_weaker(before, after)


def test_a_weaker_mode_is_a_change_of_the_whole_schema_with_a_fingerprint_of_its_own() -> None:
    (change,) = compare_modes(Mode.BACKWARD, Mode.NONE)
    assert (change.kind, change.fields, change.path, change.pointer) == (ChangeKind.MODE_WEAKENED, ("",), "", "")
    assert (change.before, change.after, change.breaks) == ("BACKWARD", "NONE", JUDGING_MODES)
    assert change.message == "The compatibility mode was weakened from BACKWARD to NONE."
    weakened = [compare_modes(before, after) for before, after in product(Mode, Mode) if is_weaker(before, after)]
    assert len({changes[0].fingerprint for changes in weakened}) == len(weakened) == 13
