"""What a publish comes to, decided from the two sets of terms alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.diff import Bump, Mode
from tessera_gql.policy.compatibility import Terms, judge, next_version, summarize_changes
from tessera_gql.policy.enums import ChangeType
from tests.policy.test_affected_teams import change

COLUMNS = ("a", "b", "c", "d")
DAILY: dict[str, Any] = {"freshness": {"error_after": {"count": 24, "period": "hour"}}}
HOURLY: dict[str, Any] = {"freshness": {"error_after": {"count": 1, "period": "hour"}}}


def schema(columns: frozenset[str] = frozenset("ab"), **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string"} for name in sorted(columns)}, **more}


def terms(
    columns: str = "ab", guarantees: dict[str, Any] | None = None, mode: Mode = Mode.BACKWARD, **more: Any
) -> Terms:
    return Terms(schema(frozenset(columns), **more), guarantees, mode)


anything = st.builds(
    terms, st.sets(st.sampled_from(COLUMNS)).map("".join), st.sampled_from([None, DAILY, HOURLY]), st.sampled_from(Mode)
)


def test_the_first_terms_break_nothing_and_are_judged_by_their_own_mode() -> None:
    found = judge(None, terms(mode=Mode.FULL))
    assert (found.is_first, found.breaking, found.change_type, found.mode) == (True, (), ChangeType.INITIAL, Mode.FULL)


@given(anything)
def test_the_same_terms_are_unchanged_whatever_the_order_of_keys(offered: Terms) -> None:
    reordered = {key: offered.schema[key] for key in reversed(offered.schema)}
    assert judge(offered, Terms(reordered, offered.guarantees, offered.mode)).is_unchanged


@given(anything, anything)
def test_the_mode_that_judges_is_the_current_one(current: Terms, offered: Terms) -> None:
    found = judge(current, offered)
    assert found.mode is current.mode
    other = judge(current, Terms(offered.schema, offered.guarantees, Mode.NONE))
    assert other.breaking == found.breaking


@given(anything, anything)
def test_breaking_and_major_are_the_same_and_breaking_changes_are_among_the_changes(
    current: Terms, offered: Terms
) -> None:
    found = judge(current, offered)
    assert (found.bump is Bump.MAJOR) == bool(found.breaking)
    assert all(one in found.changes for one in found.breaking)
    assert found.is_unchanged == (current.fingerprint == offered.fingerprint)


@given(anything, anything)
def test_under_none_nothing_breaks(current: Terms, offered: Terms) -> None:
    assert not judge(Terms(current.schema, current.guarantees, Mode.NONE), offered).breaking


@pytest.mark.parametrize(
    ("offered", "change_type", "breaks"),
    [
        (terms("abc"), ChangeType.MINOR, False),
        (terms("a"), ChangeType.MAJOR, True),
        (terms("ab", DAILY, description="orders"), ChangeType.PATCH, False),
        (terms("ab", DAILY, Mode.NONE), ChangeType.PATCH, False),
        (terms("ab", HOURLY), ChangeType.MINOR, False),
        (terms("ab", HOURLY, description="orders"), ChangeType.MINOR, False),
        (terms("ab", None), ChangeType.MAJOR, True),
        (terms("abc", {"freshness": {"error_after": {"count": 48, "period": "hour"}}}), ChangeType.MAJOR, True),
    ],
)
def test_additive_is_minor_breaking_is_major_and_the_rest_a_patch(
    offered: Terms, change_type: ChangeType, *, breaks: bool
) -> None:
    found = judge(terms("ab", DAILY), offered if offered.guarantees or breaks else terms("abc", DAILY))
    assert (found.change_type, bool(found.breaking)) == (change_type, breaks)


@given(anything, anything)
def test_the_next_version_is_higher(current: Terms, offered: Terms) -> None:
    assert next_version(None, "1.2.3", judge(current, offered)) in {"1.2.4", "1.3.0", "2.0.0"}


def test_guarantees_and_mode_are_part_of_the_fingerprint_and_not_of_the_schemas_hash() -> None:
    one, other, third = terms(), terms(guarantees=DAILY), terms(mode=Mode.FULL)
    assert len({one.fingerprint, other.fingerprint, third.fingerprint}) == 3
    assert one.schema_hash == other.schema_hash == third.schema_hash


@pytest.mark.parametrize("number", [0, 1, 20, 21, 25])
def test_a_long_summary_is_cut_and_says_so(number: int) -> None:
    told = summarize_changes(tuple(change(f"c{place}") for place in range(number)))
    assert len(told) == min(number, 21)
    assert (told[-1:] == (f"and {number - 20} more",)) == (number > 20)
