"""Execution of one operation over HTTP, free of I/O: yields effects, receives their results, retries.

The synchronous and the asynchronous client drive the same generator. An operation is sent again only if it is
idempotent or certainly was not executed.
"""

import json
import random
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast

import httpx

from tessera_gql.client.effects import Effect, HttpResponse, Pause, Post, Result, TransportFailure
from tessera_gql.client.endpoint import Endpoint
from tessera_gql.client.errors import (
    BadRequest,
    InvalidArgument,
    Refusal,
    TesseraError,
    Unauthenticated,
    Unavailable,
    parse_error,
)
from tessera_gql.client.multipart import build_form, extract_payload
from tessera_gql.client.operation import Operation

T = TypeVar("T")

UPLOAD_SECONDS = 900.0
CONNECT_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 3.0
"""Seconds until an idle connection is closed. A server or proxy that closes it first could lose a request."""
LAST_ATTEMPT_SECONDS = 1.0
"""Time that the last attempt has. The pause before it is shortened, so that it happens."""
MAX_DELAY_SECONDS = 2.0
ACCEPT = "application/graphql-response+json, application/json;q=0.9"
PERMANENT_TLS_FAULTS = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER")
RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass
class RetryClock:
    """The pauses before the attempts of one call. The total begins with the first failure."""

    total_seconds: float
    _deadline: float | None = None
    _delays: Iterator[float] = field(default_factory=lambda: iter_backoff_delays(MAX_DELAY_SECONDS))

    @property
    def remaining_seconds(self) -> float:
        return self.total_seconds if self._deadline is None else self._deadline - time.monotonic()

    def next_delay(self, retry_after_seconds: float = 0.0) -> float | None:
        """Return the seconds before the next attempt, or None if it would be too late.

        The server's `Retry-After` is never shortened.
        """
        if self._deadline is None:
            self._deadline = time.monotonic() + self.total_seconds
        latest = self.remaining_seconds - min(LAST_ATTEMPT_SECONDS, self.total_seconds / 4)
        if latest <= 0 or retry_after_seconds > latest:
            return None
        return max(min(next(self._delays), latest), retry_after_seconds)


def iter_backoff_delays(max_seconds: float) -> Iterator[float]:
    """Yield seconds without end: exponential backoff with jitter up to a maximum."""
    seconds = 0.2
    while True:
        yield random.uniform(0.5, 1) * seconds  # noqa: S311 - no secret
        seconds = min(seconds * 2, max_seconds)


def execute_operation(operation: Operation[T], endpoint: Endpoint) -> Generator[Effect, Result, T]:
    """Execute an operation with retries and return its typed result; raises a TesseraError."""
    maybe_done = False
    try:
        request = _build_request(operation, endpoint)
        clock = RetryClock(endpoint.retry_seconds)
        while True:
            result = yield request
            try:
                return _parse_result(operation, endpoint, result)
            except Unavailable as error:
                can_repeat = error.is_temporary and (operation.is_idempotent or not error.maybe_done)
                delay = clock.next_delay(_parse_retry_after(result)) if can_repeat else None
                maybe_done = maybe_done or error.maybe_done
                if delay is None:
                    raise
                yield Pause(delay, error.message)
            request = _limit_time(request, clock)
    except TesseraError as error:
        _describe_outcome(error, operation, maybe_done=maybe_done)
        raise


def _limit_time(request: Post, clock: RetryClock) -> Post:
    """Limit a repeated request to the remaining time. An upload that has begun may take longer."""
    if not isinstance(request.content, bytes):
        return request
    return replace(request, timeout_seconds=min(request.timeout_seconds, max(clock.remaining_seconds, 0.05)))


def _describe_outcome(error: TesseraError, operation: Operation[Any], *, maybe_done: bool) -> None:
    """Add to an error what is known of the operation after all of its attempts."""
    error.idempotency_key = operation.idempotency_key
    if isinstance(error, Refusal):  # the server's decision on this very operation
        return
    error.maybe_done = error.maybe_done or maybe_done
    if isinstance(error, Unavailable) and error.maybe_done and operation.is_mutation:
        key = f"repeat it with idempotency_key={operation.idempotency_key!r}, which executes it at most once"
        advice = key if operation.idempotency_key else "look before you repeat it"
        error.message = f"{error.message} It may have been done: {advice}."
        error.args = (error.message,)


