"""Authenticate the `Authorization` header. Cookies are never read, and tokens are never stored or logged.

Only a caller with the complete token of a key learns that it expired or was revoked; others get "not known".
"""

import asyncio
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID
from weakref import WeakSet

from tessera_gql.auth.identity import Identity, InvalidCredential
from tessera_gql.errors import Unavailable
from tessera_gql.policy.access import ADMIN_SCOPES, ANONYMOUS, Action, Actor, ProjectScope, Scope, is_allowed
from tessera_gql.policy.events import Event, ProjectUpdated
from tessera_gql.policy.private_events import ApiKeyRevoked
from tessera_gql.policy.validation import format_moment
from tessera_gql.policy.visibility import API_KEY_MARKER, format_key_actor
from tessera_gql.store import keys, projects
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.store.tables import ApiKey

CACHE_SECONDS = 5.0
"""How long a valid credential is cached. Revocations and changes of a key's project take effect at once."""
FLUSH_SECONDS = 60.0
"""Interval at which the times of last use are written."""

KEY_REFERENCE = "key:"
"""Begins the reference of a session whose credential is a stored key; its id follows."""
LOGIN_REFERENCE = "oidc:"
"""Begins the reference of a session of a person whom an issuer has signed in."""

log = logging.getLogger(__name__)

MISSING_KEY = "This server needs a key. Send the header `Authorization: Bearer KEY`."
UNKNOWN_KEY = "This key is not known here. Check it, or ask an administrator for one."


class TokenIssuer(Protocol):
    """An issuer of accepted tokens other than API keys."""

    async def identify(self, token: str) -> Identity:
        """Authenticate a token. Raises InvalidCredential."""
        ...


class LoginSessions(Protocol):
    """Recognizes people whom an issuer has signed in, by the reference in their session."""

    async def identify_reference(self, reference: str) -> Identity:
        """Authenticate a reference. Raises InvalidCredential."""
        ...


