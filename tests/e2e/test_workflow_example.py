"""The workflow of examples/github-actions.yml, run for the events of a pull request against a live server."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dbt_projects import Project
from tests.e2e.server import ROOT
from tests.e2e.workflow_expressions import evaluate, interpolate
from tests.e2e.workflow_platform import SCHEDULE, Platform, build_pull_request, merge_shop, serving_platform
from tests.e2e.workflow_runner import Event

WORKFLOW = ROOT / "examples/github-actions.yml"
MARKER = "<!-- tessera"

pytestmark = pytest.mark.long


@pytest.fixture(params=["sqlite", "postgresql"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    settings = {}
    if request.param == "postgresql":
        settings["DATABASE_URL"] = request.getfixturevalue("postgres_database_url")
    with serving_platform(tmp_path, WORKFLOW, settings) as served:
        yield served


@pytest.fixture
def shop(platform: Platform) -> Project:
    return merge_shop(platform)


def test_a_pull_request_asks_comments_once_and_turns_green_when_all_have_agreed(
    platform: Platform, shop: Project
) -> None:
    company, orders = platform.company, shop.fqn("orders")
    change = shop.drop_column("orders", "coupon")
    for number in range(3):
        platform.github.add_comment(4711, f"Remark {number} of a reviewer")
    first = platform.open(change)
    assert first.exit_code == 0, first.text
    assert re.search(r"^::(error|warning) .*title=", first.text, re.MULTILINE)
    proposal = company.find_proposal(orders)
    assert proposal is not None
    assert proposal["reason"] == 'Drop the coupon, "for good" $(touch injected)'
    assert first.summary == platform.github.comments[4711][-1]["body"]

    company.answer("growth", orders)
    commit = platform.push(change, "change-4711")
    again = platform.deliver(build_pull_request(4711, "synchronize", commit))["ask"]
    assert again.exit_code == 0, again.text
    assert platform.states(commit)[-1] == "success"
    *remarks, comment = platform.github.comments[4711]
    assert len(remarks) == 3, "the workflow updates its own comment"
    assert comment["body"].startswith(MARKER)
    assert company.name("growth") in comment["body"]
    assert company.find_version(orders) == "1.0.0"

    assert platform.merge(change).exit_code == 0
    assert company.find_version(orders) == "2.0.0"


def test_the_status_is_pending_while_teams_are_asked_and_failed_once_a_team_refuses(
    platform: Platform, shop: Project
) -> None:
    change = shop.drop_column("orders", "coupon")
    platform.open(change)
    waiting = platform.head()
    assert platform.states(waiting) == ["pending"]
    platform.company.answer("growth", shop.fqn("orders"), "BLOCKED", "The campaign runs until June.")
    refused = platform.open(change, action="synchronize")
    assert refused.exit_code == 1
    assert platform.states(platform.head())[-1] == "failure"
    assert "The campaign runs until June." in platform.github.comments[4711][-1]["body"]


@pytest.mark.parametrize(("response", "state"), [("APPROVED", "success"), ("BLOCKED", "failure")])
def test_the_status_follows_the_last_answer_without_a_push(
    platform: Platform, shop: Project, response: str, state: str
) -> None:
    platform.open(shop.drop_column("orders", "coupon"))
    asking = platform.head()
    unchanged = platform.push(shop.add_column("orders", "channel", "varchar"), "change-4712")
    platform.deliver(build_pull_request(4712, "opened", unchanged))
    platform.github.pulls |= {4711: asking, 4712: unchanged, 4713: "f" * 40}
    assert platform.deliver(SCHEDULE)["refresh"].exit_code == 0
    assert platform.states(asking) == ["pending"], "nothing is written before an answer"
    platform.company.answer("growth", shop.fqn("orders"), response, "Noted.")
    for _ in range(2):
        refreshed = platform.deliver(SCHEDULE)["refresh"]
        assert refreshed.exit_code == 0, refreshed.text
    assert platform.states(asking) == ["pending", state]
    assert platform.states(unchanged) == ["success"]


def test_a_closed_pull_request_withdraws_what_it_asked(platform: Platform, shop: Project) -> None:
    platform.open(shop.drop_column("orders", "coupon"))
    commit = platform.head()
    closed = platform.deliver(build_pull_request(4711, "closed", commit))
    assert set(closed) == {"withdraw"}
    assert closed["withdraw"].exit_code == 0, closed["withdraw"].text
    assert platform.company.find_proposal(shop.fqn("orders")) is None


def test_a_merged_pull_request_keeps_its_answers_for_the_sync(platform: Platform, shop: Project) -> None:
    change = shop.drop_column("orders", "coupon")
    platform.open(change)
    commit = platform.head()
    assert platform.deliver(build_pull_request(4711, "closed", commit, merged=True)) == {}
    platform.company.answer("growth", shop.fqn("orders"))
    assert platform.merge(change).exit_code == 0
    assert platform.company.find_version(shop.fqn("orders")) == "2.0.0"


def test_the_branch_of_a_fork_is_refused_without_a_call_to_the_server(platform: Platform, shop: Project) -> None:
    commit = platform.push(shop.drop_column("orders", "coupon"), "fork")
    fork = {"sha": commit, "repo": {"full_name": "mallory/shop"}}
    result = platform.deliver(build_pull_request(5, "opened", commit, head=fork))["ask"]
    assert result.exit_code == 1
    assert list(result.outputs) == ["Refuse the branch of a fork"]
    assert platform.company.find_proposal(shop.fqn("orders")) is None
    assert platform.deliver(build_pull_request(5, "closed", commit, head=fork)) == {}


def test_a_push_to_another_branch_starts_nothing(platform: Platform, shop: Project) -> None:
    commit = platform.push(shop, "experiment")
    assert platform.deliver(Event("push", {}, commit, "refs/heads/experiment")) == {}


def test_runs_of_a_pull_request_replace_each_other_and_runs_of_main_wait(platform: Platform) -> None:
    first, second = (build_pull_request(number, "synchronize", "0" * 40) for number in (1, 2))
    main = Event("push", {}, "0" * 40, "refs/heads/main")
    groups = [platform.runner.evaluate_concurrency(event) for event in (first, second, main, SCHEDULE)]
    assert groups == [
        ("data-contracts-1", True),
        ("data-contracts-2", True),
        ("data-contracts-push", False),
        ("data-contracts-schedule", False),
    ]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("github.event_name == 'push' && !github.event.merged", True),
        ("(github.event.number || github.ref) != '7'", False),
        ("github.event.missing.field || 'none'", "none"),
        ("${{ github.event.number }}", 7),
    ],
)
def test_the_runner_evaluates_expressions_as_the_platform_does(expression: str, value: Any) -> None:
    github = {"event_name": "push", "ref": "refs/heads/main", "event": {"number": 7, "merged": False}}
    assert evaluate(expression, {"github": github}) == value


def test_a_text_with_expressions_keeps_everything_else() -> None:
    assert interpolate("shop#${{ github.number }} {x}", {"github": {"number": 7}}) == "shop#7 {x}"
