"""The status of a proposal is a function of its answers and the time."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.policy.enums import OPEN_STATUSES, ProposalStatus, Response
from tessera_gql.policy.proposal_status import TeamResponse, compute_status, compute_status_or_expiry, is_consent

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

moments = st.integers(-10, 10).map(lambda hours: NOW + hours * HOUR)
migrating = st.builds(TeamResponse, st.just(Response.MIGRATING), moments)
other_answers = st.builds(TeamResponse, st.sampled_from([None, Response.APPROVED, Response.BLOCKED]))
answers = st.lists(st.one_of(migrating, other_answers), max_size=6)

SILENT, YES, NO = TeamResponse(None), TeamResponse(Response.APPROVED), TeamResponse(Response.BLOCKED)
SOON, ARRIVED = TeamResponse(Response.MIGRATING, NOW + HOUR), TeamResponse(Response.MIGRATING, NOW)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ([], ProposalStatus.APPROVED),
        ([YES, YES], ProposalStatus.APPROVED),
        ([YES, ARRIVED], ProposalStatus.APPROVED),
        ([YES, SOON], ProposalStatus.PENDING),
        ([SOON, SOON], ProposalStatus.PENDING),
        ([YES, SILENT], ProposalStatus.PENDING),
        ([SILENT], ProposalStatus.PENDING),
        ([NO], ProposalStatus.REJECTED),
        ([YES, SILENT, SOON, NO], ProposalStatus.REJECTED),
    ],
)
def test_the_table_of_the_domain(given_: list[TeamResponse], expected: ProposalStatus) -> None:
    for order in itertools.permutations(given_):
        assert compute_status(order, NOW) is expected


@given(answers, st.randoms())
def test_the_order_of_answers_does_not_matter(given_: list[TeamResponse], random: object) -> None:
    shuffled = list(given_)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # Hypothesis' own random
    assert compute_status(shuffled, NOW) is compute_status(given_, NOW)


@given(answers)
def test_blocked_dominates_all_other_answers(given_: list[TeamResponse]) -> None:
    assert compute_status([*given_, NO], NOW) is ProposalStatus.REJECTED


@given(answers)
def test_a_team_that_agrees_changes_nothing_for_the_others(given_: list[TeamResponse]) -> None:
    assert compute_status([*given_, YES], NOW) is compute_status(given_, NOW)


@given(answers)
def test_silence_is_never_consent(given_: list[TeamResponse]) -> None:
    assert compute_status([*given_, SILENT], NOW) is not ProposalStatus.APPROVED


@given(answers, moments, moments)
def test_time_alone_only_ever_turns_pending_into_approved(
    given_: list[TeamResponse], one: datetime, other: datetime
) -> None:
    before, after = compute_status(given_, min(one, other)), compute_status(given_, max(one, other))
    assert before is after or (before, after) == (ProposalStatus.PENDING, ProposalStatus.APPROVED)


@given(answers, moments)
def test_approved_means_that_everyone_consents(given_: list[TeamResponse], now: datetime) -> None:
    assert (compute_status(given_, now) is ProposalStatus.APPROVED) == all(is_consent(one, now) for one in given_)


@given(answers, moments, moments)
def test_before_its_expiry_a_proposal_does_not_expire(
    given_: list[TeamResponse], expires_at: datetime, now: datetime
) -> None:
    if now < expires_at:
        assert compute_status_or_expiry(given_, expires_at, now) is compute_status(given_, now)


@given(answers, moments, moments, moments)
def test_an_expired_proposal_stays_expired(
    given_: list[TeamResponse], expires_at: datetime, one: datetime, other: datetime
) -> None:
    if compute_status_or_expiry(given_, expires_at, min(one, other)) is ProposalStatus.EXPIRED:
        assert compute_status_or_expiry(given_, expires_at, max(one, other)) is ProposalStatus.EXPIRED


@given(answers, moments, moments)
def test_a_proposal_approved_in_time_never_expires(
    given_: list[TeamResponse], expires_at: datetime, now: datetime
) -> None:
    if compute_status(given_, expires_at) is ProposalStatus.APPROVED:
        assert compute_status_or_expiry(given_, expires_at, now) in {ProposalStatus.APPROVED, ProposalStatus.PENDING}


def test_exactly_at_its_end_a_proposal_is_approved_by_a_deadline_of_that_moment_and_expired_otherwise() -> None:
    assert compute_status_or_expiry([ARRIVED], NOW, NOW) is ProposalStatus.APPROVED
    assert compute_status_or_expiry([SOON], NOW, NOW) is ProposalStatus.EXPIRED
    assert compute_status_or_expiry([NO], NOW, NOW) is ProposalStatus.EXPIRED


def test_a_migration_without_a_deadline_never_becomes_consent() -> None:
    assert not is_consent(TeamResponse(Response.MIGRATING), datetime.max.replace(tzinfo=UTC))


def test_three_statuses_are_open_and_four_are_ends() -> None:
    assert [status for status in ProposalStatus if status.is_open] == list(OPEN_STATUSES)
    assert len([status for status in ProposalStatus if not status.is_open]) == 4
