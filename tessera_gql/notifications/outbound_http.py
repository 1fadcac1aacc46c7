"""Post to URLs of users safely: each resolved address is checked, and the checked address is called.

No redirects, proxies, cookies or connections shared between receivers, and only the start of a response is read.
"""

import asyncio
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
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
    """The reason why a post failed, for the owner of the webhook; `status` is that of the response, if any."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass(frozen=True)
class PostRules:
    """Rules for outbound posts; `allow_private` permits private and loopback addresses."""

    allow_private: bool = False
    timeout_seconds: float = 15.0


async def post(url: str, body: bytes, headers: Mapping[str, str], rules: PostRules) -> int:
    """Post a body and return the status of the successful response; raises DeliveryError."""
    try:
        async with asyncio.timeout(rules.timeout_seconds):
            return await _post(httpx.URL(url), body, headers, rules)
    except TimeoutError:
        raise DeliveryError(f"No answer within {rules.timeout_seconds:g} seconds.") from None
    except httpx.InvalidURL as error:
        raise DeliveryError(f"The address can't be used: {error}.") from None


async def _post(url: httpx.URL, body: bytes, headers: Mapping[str, str], rules: PostRules) -> int:
    failure = DeliveryError(f"{url.host} has no address.")
    for address in (await _resolve(url, rules))[:MAX_ADDRESSES]:
        try:
            return await _post_to(address, url, body, headers)
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


async def _post_to(address: Address, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> int:
    """Post to an address; the Host header and the certificate are those of the name."""
    request_headers = {**headers, "Host": url.netloc.decode("ascii"), "Connection": "close"}
    async with (
        httpx.AsyncClient(verify=_tls_context(), trust_env=False, follow_redirects=False, timeout=None) as client,  # noqa: S113 - `post` limits the time
        client.stream(
            "POST",
            url.copy_with(host=str(address)),
            content=body,
            headers=request_headers,
            extensions={"sni_hostname": _ascii_host(url)},
        ) as response,
    ):
        await _read_start(response)
        return _check_status(response)


async def _read_start(response: httpx.Response) -> None:
    """Read the start of a response, so that a receiver can finish a short one; a long one is cut off."""
    read = 0
    async for chunk in response.aiter_raw():
        read += len(chunk)
        if read > MAX_RESPONSE_BYTES:
            return


def _check_status(response: httpx.Response) -> int:
    """Return a successful status; raises DeliveryError for any other."""
    status = response.status_code
    if response.is_success:
        return status
    if response.is_redirect:
        raise DeliveryError(
            f"The receiver answered {status}, a redirect: they are not followed. Change the URL.", status
        )
    raise DeliveryError(f"The receiver answered {status}.", status)


@cache
def _tls_context() -> SSLContext:
    """The TLS context, created once: loading the certificates takes longer than a post."""
    return httpx.create_ssl_context()


def _ascii_host(url: httpx.URL) -> str:
    """Return the host name in ASCII, as DNS and certificates have it."""
    return url.raw_host.decode("ascii")


def _describe_error(error: Exception) -> str:
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, SSLError):
        return f"the certificate or handshake was refused ({cause.reason or cause})"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
