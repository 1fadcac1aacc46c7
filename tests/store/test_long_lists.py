"""What is remembered about long lists is bounded, and forgotten after a while and with a write."""

import pytest

from tessera_gql.store import long_lists
from tessera_gql.store.long_lists import LongLists


def test_a_long_list_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = LongLists()
    remembered.add("assets")
    assert "assets" in remembered
    assert "teams" not in remembered
    now = long_lists.time.monotonic()
    monkeypatch.setattr(long_lists.time, "monotonic", lambda: now + long_lists.LIFETIME_SECONDS + 1)
    assert "assets" not in remembered


def test_only_the_latest_long_lists_are_remembered() -> None:
    remembered = LongLists()
    for number in range(long_lists.MAX_LISTS + 1):
        remembered.add(number)
    remembered.add(1)
    remembered.add("another")
    assert 0 not in remembered
    assert 1 in remembered
    assert 2 not in remembered
    remembered.clear()
    assert 1 not in remembered
