"""The status of a proposal is a function of its answers and the time."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.errors import Conflict, Invalid
from tessera_gql.policy.enums import OPEN_STATUSES, ProposalStatus, Response
from tessera_gql.policy.proposal_status import (
    MAX_LIFETIME,
    Revision,
    TeamResponse,
    choose_expiry,
    choose_migration_deadline,
    compute_status,
    compute_status_or_expiry,
    is_consent,
    next_status,
    require_open,
    revise_request,
)

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


@pytest.mark.parametrize(
    ("before", "answers_", "expected"),
    [
        (ProposalStatus.PENDING, [SILENT], ProposalStatus.EXPIRED),
        (ProposalStatus.REJECTED, [NO], ProposalStatus.EXPIRED),
        (ProposalStatus.PENDING, [ARRIVED], ProposalStatus.APPROVED),
        (ProposalStatus.APPROVED, [YES], ProposalStatus.APPROVED),
        (ProposalStatus.APPROVED, [SILENT], ProposalStatus.PENDING),
        (ProposalStatus.APPROVED, [NO], ProposalStatus.REJECTED),
        (ProposalStatus.WITHDRAWN, [YES], ProposalStatus.WITHDRAWN),
        (ProposalStatus.PUBLISHED, [NO], ProposalStatus.PUBLISHED),
    ],
)
def test_at_its_end_a_proposal_expires_unless_it_is_approved_or_has_ended(
    before: ProposalStatus, answers_: list[TeamResponse], expected: ProposalStatus
) -> None:
    assert next_status(before, answers_, NOW, NOW) is expected


@pytest.mark.parametrize(
    ("before", "after", "is_released", "expected"),
    [
        (["a"], None, False, Revision.RELEASE),
        (["a"], None, True, Revision.KEEP),
        (["a", "b"], ["a", "b"], False, Revision.KEEP),
        (["a", "b"], ["a"], False, Revision.NARROW),
        (["a"], ["a", "b"], False, Revision.ASK_AGAIN),
        (["a"], ["a"], True, Revision.ASK_AGAIN),
    ],
)
def test_a_team_is_asked_again_about_further_changes_and_after_a_release(
    before: list[str], after: list[str] | None, is_released: bool, expected: Revision
) -> None:
    assert revise_request(before, after, is_released=is_released) is expected


@pytest.mark.parametrize("end", [NOW - HOUR, NOW, NOW + MAX_LIFETIME + HOUR])
def test_an_expiry_that_has_passed_or_is_too_far_away_is_refused(end: datetime) -> None:
    with pytest.raises(Invalid, match="within the next 366 days"):
        choose_expiry(end, NOW)


def test_without_a_requested_end_a_proposal_expires_after_thirty_days() -> None:
    assert choose_expiry(None, NOW) == NOW + timedelta(days=30)
    assert choose_expiry(NOW + MAX_LIFETIME, NOW) == NOW + MAX_LIFETIME


@pytest.mark.parametrize("deadline", [None, NOW])
def test_a_migration_needs_a_deadline_that_lies_ahead(deadline: datetime | None) -> None:
    with pytest.raises(Invalid):
        choose_migration_deadline(TeamResponse(Response.MIGRATING, deadline), NOW)


def test_only_a_migration_keeps_its_deadline() -> None:
    assert choose_migration_deadline(SOON, NOW) == NOW + HOUR
    assert choose_migration_deadline(TeamResponse(Response.APPROVED, NOW), NOW) is None


@pytest.mark.parametrize("status", ProposalStatus)
def test_a_proposal_that_has_ended_is_refused(status: ProposalStatus) -> None:
    if status.is_open:
        require_open(status, NOW, None)
    else:
        with pytest.raises(Conflict, match="2026-01-01 00:00 UTC"):
            require_open(status, NOW, NOW)
