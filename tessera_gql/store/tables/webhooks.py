"""Tables of webhooks: receivers of events, and the deliveries to them."""

# SQLModel documents a plain string for `__tablename__`, but declares its type as a descriptor.
# pyright: reportAssignmentType=false

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Text
from sqlmodel import Field

from tessera_gql.policy import enums
from tessera_gql.store.tables.base import (
    JSON_TYPE,
    SEQUENCE_TYPE,
    Base,
    column,
    enum_column_type,
    foreign_key,
    id_column,
    row_version_column,
    time_column,
)

IS_OPEN_GROUP = "status = 'PENDING' AND group_key IS NOT NULL"


class Webhook(Base, table=True):
    """A receiver of a team's events, or of all. `position` is the last sequence for which a delivery was created.

    `token` is the token of the GitHub API for commit statuses, stored as an entry of `secrets` is.
    """

    __tablename__ = "webhooks"
    __table_args__ = (sa.Index("ix_webhooks_team_id_created_at", "team_id", "created_at", "id"), {"schema": "workflow"})

    id: UUID = id_column()
    team_id: UUID | None = foreign_key("core.teams.id", nullable=True)
    url: str = column(Text)
    secrets: list[dict[str, Any]] = column(JSON_TYPE)  # {secret, until}, newest first; older ones sign until then
    token: dict[str, Any] | None = column(JSON_TYPE, nullable=True)
    kinds: list[str] | None = column(JSON_TYPE, nullable=True)
    format: enums.WebhookFormat = column(enum_column_type(enums.WebhookFormat))
    document: str | None = column(Text, nullable=True)
    is_active: bool = Field(default=True)
    position: int = column(SEQUENCE_TYPE)
    row_version: int = row_version_column()
    created_at: datetime = time_column()


class WebhookDelivery(Base, table=True):
    """The delivery of an event, or a ping, to a webhook. Claiming postpones `due_at`, in case the worker dies.

    A message to people covers the `event_count` events with the same `group_key`: `sequence` is the first one, and
    `covered_events` has of each kind the number and the first sequences. A delivery that was claimed has no `group_key`
    any more, and takes no further events.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        sa.UniqueConstraint("webhook_id", "sequence"),
        sa.Index("ix_webhook_deliveries_webhook_id_created_at", "webhook_id", "created_at", "id"),
        sa.Index("ix_webhook_deliveries_status_due_at", "status", "due_at", "id"),
        sa.Index(
            "ix_webhook_deliveries_open_groups",
            "webhook_id",
            "group_key",
            postgresql_where=sa.text(IS_OPEN_GROUP),
            sqlite_where=sa.text(IS_OPEN_GROUP),
        ),
        {"schema": "workflow"},
    )

    id: UUID = id_column()
    webhook_id: UUID = foreign_key("workflow.webhooks.id")
    sequence: int | None = column(SEQUENCE_TYPE, nullable=True)
    covered_events: dict[str, Any] | None = column(JSON_TYPE, nullable=True)  # {kind: {count, sequences}}
    event_count: int = Field(default=1, sa_column=sa.Column(sa.Integer, nullable=False, server_default="1"))
    group_key: str | None = column(Text, nullable=True)
    status: enums.DeliveryStatus = column(enum_column_type(enums.DeliveryStatus))
    attempts: list[dict[str, Any]] = column(JSON_TYPE)  # {at, status, error, milliseconds}, latest last
    since: datetime = time_column()  # start of the attempts, which end a day later
    due_at: datetime = time_column()
    created_at: datetime = time_column()
