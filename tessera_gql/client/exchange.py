"""One operation over HTTP, without doing any of it: yields what is to be sent, takes in what came, tells when to retry.

Both faces drive these steps, so that there is one logic and only the waiting differs. Never sends again what may
already have been done, unless doing it twice is doing it once.
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

from tessera_gql.client.errors import BadRequest, TesseraError, Unauthenticated, Unavailable, told
from tessera_gql.client.forms import form, replied
from tessera_gql.client.operation import Operation
from tessera_gql.client.steps import Came, Lost, Pause, Post, Result, Step

T = TypeVar("T")

DEFAULT_URL = "http://localhost:8000"
UPLOAD_SECONDS = 900.0
ACCEPT = "application/graphql-response+json, application/json;q=0.9"
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Target:
    """Where the server is, and how patient to be with it. `retries` come after the first attempt."""

    url: str
    api_key: str | None = field(default=None, repr=False)
    timeout_seconds: float = 30.0
    retries: int = 4

    def __post_init__(self) -> None:
        if not _is_address(self.url):
            raise BadRequest(f"{self.url!r} is not the address of a server. Write it as https://tessera.example.com.")
        if self.api_key and not re.fullmatch(r"[!-~]+", self.api_key):
            raise Unauthenticated("The API key has a blank or a character that no key has. Copy it again.")

    @property
    def address(self) -> str:
        """The address as messages name it: without the user and password that may stand in it."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    @property
    def graphql(self) -> str:
        base = self.url.rstrip("/")
        return base if base.endswith("/graphql") else f"{base}/graphql"

    @property
    def socket(self) -> str:
        return "ws" + self.graphql.removeprefix("http")

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_bare = not (parts.query or parts.fragment)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and is_bare
    except ValueError:  # of a port that is no number, or brackets that do not close
        return False


def target(url: str | None, api_key: str | None, *, timeout_seconds: float, retries: int) -> Target:
    """What is not given comes from TESSERA_URL and TESSERA_API_KEY."""
    where = url or os.environ.get("TESSERA_URL") or DEFAULT_URL
    key = api_key or os.environ.get("TESSERA_API_KEY") or None
    return Target(where, key, timeout_seconds, retries)


def delays(retries: int) -> Iterator[float]:
    """Seconds before each retry: longer each time, and spread, so that clients do not come back all at once."""
    return (random.uniform(0.5, 1) * min(0.2 * 2**attempt, 20.0) for attempt in range(retries))  # noqa: S311 - no secret


def exchange(operation: Operation[T], target: Target) -> Generator[Step, Result, T]:
    """Returns the typed answer; raises a TesseraError."""
    post = _post(operation, target)
    waits = delays(target.retries)
    while True:
        came = yield post
        try:
            return _answer(operation, target, came)
        except Unavailable:
            never_sent = isinstance(came, Lost) and not came.sent
            if not (operation.repeatable or never_sent) or (wait := next(waits, None)) is None:
                raise
            yield Pause(max(wait, _asked_for(came)))


def _post(operation: Operation[Any], target: Target) -> Post:
    headers = {"Accept": ACCEPT, **target.authorization}
    if operation.upload is None:
        text = json.dumps({"query": operation.document, "variables": operation.variables}, allow_nan=False)
        headers["Content-Type"] = "application/json"
        return Post(target.graphql, headers, text.encode(), target.timeout_seconds)
    sent = form(operation, operation.upload)
    if operation.hear:
        headers["Accept"] = "text/event-stream"
    return Post(
        target.graphql, headers | sent.headers, sent, max(target.timeout_seconds, UPLOAD_SECONDS), operation.hear
    )


def _answer(operation: Operation[T], target: Target, came: Result) -> T:
    match came:
        case Came():
            return parsed(operation.parse, reply(came, target), target)
        case Lost(reason=reason, sent=sent):
            unknown = sent and not operation.repeatable
            after = " It may have been done: look before you repeat it." if unknown else ""
            raise Unavailable(f"{target.address} can't be reached: {reason}.{after}", maybe_done=unknown)
        case _:
            raise AssertionError("a request has an answer")


def parsed(parse: Callable[[Any], T], data: Any, target: Target) -> T:
    """What `parse` makes of data; raises BadRequest for data that no Tessera server of this version sends."""
    try:
        return parse(data)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise strange(target) from error


def strange(target: Target) -> BadRequest:
    return BadRequest(
        f"{target.address} answers, but not as a Tessera server of this version does. Check the address"
        " and its version."
    )


def reply(came: Came, target: Target) -> dict[str, Any]:
    """The data of an answer over HTTP; raises what it says instead."""
    try:
        body: Any = json.loads(replied(came.body))
    except ValueError:
        body = None
    if body is None and came.body.startswith((b":", b"event:")):
        raise Unavailable(f"{target.address} ended the connection before it had answered.")
    if not isinstance(body, dict) or not ({"data", "errors"} & body.keys()):
        raise _foreign(came, target)
    found = cast("dict[str, Any]", body)
    for error in found.get("errors") or ():
        problem = parsed(told, error, target)
        if came.status in {429, 503} and not isinstance(problem, Unavailable):
            raise Unavailable(problem.message)
        raise problem
    data: dict[str, Any] = found.get("data") or {}
    return data


def _foreign(came: Came, target: Target) -> TesseraError:
    if came.status in BUSY:
        return Unavailable(f"{target.address} answers {came.status}: it is away or busy.")
    if came.status in {401, 407}:
        return Unauthenticated(f"{target.address} wants a key. Set TESSERA_API_KEY.")
    return BadRequest(f"{target.address} answers {came.status}, and not as a Tessera server does. Check the address.")


def _asked_for(came: Result) -> float:
    value = came.retry_after if isinstance(came, Came) else None
    return min(float(value), 60.0) if value and value.isdecimal() else 0.0


def lost(error: httpx.HTTPError | httpx.InvalidURL) -> Lost:
    """What httpx raised, as a result."""
    never = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)
    return Lost(why_lost(error), sent=not isinstance(error, never))


def why_lost(error: Exception) -> str:
    """Why there is no connection, on one line, and what may be wrong with the address."""
    said = " ".join(str(error).split())
    match error:
        case httpx.TimeoutException() | TimeoutError():
            return "it did not answer in time"
        case _ if "CERTIFICATE_VERIFY_FAILED" in said:
            return f"its certificate is not trusted here ({said})"
        case _ if "SSL" in said:
            return f"it does not speak TLS: is it http:// rather than https://? ({said})"
        case httpx.ConnectError():
            return "there is no server, or the way to it is closed" + (f" ({said})" if said else "")
        case httpx.RemoteProtocolError() | httpx.ReadError():
            return f"it broke the connection off: is it https:// rather than http://? ({said or type(error).__name__})"
        case _:
            return said or type(error).__name__
