"""The workflow of examples/github-actions.yml, run for the events of a pull request against a live server."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dbt_projects import Model, Project
from tests.e2e.github_api import GitHub, serving_github
from tests.e2e.pull_requests import ADMIN_KEY, Company
from tests.e2e.server import ROOT, serving
from tests.e2e.workflow_expressions import evaluate, interpolate
from tests.e2e.workflow_runner import Event, JobResult, Runner

WORKFLOW = ROOT / "examples/github-actions.yml"
MARKER = "<!-- tessera"
ORDERS = Model("orders", {"order_id": "bigint", "coupon": "varchar"}, not_null=("order_id",))

pytestmark = pytest.mark.long


SCHEDULE = Event("schedule", {}, "0" * 40, "refs/heads/main")


@dataclass
class Platform:
    """A repository on the platform, with its runner and the server of the company."""

    company: Company
    github: GitHub
    runner: Runner
    checkout: Path

    def push(self, project: Project, branch: str) -> str:
        """Commit the artifacts of the project to a branch of the repository, and return the commit."""
        self.git("checkout", "--quiet", "-B", branch)
        built = self.checkout / "built"
        project.write(self.checkout)
        shutil.rmtree(built, ignore_errors=True)
        (self.checkout / "target").rename(built)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"Change {branch}")
        self.git("push", "--quiet", "--force", "origin", branch)
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments: str) -> str:
        names = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        completed = subprocess.run(
            ["git", "-C", self.checkout, *names, *arguments], capture_output=True, text=True, check=False
        )
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    def open(self, project: Project, number: int = 4711, action: str = "opened") -> JobResult:
        """Push the branch of a pull request, and run the job that the event starts."""
        commit = self.push(project, f"change-{number}")
        return self.deliver(build_pull_request(number, action, commit))["ask"]

    def merge(self, project: Project) -> JobResult:
        commit = self.push(project, "main")
        return self.deliver(Event("push", {}, commit, "refs/heads/main"))["publish"]

    def deliver(self, event: Event) -> dict[str, JobResult]:
        return self.runner.run(event)

    def head(self) -> str:
        """The commit that was pushed last."""
        return self.git("rev-parse", "HEAD").strip()

    def states(self, commit: str) -> list[str]:
        assert {status["context"] for status in self.github.statuses[commit]} == {"tessera/contracts"}
        return [status["state"] for status in self.github.statuses[commit]]


def build_pull_request(number: int, action: str, commit: str, **fields: Any) -> Event:
    pull_request = {
        "title": 'Drop the coupon, "for good" $(touch injected)',
        "html_url": f"https://github.com/acme/shop/pull/{number}",
        "merged": False,
        "head": {"sha": commit, "repo": {"full_name": "acme/shop"}},
        **fields,
    }
    payload = {"action": action, "number": number, "pull_request": pull_request}
    return Event("pull_request", payload, commit, f"refs/pull/{number}/merge")


@pytest.fixture(params=["sqlite", "postgresql"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    settings = {}
    if request.param == "postgresql":
        settings["DATABASE_URL"] = request.getfixturevalue("postgres_database_url")
    for name in ("server", "projects", "runs"):
        (tmp_path / name).mkdir()
    origin, checkout = tmp_path / "origin.git", tmp_path / "checkout"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", origin], check=True)
    subprocess.run(["git", "clone", "--quiet", origin, checkout], check=True, capture_output=True)
    with serving(tmp_path / "server", ADMIN_KEY=ADMIN_KEY, **settings) as server, serving_github() as github:
        company = Company(server, tmp_path / "projects")
        key = company.start_project("shop", "shop").key
        variables, secrets = {"TESSERA_URL": server.url}, {"TESSERA_API_KEY": key}
        runner = Runner(WORKFLOW, origin, tmp_path / "runs", "acme/shop", github.url, variables, secrets)
        yield Platform(company, github, runner, checkout)


@pytest.fixture
def shop(platform: Platform) -> Project:
    """The first version of the project, merged into main, and read by growth."""
    company = platform.company
    project = company.project("shop", Model("orders", ORDERS.columns, company.name("shop"), not_null=("order_id",)))
    merged = platform.merge(project)
    assert merged.exit_code == 0, merged.text
    company.hire("growth")
    company.register("growth", project.fqn("orders"), "coupon")
    return project


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
