"""Verify JWTs of an OIDC issuer. The signature is checked before any claim, with configured algorithms and keys."""

import asyncio
import base64
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

import httpx
import orjson
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from tessera_gql.auth.identity import Identity, InvalidCredential
from tessera_gql.errors import Unavailable
from tessera_gql.notifications.outbound_http import tls_context
from tessera_gql.policy.access import ADMIN_SCOPES, Actor
from tessera_gql.store import teams
from tessera_gql.store.database import Database

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Algorithms with public keys only. If HMAC were allowed, a forger could use a public key as the shared secret."""
LEEWAY_SECONDS = 60
MAX_TOKEN_LENGTH = 16_000
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
MAX_JWKS_BYTES = 512_000
CACHE_SECONDS = 600.0
"""How long the issuer's keys are cached."""
RETRY_SECONDS = 30.0
"""Minimum interval of reloads because of an unknown key id."""

SCOPES = {f"tessera:{scope.value.lower()}": scope for scope in ADMIN_SCOPES}

PublicKey: TypeAlias = RSAKey | ECKey | OKPKey

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExpectedClaims:
    """Required issuer and audience of a token, and the names of its claims for team and scope."""

    issuer: str
    audience: str
    team: str = "team"
    scope: str = "scope"


@dataclass
class Jwks:
    """Cache of the issuer's public keys by `kid`, loaded from a file or URL."""

    source: str
    monotonic: Callable[[], float] = time.monotonic
    _keys: Mapping[str, PublicKey] | None = None
    _last_attempt_at: float = -math.inf
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find(self, kid: str) -> PublicKey | None:
        """Return a key, or None if the issuer has none of this id. Raises Unavailable before the first load."""
        async with self._lock:
            age = self.monotonic() - self._last_attempt_at
            if age > (CACHE_SECONDS if kid in (self._keys or {}) else RETRY_SECONDS):
                await self._refresh()
        if self._keys is None:
            raise Unavailable("The keys of the token issuer can't be read now. Try again in a minute.")
        return self._keys.get(kid)

    async def _refresh(self) -> None:
        """Reload the keys. If that fails, the previous keys stay in use."""
        self._last_attempt_at = self.monotonic()
        try:
            self._keys = _parse_jwks(await self._read())
        except (OSError, ValueError, LookupError, TypeError, AttributeError, httpx.HTTPError, JoseError) as error:
            log.warning("The keys of the token issuer can't be read from %s: %s", self.source, error)

    async def _read(self) -> bytes:
        if not self.source.startswith(("https://", "http://")):
            return await asyncio.to_thread(Path(self.source).read_bytes)
        async with (
            httpx.AsyncClient(verify=tls_context(), timeout=5) as client,
            client.stream("GET", self.source) as response,
        ):
            response.raise_for_status()
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_JWKS_BYTES:
                    raise ValueError(f"it is larger than {MAX_JWKS_BYTES:,} bytes")
            return bytes(body)


def _parse_jwks(document: bytes) -> dict[str, PublicKey]:
    """Parse a JWKS document, skipping shared secrets (`oct`), keys without an id and encryption keys."""
    keys = cast("dict[str, Any]", orjson.loads(document))["keys"]
    usable = [key for key in keys if key.get("kty") != "oct" and key.get("use", "sig") == "sig" and key.get("kid")]
    key_set = KeySet.import_key_set({"keys": usable})
    return {str(key.kid): key for key in key_set if isinstance(key, RSAKey | ECKey | OKPKey)}


class JwksIssuer:
    """Authenticates JWTs with the public keys of an issuer."""

    def __init__(self, database: Database, jwks: Jwks, claims: ExpectedClaims) -> None:
        self._database = database
        self._jwks = jwks
        self.claims = claims

    async def identify(self, token: str) -> Identity:
        """Authenticate a token. Raises InvalidCredential, with one message for all invalid signatures."""
        claims = await self.verify(token, self.claims.audience)
        return Identity(await self.create_actor(claims), _expires_at(claims["exp"]))

    async def verify(self, token: str, audience: str) -> dict[str, Any]:
        """Verify a token that is meant for an audience, and return its claims. Raises InvalidCredential."""
        return self._verify(token, await self._jwks.find(_read_kid(token)), audience)

    def _verify(self, token: str, key: PublicKey | None, audience: str) -> dict[str, Any]:
        if key is None:
            raise invalid_token_error()
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(self._database.clock().timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self.claims.issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            claims = jwt.decode(token, key, algorithms=[*ALGORITHMS]).claims
        except (JoseError, ValueError, TypeError, RecursionError):
            raise invalid_token_error() from None
        try:
            registry.validate(claims)
        except ExpiredTokenError:
            raise InvalidCredential("This token has expired. Get a new one from its issuer.") from None
        except JoseError as error:
            raise InvalidCredential(f"This token is not meant for this server ({error}). Get one that is.") from None
        except (ValueError, TypeError, ArithmeticError, AttributeError):
            raise InvalidCredential(
                "A claim of this token is of a wrong type. Get another one from its issuer."
            ) from None
        return claims

    def list_scopes(self, claims: Mapping[str, Any]) -> list[str]:
        """List the scopes that the claims name, known or not."""
        return _split_scopes(claims.get(self.claims.scope))

    async def create_actor(self, claims: Mapping[str, Any]) -> Actor:
        """Create the actor that verified claims describe. Raises InvalidCredential."""
        subject = str(claims["sub"])
        if not subject.isprintable() or len(subject) > 200:
            raise InvalidCredential("The `sub` of this token is not a name that a log can bear. Get another token.")
        scopes = frozenset(SCOPES[name] for name in self.list_scopes(claims) if name in SCOPES)
        if not scopes:
            raise InvalidCredential(
                f"This token gives no right here: its claim `{self.claims.scope}` has none of {', '.join(SCOPES)}."
            )
        team_name = claims.get(self.claims.team)
        rows = None
        if isinstance(team_name, str) and team_name.isprintable():
            async with self._database.read() as session:
                rows = await teams.by_names(session, [team_name])
        if rows and rows[0].archived_at is not None:
            raise InvalidCredential(f"The team {rows[0].name} of this token is archived. Get a token of another team.")
        return Actor(f"oidc:{subject}", rows[0].id if rows else None, scopes)


def _expires_at(claim: Any) -> datetime:
    try:
        return datetime.fromtimestamp(claim + LEEWAY_SECONDS, UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        raise InvalidCredential("The `exp` of this token is not a date. Get another one from its issuer.") from None


def is_secure_address(address: object) -> bool:
    """Return whether an address of the issuer is https, or http on this machine."""
    if not isinstance(address, str) or not address.isprintable() or " " in address:
        return False
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK_HOSTS))


def invalid_token_error() -> InvalidCredential:
    """Create the error for a token without a valid signature."""
    return InvalidCredential("This token is not signed by the issuer that this server trusts. Get a new one from it.")


def _read_kid(token: str) -> str:
    """Read the key id from the unverified header of a token."""
    try:
        head = token.partition(".")[0]
        header = orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        raise invalid_token_error() from None
    kid = cast("dict[str, Any]", header).get("kid") if isinstance(header, dict) else None
    if not isinstance(kid, str) or len(token) > MAX_TOKEN_LENGTH:
        raise invalid_token_error()
    return kid


def _split_scopes(claim: Any) -> list[str]:
    """Return the scopes of a claim, which is a space-separated string as in OAuth, or a list."""
    match claim:
        case str():
            return claim.split()
        case list():
            names: list[Any] = claim
            return [name for name in names if isinstance(name, str)]
        case _:
            return []
