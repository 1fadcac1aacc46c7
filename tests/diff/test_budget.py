"""A budget of fuel and time is shared by the parts of a comparison, and what it does not suffice for is not decided."""

from time import thread_time

import pytest

from tessera_gql.diff import Budget, Certainty, Mode, compare
from tessera_gql.diff.budget import STEPS_PER_UNIT
from tessera_gql.diff.values.regular_languages import Language, find_example, matches
from tests.diff.schemas import INTEGER, TEXT, table


def test_a_budget_is_spent_when_more_than_its_fuel_is_asked_for():
    budget = Budget(2)
    assert [budget.spend(), budget.spend(), budget.spend()] == [True, True, False]
    assert budget.is_spent


def test_small_steps_add_up_to_units():
    budget = Budget(2)
    for _ in range(3):
        assert budget.spend_steps(STEPS_PER_UNIT - 1)
    assert budget.fuel == 0
    assert not budget.spend_steps(3 * STEPS_PER_UNIT)


def test_a_part_leaves_what_it_does_not_need():
    budget = Budget(10)
    with budget.allot(4):
        budget.spend(3)
    assert budget.fuel == 7


def test_a_part_that_needs_too_much_takes_nothing_of_the_other_parts():
    budget = Budget(10)
    with budget.allot(4):
        budget.spend(100)
        assert budget.is_spent
    assert budget.fuel == 6
    with budget.allot(100):
        assert budget.spend(6)
        assert not budget.spend()


def test_the_clock_ends_a_comparison_whose_fuel_would_last():
    budget = Budget(1_000_000, seconds=0)
    old, new = (table(**{f"c{n}": {**TEXT, "maxLength": n + extra} for n in range(200)}) for extra in (0, 1))
    assert compare(old, new).is_compatible(Mode.BACKWARD)
    late = compare(old, new, budget)
    assert budget.is_late
    assert not late.is_compatible(Mode.BACKWARD)
    assert {change.certainty for change in late.breaking_changes(Mode.BACKWARD)} == {Certainty.UNPROVEN}


def test_the_time_of_a_part_is_missing_to_the_next_one():
    budget = Budget(10, seconds=1)
    with budget.allot(4):
        started = thread_time()
        while thread_time() - started < 0.02:
            pass
    assert 0.5 < budget.seconds <= 1 - 0.02


@pytest.mark.parametrize("fuel", [-1, 0, 1])
def test_without_fuel_a_comparison_lists_its_changes_and_proves_none(fuel):
    old, new = table(a=TEXT, b=INTEGER), table(a=INTEGER, b=INTEGER)
    diff = compare(old, new, Budget(fuel))
    assert [change.path for change in diff.changes] == ["a"]
    assert not diff.is_compatible(Mode.BACKWARD)
    assert diff.changes[0].certainty is Certainty.UNPROVEN


def test_comparisons_can_share_a_budget():
    budget = Budget(10_000)
    compare(table(a=TEXT), table(a=INTEGER), budget)
    left = budget.fuel
    compare(table(a=TEXT), table(a=INTEGER), budget)
    assert left < 10_000
    assert 10_000 - left == pytest.approx(left - budget.fuel, abs=1)  # steps are counted on


def test_without_fuel_a_pattern_is_unknown():
    assert matches("^a$", "a", Budget(-1)) is None
    assert find_example(Language(frozenset({"^a$"}), frozenset({"^b$"})), Budget(-1)) is True
    assert matches("^a$", "a", Budget(1)) is True


def test_a_text_that_takes_an_automaton_long_is_unknown():
    assert matches("(?:a|b)*a[ab]{300}c", "ab" * 20) is False
    assert matches("(?:a|b)*a[ab]{300}c", "ab" * 5_000) is None


@pytest.mark.parametrize(("length", "expected"), [(5, False), (40, True)])
def test_a_language_that_takes_an_automaton_long_is_unknown(length, expected):
    patterns = frozenset(f"^[ab]*{letter}[ab]{{{length}}}$" for letter in "ab")
    assert find_example(Language(patterns)) is expected
