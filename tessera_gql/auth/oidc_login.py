"""Sign people in with the code flow of OpenID Connect, with PKCE, a state and a nonce. Nothing of it is stored.

A session holds what the issuer said of a person: subject, team and scopes. The caller signs it.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import math
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit

import httpx
import orjson

from tessera_gql.auth.identity import Identity, InvalidCredential
from tessera_gql.auth.keys import LOGIN_REFERENCE
from tessera_gql.auth.oidc import (
    CACHE_SECONDS,
    RETRY_SECONDS,
    SCOPES,
    JwksIssuer,
    invalid_token_error,
    is_secure_address,
)
from tessera_gql.errors import Unavailable
from tessera_gql.notifications.outbound_http import tls_context

DISCOVERY_PATH = "/.well-known/openid-configuration"
MAX_REPLY_BYTES = 512_000
TIMEOUT_SECONDS = 5.0
REFUSED = "Your login service did not confirm the sign-in. Try again; if it fails again, ask an administrator."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoginClient:
    """How this server is registered with the issuer."""

    issuer: str
    client_id: str
    client_secret: str | None
    """None for a public client, which PKCE alone protects."""
    redirect_uri: str
    scopes: str = "openid"


@dataclass(frozen=True)
class Endpoints:
    """The addresses of an issuer, and whether the client's secret goes into the body of a request for tokens."""

    authorization: str
    token: str
    posts_secret: bool


@dataclass(frozen=True)
class LoginAttempt:
    """One attempt to sign in: the address to send the browser to, and what the browser must bring back."""

    address: str
    state: str
    nonce: str
    verifier: str


@dataclass
class OidcLogin:
    """Signs people in with an issuer, and recognizes them later by the reference in their session."""

    client: LoginClient
    issuer: JwksIssuer
    monotonic: Callable[[], float] = time.monotonic
    _endpoints: Endpoints | None = None
    _last_attempt_at: float = -math.inf
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        """The host of the issuer, for people."""
        return urlsplit(self.client.issuer).hostname or self.client.issuer

    async def begin(self) -> LoginAttempt:
        """Begin to sign a person in. Raises Unavailable if the issuer can't be reached."""
        endpoints = await self._discover()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        parameters = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": self.client.redirect_uri,
            "scope": self.client.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        mark = "&" if "?" in endpoints.authorization else "?"
        return LoginAttempt(f"{endpoints.authorization}{mark}{urlencode(parameters)}", state, nonce, verifier)

    async def complete(self, code: str, verifier: str, nonce: str) -> str:
        """Exchange a code for the reference of a session. Raises InvalidCredential or Unavailable."""
        tokens = await self._exchange(code, verifier)
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str):
            raise InvalidCredential(REFUSED)
        claims = await self.issuer.verify(id_token, self.client.client_id)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise invalid_token_error()
        if claims.get("azp", self.client.client_id) != self.client.client_id:
            raise invalid_token_error()
        granted = await self._find_rights(claims, tokens.get("access_token"))
        await self.issuer.create_actor(granted)
        return self._write_reference(granted)

    async def identify_reference(self, reference: str) -> Identity:
        """Return the person of a session, whose team may have been archived since. Raises InvalidCredential.

        The caller must have verified that the reference is its own.
        """
        try:
            content = orjson.loads(base64.urlsafe_b64decode(reference.removeprefix(LOGIN_REFERENCE)))
            origin, claims = content["origin"], content["claims"]
        except (ValueError, binascii.Error, LookupError, TypeError):
            raise InvalidCredential(REFUSED) from None
        if origin != self._origin:
            raise InvalidCredential("This session is of another login service. Sign in again.")
        return Identity(await self.issuer.create_actor(claims))

    @property
    def _origin(self) -> list[str]:
        return [self.client.issuer, self.client.client_id]

    async def _find_rights(self, claims: Mapping[str, Any], access_token: Any) -> Mapping[str, Any]:
        """Return the claims with team and scopes: those of the ID token, or of an access token for this server."""
        if self.issuer.claims.scope in claims or not isinstance(access_token, str) or access_token.count(".") != 2:
            return claims
        granted = await self.issuer.verify(access_token, self.issuer.claims.audience)
        if granted["sub"] != claims["sub"]:
            raise invalid_token_error()
        return granted

    def _write_reference(self, claims: Mapping[str, Any]) -> str:
        names = self.issuer.claims
        scopes = [name for name in self.issuer.list_scopes(claims) if name in SCOPES]
        team = claims.get(names.team)
        session_claims = {
            "sub": claims["sub"],
            names.scope: scopes,
            names.team: team if isinstance(team, str) else None,
        }
        content = orjson.dumps({"origin": self._origin, "claims": session_claims})
        return LOGIN_REFERENCE + base64.urlsafe_b64encode(content).decode()

    async def _exchange(self, code: str, verifier: str) -> dict[str, Any]:
        """Send a code to the issuer and return its tokens."""
        endpoints = await self._discover()
        values = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.client.redirect_uri,
            "client_id": self.client.client_id,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        if (secret := self.client.client_secret) is not None and endpoints.posts_secret:
            values["client_secret"] = secret
        elif secret is not None:
            pair = f"{quote(self.client.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        try:
            status, reply = await _request("POST", endpoints.token, headers, values)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            log.warning("The login service did not answer at its token endpoint: %s", error)
            raise Unavailable("Your login service does not answer now. Try again in a minute.") from None
        if status != 200:
            log.warning("The login service refused a code with status %d: %s", status, _describe_error(reply))
            raise InvalidCredential(REFUSED)
        return reply

    async def _discover(self) -> Endpoints:
        """Return the addresses of the issuer, from its discovery document. Raises Unavailable."""
        async with self._lock:
            if self.monotonic() - self._last_attempt_at > (CACHE_SECONDS if self._endpoints else RETRY_SECONDS):
                await self._refresh()
        if self._endpoints is None:
            raise Unavailable("Your login service can't be reached now. Try again in a minute, or use an API key.")
        return self._endpoints

    async def _refresh(self) -> None:
        """Read the discovery document again. If that fails, the previous addresses stay in use."""
        self._last_attempt_at = self.monotonic()
        address = self.client.issuer.rstrip("/") + DISCOVERY_PATH
        try:
            self._endpoints = _parse_discovery(*await _request("GET", address, {}), self.client.issuer)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError) as error:
            log.warning("The login service can't be discovered at %s: %s", address, error)


