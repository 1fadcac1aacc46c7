"""Execution of one operation over HTTP, free of I/O: yields effects, receives their results, retries.

The synchronous and the asynchronous client drive the same generator. An operation is sent again only if it is
idempotent or certainly never reached the server.
"""

import json
import os
import random
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import httpx

from tessera_gql.client.effects import Effect, HttpResponse, Pause, Post, Result, TransportFailure
from tessera_gql.client.errors import BadRequest, TesseraError, Unauthenticated, Unavailable, parse_error
from tessera_gql.client.multipart import build_form, extract_payload
from tessera_gql.client.operation import Operation

T = TypeVar("T")

DEFAULT_URL = "http://localhost:8000"
UPLOAD_SECONDS = 900.0
ACCEPT = "application/graphql-response+json, application/json;q=0.9"
RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Endpoint:
    """URL and key of a server, with the timeout and the number of retries after the first attempt."""

    url: str
    api_key: str | None = field(default=None, repr=False)
    timeout_seconds: float = 30.0
    retries: int = 4

    def __post_init__(self) -> None:
        if not _is_server_url(self.url):
            raise BadRequest(f"{self.url!r} is not the address of a server. Write it as https://tessera.example.com.")
        if self.api_key and not re.fullmatch(r"[!-~]+", self.api_key):
            raise Unauthenticated("The API key has a blank or a character that no key has. Copy it again.")

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


def resolve_endpoint(url: str | None, api_key: str | None, *, timeout_seconds: float, retries: int) -> Endpoint:
    """Build an endpoint; TESSERA_URL and TESSERA_API_KEY are the defaults."""
    server_url = url or os.environ.get("TESSERA_URL") or DEFAULT_URL
    key = api_key or os.environ.get("TESSERA_API_KEY") or None
    return Endpoint(server_url, key, timeout_seconds, retries)


def iter_backoff_delays(retries: int) -> Iterator[float]:
    """Yield the seconds before each retry: exponential backoff with jitter, at most 20 seconds."""
    return (random.uniform(0.5, 1) * min(0.2 * 2**attempt, 20.0) for attempt in range(retries))  # noqa: S311 - no secret


def execute_operation(operation: Operation[T], endpoint: Endpoint) -> Generator[Effect, Result, T]:
    """Execute an operation with retries and return its typed result; raises a TesseraError."""
    request = _build_request(operation, endpoint)
    delays = iter_backoff_delays(endpoint.retries)
    while True:
        result = yield request
        try:
            return _parse_result(operation, endpoint, result)
        except Unavailable:
            never_sent = isinstance(result, TransportFailure) and not result.maybe_sent
            if not (operation.is_idempotent or never_sent) or (delay := next(delays, None)) is None:
                raise
            yield Pause(max(delay, _parse_retry_after(result)))


def _build_request(operation: Operation[Any], endpoint: Endpoint) -> Post:
    headers = {"Accept": ACCEPT, **endpoint.authorization_headers}
    if operation.upload is None:
        text = json.dumps({"query": operation.document, "variables": operation.variables}, allow_nan=False)
        headers["Content-Type"] = "application/json"
        return Post(endpoint.graphql_url, headers, text.encode(), endpoint.timeout_seconds)
    form = build_form(operation, operation.upload)
    if operation.on_progress:
        headers["Accept"] = "text/event-stream"
    timeout_seconds = max(endpoint.timeout_seconds, UPLOAD_SECONDS)
    return Post(endpoint.graphql_url, headers | form.headers, form, timeout_seconds, operation.on_progress)


def _parse_result(operation: Operation[T], endpoint: Endpoint, result: Result) -> T:
    match result:
        case HttpResponse():
            return apply_parser(operation.parse, parse_response(result, endpoint), endpoint)
        case TransportFailure(reason=reason, maybe_sent=maybe_sent):
            outcome_unknown = maybe_sent and not operation.is_idempotent
            hint = " It may have been done: look before you repeat it." if outcome_unknown else ""
            message = f"{endpoint.display_url} can't be reached: {reason}.{hint}"
            raise Unavailable(message, outcome_unknown=outcome_unknown)
        case _:
            raise AssertionError("a request has an answer")


def apply_parser(parse: Callable[[Any], T], data: Any, endpoint: Endpoint) -> T:
    """Call `parse`; raises BadRequest if the data has not the shape that a Tessera server of this version sends."""
    try:
        return parse(data)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadRequest(
            f"{endpoint.display_url} answers, but not as a Tessera server of this version does. Check the address"
            " and its version."
        ) from error


def parse_response(response: HttpResponse, endpoint: Endpoint) -> dict[str, Any]:
    """Return the `data` of a GraphQL response; raises the first of its errors."""
    try:
        body: Any = json.loads(extract_payload(response.body))
    except ValueError:
        body = None
    if body is None and response.body.startswith((b":", b"event:")):
        raise Unavailable(f"{endpoint.display_url} ended the connection before it had answered.")
    if not isinstance(body, dict) or not ({"data", "errors"} & body.keys()):
        raise _build_http_error(response, endpoint)
    payload = cast("dict[str, Any]", body)
    for error in payload.get("errors") or ():
        problem = apply_parser(parse_error, error, endpoint)
        if response.status in {429, 503} and not isinstance(problem, Unavailable):
            raise Unavailable(problem.message)
        raise problem
    data: dict[str, Any] = payload.get("data") or {}
    return data


def _build_http_error(response: HttpResponse, endpoint: Endpoint) -> TesseraError:
    """Build the error of a response that is not GraphQL."""
    url, status = endpoint.display_url, response.status
    if status in RETRYABLE_STATUSES:
        return Unavailable(f"{url} answers {status}: it is away or busy.")
    if status in {401, 407}:
        return Unauthenticated(f"{url} wants a key. Set TESSERA_API_KEY.")
    return BadRequest(f"{url} answers {status}, and not as a Tessera server does. Check the address.")


def _parse_retry_after(result: Result) -> float:
    """Return the seconds of a Retry-After header, at most 60; 0 without one."""
    value = result.retry_after if isinstance(result, HttpResponse) else None
    return min(float(value), 60.0) if value and value.isdecimal() else 0.0


def to_transport_failure(error: httpx.HTTPError | httpx.InvalidURL) -> TransportFailure:
    """Convert an exception of httpx to a TransportFailure."""
    unsent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)
    return TransportFailure(describe_connection_error(error), maybe_sent=not isinstance(error, unsent))


def describe_connection_error(error: Exception) -> str:
    """Describe on one line why a connection failed, with a hint at likely mistakes in the URL."""
    detail = " ".join(str(error).split())
    reason = detail or type(error).__name__
    match error:
        case httpx.TimeoutException() | TimeoutError():
            return "it did not answer in time"
        case _ if "CERTIFICATE_VERIFY_FAILED" in detail:
            return f"its certificate is not trusted here ({detail})"
        case _ if "SSL" in detail:
            return f"it does not speak TLS: is it http:// rather than https://? ({detail})"
        case httpx.ConnectError():
            return "there is no server, or the way to it is closed" + (f" ({detail})" if detail else "")
        case httpx.RemoteProtocolError() | httpx.ReadError():
            return f"it broke the connection off: is it https:// rather than http://? ({reason})"
        case _:
            return reason
