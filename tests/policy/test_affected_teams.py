"""The teams that a change affects are never too few, and as few as the field paths allow."""

import string
from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.diff import Change, ChangeKind, Mode
from tessera_gql.errors import Invalid
from tessera_gql.policy.affected_teams import (
    FieldReader,
    Reasons,
    find_affected_teams,
    require_declared_paths,
    split_path,
)

names = st.text(string.ascii_lowercase, min_size=1, max_size=3)
ends = st.sampled_from(["", "[]", "[][]"])
paths = st.lists(st.tuples(names, ends), min_size=1, max_size=4).map(lambda parts: ".".join(a + b for a, b in parts))
odd = st.text(max_size=12)
TEAMS = [UUID(int=number) for number in range(5)]


def paths_overlap(field: str, path: str) -> bool:
    """Whether one path is a prefix of the other."""
    field_steps, path_steps = split_path(field), split_path(path)
    length = min(len(field_steps), len(path_steps))
    return field_steps[:length] == path_steps[:length]


def is_affected(change: Change, fields: Sequence[str] | None) -> bool:
    """Whether the change affects a reader of `fields` (None: all fields). A rename matches under both names."""
    if fields is None or not change.fields:
        return True
    return any(paths_overlap(field, path) for field in fields for path in change.fields)


def change(*fields: str, kind: ChangeKind = ChangeKind.PROPERTY_REMOVED) -> Change:
    return Change(
        kind=kind,
        pointer="/" + "/".join(fields),
        path=fields[0] if fields else "",
        fields=fields,
        before=None,
        after=None,
        breaks=frozenset({Mode.BACKWARD}),
        message=f"{fields} is gone.",
    )


changes = st.lists(st.lists(paths, min_size=1, max_size=2).map(lambda fields: change(*fields)), max_size=4)
readers = st.lists(
    st.builds(
        FieldReader, st.sampled_from(TEAMS), st.one_of(st.none(), st.lists(paths, min_size=1, max_size=3).map(tuple))
    ),
    max_size=8,
)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("items", "items", True),
        ("items", "items[].sku", True),
        ("items[]", "items[].sku", True),
        ("items[].sku", "items[].price", False),
        ("items", "item", False),
        ("item", "items", False),
        ("a.b", "a", True),
        ("a.b", "a.bc", False),
        ("a.b", "b", False),
        ("matrix[][]", "matrix[]", True),
        ("", "anything", True),
    ],
)
def test_paths_meet_when_one_is_a_prefix_of_the_other(one: str, other: str, *, expected: bool) -> None:
    assert paths_overlap(one, other) is paths_overlap(other, one) is expected


@given(odd, odd)
def test_meeting_is_symmetric(one: str, other: str) -> None:
    assert paths_overlap(one, other) is paths_overlap(other, one)


@given(odd)
def test_every_path_meets_itself_and_the_root(path: str) -> None:
    assert paths_overlap(path, path)
    assert paths_overlap(path, "")


@given(odd, odd)
def test_a_nested_path_meets_its_parent_whatever_the_names(outer: str, inner: str) -> None:
    for inside in (f"{outer}.{inner}", f"{outer}[]", f"{outer}[].{inner}"):
        assert paths_overlap(outer, inside)


@given(paths, names, names)
def test_siblings_do_not_meet(outer: str, one: str, other: str) -> None:
    assert paths_overlap(f"{outer}.{one}", f"{outer}.{other}") is (one == other)


@given(paths)
def test_a_path_has_a_step_for_each_name_and_element(path: str) -> None:
    assert len(split_path(path)) == path.count(".") + 1 + path.count("[]")


def test_a_rename_touches_readers_of_the_old_and_of_the_new_name() -> None:
    renamed = change("old", "new", kind=ChangeKind.PROPERTY_RENAMED)
    assert is_affected(renamed, ["old"])
    assert is_affected(renamed, ["new.inner"])
    assert not is_affected(renamed, ["other"])


@given(st.lists(paths, min_size=1))
def test_a_change_at_the_root_or_without_a_field_touches_every_reader(fields: list[str]) -> None:
    assert is_affected(change(""), fields)
    assert is_affected(change(), fields)
    assert is_affected(change(""), None)


@given(changes)
def test_a_reader_without_declared_fields_is_touched_by_every_change(changes: list[Change]) -> None:
    assert all(is_affected(change, None) for change in changes)


@given(changes, readers)
def test_asked_and_informed_teams_are_all_readers_except_the_proposer_without_overlap(
    changes: list[Change], live: list[FieldReader]
) -> None:
    result = find_affected_teams(changes, live, TEAMS[0])
    assert TEAMS[0] not in result.asked
    assert not result.informed & result.asked.keys()
    assert result.informed | result.asked.keys() == {reader.team_id for reader in live} - {TEAMS[0]}


@given(changes, readers)
def test_a_team_is_asked_with_exactly_the_changes_that_touch_any_of_its_registrations(
    changes: list[Change], live: list[FieldReader]
) -> None:
    result = find_affected_teams(changes, live, TEAMS[0])
    for team in {reader.team_id for reader in live} - {TEAMS[0]}:
        own = [reader.fields for reader in live if reader.team_id == team]
        reasons = {change.fingerprint for change in changes if any(is_affected(change, fields) for fields in own)}
        asked = result.asked[team] if reasons else Reasons(())
        assert sorted(asked.fingerprints) == sorted(reasons)
        assert asked.reads is None or asked.reads.keys() == reasons
        assert (asked.reads is None) is (None in own or not reasons)


@given(changes, readers)
def test_the_order_of_registrations_changes_nothing(changes: list[Change], live: list[FieldReader]) -> None:
    assert find_affected_teams(changes, live, TEAMS[0]) == find_affected_teams(changes, list(reversed(live)), TEAMS[0])


def test_an_unknown_field_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(Invalid, match=r"no field 'custmer_id'. Nearest: customer_id"):
        require_declared_paths(["order_id", "custmer_id"], ["order_id", "customer_id"])
    with pytest.raises(Invalid, match="declares no fields at all"):
        require_declared_paths(["a"], [])
    require_declared_paths(["order_id"], ["order_id"])


def test_an_unknown_field_of_a_huge_schema_is_refused_at_once() -> None:
    declared = [f"column_number_{number}.inner_{number}" for number in range(20_000)]
    with pytest.raises(Invalid, match="Nearest"):
        require_declared_paths(["column_number_77.iner_77"], declared)
