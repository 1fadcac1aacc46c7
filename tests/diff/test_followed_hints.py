"""All hints of a change followed together avoid what they avoid one by one."""

from typing import Any

import pytest

from tessera_gql.diff import Bump, Mode, compare, follow_hints

OLD: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "note": {"type": "string"},
        "total": {"type": "number", "minimum": 0},
        "state": {"enum": ["open", "closed"]},
        "address": {"type": "object", "properties": {"city": {"type": "string"}, "street": {"type": "string"}}},
    },
    "required": ["id", "note"],
}


def changed(**properties: Any) -> dict[str, Any]:
    """The old schema with other properties; those that are None are removed."""
    columns = {name: value for name, value in {**OLD["properties"], **properties}.items() if value is not None}
    return {**OLD, "properties": columns, "required": [name for name in OLD["required"] if name in columns]}


@pytest.mark.parametrize(
    "new",
    [
        changed(note=None),
        changed(note=None, total=None, state=None),
        changed(id={"type": "string"}, note=None),
        changed(state={"enum": ["open"]}, note=None),
        changed(address={"type": "object", "properties": {}}, note=None),
    ],
    ids=["one", "several of one table", "a type", "a value", "a nested one"],
)
@pytest.mark.parametrize("mode", [Mode.BACKWARD, Mode.CONSUMER])
def test_the_followed_hints_break_nothing(new: dict[str, Any], mode: Mode) -> None:
    before = compare(OLD, new)
    assert before.breaking_changes(mode)
    followed = follow_hints(OLD, new, mode)
    after = compare(OLD, followed)
    assert after.breaking_changes(mode) == ()
    assert after.bump(mode) in (Bump.NONE, Bump.PATCH, Bump.MINOR)


def test_what_the_producer_adds_stays() -> None:
    followed: Any = follow_hints(OLD, changed(note=None, channel={"type": "string"}), Mode.CONSUMER)
    assert {"note", "channel"} <= followed["properties"].keys()
    assert followed["properties"]["note"] == {"type": "string", "deprecated": True}


def test_without_a_break_or_a_hint_there_is_nothing_to_follow() -> None:
    assert follow_hints(OLD, OLD, Mode.BACKWARD) is None
    assert follow_hints(OLD, changed(channel={"type": "string"}), Mode.BACKWARD) is None
    assert follow_hints(True, False, Mode.BACKWARD) is None
