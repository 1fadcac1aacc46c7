"""Answers to stored changes are carried over only if what breaks today was asked about then."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tessera_gql.diff import Mode, compare
from tessera_gql.policy.compatibility import Terms, judge
from tessera_gql.policy.fingerprints import are_fingerprints_current, renew_fingerprints

OLD = Terms({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}, None, Mode.BACKWARD)
NEW = Terms({"type": "object", "properties": {}}, None, Mode.BACKWARD)


def stored(prefix: str = "old-") -> list[dict[str, Any]]:
    """The breaking changes as another version stored them: `old-a` and `old-b`."""
    return [{**change.as_json(), "fingerprint": prefix + change.path} for change in judge(OLD, NEW).breaking]


def fingerprints() -> Mapping[str, str]:
    return {change.path: change.fingerprint for change in judge(OLD, NEW).breaking}


def test_each_team_keeps_the_changes_that_it_was_asked_about() -> None:
    renewed = renew_fingerprints(OLD, NEW, stored())
    assert renewed is not None
    assert renewed.covers([["old-a", "old-b"], ["old-b"]])
    assert renewed.changes == judge(OLD, NEW).breaking
    assert renewed.renew(["old-b", "old-a"]) == [fingerprints()["a"], fingerprints()["b"]]
    assert renewed.renew(["old-b"]) == [fingerprints()["b"]]
    assert renewed.renew(["old-c"]) == []


def test_the_stored_evidence_stays() -> None:
    records = stored()
    records[0] |= {"certainty": "PROVEN", "counterexample": {"a": "stored"}, "hint": "keep it"}
    renewed = renew_fingerprints(OLD, NEW, records)
    assert renewed is not None
    assert (renewed.changes[0].counterexample, renewed.changes[0].hint) == ({"a": "stored"}, "keep it")


def test_a_stored_change_that_no_longer_breaks_is_dropped_and_covers_no_team_that_was_asked_only_about_it() -> None:
    narrower = replace(NEW, schema={"type": "object", "properties": {"b": {"type": "string"}}})
    renewed = renew_fingerprints(OLD, narrower, stored())
    assert renewed is not None
    assert [change.path for change in renewed.changes] == ["a"]
    assert renewed.covers([["old-a", "old-b"], ["old-a"]])
    assert not renewed.covers([["old-a"], ["old-b"]])


@pytest.mark.parametrize(
    "proposed",
    [
        replace(NEW, mode=Mode.NONE),
        replace(NEW, schema={"type": "object", "properties": {}, "required": ["c"]}),
        replace(NEW, schema={"type": "no such type"}),
        replace(NEW, schema=[]),
    ],
)
def test_nothing_is_carried_over_to_terms_that_break_more_or_can_not_be_compared(proposed: Terms) -> None:
    assert renew_fingerprints(OLD, proposed, stored()) is None


def test_two_stored_changes_that_are_one_today_carry_both_answers() -> None:
    records = [*stored(), {**stored()[0], "fingerprint": "old-a2", "before": "something else"}]
    renewed = renew_fingerprints(OLD, NEW, records)
    assert renewed is not None
    assert renewed.renew(["old-a2"]) == renewed.renew(["old-a"]) == [fingerprints()["a"]]


def test_fingerprints_are_current_by_their_version() -> None:
    changes = [change.as_json() for change in compare(OLD.schema, NEW.schema).changes]
    assert are_fingerprints_current(changes)
    assert are_fingerprints_current([])
    assert not are_fingerprints_current([*changes, *stored("1:")])
