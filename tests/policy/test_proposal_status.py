"""The status of a proposal follows from the answers, and time ends it."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.errors import Conflict, Invalid
from tessera_gql.policy.affected_teams import LineagePath, Reasons
from tessera_gql.policy.enums import OPEN_STATUSES, OnSilence, ProposalStatus, Response
from tessera_gql.policy.proposal_status import (
    ANSWER_LIFETIME,
    MAX_LIFETIME,
    MIGRATION_GRACE,
    EarlierRequest,
    Revision,
    TeamResponse,
    choose_expiry,
    choose_migration_deadline,
    compute_status,
    is_reusable,
    next_status,
    require_answer,
    require_open,
    revise_request,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

moments = st.integers(-10, 10).map(lambda hours: NOW + hours * HOUR)
migrating = st.builds(TeamResponse, st.just(Response.MIGRATING), moments)
silent = st.builds(TeamResponse, st.just(Response.SILENT), on_silence=st.sampled_from(OnSilence))
other_answers = st.builds(TeamResponse, st.sampled_from([None, Response.APPROVED, Response.BLOCKED]))
answers = st.lists(st.one_of(migrating, silent, other_answers), max_size=6)

UNANSWERED, YES, NO = TeamResponse(None), TeamResponse(Response.APPROVED), TeamResponse(Response.BLOCKED)
SOON, ARRIVED = TeamResponse(Response.MIGRATING, NOW + HOUR), TeamResponse(Response.MIGRATING, NOW)
SILENT_YES = TeamResponse(Response.SILENT, on_silence=OnSilence.APPROVE)
SILENT_NO = TeamResponse(Response.SILENT, on_silence=OnSilence.BLOCK)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ([], ProposalStatus.APPROVED),
        ([YES, YES], ProposalStatus.APPROVED),
        ([YES, SILENT_YES], ProposalStatus.APPROVED),
        ([YES, ARRIVED], ProposalStatus.PENDING),
        ([YES, SOON], ProposalStatus.PENDING),
        ([SILENT_YES, SOON], ProposalStatus.PENDING),
        ([YES, UNANSWERED], ProposalStatus.PENDING),
        ([UNANSWERED], ProposalStatus.PENDING),
        ([NO], ProposalStatus.REJECTED),
        ([YES, SILENT_NO], ProposalStatus.REJECTED),
        ([YES, UNANSWERED, SOON, NO], ProposalStatus.REJECTED),
    ],
)
def test_the_table_of_the_domain(given_: list[TeamResponse], expected: ProposalStatus) -> None:
    for order in itertools.permutations(given_):
        assert compute_status(order) is expected


@given(answers, st.randoms())
def test_the_order_of_answers_does_not_matter(given_: list[TeamResponse], random: object) -> None:
    shuffled = list(given_)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # Hypothesis' own random
    assert compute_status(shuffled) is compute_status(given_)


@given(answers, st.sampled_from([NO, SILENT_NO]))
def test_a_block_dominates_all_other_answers(given_: list[TeamResponse], block: TeamResponse) -> None:
    assert compute_status([*given_, block]) is ProposalStatus.REJECTED


@given(answers, st.sampled_from([YES, SILENT_YES]))
def test_a_team_that_agrees_changes_nothing_for_the_others(given_: list[TeamResponse], consent: TeamResponse) -> None:
    assert compute_status([*given_, consent]) is compute_status(given_)


@given(answers, st.one_of(migrating, st.just(UNANSWERED)))
def test_a_missing_answer_or_a_migration_is_never_consent(given_: list[TeamResponse], item: TeamResponse) -> None:
    assert compute_status([*given_, item]) is not ProposalStatus.APPROVED


@given(answers)
def test_approved_means_that_everyone_consents(given_: list[TeamResponse]) -> None:
    assert (compute_status(given_) is ProposalStatus.APPROVED) == all(item.is_consent for item in given_)


@pytest.mark.parametrize("policy", OnSilence)
def test_silence_means_what_its_policy_says(policy: OnSilence) -> None:
    response = TeamResponse(Response.SILENT, on_silence=policy)
    assert response.is_consent is (policy is OnSilence.APPROVE)
    assert response.is_block is (policy is OnSilence.BLOCK)


@pytest.mark.parametrize("policy", OnSilence)
def test_a_migration_is_no_consent_under_any_policy_and_overdue_from_its_deadline_on(policy: OnSilence) -> None:
    response = TeamResponse(Response.MIGRATING, NOW, policy)
    assert not response.is_consent
    assert response.is_overdue(NOW)
    assert not response.is_overdue(NOW - HOUR)


def test_three_statuses_are_open_and_four_are_ends() -> None:
    assert [status for status in ProposalStatus if status.is_open] == list(OPEN_STATUSES)
    assert len([status for status in ProposalStatus if not status.is_open]) == 4


@pytest.mark.parametrize(
    ("before", "answers_", "expected"),
    [
        (ProposalStatus.PENDING, [UNANSWERED], ProposalStatus.EXPIRED),
        (ProposalStatus.PENDING, [ARRIVED], ProposalStatus.EXPIRED),
        (ProposalStatus.REJECTED, [NO], ProposalStatus.EXPIRED),
        (ProposalStatus.REJECTED, [SILENT_NO], ProposalStatus.EXPIRED),
        (ProposalStatus.PENDING, [SILENT_YES], ProposalStatus.APPROVED),
        (ProposalStatus.APPROVED, [YES], ProposalStatus.APPROVED),
        (ProposalStatus.APPROVED, [UNANSWERED], ProposalStatus.PENDING),
        (ProposalStatus.APPROVED, [NO], ProposalStatus.REJECTED),
        (ProposalStatus.WITHDRAWN, [YES], ProposalStatus.WITHDRAWN),
        (ProposalStatus.PUBLISHED, [NO], ProposalStatus.PUBLISHED),
    ],
)
def test_at_its_end_a_proposal_expires_unless_it_is_approved_or_has_ended(
    before: ProposalStatus, answers_: list[TeamResponse], expected: ProposalStatus
) -> None:
    assert next_status(before, answers_, NOW, NOW) is expected


@given(answers)
def test_before_its_expiry_a_proposal_does_not_expire(given_: list[TeamResponse]) -> None:
    assert next_status(ProposalStatus.PENDING, given_, NOW + HOUR, NOW) is compute_status(given_)


READS = {"a": ("note",), "b": ("total",)}
PATH = LineagePath("a", ())


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (EarlierRequest(["a"], READS), None, Revision.RELEASE),
        (EarlierRequest(["a"], READS, is_released=True), None, Revision.KEEP),
        (EarlierRequest(["a", "b"], READS), Reasons(("a", "b"), READS), Revision.KEEP),
        (EarlierRequest(["a", "b"], READS), Reasons(("a",), {"a": ("note",)}), Revision.NARROW),
        (EarlierRequest(["a"], None), Reasons(("a",), {"a": ("note",)}), Revision.NARROW),
        (EarlierRequest(["a"], READS), Reasons(("a",), READS, (PATH,)), Revision.NARROW),
        (EarlierRequest(["a"], READS), Reasons(("a", "b"), READS), Revision.ASK_AGAIN),
        (EarlierRequest(["a"], READS), Reasons(("a",), {"a": ("note", "note.inner")}), Revision.ASK_AGAIN),
        (EarlierRequest(["a"], READS), Reasons(("a",), None), Revision.ASK_AGAIN),
        (EarlierRequest(["a"], READS, is_released=True), Reasons(("a",), READS), Revision.ASK_AGAIN),
    ],
)
def test_a_team_is_asked_again_if_more_is_at_stake_and_after_a_release(
    before: EarlierRequest, after: Reasons | None, expected: Revision
) -> None:
    assert revise_request(before, after) is expected


@pytest.mark.parametrize(
    ("response", "age", "expected"),
    [
        (YES, timedelta(0), True),
        (NO, ANSWER_LIFETIME - HOUR, True),
        (SOON, timedelta(1), True),
        (YES, ANSWER_LIFETIME, False),
        (ARRIVED, timedelta(1), False),
        (SILENT_YES, timedelta(1), False),
        (SILENT_NO, timedelta(1), False),
    ],
)
def test_an_answer_holds_for_ninety_days_but_silence_and_an_overdue_migration_do_not(
    response: TeamResponse, age: timedelta, *, expected: bool
) -> None:
    assert is_reusable(response, NOW - age, NOW) is expected


@pytest.mark.parametrize("end", [NOW - HOUR, NOW, NOW + MAX_LIFETIME + HOUR])
def test_an_expiry_that_has_passed_or_is_too_far_away_is_refused(end: datetime) -> None:
    with pytest.raises(Invalid, match="within the next 366 days"):
        choose_expiry(end, NOW + HOUR, NOW)


def test_without_a_requested_end_a_proposal_expires_as_the_policy_says() -> None:
    assert choose_expiry(None, NOW + HOUR, NOW) == NOW + HOUR
    assert choose_expiry(NOW + MAX_LIFETIME, NOW + HOUR, NOW) == NOW + MAX_LIFETIME


@pytest.mark.parametrize("deadline", [None, NOW, NOW + MAX_LIFETIME - MIGRATION_GRACE + HOUR])
def test_a_migration_needs_a_deadline_that_lies_ahead_and_leaves_a_week_of_the_year(deadline: datetime | None) -> None:
    with pytest.raises(Invalid) as refused:
        choose_migration_deadline(TeamResponse(Response.MIGRATING, deadline), NOW)
    assert refused.value.field == ("migrationDeadline",)


def test_only_a_migration_has_a_deadline() -> None:
    assert choose_migration_deadline(SOON, NOW) == NOW + HOUR
    assert choose_migration_deadline(YES, NOW) is None
    for response in (Response.APPROVED, Response.BLOCKED):
        with pytest.raises(Invalid, match=f"{response} has no migrationDeadline"):
            choose_migration_deadline(TeamResponse(response, NOW + HOUR), NOW)


def test_no_team_gives_the_answer_silent_and_a_block_needs_a_reason() -> None:
    require_answer(Response.BLOCKED, "a report reads it")
    for response, field in ((Response.SILENT, "response"), (Response.BLOCKED, "notes")):
        with pytest.raises(Invalid) as refused:
            require_answer(response, None)
        assert refused.value.field == (field,)


@pytest.mark.parametrize("status", ProposalStatus)
def test_a_proposal_that_has_ended_is_refused(status: ProposalStatus) -> None:
    if status.is_open:
        require_open(status, NOW, None)
    else:
        with pytest.raises(Conflict, match="2026-01-01 00:00 UTC"):
            require_open(status, NOW, NOW)
