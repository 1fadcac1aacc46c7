"""The change set of a CI job is that of its pull request; outside of one there is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.cli.pull_request import find_commit, find_pull_request
from tessera_gql.client.requests import ChangeSetRequest

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "org/shop",
    "GITHUB_REF": "refs/pull/4711/merge",
}
GITLAB = {
    "CI_PROJECT_URL": "https://gitlab.example.com:8443/data/shop",
    "CI_MERGE_REQUEST_IID": "12",
    "CI_MERGE_REQUEST_TITLE": "Drop coupon",
}


def test_a_job_of_github_actions_has_the_key_of_its_pull_request() -> None:
    assert find_pull_request(GITHUB) == ChangeSetRequest(
        "github.com/org/shop#4711", None, "https://github.com/org/shop/pull/4711"
    )


def test_the_event_has_the_number_where_the_ref_is_a_branch(tmp_path: Path) -> None:
    pull_request = {"number": 7, "title": "Drop coupon", "html_url": "https://git.example.com/org/shop/pull/7"}
    file = tmp_path / "event.json"
    file.write_text(json.dumps({"pull_request": pull_request}))
    environment = GITHUB | {"GITHUB_SERVER_URL": "https://git.example.com", "GITHUB_REF": "refs/heads/main"}
    assert find_pull_request(environment | {"GITHUB_EVENT_PATH": str(file)}) == ChangeSetRequest(
        "git.example.com/org/shop#7", "Drop coupon", "https://git.example.com/org/shop/pull/7"
    )


@pytest.mark.parametrize("event", ["", "{", "[]", '{"pull_request": 7}', '{"commits": []}'])
def test_a_push_to_a_branch_has_no_change_set(tmp_path: Path, event: str) -> None:
    file = tmp_path / "event.json"
    file.write_text(event)
    environment = GITHUB | {"GITHUB_REF": "refs/heads/main", "GITHUB_EVENT_PATH": str(file)}
    assert find_pull_request(environment) is None


def test_a_job_of_gitlab_has_the_key_of_its_merge_request() -> None:
    assert find_pull_request(GITLAB) == ChangeSetRequest(
        "gitlab.example.com:8443/data/shop!12",
        "Drop coupon",
        "https://gitlab.example.com:8443/data/shop/-/merge_requests/12",
    )


HEAD, MERGE = "9f3c2ab" * 5, "0a" * 20


def test_the_commit_is_that_of_the_branch_and_not_of_a_test_merge(tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": HEAD}}}))
    github = GITHUB | {"GITHUB_SHA": MERGE, "GITHUB_EVENT_PATH": str(file)}
    gitlab = GITLAB | {"CI_COMMIT_SHA": MERGE, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": HEAD}
    for environment in (github, gitlab):
        request = find_pull_request(environment)
        assert request is not None
        assert request.commit == HEAD


@pytest.mark.parametrize("name", ["GITHUB_SHA", "CI_COMMIT_SHA", "BUILDKITE_COMMIT", "GIT_COMMIT"])
def test_other_jobs_name_their_commit(name: str) -> None:
    assert find_commit({name: HEAD}) == HEAD
    assert find_commit({name: "HEAD"}) is None


@pytest.mark.parametrize("environment", [{}, {"CI_PROJECT_URL": "https://gitlab.com/a/b"}, {"GITHUB_ACTIONS": "true"}])
def test_there_is_none_outside_of_a_pull_request(environment: dict[str, Any]) -> None:
    assert find_pull_request(environment) is None
