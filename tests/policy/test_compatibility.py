"""The outcome of a publish is decided by comparing the two sets of terms."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.diff import Bump, Change, Mode
from tessera_gql.policy.compatibility import (
    Judgement,
    Terms,
    decide_outcome,
    find_stale_reason,
    judge,
    next_version,
    summarize_changes,
)
from tessera_gql.policy.enums import ChangeType, Outcome
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
    judgement = judge(None, terms(mode=Mode.FULL))
    assert (judgement.is_first, judgement.breaking, judgement.change_type, judgement.mode) == (
        True,
        (),
        ChangeType.INITIAL,
        Mode.FULL,
    )


@given(anything)
def test_the_same_terms_are_unchanged_whatever_the_order_of_keys(proposed: Terms) -> None:
    reordered = {key: proposed.schema[key] for key in reversed(proposed.schema)}
    assert judge(proposed, Terms(reordered, proposed.guarantees, proposed.mode)).is_unchanged


@given(anything, anything)
def test_the_current_mode_decides(current: Terms, proposed: Terms) -> None:
    judgement = judge(current, proposed)
    assert judgement.mode is current.mode
    under_none = judge(current, Terms(proposed.schema, proposed.guarantees, Mode.NONE))
    assert under_none.breaking == judgement.breaking


@given(anything, anything)
def test_breaking_and_major_are_the_same_and_breaking_changes_are_among_the_changes(
    current: Terms, proposed: Terms
) -> None:
    judgement = judge(current, proposed)
    assert (judgement.bump is Bump.MAJOR) == bool(judgement.breaking)
    assert all(change in judgement.changes for change in judgement.breaking)
    assert judgement.is_unchanged == (current.fingerprint == proposed.fingerprint)


@given(anything, anything)
def test_in_mode_none_nothing_breaks(current: Terms, proposed: Terms) -> None:
    assert not judge(Terms(current.schema, current.guarantees, Mode.NONE), proposed).breaking


@pytest.mark.parametrize(
    ("proposed", "change_type", "breaks"),
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
    proposed: Terms, change_type: ChangeType, *, breaks: bool
) -> None:
    judgement = judge(terms("ab", DAILY), proposed if proposed.guarantees or breaks else terms("abc", DAILY))
    assert (judgement.change_type, bool(judgement.breaking)) == (change_type, breaks)


@given(anything, anything)
def test_the_next_version_is_higher(current: Terms, proposed: Terms) -> None:
    assert next_version(None, "1.2.3", judge(current, proposed)) in {"1.2.4", "1.3.0", "2.0.0"}


def test_guarantees_and_mode_are_part_of_the_fingerprint_and_not_of_the_schemas_hash() -> None:
    first, second, third = terms(), terms(guarantees=DAILY), terms(mode=Mode.FULL)
    assert len({first.fingerprint, second.fingerprint, third.fingerprint}) == 3
    assert first.schema_hash == second.schema_hash == third.schema_hash


@pytest.mark.parametrize("number", [0, 1, 20, 21, 25])
def test_a_long_summary_is_cut_with_the_number_of_omitted_changes(number: int) -> None:
    summaries = summarize_changes(tuple(change(f"c{place}") for place in range(number)))
    assert len(summaries) == min(number, 21)
    assert (summaries[-1:] == (f"and {number - 20} more",)) == (number > 20)


@pytest.mark.parametrize(
    ("judgement", "force", "expected"),
    [
        (Judgement(is_unchanged=True), True, Outcome.UNCHANGED),
        (Judgement(is_first=True), False, Outcome.PUBLISHED),
        (Judgement(), True, Outcome.PUBLISHED),
        (Judgement(breaking=(change("a"),)), False, Outcome.PROPOSED),
        (Judgement(breaking=(change("a"),)), True, Outcome.FORCED),
    ],
)
def test_only_breaking_changes_are_proposed_or_forced(judgement: Judgement, force: bool, expected: Outcome) -> None:
    assert decide_outcome(judgement, force=force) is expected


@pytest.mark.parametrize(
    ("breaking", "approved", "proposed_version", "reason"),
    [
        ([change("a")], [change("a")], "2.0.0", None),
        ([change("a"), change("b")], [change("a")], "2.0.0", "since version 1.1.0 it also breaks"),
        ([change("a")], [change("a")], "1.1.0", "version 1.1.0 was published meanwhile and 1.1.0 does not follow it"),
    ],
)
def test_approved_terms_are_stale_after_another_break_or_a_higher_version(
    breaking: list[Change], approved: list[Change], proposed_version: str, reason: str | None
) -> None:
    judgement = Judgement(breaking=tuple(breaking), bump=Bump.MAJOR)
    fingerprints = {item.fingerprint for item in approved}
    stale = find_stale_reason(judgement, fingerprints, proposed_version, "1.1.0")
    assert stale is None if reason is None else stale is not None and reason in stale
