"""When to try again, when to give up, and what a webhook gets."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.policy.delivery import Backoff, next_attempt, wants

START = datetime(2026, 1, 1, tzinfo=UTC)


def attempts(plan: Backoff, roll: float) -> list[datetime]:
    found = [START]
    while due := next_attempt(plan, failures=len(found), since=START, now=found[-1], roll=roll):
        found.append(due)
    return found


@given(st.floats(min_value=0, max_value=0.999))
def test_attempts_spread_over_a_day_and_then_end(roll: float) -> None:
    made = attempts(Backoff(), roll)
    assert 10 <= len(made) <= 20
    assert timedelta(hours=18) < made[-1] - START < timedelta(days=1)
    waits = [later - earlier for earlier, later in pairwise(made)]
    assert waits == sorted(waits)
    assert waits[0] < timedelta(seconds=10)


def test_a_crowd_that_failed_together_does_not_come_back_together() -> None:
    early, late = (next_attempt(Backoff(), failures=5, since=START, now=START, roll=roll) for roll in (0, 0.99))
    assert early is not None
    assert late is not None
    assert (late - START) / (early - START) > 1.5


def test_a_filter_lets_through_its_kinds_and_a_team_what_concerns_it() -> None:
    mine, other = uuid4(), uuid4()
    assert wants(None, None, kind="TEAM_CREATED", concerned=[])
    assert wants(["TEAM_CREATED"], mine, kind="TEAM_CREATED", concerned=[str(mine)])
    assert not wants(["TEAM_CREATED"], mine, kind="TEAM_CREATED", concerned=[str(other)])
    assert not wants(["TEAM_CREATED"], None, kind="TEAM_UPDATED", concerned=[])


def test_a_failed_delivery_is_never_itself_delivered() -> None:
    for kinds in (None, ["WEBHOOK_DELIVERY_FAILED"]):
        assert not wants(kinds, None, kind="WEBHOOK_DELIVERY_FAILED", concerned=[])
