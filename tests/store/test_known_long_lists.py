"""What is known about long lists is bounded, and forgotten after a while and with a write."""

import pytest

from tessera_gql.store import long_lists
from tessera_gql.store.long_lists import LongLists


def test_a_long_list_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    known = LongLists()
    known.add("assets")
    assert "assets" in known
    assert "teams" not in known
    now = long_lists.time.monotonic()
    monkeypatch.setattr(long_lists.time, "monotonic", lambda: now + long_lists.LIFETIME_SECONDS + 1)
    assert "assets" not in known


def test_only_the_latest_long_lists_are_remembered() -> None:
    known = LongLists()
    for number in range(long_lists.MAX_LISTS + 1):
        known.add(number)
    known.add(1)
    known.add("another")
    assert 0 not in known
    assert 1 in known
    assert 2 not in known
    known.clear()
    assert 1 not in known
