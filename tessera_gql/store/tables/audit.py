"""The tables of the event log."""

# SQLModel documents a plain string for `__tablename__`, but declares its type as a descriptor.
# pyright: reportAssignmentType=false

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Text, Uuid
from sqlmodel import Field

from tessera_gql.store.tables.base import JSON_TYPE, SEQUENCE_TYPE, Base, column, new_id, time_column


class EventRow(Base, table=True):
    """One event of the append-only event log. `hash` covers the row and the hash of the row before it."""

    __tablename__ = "events"
    __table_args__ = (
        sa.UniqueConstraint("id"),
        sa.Index("ix_events_kind_sequence", "kind", "sequence"),
        sa.Index("ix_events_asset_id_sequence", "asset_id", "sequence"),
        sa.Index("ix_events_proposal_id_sequence", "proposal_id", "sequence"),
        {"schema": "audit"},
    )

    sequence: int = Field(sa_column=sa.Column(SEQUENCE_TYPE, primary_key=True, autoincrement=False))
    id: UUID = Field(default_factory=new_id, sa_column=sa.Column(Uuid, nullable=False))
    kind: str = column(Text)
    entity_type: str = column(Text)
    entity_id: UUID = column(Uuid)
    asset_id: UUID | None = column(Uuid, nullable=True)
    proposal_id: UUID | None = column(Uuid, nullable=True)
    teams: list[str] = column(JSON_TYPE)
    actor: str = column(Text)
    payload: dict[str, Any] = column(JSON_TYPE)
    occurred_at: datetime = time_column()
    hash: str = column(Text)


class EventAnchor(Base, table=True):
    """The end of an archived part of the event log: the events `first_sequence` to `sequence` are in `file`.

    They happened before `archived_before`. `signature` covers the other columns. The table is in the schema `workflow`,
    whose new tables a server's role may read.
    """

    __tablename__ = "event_anchors"
    __table_args__ = ({"schema": "workflow"},)

    sequence: int = Field(sa_column=sa.Column(SEQUENCE_TYPE, primary_key=True, autoincrement=False))
    first_sequence: int = column(SEQUENCE_TYPE)
    hash: str = column(Text)
    file: str = column(Text)
    archived_before: datetime = time_column()
    archived_at: datetime = time_column()
    archived_by: str = column(Text)
    signature: str = column(Text)
