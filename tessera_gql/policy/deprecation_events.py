"""Events of deprecations. Their audience are the owner and the teams that read what goes away, if by other tables."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera_gql.policy.enums import DeprecationOrigin
from tessera_gql.policy.event_changes import ValueChanges
from tessera_gql.policy.events import Event


@dataclass(frozen=True, kw_only=True)
class DeprecationDeclared(Event):
    """A field goes away at `sunset_at`, or the whole asset if `path` is None."""

    entity_field = "deprecation_id"
    deprecation_id: UUID
    path: str | None
    sunset_at: datetime | None
    replacement: str | None
    reason: str | None
    origin: DeprecationOrigin


@dataclass(frozen=True, kw_only=True)
class DownstreamDeprecationDeclared(Event):
    """What a team reads is made from something that goes away: the team is informed once, with the ways on which.

    `count` are all deprecations of the asset of which that holds; `deprecations`, `paths` (empty for the whole asset)
    and `routes` have the first of them.
    """

    entity_field = "team_id"
    team_id: UUID
    count: int
    deprecations: tuple[UUID, ...]
    paths: tuple[str, ...]
    routes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DeprecationUpdated(Event):
    """The sunset, the replacement or the reason of a deprecation changed."""

    entity_field = "deprecation_id"
    deprecation_id: UUID
    path: str | None
    changed: tuple[str, ...]
    changes: ValueChanges


@dataclass(frozen=True, kw_only=True)
class DeprecationEnded(Event):
    """A deprecation no longer holds; `reason` says whether it was withdrawn or carried out."""

    entity_field = "deprecation_id"
    deprecation_id: UUID
    path: str | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class DeprecationReminder(Event):
    """What a team reads goes away in some days."""

    entity_field = "deprecation_id"
    deprecation_id: UUID
    path: str | None
    sunset_at: datetime
    replacement: str | None
    days_before: int
