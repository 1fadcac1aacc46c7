"""From the `Authorization` value to who is asking. Cookies are never looked at, and no token is ever kept or logged.

Who presents the whole token of a key may know that it has expired or was revoked; everybody else hears "not known".
"""

import asyncio
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID
from weakref import WeakSet

from tessera_gql.auth.identity import BadCredential, Identity
from tessera_gql.errors import Unavailable
from tessera_gql.policy.access import OPEN_ACTOR, Actor, Scope, Verb, allows
from tessera_gql.policy.events import ApiKeyRevoked, Event
from tessera_gql.policy.visibility import KEY_MARK, key_actor
from tessera_gql.store import keys
from tessera_gql.store.database import Database
from tessera_gql.store.tables import ApiKey

TRUSTED_SECONDS = 5.0
"""For so long a credential that was found good is not looked up again; a revocation does not wait for it."""
FLUSH_SECONDS = 60.0

log = logging.getLogger(__name__)

MISSING = "This server needs a key. Send the header `Authorization: Bearer KEY`."
UNKNOWN = "This key is not known here. Check it, or ask an administrator for one."


class Issuer(Protocol):
    """Who signs tokens of another kind that are good here too."""

    async def identify(self, token: str) -> Identity:
        """Raises BadCredential."""
        ...


@dataclass(frozen=True)
class Known:
    """A credential that was good when it was last looked at."""

    identity: Identity
    looked_at: float


class Keys:
    """What opens this server; `is_open` lets everybody in. `keep` must run for as long as it does."""

    def __init__(
        self,
        database: Database,
        *,
        is_open: bool = False,
        admin_key: str | None = None,
        issuer: Issuer | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        remembered: int = 10_000,
    ) -> None:
        self._database = database
        self._open = Identity(OPEN_ACTOR) if is_open else None
        self._admin = (keys.digest(admin_key), Identity(Actor("admin", scopes=frozenset(Scope)))) if admin_key else None
        self._issuer = issuer
        self._monotonic = monotonic
        self._remembered = remembered
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._live: WeakSet[Identity] = WeakSet()
        self._revoked: set[UUID] = set()
        self._used: dict[UUID, datetime] = {}

    async def identify(self, authorization: str | None) -> Identity:
        """Raises BadCredential; Unavailable if the credential can't be looked up now."""
        if self._open is not None:
            return self._open
        token = _bearer(authorization)
        digest = keys.digest(token)
        if self._admin is not None and hmac.compare_digest(digest, self._admin[0]):
            return self._admin[1]
        identity = await self._trusted(digest, self._door(token, digest))
        now = self._database.clock()
        if identity.expires_at is not None and identity.expires_at <= now:
            raise expired(identity.expires_at)
        if identity.actor.key_id is not None:
            self._used[identity.actor.key_id] = now
        return identity

    def _door(self, token: str, digest: str) -> Callable[[], Awaitable[Identity]]:
        if token.startswith(KEY_MARK):
            return lambda: self._looked_up(digest)
        if (issuer := self._issuer) is not None and token.count(".") == 2:
            return lambda: issuer.identify(token)
        raise BadCredential(UNKNOWN)

    async def _trusted(self, digest: str, look: Callable[[], Awaitable[Identity]]) -> Identity:
        known = self._known.get(digest)
        if known is not None and self._monotonic() - known.looked_at < TRUSTED_SECONDS:
            return known.identity
        self._known.pop(digest, None)
        found = await look()
        if known is not None and _same(known.identity, found):
            found = known.identity
        self._live.add(found)
        self._known[digest] = Known(found, self._monotonic())
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return found

    async def _looked_up(self, digest: str) -> Identity:
        async with self._database.read() as session:
            key = await keys.by_hash(session, digest)
        if key is None or not hmac.compare_digest(key.token_hash, digest):
            raise BadCredential(UNKNOWN)
        if key.revoked_at is not None or key.id in self._revoked:
            raise BadCredential("This key was revoked. Ask your team for a new one.")
        actor = actor_of(key)
        if not allows(actor, Verb.READ, None):
            raise BadCredential("This key has no scope, so it is good for nothing. Make one with a scope.")
        return Identity(actor, key.expires_at)

    def hear(self, happened: Sequence[Event]) -> None:
        """What was committed in this process."""
        for event in happened:
            if isinstance(event, ApiKeyRevoked):
                self.revoke(event.api_key_id)

    def revoke(self, key_id: UUID) -> None:
        """From now on the key opens nothing, and what lives on it ends."""
        self._revoked.add(key_id)  # a look-up that is under way may still see it as it was
        self._end(lambda identity: identity.actor.key_id == key_id)

    def expire(self) -> None:
        """Ends what lives on credentials that have run out."""
        now = self._database.clock()
        self._end(lambda identity: identity.expires_at is not None and identity.expires_at <= now)

    def _end(self, is_over: Callable[[Identity], bool]) -> None:
        for identity in [one for one in self._live if is_over(one)]:
            identity.ended.set()
        for digest in [digest for digest, known in self._known.items() if known.identity.ended.is_set()]:
            del self._known[digest]

    async def flush(self) -> None:
        """Writes down when each key was last used."""
        used, self._used = self._used, {}
        if not used:
            return
        try:
            async with self._database.write("keys") as session:
                await keys.mark_used(session, used)
        except Unavailable as error:
            self._used = used | self._used
            log.warning("When keys were last used can't be written now. %s", error)

    async def keep(self, *, flush_seconds: float = FLUSH_SECONDS) -> None:
        """Runs until cancelled."""
        flushed = self._monotonic()
        while True:
            await asyncio.sleep(self._pause_seconds())
            self.expire()
            if self._monotonic() - flushed >= flush_seconds:
                flushed = self._monotonic()
                await self.flush()

    def _pause_seconds(self) -> float:
        """Until the next credential runs out, a second at most."""
        now = self._database.clock()
        ends = [one.expires_at for one in self._live if one.expires_at and not one.ended.is_set()]
        return max(0.0, min([1.0, *((end - now).total_seconds() for end in ends)]))


def actor_of(key: ApiKey) -> Actor:
    """Named so that the log tells which key it was, even among those of one name."""
    scopes = frozenset(Scope(scope) for scope in key.scopes)
    return Actor(key_actor(key.name, key.prefix), key.team_id, scopes, key.id)


def expired(at: datetime) -> BadCredential:
    return BadCredential(f"This key expired at {at:%Y-%m-%d %H:%M} UTC. Ask your team for a new one.")


def _bearer(authorization: str | None) -> str:
    if authorization is None:
        raise BadCredential(MISSING)
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise BadCredential(MISSING)
    return token.strip()


def _same(one: Identity, other: Identity) -> bool:
    return (one.actor, one.expires_at) == (other.actor, other.expires_at) and not one.ended.is_set()
