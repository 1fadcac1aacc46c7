"""The login service of the console: what `app` binds of the issuer, and the cookie of an attempt to sign in."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import orjson

from tessera_gql.console.session import Signer

LOGIN_COOKIE = "tessera_login"
LOGIN_MINUTES = 10
"""Seconds that a person may take to sign in with the login service."""


class LoginRedirect(Protocol):
    """An attempt that the service has begun: where to send the browser, and what it must bring back."""

    @property
    def address(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def nonce(self) -> str: ...
    @property
    def verifier(self) -> str: ...


@dataclass(frozen=True)
class LoginService:
    """A service that signs people in with the code flow of OpenID Connect."""

    name: str
    """Its host, for people."""
    begin: Callable[[], Awaitable[LoginRedirect]]
    """Begins an attempt. Raises Unavailable."""
    complete: Callable[[str, str, str], Awaitable[str]]
    """Exchanges a code, with the verifier and nonce of its attempt, for a reference. Raises Unauthenticated."""


@dataclass(frozen=True)
class PendingLogin:
    """What the cookie of an attempt holds, which comes back with the code."""

    state: str
    nonce: str
    verifier: str
    next_path: str


def seal_login(signer: Signer, attempt: LoginRedirect, next_path: str, now: datetime) -> str:
    """Return the cookie of an attempt."""
    ends_at = int((now + timedelta(minutes=LOGIN_MINUTES)).timestamp())
    content = [attempt.state, attempt.nonce, attempt.verifier, next_path, ends_at]
    return signer.seal("login", orjson.dumps(content))


def unseal_login(signer: Signer, cookie: str | None, now: datetime) -> PendingLogin | None:
    """Return the attempt of a cookie; None if it is missing, forged or too old."""
    content = signer.unseal("login", cookie or "")
    if content is None:
        return None
    state, nonce, verifier, next_path, ends_at = orjson.loads(content)
    return PendingLogin(state, nonce, verifier, next_path) if now.timestamp() < ends_at else None