def _build_request(operation: Operation[Any], endpoint: Endpoint) -> Post:
    headers = {"Accept": ACCEPT, **endpoint.authorization_headers}
    try:
        if operation.upload is None:
            text = json.dumps({"query": operation.document, "variables": operation.variables}, allow_nan=False)
            headers["Content-Type"] = "application/json"
            return Post(endpoint.graphql_url, headers, text.encode(), endpoint.timeout_seconds)
        form = build_form(operation, operation.upload)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidArgument(f"The request can't be sent: {error}.") from None
    if operation.on_progress:
        headers["Accept"] = "text/event-stream"
    timeout_seconds = max(endpoint.timeout_seconds, UPLOAD_SECONDS)
    return Post(endpoint.graphql_url, headers | form.headers, form, timeout_seconds, operation.on_progress)


def _parse_result(operation: Operation[T], endpoint: Endpoint, result: Result) -> T:
    match result:
        case HttpResponse():
            return apply_parser(operation.parse, parse_response(result, endpoint), endpoint)
        case TransportFailure(reason=reason):
            message = f"{endpoint.display_url} can't be reached: {reason}."
            raise Unavailable(message, maybe_done=result.maybe_sent, is_temporary=result.is_temporary)
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
        raise Unavailable(f"{endpoint.display_url} ended the connection before it had answered.", maybe_done=True)
    if not isinstance(body, dict) or not ({"data", "errors"} & body.keys()):
        raise _build_http_error(response, endpoint)
    payload = cast("dict[str, Any]", body)
    for error in payload.get("errors") or ():
        problem = apply_parser(parse_error, error, endpoint)
        if response.status in {429, 503} and not isinstance(problem, Unavailable):
            raise Unavailable(problem.message, maybe_done=True)
        raise problem
    data: dict[str, Any] = payload.get("data") or {}
    return data


def _build_http_error(response: HttpResponse, endpoint: Endpoint) -> TesseraError:
    """Build the error of a response that is not GraphQL."""
    url, status = endpoint.display_url, response.status
    if status in RETRYABLE_STATUSES:
        return Unavailable(f"{url} answers {status}: it is away or busy.", maybe_done=True)
    if status in {401, 407}:
        return Unauthenticated(f"{url} wants a key. Set TESSERA_API_KEY.")
    return BadRequest(f"{url} answers {status}, and not as a Tessera server does. Check the address.")


def _parse_retry_after(result: Result) -> float:
    """Return the seconds of a Retry-After header, which is a number or a date; 0 without a valid one."""
    value = result.retry_after if isinstance(result, HttpResponse) else None
    if not value or value.isdecimal():
        return float(value or 0)
    try:
        return max((parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):  # no date, or one without a time zone
        return 0.0


def build_timeout(post: Post) -> httpx.Timeout:
    """Build the timeouts of one request. Connecting ends first, so that its timeout is known to be one."""
    return httpx.Timeout(post.timeout_seconds, connect=min(post.timeout_seconds * 0.8, CONNECT_SECONDS))


def build_connection_limits(max_connections: int) -> httpx.Limits:
    return httpx.Limits(
        max_connections=max_connections, max_keepalive_connections=max_connections, keepalive_expiry=KEEP_ALIVE_SECONDS
    )


def to_transport_failure(error: httpx.HTTPError | httpx.InvalidURL | OSError) -> TransportFailure:
    """Convert an exception of httpx to a TransportFailure. Only if connecting fails, nothing was sent for certain."""
    unsent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)
    is_permanent = isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL) or any(
        fault in str(error) for fault in PERMANENT_TLS_FAULTS
    )
    reason = describe_connection_error(error)
    return TransportFailure(reason, maybe_sent=not isinstance(error, unsent), is_temporary=not is_permanent)


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
