"""Who is asking, as a credential says; and what is said to who has none that is good."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from tessera_gql.policy.access import Actor


class BadCredential(Exception):  # noqa: N818 - what it says
    """The credential is missing, unknown, expired or revoked; the message says which and what next."""


@dataclass(frozen=True, eq=False)
class Identity:
    """`ended` is set when the credential is revoked or runs out, and ends what lives on it."""

    actor: Actor
    expires_at: datetime | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
