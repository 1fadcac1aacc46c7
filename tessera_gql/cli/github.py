"""`tessera github`: report the gate's verdict on a pull request, from a workflow of GitHub Actions."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from tessera_gql.cli.api import connect, read_file
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.terminal import fail, print_line
from tessera_gql.client.enums import ProposalStatus

if TYPE_CHECKING:
    import httpx

    from tessera_gql.client import TesseraClient

app = typer.Typer(help="Report the impact on a pull request of GitHub.", no_args_is_help=True)

PAGE_SIZE = 100
MAX_COMMENT_LENGTH = 65_000
"""GitHub refuses a comment of more than 65,536 characters."""
TRUNCATED = "\n\nThe report is longer than a comment may be; the summary of the job has all of it."
STATUS_CONTEXT = "tessera/contracts"
STATES: dict[int, tuple[str, str]] = {
    ExitCode.DONE: ("success", "No team is hurt, or all have agreed."),
    ExitCode.NEGATIVE: ("failure", "Teams must be asked, or a team has refused."),
    ExitCode.WAITING: ("pending", "Waiting for the answers of other teams."),
}
UNKNOWN_STATE = ("error", "The impact could not be determined.")


@app.command()
def comment(
    file: Annotated[Path, typer.Argument(help="The report of `tessera dbt impact --format markdown`; - reads stdin.")],
    pull_request: Annotated[int, typer.Option("--pull-request", help="Number of the pull request.")],
) -> None:
    """Write a report as a comment, in place of the comment of the last run.

    The report begins with a hidden marker by which its comment is found again. The workflow sets GITHUB_TOKEN.

    Example: tessera github comment contracts.md --pull-request 4711
    """
    text = _truncate(read_file(file).decode("utf-8", "replace"))
    marker = text.partition("\n")[0]
    if not marker.startswith("<!--"):
        raise fail(f"{file} has no marker in its first line. Write it with `tessera dbt impact --format markdown`.")
    with _connect() as (client, repository):
        comments = _list_pages(client, f"{repository}/issues/{pull_request}/comments")
        identity = next((item["id"] for item in comments if item["body"].startswith(marker)), None)
        if identity is None:
            created = _send(client, "POST", f"{repository}/issues/{pull_request}/comments", body=text)
        else:
            created = _send(client, "PATCH", f"{repository}/issues/comments/{identity}", body=text)
    print_line(created["html_url"])


@app.command()
def status(
    exit_code: Annotated[int, typer.Argument(help="Exit code of `tessera dbt impact`.")],
    commit: Annotated[str, typer.Option("--commit", help="SHA of the head of the pull request.")],
    url: Annotated[
        str | None, typer.Option("--url", help="Address behind the status, such as the workflow run.")
    ] = None,
) -> None:
    """Set the commit status tessera/contracts: success for 0, pending for 3, failure for 1, error otherwise.

    Example: tessera github status 3 --commit "$GITHUB_SHA"
    """
    state, description = STATES.get(exit_code, UNKNOWN_STATE)
    with _connect() as (client, repository):
        fields = {"state": state, "description": description, "context": STATUS_CONTEXT, "target_url": url}
        _send(client, "POST", f"{repository}/statuses/{commit}", **fields)
    print_line(f"{STATUS_CONTEXT} is {state}.")


def _truncate(text: str) -> str:
    """Cut a report at a line that fits into a comment."""
    if len(text) <= MAX_COMMENT_LENGTH:
        return text
    return text[:MAX_COMMENT_LENGTH].rpartition("\n")[0] + TRUNCATED


@app.command()
def refresh() -> None:
    """Update the pending statuses of open pull requests whose teams have answered. Run it on a schedule.

    It finds the change set of a pull request by the key `github.com/org/repo#4711`.

    Example: tessera github refresh
    """
    host = urlsplit(os.environ.get("GITHUB_SERVER_URL") or "https://github.com").hostname
    with _connect() as (github, path), connect() as client:
        for pull_request in _list_pages(github, f"{path}/pulls"):
            commit, number = pull_request["head"]["sha"], pull_request["number"]
            if _find_state(github, f"{path}/commits/{commit}/status") != "pending":
                continue
            key = f"{host}{path.removeprefix('/repos')}#{number}"
            state, description = STATES[_read_exit_code(client, key)]
            if state != "pending":
                fields = {"state": state, "description": description, "context": STATUS_CONTEXT}
                _send(github, "POST", f"{path}/statuses/{commit}", **fields)
            print_line(f"#{number} is {state}.")


def _find_state(client: httpx.Client, path: str) -> str | None:
    statuses = client.get(path).raise_for_status().json()["statuses"]
    return next((status["state"] for status in statuses if status["context"] == STATUS_CONTEXT), None)


def _read_exit_code(client: TesseraClient, key: str) -> ExitCode:
    """Return what the gate would, by the answers to the open proposals of a change set."""
    identity = client.get_change_set(key).id
    waiting = (ProposalStatus.PENDING, ProposalStatus.REJECTED)
    statuses = {proposal.status for proposal in client.proposals(change_set_id=identity, status=waiting)}
    if ProposalStatus.REJECTED in statuses:
        return ExitCode.NEGATIVE
    return ExitCode.WAITING if ProposalStatus.PENDING in statuses else ExitCode.DONE


@contextmanager
def _connect() -> Generator[tuple[httpx.Client, str]]:
    """Open a client of GitHub's API, with the path of the repository; failures end the command with a message."""
    import httpx  # noqa: PLC0415 - a completion loads this module as well

    token, repository = _read_variable("GITHUB_TOKEN"), _read_variable("GITHUB_REPOSITORY")
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
    url = os.environ.get("GITHUB_API_URL") or "https://api.github.com"
    try:
        with httpx.Client(
            base_url=url, headers=headers, timeout=30, transport=httpx.HTTPTransport(retries=2)
        ) as client:
            yield client, f"/repos/{repository}"
    except httpx.HTTPStatusError as error:
        raise fail(f"GitHub answered {error.response.status_code}: {_read_message(error.response)}") from None
    except httpx.HTTPError as error:
        raise fail(f"{url} can't be reached: {error}.", ExitCode.UNAVAILABLE) from None


def _read_variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise fail(f"{name} is not set. A workflow sets it: `env: {{GITHUB_TOKEN: ${{{{ github.token }}}}}}`.")
    return value


def _read_message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase


def _list_pages(client: httpx.Client, path: str) -> Iterator[dict[str, Any]]:
    page: str | None = f"{path}?per_page={PAGE_SIZE}"
    while page:
        response = client.get(page).raise_for_status()
        yield from response.json()
        page = response.links.get("next", {}).get("url")


def _send(client: httpx.Client, method: str, path: str, **body: str | None) -> dict[str, Any]:
    response = client.request(method, path, json={name: value for name, value in body.items() if value is not None})
    reply: dict[str, Any] = response.raise_for_status().json()
    return reply
