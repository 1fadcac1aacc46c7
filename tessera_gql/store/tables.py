"""The data model. Rules that must hold whatever the code does are indexes and constraints of these tables.

No table declares a `Relationship()`, so nothing can lazy-load. Times are UTC-aware. SQLite has no schemas: there the
tables of `core`, `workflow` and `audit` share one namespace. A new column needs a migration; CONTRIBUTING.md has the
recipe.
"""

# SQLModel documents a plain string for `__tablename__`, but declares its type as a descriptor.
# pyright: reportAssignmentType=false

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel
from uuid_utils import compat

from tessera_gql.diff import Mode
from tessera_gql.policy import enums

JSON_TYPE = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
SEQUENCE_TYPE = sa.BigInteger().with_variant(sa.Integer, "sqlite")

IS_OPEN = "status IN ('PENDING', 'APPROVED', 'REJECTED')"
# Two indexes instead of one, because NULLs are distinct in a unique index.
IS_LIVE_FOR_TEAM = "status <> 'INACTIVE' AND consumer_asset_id IS NULL"
IS_LIVE_FOR_ASSET = "status <> 'INACTIVE' AND consumer_asset_id IS NOT NULL"
REGISTRATION_KEY = ("asset_id", "consumer_team_id", "consumer_asset_id")


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


def _enum(enum: type[StrEnum]) -> sa.Enum:
    def values(members: type[StrEnum]) -> list[str]:
        return [member.value for member in members]

    name = enum.__name__.lower()
    return sa.Enum(enum, native_enum=False, create_constraint=True, length=32, values_callable=values, name=name)


def _column(type_: Any, *args: Any, nullable: bool = False, **options: Any) -> Any:
    return Field(sa_column=sa.Column(type_, *args, nullable=nullable, **options))


def _id() -> Any:
    return Field(default_factory=new_id, sa_column=sa.Column(Uuid, primary_key=True))


def _foreign_key(target: str, *, nullable: bool = False, index: bool = False) -> Any:
    return _column(Uuid, sa.ForeignKey(target), nullable=nullable, index=index)


def _time(*, nullable: bool = False) -> Any:
    return _column(UTCDateTime(), nullable=nullable)


def _row_version() -> Any:
    return Field(default=1, sa_column=sa.Column(sa.Integer, nullable=False, server_default="1"))


def _unique_where(name: str, *columns: str, condition: str) -> sa.Index:
    """Create an index that is unique among the rows that meet the condition."""
    return sa.Index(name, *columns, unique=True, postgresql_where=sa.text(condition), sqlite_where=sa.text(condition))


class Team(Base, table=True):
    """A team that owns assets or consumes them. `name_key` is the case-folded name, which is unique."""

    __tablename__ = "teams"
    __table_args__ = (sa.UniqueConstraint("name_key"), {"schema": "core"})

    id: UUID = _id()
    name: str = _column(Text)
    name_key: str = _column(Text)
    meta: dict[str, Any] = _column(JSON_TYPE)
    row_version: int = _row_version()
    created_at: datetime = _time()


class Asset(Base, table=True):
    """A table, view, model, source, topic or file. `compatibility_mode` applies while no contract is active."""

    __tablename__ = "assets"
    __table_args__ = (sa.UniqueConstraint("fqn_key"), {"schema": "core"})

    id: UUID = _id()
    fqn: str = _column(Text)
    fqn_key: str = _column(Text)
    owner_team_id: UUID = _foreign_key("core.teams.id", index=True)
    resource_type: enums.ResourceType = _column(_enum(enums.ResourceType))
    description: str | None = _column(Text, nullable=True)
    compatibility_mode: Mode = _column(_enum(Mode))
    meta: dict[str, Any] = _column(JSON_TYPE)
    row_version: int = _row_version()
    created_at: datetime = _time()


class Contract(Base, table=True):
    """One immutable version of an asset's schema; only `status` changes, and at most one per asset is ACTIVE."""

    __tablename__ = "contracts"
    __table_args__ = (
        sa.UniqueConstraint("asset_id", "version"),
        _unique_where("uq_contracts_active", "asset_id", condition="status = 'ACTIVE'"),
        sa.Index("ix_contracts_asset_id_published_at", "asset_id", "published_at", "id"),
        {"schema": "core"},
    )

    id: UUID = _id()
    asset_id: UUID = _foreign_key("core.assets.id")
    version: str = _column(Text)
    schema_def: Any = _column(sa.JSON(none_as_null=True))  # not JSONB, which loses the order of keys
    guarantees: dict[str, Any] | None = _column(JSON_TYPE, nullable=True)
    compatibility_mode: Mode = _column(_enum(Mode))
    status: enums.ContractStatus = _column(_enum(enums.ContractStatus))
    change_type: enums.ChangeType = _column(_enum(enums.ChangeType))
    schema_hash: str = _column(Text)
    published_by: UUID = _foreign_key("core.teams.id", index=True)
    published_at: datetime = _time()
    meta: dict[str, Any] = _column(JSON_TYPE)
    source: dict[str, str] | None = _column(sa.JSON(none_as_null=True), nullable=True)
    created_at: datetime = _time()


