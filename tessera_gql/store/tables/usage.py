"""Tables of observed reads: sources of usage, principals and their teams, and who read which field when."""

# SQLModel documents a plain string for `__tablename__`, but declares its type as a descriptor.
# pyright: reportAssignmentType=false

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Text, Uuid
from sqlmodel import Field

from tessera_gql.store.tables.base import (
    JSON_TYPE,
    Base,
    column,
    foreign_key,
    id_column,
    row_version_column,
    time_column,
)


class UsageSource(Base, table=True):
    """A log of reads, such as that of a warehouse. `covered` lists the spans that imports have covered.

    A span is a pair of ISO times; spans don't overlap or touch, and are in order.
    """

    __tablename__ = "usage_sources"
    __table_args__ = (sa.UniqueConstraint("name_key"), {"schema": "core"})

    id: UUID = id_column()
    name: str = column(Text)
    name_key: str = column(Text)
    covered: list[list[str]] = column(JSON_TYPE)
    row_version: int = row_version_column()
    created_at: datetime = time_column()


class PrincipalRule(Base, table=True):
    """A pattern of principals, with `*` for any characters, that belong to a team."""

    __tablename__ = "principal_rules"
    __table_args__ = (sa.UniqueConstraint("pattern"), {"schema": "core"})

    id: UUID = id_column()
    pattern: str = column(Text)
    team_id: UUID = foreign_key("core.teams.id", index=True)
    created_at: datetime = time_column()


class Principal(Base, table=True):
    """A user or role that a source has seen reading; `team_id` is null while no rule maps it to a team."""

    __tablename__ = "principals"
    __table_args__ = (sa.UniqueConstraint("source_id", "name_key"), {"schema": "core"})

    id: UUID = id_column()
    source_id: UUID = foreign_key("core.usage_sources.id")
    name: str = column(Text)
    name_key: str = column(Text)
    team_id: UUID | None = foreign_key("core.teams.id", nullable=True, index=True)
    created_at: datetime = time_column()


class Observation(Base, table=True):
    """Reads of a field of an asset by a principal; an empty `field` means that the source names no columns.

    `longest_pause_seconds` is the longest time between two reads so far, 0 after a single one. Of the days up to
    `summed_until`, which retention deletes, only what the columns `summed_…` say is left.
    """

    __tablename__ = "observations"
    __table_args__ = (
        sa.UniqueConstraint("principal_id", "asset_id", "field"),
        sa.Index("ix_observations_asset_id_last_seen", "asset_id", "last_seen"),
        {"schema": "core"},
    )

    id: UUID = id_column()
    principal_id: UUID = foreign_key("core.principals.id")
    asset_id: UUID = foreign_key("core.assets.id")
    field: str = column(Text)
    first_seen: datetime = time_column()
    last_seen: datetime = time_column()
    read_count: int = column(sa.BigInteger)
    longest_pause_seconds: int = column(sa.BigInteger)
    summed_until: date | None = column(sa.Date, nullable=True)
    summed_count: int | None = column(sa.BigInteger, nullable=True)
    summed_pause_seconds: int | None = column(sa.BigInteger, nullable=True)
    summed_first_at: datetime | None = time_column(nullable=True)
    summed_last_at: datetime | None = time_column(nullable=True)
    created_at: datetime = time_column()


class ObservationDay(Base, table=True):
    """The reads of one day (UTC); an import raises `read_count` to its own, so repeated rows count once.

    On PostgreSQL, each month has a partition; rows of other months are in a default partition.
    """

    __tablename__ = "observation_days"
    __table_args__ = ({"schema": "core", "postgresql_partition_by": "RANGE (day)"},)

    observation_id: UUID = Field(sa_column=sa.Column(Uuid, sa.ForeignKey("core.observations.id"), primary_key=True))
    day: date = Field(sa_column=sa.Column(sa.Date, primary_key=True))
    read_count: int = column(sa.BigInteger)
    first_at: datetime = time_column()
    last_at: datetime = time_column()
