"""The base class of the tables, and the columns that many of them have."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import configure_mappers
from sqlmodel import Field, SQLModel
from uuid_utils import compat

JSON_TYPE = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
BYTE_ORDERED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text whose ranges are prefixes, whatever the language of the database."""
SEQUENCE_TYPE = sa.BigInteger().with_variant(sa.Integer, "sqlite")

EPOCH = "2000-01-01 00:00:00+00"
"""The default of columns with a time that were added to rows; a new row always has its own value."""


class UTCDateTime(sa.TypeDecorator[datetime]):
    """A column type for UTC-aware datetimes; SQLite stores no zone, so values are converted on the way in and out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        del dialect
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        del dialect
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Base(SQLModel):
    """The base class of all tables, with the naming convention of constraints."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def new_id() -> UUID:
    """Create a time-ordered id (UUIDv7), so that new rows append to the primary key's index and ids sort by age."""
    return compat.uuid7()


def table(model: type[SQLModel]) -> sa.Table:
    """Return the Core table of a model; statements select its columns, never entities."""
    return cast("sa.Table", model.__table__)  # type: ignore[attr-defined] # set by SQLModel's metaclass


def configure_models() -> None:
    """Configure the mappers of all models, which would otherwise hold the event loop when the first row is created."""
    configure_mappers()


def enum_column_type(enum: type[StrEnum]) -> sa.Enum:
    def values(members: type[StrEnum]) -> list[str]:
        return [member.value for member in members]

    name = enum.__name__.lower()
    return sa.Enum(enum, native_enum=False, create_constraint=True, length=32, values_callable=values, name=name)


def column(type_: Any, *args: Any, nullable: bool = False, **options: Any) -> Any:
    return Field(sa_column=sa.Column(type_, *args, nullable=nullable, **options))


def id_column() -> Any:
    return Field(default_factory=new_id, sa_column=sa.Column(Uuid, primary_key=True))


def foreign_key(target: str, *, nullable: bool = False, index: bool = False) -> Any:
    return column(Uuid, sa.ForeignKey(target), nullable=nullable, index=index)


def time_column(*, nullable: bool = False) -> Any:
    return column(UTCDateTime(), nullable=nullable)


def updated_column() -> Any:
    """Declare the time of the latest change of a row, which `Session.update` sets."""
    return Field(default_factory=_now, sa_column=sa.Column(UTCDateTime(), nullable=False, server_default=EPOCH))


def _now() -> datetime:
    return datetime.now(UTC)


def row_version_column() -> Any:
    return Field(default=1, sa_column=sa.Column(sa.Integer, nullable=False, server_default="1"))


def index_where_set(name: str, column_name: str) -> sa.Index:
    """Create an index of the rows in which the column is not null."""
    condition = sa.text(f"{column_name} IS NOT NULL")
    return sa.Index(name, column_name, postgresql_where=condition, sqlite_where=condition)


def unique_where(name: str, *columns: str, condition: str) -> sa.Index:
    """Create an index that is unique among the rows that meet the condition."""
    return sa.Index(name, *columns, unique=True, postgresql_where=sa.text(condition), sqlite_where=sa.text(condition))