class AssetDependency(Base, table=True):
    """A lineage edge: the dependent asset is made from the dependency, or reads it."""

    __tablename__ = "asset_dependencies"
    __table_args__ = (
        sa.UniqueConstraint("dependent_asset_id", "dependency_asset_id", "dependency_type"),
        sa.CheckConstraint("dependent_asset_id <> dependency_asset_id", name="not_itself"),
        {"schema": "core"},
    )

    id: UUID = _id()
    dependent_asset_id: UUID = _foreign_key("core.assets.id")
    dependency_asset_id: UUID = _foreign_key("core.assets.id", index=True)
    dependency_type: enums.DependencyType = _column(_enum(enums.DependencyType))
    evidence: enums.Evidence = _column(_enum(enums.Evidence))
    created_at: datetime = _time()


class Registration(Base, table=True):
    """A team's declaration that it reads an asset, in any version; null `fields` mean all of them."""

    __tablename__ = "registrations"
    __table_args__ = (
        _unique_where("uq_registrations_live", "asset_id", "consumer_team_id", condition=IS_LIVE_FOR_TEAM),
        _unique_where("uq_registrations_live_asset", *REGISTRATION_KEY, condition=IS_LIVE_FOR_ASSET),
        sa.Index("ix_registrations_asset_id_registered_at", "asset_id", "registered_at", "id"),
        {"schema": "workflow"},
    )

    id: UUID = _id()
    asset_id: UUID = _foreign_key("core.assets.id")
    consumer_team_id: UUID = _foreign_key("core.teams.id", index=True)
    consumer_asset_id: UUID | None = _foreign_key("core.assets.id", nullable=True, index=True)
    fields: list[str] | None = _column(JSON_TYPE, nullable=True)
    pinned_version: str | None = _column(Text, nullable=True)
    status: enums.RegistrationStatus = _column(_enum(enums.RegistrationStatus))
    evidence: enums.Evidence = _column(_enum(enums.Evidence))
    purpose: str | None = _column(Text, nullable=True)
    registered_at: datetime = _time()
    acknowledged_at: datetime | None = _time(nullable=True)
    meta: dict[str, Any] = _column(JSON_TYPE)
    row_version: int = _row_version()
    created_at: datetime = _time()


class Proposal(Base, table=True):
    """A breaking change that waits for acknowledgments, and the contract published from it; one per asset is open."""

    __tablename__ = "proposals"
    __table_args__ = (
        _unique_where("uq_proposals_open", "asset_id", condition=IS_OPEN),
        sa.UniqueConstraint("contract_id"),
        sa.CheckConstraint("(contract_id IS NOT NULL) = (status = 'PUBLISHED')", name="published"),
        sa.CheckConstraint("(resolved_at IS NULL) = (status IN ('PENDING', 'APPROVED', 'REJECTED'))", name="resolved"),
        sa.Index("ix_proposals_asset_id_proposed_at", "asset_id", "proposed_at", "id"),
        sa.Index("ix_proposals_status_proposed_at", "status", "proposed_at", "id"),
        {"schema": "workflow"},
    )

    id: UUID = _id()
    asset_id: UUID = _foreign_key("core.assets.id")
    base_contract_id: UUID = _foreign_key("core.contracts.id", index=True)
    contract_id: UUID | None = _foreign_key("core.contracts.id", nullable=True)
    proposed_schema: Any = _column(sa.JSON(none_as_null=True))
    proposed_version: str = _column(Text)
    guarantees: dict[str, Any] | None = _column(JSON_TYPE, nullable=True)
    compatibility_mode: Mode = _column(_enum(Mode))
    change_type: enums.ChangeType = _column(_enum(enums.ChangeType))
    breaking_changes: list[dict[str, Any]] = _column(JSON_TYPE)
    fingerprint: str = _column(Text)
    status: enums.ProposalStatus = _column(_enum(enums.ProposalStatus))
    reason: str | None = _column(Text, nullable=True)
    publish_when_approved: bool = Field(default=False)
    proposed_by: UUID = _foreign_key("core.teams.id", index=True)
    proposed_at: datetime = _time()
    expires_at: datetime = _time()
    resolved_at: datetime | None = _time(nullable=True)
    meta: dict[str, Any] = _column(JSON_TYPE)
    source: dict[str, str] | None = _column(sa.JSON(none_as_null=True), nullable=True)
    row_version: int = _row_version()
    created_at: datetime = _time()


