"""Call URLs of users safely: each resolved address is checked, and the checked address is called.

No redirects, proxies, cookies or connections shared between receivers, and only the start of a response is read.
"""

import asyncio
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, partial
from http import HTTPStatus
from importlib import import_module
from ipaddress import IPv4Address, IPv6Address, ip_address
from ssl import SSLContext, SSLError

import httpx

from tessera_gql.policy.webhook_delivery import find_block_reason

# Threads of their own: unresolvable names block for long and must not exhaust the default executor.
DNS_THREADS = ThreadPoolExecutor(32, thread_name_prefix="look-up")
MAX_RESPONSE_BYTES = 16_384
MAX_ADDRESSES = 3

Address = IPv4Address | IPv6Address


class DeliveryError(Exception):
    """The reason why a post failed, for the owner of the webhook; `status` is that of the response, if any.

    `retry_after` are the seconds that the receiver asks for. A final failure is not tried again.
    """

    def __init__(
        self, message: str, status: int | None = None, *, retry_after: float | None = None, is_final: bool = False
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.is_final = is_final


@dataclass(frozen=True)
class PostRules:
    """Rules for outbound posts; `allow_private` permits private and loopback addresses."""

    allow_private: bool = False
    timeout_seconds: float = 15.0


@dataclass(frozen=True)
class OutboundRequest:
    """What is sent to a receiver."""

    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"


@dataclass(frozen=True)
class OutboundResponse:
    """The status of a response, the seconds after which to try again, if it says so, and the start of its body."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    retry_after: float | None = None


async def post(url: str, body: bytes, headers: Mapping[str, str], rules: PostRules) -> int:
    """Post a body and return the status of the successful response; raises DeliveryError."""
    return check_status(await send(url, OutboundRequest(body, headers), rules))


async def send(url: str, request: OutboundRequest, rules: PostRules) -> OutboundResponse:
    """Send a request and return the response, whatever its status; raises DeliveryError if there is none."""
    try:
        async with asyncio.timeout(rules.timeout_seconds):
            return await _send(httpx.URL(url), request, rules)
    except TimeoutError:
        raise DeliveryError(f"No answer within {rules.timeout_seconds:g} seconds.") from None
    except httpx.InvalidURL as error:
        raise DeliveryError(f"The address can't be used: {error}.") from None


async def _send(url: httpx.URL, request: OutboundRequest, rules: PostRules) -> OutboundResponse:
    failure = DeliveryError(f"{url.host} has no address.")
    for address in (await _resolve(url, rules))[:MAX_ADDRESSES]:
        try:
            return await _send_to(address, url, request)
        except httpx.ConnectError as error:
            failure = DeliveryError(f"Can't connect to {url.host} at {address}: {_describe_error(error)}.")
        except httpx.HTTPError as error:
            raise DeliveryError(f"The connection to {url.host} failed: {_describe_error(error)}.") from None
    raise failure


async def _resolve(url: httpx.URL, rules: PostRules) -> list[Address]:
    """Resolve the host; raises DeliveryError if it has no address, or one that must not be called."""
    port = url.port or (443 if url.scheme == "https" else 80)
    look_up = partial(socket.getaddrinfo, _ascii_host(url), port, type=socket.SOCK_STREAM)
    try:
        results = await asyncio.get_running_loop().run_in_executor(DNS_THREADS, look_up)
    except (OSError, UnicodeError) as error:
        raise DeliveryError(f"The name {url.host} can't be looked up: {_describe_error(error)}.") from None
    addresses = [ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in results]
    for address in addresses:
        if reason := find_block_reason(address, allow_private=rules.allow_private):
            raise DeliveryError(
                f"{url.host} has the address {address}, which is {reason}: not called."
                " Only public addresses are, unless the setting WEBHOOK_ALLOW_PRIVATE lets posts go inside."
            )
    return addresses


async def _send_to(address: Address, url: httpx.URL, request: OutboundRequest) -> OutboundResponse:
    """Send to an address; the Host header and the certificate are those of the name."""
    request_headers = {**request.headers, "Host": url.netloc.decode("ascii"), "Connection": "close"}
    async with (
        httpx.AsyncClient(verify=tls_context(), trust_env=False, follow_redirects=False, timeout=None) as client,  # noqa: S113 - `post` limits the time
        client.stream(
            request.method,
            url.copy_with(host=str(address)),
            content=request.body,
            headers=request_headers,
            extensions={"sni_hostname": _ascii_host(url)},
        ) as response,
    ):
        body = await _read_start(response)
        retry_after = parse_retry_after(response.headers.get("retry-after"), datetime.now(UTC))
        return OutboundResponse(response.status_code, body, response.headers, retry_after)


async def _read_start(response: httpx.Response) -> bytes:
    """Read the start of a response, so that a receiver can finish a short one; a long one is cut off."""
    start = b""
    async for chunk in response.aiter_raw():
        start += chunk
        if len(start) > MAX_RESPONSE_BYTES:
            break
    return start[:MAX_RESPONSE_BYTES]


def check_status(response: OutboundResponse, receiver: str = "The receiver", hint: str = "") -> int:
    """Return a successful status; raises DeliveryError for any other. The hint says what to do about it."""
    status = response.status
    if httpx.codes.is_success(status):
        return status
    advice = f" {hint}" if hint else ""
    if httpx.codes.is_redirect(status):
        raise DeliveryError(f"{receiver} answered {status}, a redirect: they are not followed. Change the URL.", status)
    if status == HTTPStatus.TOO_MANY_REQUESTS and response.retry_after is not None:
        wait = f"{receiver} answered {status}: it takes no more messages for {response.retry_after:,.0f} seconds."
        raise DeliveryError(f"{wait}{advice}", status, retry_after=response.retry_after)
    raise DeliveryError(f"{receiver} answered {status}.{advice}", status, retry_after=response.retry_after)


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """Return the seconds that a header Retry-After names, as a number or a date; None if it names none."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text.strip()[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    return max(seconds.total_seconds(), 0.0)


@cache
def tls_context() -> SSLContext:
    """The TLS context, created once: loading the certificates takes longer than a post."""
    return httpx.create_ssl_context()


def preload() -> None:
    """Load what the first post needs. It takes 50 ms, which would hold the event loop."""
    for name in ("httpcore", "h11", "anyio._backends._asyncio"):  # imported by others where they are first used
        with suppress(ImportError):
            import_module(name)
    with suppress(OSError, SSLError):  # the first post reports it
        tls_context()


def _ascii_host(url: httpx.URL) -> str:
    """Return the host name in ASCII, as DNS and certificates have it."""
    return url.raw_host.decode("ascii")


def _describe_error(error: Exception) -> str:
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, SSLError):
        return f"the certificate or handshake was refused ({cause.reason or cause})"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
