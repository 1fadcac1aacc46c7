"""`tessera github` writes comments and commit statuses, and reports what GitHub refuses."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.github_api import TOKEN, serving_github
from tests.e2e.server import run_tessera

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def github(tmp_path: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    settings = {"GITHUB_REPOSITORY": "acme/shop", "GITHUB_TOKEN": TOKEN, **settings}
    return run_tessera("github", *arguments, cwd=tmp_path, **settings)


@pytest.mark.parametrize(
    ("code", "state"), [(0, "success"), (1, "failure"), (3, "pending"), (2, "error"), (4, "error")]
)
def test_the_state_of_a_commit_follows_from_the_exit_code_of_the_gate(tmp_path: Path, code: int, state: str) -> None:
    with serving_github() as platform:
        settings = {"GITHUB_API_URL": platform.url}
        completed = github(tmp_path, "status", str(code), "--commit", COMMIT, "--url", "https://ci.example", **settings)
    assert completed.returncode == 0, completed.stderr
    (status,) = platform.statuses[COMMIT]
    assert (status["state"], status["context"]) == (state, "tessera/contracts")
    assert status["target_url"] == "https://ci.example"


def test_a_second_report_replaces_the_comment_of_the_first_among_many(tmp_path: Path) -> None:
    with serving_github() as platform:
        for number in range(5):
            platform.add_comment(1, f"Remark {number} of a reviewer")
        for verdict in ("Teams must be asked.", "Nobody is hurt."):
            completed = report(tmp_path, f"<!-- tessera:impact -->\n{verdict}", GITHUB_API_URL=platform.url)
            assert completed.returncode == 0, completed.stderr
    *remarks, comment = platform.comments[1]
    assert len(remarks) == 5
    assert comment["body"] == "<!-- tessera:impact -->\nNobody is hurt."
    assert completed.stdout == f"{comment['html_url']}\n"


def report(tmp_path: Path, text: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    (tmp_path / "contracts.md").write_text(text)
    return github(tmp_path, "comment", "contracts.md", "--pull-request", "1", **settings)


def test_a_report_that_is_too_long_for_a_comment_is_cut_at_a_line(tmp_path: Path) -> None:
    with serving_github() as platform:
        text = "<!-- tessera:impact -->\n" + "| a row of the table |\n" * 4_000
        completed = report(tmp_path, text, GITHUB_API_URL=platform.url)
        assert completed.returncode == 0, completed.stderr
        (comment,) = platform.comments[1]
    assert len(comment["body"]) < 65_536
    assert "row of the table |\n\nThe report is longer than a comment may be" in comment["body"]


def test_a_comment_that_cannot_be_written_is_a_message_with_an_exit_code(tmp_path: Path) -> None:
    text = "<!-- tessera:impact -->\nNobody is hurt."
    with serving_github() as platform:
        refused = report(tmp_path, text, GITHUB_API_URL=platform.url, GITHUB_TOKEN="a-revoked-token")
        unmarked = report(tmp_path, "Nobody is hurt.", GITHUB_API_URL=platform.url)
    assert (refused.returncode, refused.stderr) == (2, "GitHub answered 401: Bad credentials\n")
    assert unmarked.returncode == 2
    assert "--format markdown" in unmarked.stderr
    unreachable = report(tmp_path, text, GITHUB_API_URL="http://127.0.0.1:9")
    assert unreachable.returncode == 4
    anonymous = report(tmp_path, text, GITHUB_TOKEN="")
    assert anonymous.returncode == 2
    assert "GITHUB_TOKEN is not set" in anonymous.stderr
