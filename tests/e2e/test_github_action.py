"""The action of `action.yml`, run for a pull request from its opening to its end, by the workflow of the example."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.dbt_projects import Project
from tests.e2e.server import ROOT
from tests.e2e.workflow_platform import SCHEDULE, Platform, build_pull_request, merge_shop, serving_platform
from tests.e2e.workflow_runner import Event, JobResult, Runner

WORKFLOW = ROOT / "examples/github-action.yml"
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
ANNOTATION = re.compile(r"^::error (?P<properties>\S*file=\S+,line=\d+.*?)::(?P<message>.*)$", re.MULTILINE)
JOB = "contracts"

pytestmark = pytest.mark.long


@pytest.fixture(params=["sqlite", "postgresql"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    settings = {}
    if request.param == "postgresql":
        settings["DATABASE_URL"] = request.getfixturevalue("postgres_database_url")
    with serving_platform(tmp_path, WORKFLOW, settings, asking=JOB, publishing=JOB) as served:
        yield served


@pytest.fixture
def shop(platform: Platform) -> Project:
    return merge_shop(platform)


def close(platform: Platform, commit: str, **fields: Any) -> JobResult:
    return platform.deliver(build_pull_request(4711, "closed", commit, **fields))[JOB]


def test_a_pull_request_is_commented_and_annotated_and_its_readers_are_asked(platform: Platform, shop: Project) -> None:
    run = platform.open(shop.drop_column("orders", "coupon"))
    assert run.exit_code == 0, run.text
    assert re.search(r"^::(error|warning) .*file=models/[^,]+,line=\d+.*::.*coupon", run.text, re.MULTILINE), run.text
    (comment,) = platform.github.comments[4711]
    assert comment["body"] == run.summary
    assert platform.company.name("growth") in comment["body"]
    outputs = run.action_outputs
    assert (outputs["task"], outputs["code"], outputs["verdict"]) == ("ask", "3", "waiting")
    assert outputs["change-set"] == "github.com/acme/shop#4711"
    assert outputs["comment-url"] == comment["html_url"]
    assert Path(outputs["report"]).read_text() == run.summary
    assert platform.states(platform.head()) == ["pending"]
    proposal = platform.company.find_proposal(shop.fqn("orders"))
    assert proposal is not None
    assert proposal["reason"] == 'Drop the coupon, "for good" $(touch injected)'


def test_a_second_run_updates_the_comment_and_the_merge_publishes_what_was_agreed(
    platform: Platform, shop: Project
) -> None:
    company, orders = platform.company, shop.fqn("orders")
    change = shop.drop_column("orders", "coupon")
    platform.github.add_comment(4711, "Remark of a reviewer")
    first = platform.open(change)
    company.answer("growth", orders)
    again = platform.open(change, action="synchronize")
    assert (again.exit_code, again.action_outputs["verdict"]) == (0, "passed"), again.text
    assert platform.states(platform.head()) == ["success"]
    remark, comment = platform.github.comments[4711]
    assert remark["body"] == "Remark of a reviewer"
    assert comment["body"] == again.summary != first.summary
    assert company.count_requests(orders) == 1, "the second run asks nothing again"
    merged = close(platform, platform.head(), merged=True)
    assert (merged.exit_code, merged.action_outputs["task"]) == (0, "none")
    published = platform.merge(change)
    assert (published.exit_code, published.action_outputs["verdict"]) == (0, "passed"), published.text
    assert company.find_version(orders) == "2.0.0"


def test_a_team_that_refuses_fails_the_job_and_the_status(platform: Platform, shop: Project) -> None:
    change = shop.drop_column("orders", "coupon")
    platform.open(change)
    platform.company.answer("growth", shop.fqn("orders"), "BLOCKED", "The campaign runs until June.")
    refused = platform.open(change, action="synchronize")
    assert (refused.exit_code, refused.action_outputs["verdict"]) == (1, "failed")
    assert ANNOTATION.search(refused.text), refused.text
    assert platform.states(platform.head()) == ["failure"]
    (comment,) = platform.github.comments[4711]
    assert "The campaign runs until June." in comment["body"]


def test_a_status_follows_the_answer_on_a_schedule(platform: Platform, shop: Project) -> None:
    platform.open(shop.drop_column("orders", "coupon"))
    asking = platform.head()
    platform.github.pulls[4711] = asking
    platform.company.answer("growth", shop.fqn("orders"))
    refreshed = platform.deliver(replace(SCHEDULE, commit=asking))[JOB]
    assert (refreshed.exit_code, refreshed.action_outputs["task"]) == (0, "refresh"), refreshed.text
    assert platform.states(asking) == ["pending", "success"]


def test_a_pull_request_that_is_closed_withdraws_what_it_asked_and_may_be_closed_twice(
    platform: Platform, shop: Project
) -> None:
    platform.open(shop.drop_column("orders", "coupon"))
    for _ in range(2):
        closed = close(platform, platform.head())
        assert (closed.exit_code, closed.action_outputs["task"]) == (0, "withdraw"), closed.text
    assert platform.company.find_proposal(shop.fqn("orders")) is None


def test_a_fork_is_refused_without_a_call_to_the_server(platform: Platform, shop: Project) -> None:
    commit = platform.push(shop.drop_column("orders", "coupon"), "fork")
    fork = {"sha": commit, "repo": {"full_name": "mallory/shop"}}
    result = platform.deliver(build_pull_request(5, "opened", commit, head=fork))[JOB]
    assert result.exit_code == 2
    assert "A maintainer pushes its branch" in result.text
    assert result.installed == ""
    assert close(platform, commit, head=fork).action_outputs["task"] == "none"
    assert platform.company.find_proposal(shop.fqn("orders")) is None


def test_a_server_that_is_away_is_an_error_on_the_commit(platform: Platform, shop: Project) -> None:
    variables = {"TESSERA_URL": "http://127.0.0.1:9"}
    away = replace(platform, runner=replace(platform.runner, variables=variables))
    result = away.open(shop.drop_column("orders", "coupon"))
    assert (result.exit_code, result.action_outputs["verdict"]) == (4, "error")
    assert platform.states(platform.head()) == ["error"]
    assert platform.github.comments.get(4711) is None, "there is no report to comment"


@pytest.mark.parametrize(
    ("inputs", "event", "message"),
    [
        ({"task": "publish"}, "pull_request", "must be auto, ask, sync, withdraw or refresh"),
        ({}, "workflow_dispatch", "No task follows from this event"),
        ({"url": ""}, "push", "The input url is empty"),
        ({"api-key": ""}, "push", "The input api-key is empty"),
    ],
)
def test_a_wrong_input_is_an_annotation_that_names_it(
    tmp_path: Path, inputs: dict[str, str], event: str, message: str
) -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    workflow[True]["workflow_dispatch"] = {}
    (step,) = [step for step in workflow["jobs"][JOB]["steps"] if step.get("uses", "").startswith("tessera/")]
    workflow["jobs"][JOB]["steps"] = [{**step, "with": step["with"] | inputs}]
    (tmp_path / "workflow.yml").write_text(yaml.safe_dump(workflow))
    (tmp_path / "runs").mkdir()
    address, variables, secrets = "http://127.0.0.1:9", {"TESSERA_URL": "http://127.0.0.1:9"}, {"TESSERA_API_KEY": "k"}
    runner = Runner(tmp_path / "workflow.yml", tmp_path, tmp_path / "runs", "acme/shop", address, variables, secrets)
    payload = build_pull_request(1, "opened", "0" * 40).payload if event == "pull_request" else {}
    result = runner.run(Event(event, payload, "0" * 40, "refs/heads/main"))[JOB]
    assert result.exit_code == 2
    assert re.search(rf"^::error title=Tessera::.*{message}", result.text, re.MULTILINE), result.text


def test_the_action_installs_the_hashed_lock_of_its_own_version(platform: Platform, shop: Project) -> None:
    result = platform.open(shop)
    assert "-m venv" in result.installed
    assert f"--require-hashes -r {ROOT}/requirements.lock" in result.installed
    assert f"--no-deps {ROOT}\n" in result.installed


def test_the_page_about_commands_describes_every_input_and_output() -> None:
    page = (ROOT / "docs/cli.md").read_text()
    for name, declared in {**ACTION["inputs"], **ACTION["outputs"]}.items():
        assert f"| `{name}` |" in page, name
        assert " ".join(declared["description"].split()) in page, name


@pytest.mark.parametrize("page", ["README.md", "docs/cli.md"])
def test_the_lines_of_a_page_are_a_step_of_the_action(page: str) -> None:
    blocks = re.findall(r"^```yaml\n(- uses: .*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    ((step,),) = map(yaml.safe_load, blocks)
    assert step["uses"].startswith("tessera/tessera-gql@v")
    assert {name for name, declared in ACTION["inputs"].items() if declared.get("required")} <= step["with"].keys()
    assert step["with"].keys() <= ACTION["inputs"].keys()


def test_no_script_of_the_action_contains_an_expression() -> None:
    scripts = [step["run"] for step in ACTION["runs"]["steps"]]
    assert len(scripts) > 5
    assert [script for script in scripts if "${{" in script] == [], "the text of a title would be executed"


def test_every_input_and_output_of_the_action_is_used_and_described() -> None:
    text = str(ACTION["runs"])
    for name, declared in ACTION["inputs"].items():
        assert f"inputs.{name} " in text, name
        assert len(declared["description"].split()) >= 4, name
    for name, declared in ACTION["outputs"].items():
        assert len(declared["description"].split()) >= 4, name
