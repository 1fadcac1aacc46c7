"""Tokens of an OIDC issuer: nothing in one counts before its signature does, by an algorithm and key of our choice."""

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

import httpx
import orjson
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from tessera_gql.auth.identity import BadCredential, Identity
from tessera_gql.errors import Unavailable
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.store import teams
from tessera_gql.store.database import Database

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures by public keys only: with a shared secret, a public key could be passed off as that secret."""
SKEW_SECONDS = 60
MAX_TOKEN = 16_000
MAX_JWKS_BYTES = 512_000
FRESH_SECONDS = 600.0
RETRY_SECONDS = 30.0
"""At most this often a key that is not known makes us read the issuer's keys again."""

SCOPES = {f"tessera:{scope.value.lower()}": scope for scope in Scope}

PublicKey: TypeAlias = RSAKey | ECKey | OKPKey

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claims:
    """What must be in a token, and where it says whose it is and what it may do."""

    issuer: str
    audience: str
    team: str = "team"
    scope: str = "scope"


@dataclass
class Jwks:
    """The issuer's public keys by `kid`, from a file or an address."""

    source: str
    monotonic: Callable[[], float] = time.monotonic
    _keys: Mapping[str, PublicKey] | None = None
    _tried_at: float = -math.inf
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def find(self, kid: str) -> PublicKey | None:
        """Raises Unavailable while the keys have never been read."""
        async with self._turn:
            age = self.monotonic() - self._tried_at
            if age > (FRESH_SECONDS if kid in (self._keys or {}) else RETRY_SECONDS):
                await self._refresh()
        if self._keys is None:
            raise Unavailable("The keys of the token issuer can't be read now. Try again in a minute.")
        return self._keys.get(kid)

    async def _refresh(self) -> None:
        """What was known stays good when the keys can't be read."""
        self._tried_at = self.monotonic()
        try:
            self._keys = _imported(await self._read())
        except (OSError, ValueError, LookupError, TypeError, AttributeError, httpx.HTTPError, JoseError) as error:
            log.warning("The keys of the token issuer can't be read from %s: %s", self.source, error)

    async def _read(self) -> bytes:
        if not self.source.startswith(("https://", "http://")):
            return await asyncio.to_thread(Path(self.source).read_bytes)
        async with httpx.AsyncClient(timeout=5) as client, client.stream("GET", self.source) as response:
            response.raise_for_status()
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_JWKS_BYTES:
                    raise ValueError(f"it is larger than {MAX_JWKS_BYTES:,} bytes")
            return bytes(body)


def _imported(document: bytes) -> dict[str, PublicKey]:
    """Shared secrets (`oct`), keys without a name and keys for encryption are passed over."""
    listed = cast("dict[str, Any]", orjson.loads(document))["keys"]
    usable = [key for key in listed if key.get("kty") != "oct" and key.get("use", "sig") == "sig" and key.get("kid")]
    found = KeySet.import_key_set({"keys": usable})
    return {str(key.kid): key for key in found if isinstance(key, RSAKey | ECKey | OKPKey)}


class JwksIssuer:
    """Tokens in, identities out."""

    def __init__(self, database: Database, jwks: Jwks, claims: Claims) -> None:
        self._database = database
        self._jwks = jwks
        self._claims = claims

    async def identify(self, token: str) -> Identity:
        """Raises BadCredential. What is told of a token whose signature is not good is the same for all of them."""
        key = await self._jwks.find(_kid(token))
        claims = self._checked(token, key)
        return Identity(await self._actor(claims), _expires_at(claims["exp"]))

    def _checked(self, token: str, key: PublicKey | None) -> dict[str, Any]:
        if key is None:
            raise forged()
        wanted = jwt.JWTClaimsRegistry(
            now=lambda: int(self._database.clock().timestamp()),
            leeway=SKEW_SECONDS,
            iss={"essential": True, "value": self._claims.issuer},
            aud={"essential": True, "value": self._claims.audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            claims = jwt.decode(token, key, algorithms=[*ALGORITHMS]).claims
        except (JoseError, ValueError, TypeError, RecursionError):
            raise forged() from None
        try:
            wanted.validate(claims)
        except ExpiredTokenError:
            raise BadCredential("This token has expired. Get a new one from its issuer.") from None
        except JoseError as error:
            raise BadCredential(f"This token is not meant for this server ({error}). Get one that is.") from None
        except (ValueError, TypeError, ArithmeticError, AttributeError):
            raise BadCredential("A claim of this token is of a wrong type. Get another one from its issuer.") from None
        return claims

    async def _actor(self, claims: dict[str, Any]) -> Actor:
        subject = str(claims["sub"])
        if not subject.isprintable() or len(subject) > 200:
            raise BadCredential("The `sub` of this token is not a name that a log can bear. Get another token.")
        scopes = frozenset(SCOPES[word] for word in _words(claims.get(self._claims.scope)) if word in SCOPES)
        if not scopes:
            raise BadCredential(
                f"This token gives no right here: its claim `{self._claims.scope}` has none of {', '.join(SCOPES)}."
            )
        team = claims.get(self._claims.team)
        found = None
        if isinstance(team, str) and team.isprintable():
            async with self._database.read() as session:
                found = await teams.by_names(session, [team])
        return Actor(f"oidc:{subject}", found[0].id if found else None, scopes)


def _expires_at(claim: Any) -> datetime:
    try:
        return datetime.fromtimestamp(claim + SKEW_SECONDS, UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        raise BadCredential("The `exp` of this token is not a date. Get another one from its issuer.") from None


def forged() -> BadCredential:
    return BadCredential("This token is not signed by the issuer that this server trusts. Get a new one from it.")


def _kid(token: str) -> str:
    """Which key the token says it is signed by; not believed, only looked up."""
    try:
        head = token.partition(".")[0]
        header = orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        raise forged() from None
    kid = cast("dict[str, Any]", header).get("kid") if isinstance(header, dict) else None
    if not isinstance(kid, str) or len(token) > MAX_TOKEN:
        raise forged()
    return kid


def _words(claim: Any) -> list[str]:
    """A text of words, as in OAuth, or a list."""
    match claim:
        case str():
            return claim.split()
        case list():
            listed: list[Any] = claim
            return [word for word in listed if isinstance(word, str)]
        case _:
            return []
