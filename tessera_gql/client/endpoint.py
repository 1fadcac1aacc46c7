"""Address, key and time limits of a client, from its options and the environment."""

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias, TypedDict
from urllib.parse import urlsplit

from tessera_gql.client.calls import check_option_names
from tessera_gql.client.errors import BadRequest, InvalidArgument, Unauthenticated

DEFAULT_URL = "http://localhost:8000"
TIMEOUT_SECONDS = 30.0
RETRY_SECONDS = 30.0
RETRY_VARIABLE = "TESSERA_RETRY_SECONDS"
MAX_CONNECTIONS = 8
"""Requests in flight. More of them make no call faster: a server executes few queries at a time."""

DisconnectCallback: TypeAlias = Callable[[str], None]
"""Called with the reason whenever a request or connection failed, before the client tries again."""


class ClientOptions(TypedDict, total=False):
    """Options of a client.

    `timeout`: seconds for one request, 30 by default; an upload has at least 900.
    `retry_seconds`: seconds after the first failure of a call in which it is repeated. The default is
    TESSERA_RETRY_SECONDS, or 30; with 0 nothing is repeated.
    `max_connections`: requests in flight, 8 by default; further calls wait for their turn.
    `on_disconnect`: called with the reason before the client tries again.
    """

    timeout: float
    retry_seconds: float | None
    max_connections: int
    on_disconnect: DisconnectCallback | None


@dataclass(frozen=True)
class Endpoint:
    """URL and key of a server, with the time limits for calls of it."""

    url: str
    api_key: str | None = field(default=None, repr=False)
    timeout_seconds: float = TIMEOUT_SECONDS
    retry_seconds: float = RETRY_SECONDS

    def __post_init__(self) -> None:
        if not _is_server_url(self.url):
            raise BadRequest(f"{self.url!r} is not the address of a server. Write it as https://tessera.example.com.")
        if self.api_key and not re.fullmatch(r"[!-~]+", self.api_key):
            raise Unauthenticated("The API key has a blank or a character that no key has. Copy it again.")
        if not self.timeout_seconds > 0 or not self.retry_seconds >= 0:
            raise InvalidArgument("`timeout` must be more than 0 seconds, `retry_seconds` at least 0.")

    @property
    def display_url(self) -> str:
        """The URL without user and password, safe to show in messages."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    @property
    def graphql_url(self) -> str:
        base = self.url.rstrip("/")
        return base if base.endswith("/graphql") else f"{base}/graphql"

    @property
    def websocket_url(self) -> str:
        return "ws" + self.graphql_url.removeprefix("http")

    @property
    def authorization_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}


def _is_server_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_bare = not (parts.query or parts.fragment)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and is_bare
    except ValueError:  # invalid port, or unbalanced brackets
        return False


def resolve_endpoint(url: str | None, api_key: str | None, options: ClientOptions) -> Endpoint:
    """Build an endpoint; TESSERA_URL, TESSERA_API_KEY and TESSERA_RETRY_SECONDS are the defaults.

    Raises InvalidCall for an unknown option, InvalidArgument for an invalid value.
    """
    check_option_names("The client", options, ("url", "api_key", *ClientOptions.__annotations__))
    if options.get("max_connections", 1) < 1:
        raise InvalidArgument("`max_connections` must be at least 1.")
    server_url = url or os.environ.get("TESSERA_URL") or DEFAULT_URL
    key = api_key or os.environ.get("TESSERA_API_KEY") or None
    retry_seconds = options.get("retry_seconds")
    if retry_seconds is None:
        retry_seconds = _read_retry_seconds()
    return Endpoint(server_url, key, options.get("timeout", TIMEOUT_SECONDS), retry_seconds)


def _read_retry_seconds() -> float:
    text = os.environ.get(RETRY_VARIABLE) or str(RETRY_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < math.inf:
        raise InvalidArgument(f"{RETRY_VARIABLE} is {text!r}. Set it to a number of seconds, 0 for no repetition.")
    return seconds
