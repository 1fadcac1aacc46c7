"""The outcome of a publish is decided by comparing the two sets of terms."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.diff import Bump, Change, ChangeKind, Mode, SchemaError
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.compatibility import (
    Judgement,
    Terms,
    allow_higher_version,
    decide_outcome,
    find_further_breaks,
    follow_version,
    judge,
    next_version,
    summarize_changes,
    validate_schema,
    waive_move_to_consumer,
)
from tessera_gql.policy.enums import ChangeType, Intent, Outcome
from tessera_gql.policy.modes import is_weaker
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


ADMIN, OWNER = Actor("admin", scopes=frozenset(Scope)), Actor("owner", scopes=frozenset({Scope.WRITE}))


def without_mode(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    return tuple(change for change in changes if change.kind is not ChangeKind.MODE_WEAKENED)


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
    assert judgement.breaking == tuple(change for change in judgement.changes if current.mode in change.breaks)
    with_mode_of_current = judge(current, replace(proposed, mode=current.mode))
    assert with_mode_of_current.breaking == without_mode(judgement.breaking)


@given(anything, anything)
def test_a_weaker_mode_breaks_beside_what_else_breaks(current: Terms, proposed: Terms) -> None:
    judgement = judge(current, proposed)
    weakened = [change for change in judgement.breaking if change.kind is ChangeKind.MODE_WEAKENED]
    assert bool(weakened) == is_weaker(current.mode, proposed.mode)


@given(anything, anything)
def test_breaking_and_major_are_the_same_and_breaking_changes_are_among_the_changes(
    current: Terms, proposed: Terms
) -> None:
    judgement = judge(current, proposed)
    modes = {Mode.BACKWARD, Mode.CONSUMER} if current.mode is Mode.NONE else {current.mode}
    assert (judgement.bump is Bump.MAJOR) == any(modes & change.breaks for change in judgement.changes)
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
        (terms("ab", DAILY, Mode.FULL), ChangeType.PATCH, False),
        (terms("ab", DAILY, Mode.NONE), ChangeType.MAJOR, True),
        (terms("ab", DAILY, Mode.CONSUMER), ChangeType.MAJOR, True),
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


@pytest.mark.parametrize(
    ("proposed", "bump"),
    [
        (terms("a"), Bump.MAJOR),
        (terms("abc"), Bump.MINOR),
        (terms("ab", DAILY), Bump.MINOR),
        (terms("ab", description="orders"), Bump.PATCH),
        (terms("ab", mode=Mode.BACKWARD), Bump.NONE),
    ],
)
def test_under_none_the_version_says_what_a_reader_of_either_kind_loses(proposed: Terms, bump: Bump) -> None:
    judgement = judge(terms(mode=Mode.NONE), proposed)
    assert (judgement.breaking, judgement.bump) == ((), bump)


@pytest.mark.parametrize("mode", [Mode.BACKWARD, Mode.FORWARD, Mode.FULL])
def test_an_administrator_moves_to_consumer_without_asking(mode: Mode) -> None:
    judgement = judge(terms(mode=mode), terms(mode=Mode.CONSUMER))
    assert [change.message for change in judgement.breaking] == [
        f"The compatibility mode was weakened from {mode} to CONSUMER."
    ]
    waived = waive_move_to_consumer(judgement, ADMIN)
    assert (waived.breaking, waived.is_waived, waived.bump) == ((), True, Bump.NONE)
    assert waived.changes == judgement.changes
    assert waive_move_to_consumer(judgement, OWNER) is judgement


@pytest.mark.parametrize("proposed", [terms(mode=Mode.NONE), terms("a", mode=Mode.CONSUMER), terms("a")])
def test_an_administrator_asks_about_every_other_break(proposed: Terms) -> None:
    judgement = judge(terms(), proposed)
    assert judgement.breaking
    assert waive_move_to_consumer(judgement, ADMIN) is judgement


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
    ("judgement", "expected"),
    [
        (Judgement(is_unchanged=True), Outcome.UNCHANGED),
        (Judgement(is_first=True), Outcome.COMPATIBLE),
        (Judgement(), Outcome.COMPATIBLE),
        (Judgement(breaking=(change("a"),)), Outcome.PROPOSED),
    ],
)
def test_an_ask_never_publishes(judgement: Judgement, expected: Outcome) -> None:
    assert decide_outcome(judgement, intent=Intent.ASK) is expected


@pytest.mark.parametrize(
    ("breaking", "proposed", "further"),
    [
        ([change("a")], [change("a")], []),
        ([change("a"), change("b")], [change("a")], [change("b")]),
        ([change("a")], [change("a"), change("b")], []),
    ],
)
def test_further_breaks_are_those_that_the_proposal_lacks(
    breaking: list[Change], proposed: list[Change], further: list[Change]
) -> None:
    judgement = Judgement(breaking=tuple(breaking), bump=Bump.MAJOR)
    assert list(find_further_breaks(judgement, {item.fingerprint for item in proposed})) == further


@pytest.mark.parametrize(
    ("proposed_version", "current", "version"),
    [("2.0.0", "1.1.0", "2.0.0"), ("2.0.0", "2.0.0", "3.0.0"), ("2.0.0-rc.1", "1.9.0", "2.0.0-rc.1")],
)
def test_a_proposed_version_stays_unless_it_is_taken(proposed_version: str, current: str, version: str) -> None:
    assert follow_version(proposed_version, current, Judgement(bump=Bump.MAJOR)) == version


@pytest.mark.parametrize(
    ("given_version", "current", "is_unchanged"),
    [("2.0.0", "2.0.0-rc.1", False), ("1.0.0", "1.0.0", True), ("0.9.0", "1.0.0", True), (None, "1.0.0", True)],
)
def test_only_a_higher_version_changes_unchanged_terms(
    given_version: str | None, current: str, is_unchanged: bool
) -> None:
    judgement = allow_higher_version(Judgement(is_unchanged=True), given_version, current)
    assert judgement.is_unchanged is is_unchanged


@pytest.mark.parametrize(
    ("highest", "version"), [(None, "1.0.0"), ("1.4.2", "2.0.0"), ("3.1.0-rc.1", "4.0.0"), ("2.0.0-rc.1", "2.0.0")]
)
def test_the_first_contract_after_a_retired_one_takes_the_next_major(highest: str | None, version: str) -> None:
    assert next_version(None, highest, Judgement(is_first=True)) == version


def test_a_text_that_utf8_cannot_store_is_refused() -> None:
    with pytest.raises(SchemaError, match="lone surrogate"):
        validate_schema({"title": "\ud800"})


def events(*kinds: str) -> Terms:
    alternatives = [{"properties": {"kind": {"const": kind}}, "required": ["kind"]} for kind in kinds]
    return Terms({"properties": {"e": {"type": "object", "anyOf": alternatives}}}, None, Mode.BACKWARD)


def test_approved_terms_are_stale_when_they_remove_an_alternative_that_was_added_meanwhile() -> None:
    approved = {item.fingerprint for item in judge(events("A", "B", "C"), events("A", "B")).breaking}
    assert judge(events("A", "B", "C"), events("A", "B", "C", "D")).breaking == ()
    judgement = judge(events("A", "B", "C", "D"), events("A", "B"))
    further = find_further_breaks(judgement, approved)
    assert [item.message for item in further] == ["e: 2 alternatives were removed."]


def addresses(zip_type: str, *names: str) -> Terms:
    definitions = {"Address": {"type": "object", "properties": {"zip": {"type": zip_type}}}}
    properties = {name: {"$ref": "#/$defs/Address"} for name in names}
    return Terms({"type": "object", "properties": properties, "$defs": definitions}, None, Mode.BACKWARD)


def test_approved_terms_are_stale_when_a_definition_that_they_change_is_used_by_another_column_meanwhile() -> None:
    proposed = addresses("integer", "billing", "shipping")
    approved = {item.fingerprint for item in judge(addresses("string", "billing"), proposed).breaking}
    judgement = judge(addresses("string", "billing", "shipping"), proposed)
    further = find_further_breaks(judgement, approved)
    assert [item.message for item in further] == ["billing.zip: type changed from string to integer."]
