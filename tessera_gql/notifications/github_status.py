"""Set commit statuses by the API of GitHub, or of a GitHub Enterprise Server."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import orjson

from tessera_gql.config.channels import GITHUB_COM
from tessera_gql.notifications.message_text import to_line
from tessera_gql.notifications.outbound_http import (
    DeliveryError,
    OutboundRequest,
    OutboundResponse,
    PostRules,
    check_status,
    send,
)
from tessera_gql.policy.commit_status import STATUS_CONTEXT, CommitStatus

API_VERSION = "2022-11-28"
HINTS: Mapping[int, str] = {
    401: "The token has expired or was revoked. Set a new one with updateWebhook and `token`; the status follows then.",
    403: "The token may not set commit statuses. Give it `Commit statuses: write`, or set another by updateWebhook.",
    404: "The repository does not exist, or the token may not see it. Give the token access, or correct the URL.",
    422: "GitHub does not know the commit, or it has too many statuses already.",
}


@dataclass(frozen=True)
class GitHubOptions:
    """The address of the API; only there goes a token."""

    api_url: str = GITHUB_COM

    @property
    def host(self) -> str:
        """The host of the repositories."""
        host = urlsplit(self.api_url).netloc.lower()
        return "github.com" if self.api_url == GITHUB_COM else host.removeprefix("api.")


@dataclass(frozen=True)
class StatusTarget:
    """The commit of a repository, `owner/name`, that gets a status, with the page behind it."""

    repository: str
    commit: str
    link: str | None


@dataclass(frozen=True)
class GitHubApi:
    """The API of GitHub with the token of a webhook."""

    options: GitHubOptions
    rules: PostRules
    token: str = field(repr=False)

    async def call(self, path: str, body: bytes | None = None) -> OutboundResponse:
        """Post a body, or get without one; raises DeliveryError without a response."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": API_VERSION,
            "User-Agent": "tessera-gql",
            **({"Content-Type": "application/json"} if body else {}),
        }
        request = OutboundRequest(body or b"", headers, "POST" if body else "GET")
        return await send(f"{self.options.api_url}{path}", request, self.rules)


async def set_status(api: GitHubApi, target: StatusTarget, status: CommitStatus) -> int:
    """Set the status of a commit and return the code of success; raises DeliveryError."""
    body = {
        "state": status.state.value,
        "context": STATUS_CONTEXT,
        "description": to_line(status.description, 140),
        **({"target_url": target.link} if target.link else {}),
    }
    path = f"/repos/{quote(target.repository)}/statuses/{quote(target.commit, safe='')}"
    return _check(await api.call(path, orjson.dumps(body)))


async def check_token(api: GitHubApi, repository: str | None) -> int:
    """Check that a token is accepted, and sees the repository if there is one; raises DeliveryError."""
    path = f"/repos/{quote(repository)}" if repository else "/rate_limit"
    return _check(await api.call(path))


def _check(response: OutboundResponse) -> int:
    if response.status in {403, 429} and (wait := _find_wait(response)) is not None:
        message = f"GitHub answered {response.status}: the token has used up its requests for {wait:,.0f} seconds."
        raise DeliveryError(message, response.status, retry_after=wait)
    return check_status(response, "GitHub", HINTS.get(response.status, ""))


def _find_wait(response: OutboundResponse) -> float | None:
    """Return the seconds until GitHub takes requests again; None if it doesn't refuse them for their number."""
    if response.retry_after is not None:
        return response.retry_after
    reset = str(response.headers.get("x-ratelimit-reset", ""))
    if response.headers.get("x-ratelimit-remaining") != "0" or not reset.isdecimal():
        return None
    return max(float(reset[:12]) - time.time(), 1.0)