class Authenticator:
    """Authenticates callers, caches valid credentials and ends revoked ones. `is_open` accepts everybody.

    `run` must run while the server does.
    """

    def __init__(  # noqa: PLR0913 - the ways to authenticate
        self,
        database: Database,
        *,
        is_open: bool = False,
        admin_key: str | None = None,
        issuer: TokenIssuer | None = None,
        login: LoginSessions | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        cache_size: int = 10_000,
    ) -> None:
        self._database = database
        self._open_identity = Identity(ANONYMOUS) if is_open else None
        self._admin = (
            (keys.hash_token(admin_key), Identity(Actor("admin", scopes=frozenset(ADMIN_SCOPES))))
            if admin_key
            else None
        )
        self._issuer = issuer
        self._login = login
        self._monotonic = monotonic
        self._cache_size = cache_size
        self._cache: OrderedDict[str, tuple[Identity, float]] = OrderedDict()
        """Valid credentials by the digest of their token, with the monotonic seconds of their last check."""
        self._live_identities: WeakSet[Identity] = WeakSet()
        self._revoked: OrderedDict[UUID, None] = OrderedDict()
        self._project_changes = 0
        """Number of changed projects, so that a look-up which overlaps with a change is repeated."""
        self._last_used: dict[UUID, datetime] = {}
        """Times of last use by key, not yet written."""

    async def identify(self, authorization: str | None) -> Identity:
        """Authenticate an `Authorization` value, or None for a missing header.

        Raises InvalidCredential for an invalid credential, Unavailable if it can't be verified now.
        """
        if self._open_identity is not None:
            return self._open_identity
        token = _parse_bearer(authorization)
        digest = keys.hash_token(token)
        if self._admin is not None and hmac.compare_digest(digest, self._admin[0]):
            return self._admin[1]
        return self._admit(await self._verify_cached(digest, self._choose_verifier(token, digest)))

    def _admit(self, identity: Identity) -> Identity:
        """Refuse an expired credential, and note the use of a key."""
        now = self._database.clock()
        if identity.expires_at is not None and identity.expires_at <= now:
            raise InvalidCredential(
                f"This key expired at {format_moment(identity.expires_at)}. Ask your team for a new one."
            )
        if identity.actor.key_id is not None:
            self._last_used[identity.actor.key_id] = now
        return identity

    def create_session_reference(self, identity: Identity) -> str | None:
        """Name a credential for a session, without its token; None for a token of an issuer, which is not stored."""
        if identity.actor.key_id is not None:
            return f"{KEY_REFERENCE}{identity.actor.key_id}"
        if self._admin is not None and identity is self._admin[1]:
            return self._admin_reference(self._admin[0])
        return None

    async def identify_session(self, reference: str) -> Identity:
        """Authenticate a session by the reference of its credential, which may have ended since. Raises as `identify`.

        The caller must have verified that the reference is its own.
        """
        if self._open_identity is not None:
            return self._open_identity
        if self._admin is not None and hmac.compare_digest(reference, self._admin_reference(self._admin[0])):
            return self._admin[1]
        if (login := self._login) is not None and reference.startswith(LOGIN_REFERENCE):
            return self._admit(await self._verify_cached(reference, lambda: login.identify_reference(reference)))
        key_id = _parse_key_reference(reference)
        return self._admit(await self._verify_cached(reference, lambda: self._verify_key_id(key_id)))

    @staticmethod
    def _admin_reference(digest: str) -> str:
        """Another ADMIN_KEY has another reference, so that its sessions end with it."""
        return f"admin:{keys.hash_token(digest)[:32]}"

    def _choose_verifier(self, token: str, digest: str) -> Callable[[], Awaitable[Identity]]:
        if token.startswith(API_KEY_MARKER):
            return lambda: self._verify_key(digest)
        if (issuer := self._issuer) is not None and token.count(".") == 2:
            return lambda: issuer.identify(token)
        raise InvalidCredential(UNKNOWN_KEY)

    async def _verify_cached(self, digest: str, verify: Callable[[], Awaitable[Identity]]) -> Identity:
        """Return the cached identity, or verify the credential. An unchanged identity stays the same object."""
        cached, checked_at = self._cache.get(digest, (None, 0.0))
        if cached is not None and self._monotonic() - checked_at < CACHE_SECONDS:
            return cached
        self._cache.pop(digest, None)
        identity = await self._verify_unchanged(verify)
        if cached is not None and _is_unchanged(cached, identity):
            identity = cached
        self._live_identities.add(identity)
        self._cache[digest] = (identity, self._monotonic())
        if len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)
        return identity

    async def _verify_unchanged(self, verify: Callable[[], Awaitable[Identity]]) -> Identity:
        """Verify the credential, and again if a project changed meanwhile, whose old rights may have been read."""
        while True:
            changes = self._project_changes
            identity = await verify()
            if changes == self._project_changes:
                return identity

    async def _verify_key(self, digest: str) -> Identity:
        """Look up an API key by the digest of its token. Raises InvalidCredential."""
        async with self._database.read() as session:
            key = await keys.find_by_hash(session, digest)
            project = await _load_project(session, key)
        if key is None or not hmac.compare_digest(key.token_hash, digest):
            raise InvalidCredential(UNKNOWN_KEY)
        return self._create_identity(key, project)

    async def _verify_key_id(self, key_id: UUID) -> Identity:
        """Look up an API key by its id. Raises InvalidCredential."""
        async with self._database.read() as session:
            key = await keys.find_by_id(session, key_id)
            project = await _load_project(session, key)
        if key is None:
            raise InvalidCredential(UNKNOWN_KEY)
        return self._create_identity(key, project)

    def _create_identity(self, key: ApiKey, project: ProjectScope | None) -> Identity:
        """Create the identity of a stored key. Raises InvalidCredential if it was revoked or has no scope."""
        if key.revoked_at is not None or key.id in self._revoked:
            raise InvalidCredential("This key was revoked. Ask your team for a new one.")
        actor = create_actor(key, project)
        if not is_allowed(actor, Action.READ, None):
            raise InvalidCredential("This key has no scope, so it is good for nothing. Make one with a scope.")
        return Identity(actor, key.expires_at)

    def on_commit(self, events: Sequence[Event]) -> None:
        """Apply the revocations and the changes of projects that were committed in this process."""
        for event in events:
            self.apply(event.kind, event.entity_id)

    def apply(self, kind: str, entity_id: UUID) -> None:
        """Apply an event of any kind, by the id of its subject."""
        if kind == ApiKeyRevoked.kind:
            self.revoke(entity_id)
        elif kind == ProjectUpdated.kind:
            self.update_project(entity_id)

    def revoke(self, key_id: UUID) -> None:
        """Reject a key from now on and close its open streams."""
        self._revoked[key_id] = None  # a concurrent lookup may still read the key as valid
        if len(self._revoked) > self._cache_size:
            self._revoked.popitem(last=False)
        self._end(lambda identity: identity.actor.key_id == key_id)

    def update_project(self, project_id: UUID) -> None:
        """Load the project again for the next request of its keys, and close the streams that have its old rights."""
        self._project_changes += 1
        self._end(lambda identity: identity.actor.project is not None and identity.actor.project.id == project_id)

    def expire(self) -> None:
        """Close the open streams of expired credentials."""
        now = self._database.clock()
        self._end(lambda identity: identity.expires_at is not None and identity.expires_at <= now)

    def _end(self, is_over: Callable[[Identity], bool]) -> None:
        for identity in [identity for identity in self._live_identities if is_over(identity)]:
            identity.ended.set()
        for digest in [digest for digest, (identity, _) in self._cache.items() if identity.ended.is_set()]:
            del self._cache[digest]

    async def flush(self) -> None:
        """Write the times of last use to the database."""
        last_used, self._last_used = self._last_used, {}
        if not last_used:
            return
        try:
            async with self._database.write("keys") as session:
                await keys.record_use(session, last_used)
        except Unavailable as error:
            self._last_used = last_used | self._last_used
            log.warning("When keys were last used can't be written now. %s", error)

    async def run(self, *, flush_seconds: float = FLUSH_SECONDS) -> None:
        """Expire credentials and write times of last use until cancelled."""
        flushed = self._monotonic()
        while True:
            await asyncio.sleep(self._pause_seconds())
            self.expire()
            if self._monotonic() - flushed >= flush_seconds:
                flushed = self._monotonic()
                await self.flush()

    def _pause_seconds(self) -> float:
        """Return the seconds until the next expiry, at most one."""
        now = self._database.clock()
        expiries = [live.expires_at for live in self._live_identities if live.expires_at and not live.ended.is_set()]
        return max(0.0, min([1.0, *((expires_at - now).total_seconds() for expires_at in expiries)]))


async def _load_project(session: Session, key: ApiKey | None) -> ProjectScope | None:
    """Load what a project's key may sync; None for a key of a team."""
    if key is None or key.project_id is None:
        return None
    (project,) = await projects.by_ids(session, [key.project_id])
    return await projects.load_scope(session, project)


def create_actor(key: ApiKey, project: ProjectScope | None) -> Actor:
    """Create the actor of a key. Its name includes the key's prefix, to tell keys of the same name apart in logs."""
    scopes = frozenset(Scope(scope) for scope in key.scopes)
    return Actor(format_key_actor(key.name, key.prefix), key.team_id, scopes, key.id, project, key.usage_source_id)


def _parse_key_reference(reference: str) -> UUID:
    """Return the id of a key from the reference of a session. Raises InvalidCredential."""
    try:
        return UUID(reference.removeprefix(KEY_REFERENCE))
    except ValueError:
        raise InvalidCredential(UNKNOWN_KEY) from None


def _parse_bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidCredential(MISSING_KEY)
    return token.strip()


def _is_unchanged(cached: Identity, current: Identity) -> bool:
    return (cached.actor, cached.expires_at) == (current.actor, current.expires_at) and not cached.ended.is_set()
