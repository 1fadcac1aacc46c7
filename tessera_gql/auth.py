"""From the `Authorization` value to who is asking. Cookies are never looked at."""

import asyncio
import hashlib
import hmac
from dataclasses import dataclass, field

from tessera_gql.policy.access import OPEN_ACTOR, Actor, Scope


class BadCredential(Exception):  # noqa: N818 - what it says
    """The credential is missing or not one of ours; the message says which and what next."""


@dataclass(frozen=True, eq=False)
class Identity:
    """Who is asking; `ended` is set when the credential is revoked, and ends what lives on it."""

    actor: Actor
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Keys:
    """The keys that open this server. Without an administrator's key everybody is let in: development."""

    admin_key: str | None

    def identify(self, authorization: str | None) -> Identity:
        """Raises BadCredential."""
        if self.admin_key is None:
            return Identity(OPEN_ACTOR)
        if authorization is None:
            raise BadCredential("This server needs a key. Send the header `Authorization: Bearer KEY`.")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not _same(token.strip(), self.admin_key):
            raise BadCredential("This key is not known here. Check it, or ask an administrator for one.")
        return Identity(Actor("admin", scopes=frozenset(Scope)))


def _same(given: str, expected: str) -> bool:
    """In constant time: neither length nor content shows in the time it takes."""
    one, other = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (given, expected))
    return hmac.compare_digest(one, other)
