"""Models of webhooks: the channels of a team, and the deliveries to them."""

from datetime import datetime
from typing import Annotated

from tessera_gql.client.base_model import NODES, FieldSelection, Model
from tessera_gql.client.enums import DeliveryStatus, WebhookFormat
from tessera_gql.client.models import TeamSummary


class DeliveryAttempt(Model):
    """One attempt at a delivery; `error` is None if it succeeded."""

    at: datetime
    status: int | None
    error: str | None
    milliseconds: int


class WebhookDelivery(Model):
    """The delivery of an event, or of one message about `event_count` events."""

    id: str
    status: DeliveryStatus
    event_count: int
    attempts: tuple[DeliveryAttempt, ...]
    due_at: datetime
    created_at: datetime


class Webhook(Model):
    """A channel to which events are sent, with its latest ten deliveries; `kinds` None are all kinds."""

    id: str
    url: str
    host: str
    format: WebhookFormat
    kinds: tuple[str, ...] | None
    is_active: bool
    team: TeamSummary | None
    row_version: int
    created_at: datetime
    deliveries: Annotated[tuple[WebhookDelivery, ...], NODES, FieldSelection("(first: 10)", wrapper="nodes")]


class WebhookResult(Model):
    """A webhook that was created or updated, with its secret if that is new; it is returned only once."""

    webhook: Webhook
    secret: str | None


class DeletedWebhook(Model):
    """The id of a webhook that was deleted."""

    deleted_id: str
