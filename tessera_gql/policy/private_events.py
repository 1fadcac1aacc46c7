"""Events of API keys and webhooks, which only their own team may see; see `policy.events`."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tessera_gql.policy.event_changes import ValueChanges
from tessera_gql.policy.events import Event


@dataclass(frozen=True, kw_only=True)
class ApiKeyCreated(Event):
    """An API key was created, of a team, a project, a usage source or (all null) an administrator.

    Events never have its token or hash.
    """

    entity_field = "api_key_id"
    api_key_id: UUID
    name: str
    key_team_id: UUID | None
    scopes: tuple[str, ...]
    expires_at: datetime | None
    project_id: UUID | None = None
    usage_source_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class ApiKeyRevoked(Event):
    """An API key was revoked: it is no longer accepted, and its open subscriptions end."""

    entity_field = "api_key_id"
    api_key_id: UUID
    name: str


@dataclass(frozen=True, kw_only=True)
class WebhookCreated(Event):
    """A webhook was created. Only the host of its URL is recorded: the path may contain a secret."""

    entity_field = "webhook_id"
    webhook_id: UUID
    host: str
    kinds: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class WebhookUpdated(Event):
    """A webhook was updated. As in `WebhookCreated`, of its URL only the host is recorded, and no secret."""

    entity_field = "webhook_id"
    webhook_id: UUID
    changed: tuple[str, ...]
    changes: ValueChanges = field(default_factory=ValueChanges)


@dataclass(frozen=True, kw_only=True)
class WebhookDeleted(Event):
    entity_field = "webhook_id"
    webhook_id: UUID
    host: str


@dataclass(frozen=True, kw_only=True)
class WebhookRedelivered(Event):
    entity_field = "webhook_id"
    webhook_id: UUID
    delivery_id: UUID


@dataclass(frozen=True, kw_only=True)
class WebhookDeliveryFailed(Event):
    """A delivery was given up after a day of attempts; `event_sequence` is null for a ping."""

    entity_field = "webhook_id"
    webhook_id: UUID
    delivery_id: UUID
    event_sequence: int | None
    attempts: int
    error: str