def _parse_discovery(status: int, document: Mapping[str, Any], issuer: str) -> Endpoints:
    """Check a discovery document and return its addresses. Raises ValueError."""
    if status != 200:
        raise ValueError(f"it answers with status {status}")
    if document.get("issuer") != issuer:
        raise ValueError(f"its issuer is {str(document.get('issuer'))[:200]!r}, and not OIDC_ISSUER")
    authorization, token = document.get("authorization_endpoint"), document.get("token_endpoint")
    if not (is_secure_address(authorization) and is_secure_address(token)):
        raise ValueError("its endpoints are no https addresses")
    methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    posts = isinstance(methods, list) and "client_secret_basic" not in methods and "client_secret_post" in methods
    return Endpoints(str(authorization), str(token), posts)


async def _request(
    method: str, address: str, headers: Mapping[str, str], values: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Request an address and return the status and the object of the reply, which is bounded. Raises ValueError."""
    async with (
        asyncio.timeout(2 * TIMEOUT_SECONDS),
        httpx.AsyncClient(verify=tls_context(), timeout=TIMEOUT_SECONDS) as client,
        client.stream(method, address, headers=dict(headers), data=dict(values) if values else None) as response,
    ):
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_REPLY_BYTES:
                raise ValueError(f"it is larger than {MAX_REPLY_BYTES:,} bytes")
    try:
        content = orjson.loads(bytes(body))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        if response.status_code == 200:
            raise ValueError("it is no JSON object")
        content = {}
    return response.status_code, cast("dict[str, Any]", content)


def _describe_error(reply: Mapping[str, Any]) -> str:
    """Describe why the issuer refused, without anything that it might have quoted of the request."""
    code = reply.get("error")
    return code if isinstance(code, str) and code.isidentifier() and len(code) < 60 else "no reason is given"
