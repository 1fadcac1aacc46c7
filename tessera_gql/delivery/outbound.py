"""Posting to addresses that strangers chose: looked up once, every address checked, and the very one checked is called.

No redirects, no proxies, no cookies, no connection shared between receivers, and little of an answer is read.
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

from tessera_gql.policy.delivery import refusal

# Names that nobody answers for take long; they must not use up the threads of everything else.
LOOK_UPS = ThreadPoolExecutor(32, thread_name_prefix="look-up")
READ_BYTES = 16_384
TRIED_ADDRESSES = 3

Address = IPv4Address | IPv6Address


class Undelivered(Exception):  # noqa: N818 - what it says
    """Why a post did not arrive, for the owner of the receiver. `status` is what the receiver answered, if it did."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass(frozen=True)
class Rules:
    """`allow_private` lets posts go to private and loopback addresses: receivers inside one's own network."""

    allow_private: bool = False
    timeout_seconds: float = 15.0


async def post(url: str, body: bytes, headers: Mapping[str, str], rules: Rules) -> int:
    """The status of an answer that accepts; raises Undelivered."""
    try:
        async with asyncio.timeout(rules.timeout_seconds):
            return await _post(httpx.URL(url), body, headers, rules)
    except TimeoutError:
        raise Undelivered(f"No answer within {rules.timeout_seconds:g} seconds.") from None
    except httpx.InvalidURL as error:
        raise Undelivered(f"The address can't be used: {error}.") from None


async def _post(url: httpx.URL, body: bytes, headers: Mapping[str, str], rules: Rules) -> int:
    failure = Undelivered(f"{url.host} has no address.")
    for address in (await _checked(url, rules))[:TRIED_ADDRESSES]:
        try:
            return await _post_to(address, url, body, headers)
        except httpx.ConnectError as error:
            failure = Undelivered(f"Can't connect to {url.host} at {address}: {_reason(error)}.")
        except httpx.HTTPError as error:
            raise Undelivered(f"The connection to {url.host} failed: {_reason(error)}.") from None
    raise failure


async def _checked(url: httpx.URL, rules: Rules) -> list[Address]:
    """The addresses of the host; raises Undelivered if it has none, or one that must not be called."""
    look_up = partial(socket.getaddrinfo, _name(url), _port(url), type=socket.SOCK_STREAM)
    try:
        found = await asyncio.get_running_loop().run_in_executor(LOOK_UPS, look_up)
    except (OSError, UnicodeError) as error:
        raise Undelivered(f"The name {url.host} can't be looked up: {_reason(error)}.") from None
    addresses = [ip_address(str(place[0]).partition("%")[0]) for *_, place in found]
    for address in addresses:
        if why := refusal(address, allow_private=rules.allow_private):
            raise Undelivered(
                f"{url.host} has the address {address}, which is {why}: not called."
                " Only public addresses are, unless the setting WEBHOOK_ALLOW_PRIVATE lets posts go inside."
            )
    return addresses


async def _post_to(address: Address, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> int:
    """Host and certificate are those of the name; only the connection goes to the address."""
    sent = {**headers, "Host": url.netloc.decode("ascii"), "Connection": "close"}
    async with (
        httpx.AsyncClient(verify=_tls(), trust_env=False, follow_redirects=False, timeout=None) as client,  # noqa: S113 - the caller bounds it all
        client.stream(
            "POST",
            url.copy_with(host=str(address)),
            content=body,
            headers=sent,
            extensions={"sni_hostname": _name(url)},
        ) as answer,
    ):
        await _skim(answer)
        return _accepted(answer)


async def _skim(answer: httpx.Response) -> None:
    """Lets a receiver that answers briefly finish; one that goes on and on is left alone."""
    read = 0
    async for chunk in answer.aiter_raw():
        read += len(chunk)
        if read > READ_BYTES:
            return


def _accepted(answer: httpx.Response) -> int:
    status = answer.status_code
    if answer.is_success:
        return status
    if answer.is_redirect:
        raise Undelivered(f"The receiver answered {status}, a redirect: they are not followed. Change the URL.", status)
    raise Undelivered(f"The receiver answered {status}.", status)


@cache
def _tls() -> SSLContext:
    """Made once: reading the certificates takes longer than a post."""
    return httpx.create_ssl_context()


def _name(url: httpx.URL) -> str:
    """As certificates and name servers spell it: in ASCII."""
    return url.raw_host.decode("ascii")


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _reason(error: Exception) -> str:
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, SSLError):
        return f"the certificate or handshake was refused ({cause.reason or cause})"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
