"""The authenticated caller, and the error for a missing or invalid credential."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from tessera_gql.policy.access import Actor


class InvalidCredential(Exception):  # noqa: N818 - a refusal, like those of tessera_gql.errors
    """The credential is missing, unknown, expired or revoked. The message is for the client."""


@dataclass(frozen=True, eq=False)
class Identity:
    """An authenticated caller. `ended` is set when the credential is revoked or expires, and closes its streams."""

    actor: Actor
    expires_at: datetime | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
