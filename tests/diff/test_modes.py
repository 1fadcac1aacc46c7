"""The table of everyday changes has the verdicts that the modes are defined to give."""

import pytest

from tessera_gql.diff import MODE_DESCRIPTIONS, Mode, check, compare, judge_everyday_changes
from tessera_gql.diff.modes import EVERYDAY_CHANGES

BACKWARD, FORWARD, FULL, CONSUMER = Mode.BACKWARD, Mode.FORWARD, Mode.FULL, Mode.CONSUMER
EXPECTED_BREAKS = {
    "Optional property added": {FORWARD, FULL},
    "Required property added": {BACKWARD, FORWARD, FULL},
    "Optional property removed": {BACKWARD, FULL, CONSUMER},
    "Required property removed": {BACKWARD, FORWARD, FULL, CONSUMER},
    "Property renamed": {BACKWARD, FORWARD, FULL, CONSUMER},
    "Property becomes required": {BACKWARD, FULL},
    "Property becomes optional": {FORWARD, FULL, CONSUMER},
    "Null allowed": {FORWARD, FULL, CONSUMER},
    "Null no longer allowed": {BACKWARD, FULL},
    "Type: integer to number": {FORWARD, FULL, CONSUMER},
    "Type: number to integer": {BACKWARD, FULL},
    "Type: string to integer": {BACKWARD, FORWARD, FULL, CONSUMER},
    "Physical type: a longer varchar": {FORWARD, FULL},
    "Physical type: a shorter varchar": {BACKWARD, FULL},
    "Physical type: date to timestamp": {BACKWARD, FORWARD, FULL, CONSUMER},
    "Enum values added": {FORWARD, FULL, CONSUMER},
    "Enum values removed": {BACKWARD, FULL},
    "Enum added": {BACKWARD, FULL},
    "Enum dropped": {FORWARD, FULL, CONSUMER},
    "Constraint tightened: lower maximum": {BACKWARD, FULL},
    "Constraint relaxed: higher maximum": {FORWARD, FULL, CONSUMER},
    "Constraint changed: another pattern": {BACKWARD, FORWARD, FULL, CONSUMER},
    "Additional properties forbidden": {BACKWARD, FULL},
    "Additional properties allowed": {FORWARD, FULL},
    "Default added": {FORWARD, FULL},
    "Default removed": {BACKWARD, FULL},
    "Default changed": {FULL},
    "Format changed": {FULL},
    "Title or description changed": set[Mode](),
    "Marked as deprecated": set[Mode](),
}
VERDICTS = {verdict.title: verdict.breaks for verdict in judge_everyday_changes()}


def test_the_table_has_each_everyday_change_once() -> None:
    assert list(VERDICTS) == [change.title for change in EVERYDAY_CHANGES] == list(EXPECTED_BREAKS)


@pytest.mark.parametrize("title", EXPECTED_BREAKS)
def test_an_everyday_change_breaks_exactly_the_modes_that_forbid_it(title: str) -> None:
    assert VERDICTS[title] == EXPECTED_BREAKS[title]


@pytest.mark.parametrize("change", EVERYDAY_CHANGES, ids=lambda change: change.title)
def test_the_schemas_of_an_everyday_change_are_valid_and_differ(change) -> None:
    check(change.old)
    check(change.new)
    assert compare(change.old, change.new).changes


def test_every_mode_has_a_description_in_the_order_of_the_enum() -> None:
    assert list(MODE_DESCRIPTIONS) == list(Mode)
    assert all(description.endswith(".") for description in MODE_DESCRIPTIONS.values())
