"""The pull request of a CI job: the key, title, URL and commit of its change set, from the environment of the job."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tessera_gql.client.requests import ChangeSetRequest

COMMIT_VARIABLES = (
    *("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA", "GITHUB_SHA", "BITBUCKET_COMMIT", "CIRCLE_SHA1"),
    *("BUILDKITE_COMMIT", "BUILD_SOURCEVERSION", "GIT_COMMIT"),
)
"""Variables of GitLab CI, GitHub Actions, Bitbucket, CircleCI, Buildkite, Azure Pipelines and Jenkins."""
COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")


def find_commit(environment: Mapping[str, str]) -> str | None:
    """Return the commit that a CI job runs for; that of the branch, where the job tests a merge. None outside of CI."""
    match _read_event(environment.get("GITHUB_EVENT_PATH")) if environment.get("GITHUB_ACTIONS") == "true" else {}:
        case {"head": {"sha": str(head)}}:
            candidates = [head]
        case _:
            candidates = [environment.get(name, "") for name in COMMIT_VARIABLES]
    return next((commit for commit in candidates if COMMIT.fullmatch(commit)), None)


def find_pull_request(environment: Mapping[str, str]) -> ChangeSetRequest | None:
    """Return the pull request that a job of GitHub Actions or GitLab CI runs for; None outside of one."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return _find_on_github(environment)
    if number := environment.get("CI_MERGE_REQUEST_IID"):
        project = environment.get("CI_PROJECT_URL", "")
        url = f"{project}/-/merge_requests/{number}"
        title = environment.get("CI_MERGE_REQUEST_TITLE")
        return ChangeSetRequest(f"{_without_scheme(project)}!{number}", title, url, find_commit(environment))
    return None


def _find_on_github(environment: Mapping[str, str]) -> ChangeSetRequest | None:
    repository = environment.get("GITHUB_REPOSITORY")
    event = _read_event(environment.get("GITHUB_EVENT_PATH"))
    number = event.get("number") or _number_of_ref(environment.get("GITHUB_REF", ""))
    if not repository or not number:
        return None
    server = environment.get("GITHUB_SERVER_URL", "https://github.com")
    url = event.get("html_url") or f"{server}/{repository}/pull/{number}"
    key = f"{_without_scheme(server)}/{repository}#{number}"
    return ChangeSetRequest(key, event.get("title"), url, find_commit(environment))


def _read_event(path: str | None) -> dict[str, Any]:
    """Read the pull request of the event that started the workflow; empty if there is none."""
    try:
        event: object = json.loads(Path(path).read_text("utf-8")) if path else None
    except (OSError, ValueError):
        return {}
    match event:
        case {"pull_request": dict(pull_request)}:
            return pull_request
        case _:
            return {}


def _number_of_ref(ref: str) -> str | None:
    """Return the number in `refs/pull/4711/merge`; None for the ref of a branch."""
    match ref.split("/"):
        case ["refs", "pull", number, *_] if number.isdecimal():
            return number
        case _:
            return None


def _without_scheme(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path.rstrip('/')}"
