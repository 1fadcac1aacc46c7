"""What time will do to a proposal follows from its asks and their policies."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tessera_gql.policy.ask_policy import AskPolicy
from tessera_gql.policy.enums import OnSilence, ProposalStatus, Response, UpcomingKind
from tessera_gql.policy.proposal_status import TeamResponse
from tessera_gql.policy.upcoming import OpenAsk, UpcomingStep, list_upcoming
from tests.conftest import START

DAY = timedelta(days=1)
DUE, EXPIRY = START + 10 * DAY, START + 20 * DAY
FIRST, SECOND = UUID(int=1), UUID(int=2)
KIND = UpcomingKind


def open_ask(team: UUID = FIRST, silence: OnSilence = OnSilence.APPROVE, **values: Any) -> OpenAsk:
    response = values.pop("response", None)
    deadline = values.pop("deadline", None)
    policy = AskPolicy(due_days=10, remind_days_before=(3, 1), on_silence=silence)
    values = {"due_at": DUE, "remind_at": DUE - 3 * DAY} | values
    return OpenAsk(team, TeamResponse(response, deadline, silence), policy, **values)


def upcoming(*asks: OpenAsk, status: ProposalStatus = ProposalStatus.PENDING, **times: Any) -> list[UpcomingStep]:
    return list_upcoming(status, times.get("expires_at", EXPIRY), asks, times.get("now", START))


def kinds(steps: list[UpcomingStep]) -> list[tuple[UpcomingKind, int, int]]:
    return [(step.kind, (step.at - START).days, len(step.team_ids)) for step in steps]


def test_reminders_silence_and_expiry_come_in_order_and_equal_ones_together() -> None:
    steps = upcoming(open_ask(), open_ask(SECOND))
    assert kinds(steps) == [(KIND.REMINDER, 7, 2), (KIND.REMINDER, 9, 2), (KIND.SILENCE, 10, 2), (KIND.EXPIRY, 20, 0)]
    assert steps[0].consequence == "Each of 2 teams is reminded that no answer has come."
    assert steps[2].consequence == "No answer counts as consent. Then every asked team agrees."


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        (Response.APPROVED, "Then every asked team agrees."),
        (Response.BLOCKED, "A team still blocks the proposal, so nothing is published."),
        (Response.MIGRATING, "The proposal still waits for other teams."),
    ],
)
def test_what_silence_leads_to_depends_on_the_other_teams(response: Response, outcome: str) -> None:
    other = open_ask(SECOND, response=response, deadline=DUE)
    step = next(step for step in upcoming(open_ask(), other) if step.kind is KIND.SILENCE)
    assert step.consequence == f"No answer counts as consent. {outcome}"


@pytest.mark.parametrize(
    ("silence", "words"), [(OnSilence.BLOCK, "counts as a block"), (OnSilence.EXTEND, "the same time to answer again")]
)
def test_other_policies_say_what_silence_means(silence: OnSilence, words: str) -> None:
    step = next(step for step in upcoming(open_ask(silence=silence)) if step.kind is KIND.SILENCE)
    assert words in step.consequence


def test_silence_that_lets_the_proposal_expire_is_its_expiry() -> None:
    steps = upcoming(open_ask(silence=OnSilence.EXPIRE, due_at=EXPIRY, remind_at=None))
    assert kinds(steps) == [(KIND.EXPIRY, 20, 0)]


def test_a_migration_and_an_escalation_have_their_moments() -> None:
    migrating = open_ask(response=Response.MIGRATING, deadline=START + 5 * DAY)
    escalating = open_ask(SECOND, escalate_at=START + 4 * DAY, remind_at=None, due_at=EXPIRY + DAY)
    assert kinds(upcoming(migrating, escalating)) == [
        (KIND.ESCALATION, 4, 1),
        (KIND.MIGRATION_DEADLINE, 5, 1),
        (KIND.EXPIRY, 20, 0),
    ]


def test_what_has_passed_is_not_coming() -> None:
    assert kinds(upcoming(open_ask(), now=DUE - 2 * DAY)) == [
        (KIND.REMINDER, 9, 1),
        (KIND.SILENCE, 10, 1),
        (KIND.EXPIRY, 20, 0),
    ]


def test_nothing_comes_for_a_team_that_was_not_notified_and_nothing_after_the_end() -> None:
    assert kinds(upcoming(open_ask(is_notified=False))) == [(KIND.EXPIRY, 20, 0)]
    assert upcoming(open_ask(), status=ProposalStatus.WITHDRAWN) == []


def test_an_approved_proposal_does_not_expire() -> None:
    assert upcoming(open_ask(response=Response.APPROVED), status=ProposalStatus.APPROVED) == []