class Acknowledgment(Base, table=True):
    """One asked team's response to a proposal. From `released_at` on it is not required any more."""

    __tablename__ = "acknowledgments"
    __table_args__ = (
        sa.UniqueConstraint("proposal_id", "consumer_team_id"),
        sa.CheckConstraint("(response IS NULL) = (responded_at IS NULL)", name="responded"),
        sa.CheckConstraint(
            "response IS NULL OR response <> 'MIGRATING' OR migration_deadline IS NOT NULL", name="deadline"
        ),
        sa.Index("ix_acknowledgments_consumer_team_id_response", "consumer_team_id", "response", "proposal_id"),
        {"schema": "workflow"},
    )

    id: UUID = _id()
    proposal_id: UUID = _foreign_key("workflow.proposals.id")
    consumer_team_id: UUID = _foreign_key("core.teams.id")
    change_fingerprints: list[str] = _column(
        JSON_TYPE
    )  # fingerprints of the breaking changes of fields that the team reads
    response: enums.Response | None = _column(_enum(enums.Response), nullable=True)
    migration_deadline: datetime | None = _time(nullable=True)
    notes: str | None = _column(Text, nullable=True)
    responded_at: datetime | None = _time(nullable=True)
    released_at: datetime | None = _time(nullable=True)
    created_at: datetime = _time()


class ApiKey(Base, table=True):
    """An API key; only the SHA-256 of its token is stored. A key without a team is an administrator's."""

    __tablename__ = "api_keys"
    __table_args__ = (sa.Index("ix_api_keys_team_id_created_at", "team_id", "created_at", "id"), {"schema": "core"})

    id: UUID = _id()
    name: str = _column(Text)
    prefix: str = _column(Text, index=True)
    token_hash: str = _column(Text, unique=True)
    team_id: UUID | None = _foreign_key("core.teams.id", nullable=True)
    scopes: list[str] = _column(JSON_TYPE)
    created_by: str = _column(Text)
    expires_at: datetime | None = _time(nullable=True)
    revoked_at: datetime | None = _time(nullable=True)
    last_used_at: datetime | None = _time(nullable=True)
    created_at: datetime = _time()


class Webhook(Base, table=True):
    """A receiver of a team's events, or of all. `position` is the last sequence for which a delivery was created."""

    __tablename__ = "webhooks"
    __table_args__ = (sa.Index("ix_webhooks_team_id_created_at", "team_id", "created_at", "id"), {"schema": "workflow"})

    id: UUID = _id()
    team_id: UUID | None = _foreign_key("core.teams.id", nullable=True)
    url: str = _column(Text)
    secrets: list[dict[str, Any]] = _column(JSON_TYPE)  # {secret, until}, newest first; older ones sign until then
    kinds: list[str] | None = _column(JSON_TYPE, nullable=True)
    format: enums.WebhookFormat = _column(_enum(enums.WebhookFormat))
    document: str | None = _column(Text, nullable=True)
    is_active: bool = Field(default=True)
    position: int = _column(SEQUENCE_TYPE)
    row_version: int = _row_version()
    created_at: datetime = _time()


class WebhookDelivery(Base, table=True):
    """The delivery of an event, or a ping, to a webhook. Claiming postpones `due_at`, in case the worker dies."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        sa.UniqueConstraint("webhook_id", "sequence"),
        sa.Index("ix_webhook_deliveries_webhook_id_created_at", "webhook_id", "created_at", "id"),
        sa.Index("ix_webhook_deliveries_status_due_at", "status", "due_at", "id"),
        {"schema": "workflow"},
    )

    id: UUID = _id()
    webhook_id: UUID = _foreign_key("workflow.webhooks.id")
    sequence: int | None = _column(SEQUENCE_TYPE, nullable=True)
    status: enums.DeliveryStatus = _column(_enum(enums.DeliveryStatus))
    attempts: list[dict[str, Any]] = _column(JSON_TYPE)  # {at, status, error, milliseconds}, latest last
    since: datetime = _time()  # start of the attempts, which end a day later
    due_at: datetime = _time()
    created_at: datetime = _time()


class IdempotencyKey(Base, table=True):
    """The payload that a mutation returned for an idempotency key, which a retry gets again."""

    __tablename__ = "idempotency_keys"
    __table_args__ = ({"schema": "workflow"},)

    actor: str = Field(sa_column=sa.Column(Text, primary_key=True))
    key: str = Field(sa_column=sa.Column(Text, primary_key=True))
    operation: str = _column(Text)
    input_hash: str = _column(Text)
    answer: dict[str, Any] = _column(JSON_TYPE)
    created_at: datetime = _time()


class EventRow(Base, table=True):
    """One event of the append-only event log. `hash` covers the row and the hash of the row before it."""

    __tablename__ = "events"
    __table_args__ = (
        sa.UniqueConstraint("id"),
        sa.Index("ix_events_asset_id_sequence", "asset_id", "sequence"),
        sa.Index("ix_events_proposal_id_sequence", "proposal_id", "sequence"),
        {"schema": "audit"},
    )

    sequence: int = Field(sa_column=sa.Column(SEQUENCE_TYPE, primary_key=True, autoincrement=False))
    id: UUID = Field(default_factory=new_id, sa_column=sa.Column(Uuid, nullable=False))
    kind: str = _column(Text)
    entity_type: str = _column(Text)
    entity_id: UUID = _column(Uuid)
    asset_id: UUID | None = _column(Uuid, nullable=True)
    proposal_id: UUID | None = _column(Uuid, nullable=True)
    teams: list[str] = _column(JSON_TYPE)
    actor: str = _column(Text)
    payload: dict[str, Any] = _column(JSON_TYPE)
    occurred_at: datetime = _time()
    hash: str = _column(Text)
