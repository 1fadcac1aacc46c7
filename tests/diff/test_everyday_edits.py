"""What a data team edits every day, and what each edit breaks in each mode."""

from collections import Counter

import pytest

from tessera_gql.diff import Mode, compare
from tests.diff.edits import Edit
from tests.diff.everyday_column_edits import COLUMN_EDITS
from tests.diff.everyday_document_edits import DOCUMENT_EDITS
from tests.diff.everyday_nested_edits import NESTED_EDITS
from tests.diff.everyday_reference_edits import REFERENCE_EDITS
from tests.diff.everyday_value_edits import VALUE_EDITS
from tests.diff.everyday_warehouse_edits import WAREHOUSE_EDITS

EDITS = (*COLUMN_EDITS, *VALUE_EDITS, *WAREHOUSE_EDITS, *NESTED_EDITS, *REFERENCE_EDITS, *DOCUMENT_EDITS)
each_edit = pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)


def test_the_table_has_at_least_120_different_edits() -> None:
    assert len(EDITS) >= 120
    assert [name for name, count in Counter(edit.name for edit in EDITS).items() if count > 1] == []


@each_edit
def test_an_edit_breaks_the_modes_of_its_effect(edit: Edit) -> None:
    diff = compare(edit.old, edit.new)
    assert {mode for mode in Mode if not diff.is_compatible(mode)} == edit.effect.breaks


@each_edit
def test_the_version_is_raised_by_the_effect(edit: Edit) -> None:
    diff = compare(edit.old, edit.new)
    assert (diff.bump(Mode.BACKWARD), diff.bump(Mode.CONSUMER)) == (edit.effect.bump, edit.effect.consumer_bump)


@each_edit
def test_the_bump_without_a_mode_is_that_of_data_or_readers(edit: Edit) -> None:
    expected = max(edit.effect.bump, edit.effect.consumer_bump, key=lambda bump: bump.rank)
    assert compare(edit.old, edit.new).bump(Mode.NONE) is expected


@each_edit
def test_an_edit_is_listed_under_its_kind_and_stated_in_the_message(edit: Edit) -> None:
    changes = compare(edit.old, edit.new).changes
    if edit.kind is None:
        assert changes == ()
        return
    messages = [change.message for change in changes if change.kind is edit.kind]
    assert messages, f"no {edit.kind}: {changes}"
    assert any(_states(message, edit) for message in messages), (messages, edit.facts)


def _states(message: str, edit: Edit) -> bool:
    text = message.casefold()
    return all(fact.casefold() in text for fact in edit.facts)


@each_edit
def test_undoing_an_edit_swaps_backward_and_forward(edit: Edit) -> None:
    diff, undone = compare(edit.old, edit.new), compare(edit.new, edit.old)
    assert diff.is_compatible(Mode.BACKWARD) == undone.is_compatible(Mode.FORWARD)
    assert diff.is_compatible(Mode.FORWARD) == undone.is_compatible(Mode.BACKWARD)
    assert diff.is_compatible(Mode.FULL) == undone.is_compatible(Mode.FULL)
