"""Tables of the catalog: teams, projects and their keys, assets, contracts and lineage."""

# SQLModel documents a plain string for `__tablename__`, but declares its type as a descriptor.
# pyright: reportAssignmentType=false

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Text, Uuid
from sqlmodel import Field

from tessera_gql.diff import Mode
from tessera_gql.policy import enums
from tessera_gql.store.tables.base import (
    BYTE_ORDERED,
    JSON_TYPE,
    Base,
    column,
    enum_column_type,
    foreign_key,
    id_column,
    index_where_set,
    row_version_column,
    time_column,
    unique_where,
    updated_column,
)


class Team(Base, table=True):
    """A team that owns assets or consumes them. `name_key` is the case-folded name, which is unique.

    Until `delegate_until` the delegate may answer for the team. Asks without an answer go to the escalation team as
    well, as the policy of the asset's tier says.
    """

    __tablename__ = "teams"
    __table_args__ = (
        sa.UniqueConstraint("name_key"),
        index_where_set("ix_teams_delegate_team_id", "delegate_team_id"),
        index_where_set("ix_teams_escalation_team_id", "escalation_team_id"),
        sa.Index("ix_teams_created_at", "created_at", "id"),
        sa.Index("ix_teams_updated_at", "updated_at", "id"),
        {"schema": "core"},
    )

    id: UUID = id_column()
    name: str = column(Text)
    name_key: str = column(Text)
    meta: dict[str, Any] = column(JSON_TYPE)
    delegate_team_id: UUID | None = foreign_key("core.teams.id", nullable=True)
    delegate_until: datetime | None = time_column(nullable=True)
    escalation_team_id: UUID | None = foreign_key("core.teams.id", nullable=True)
    archived_at: datetime | None = time_column(nullable=True)
    updated_at: datetime = updated_column()
    row_version: int = row_version_column()
    created_at: datetime = time_column()


class Asset(Base, table=True):
    """A table, view, model, source, topic or file. `compatibility_mode` applies while no contract is active.

    `is_tier_confirmed` says that an administrator has set the tier; others only suggest one.
    """

    __tablename__ = "assets"
    __table_args__ = (
        sa.UniqueConstraint("fqn_key"),
        # With all columns of a count, so that none of its rows is read: lists leave out archived assets.
        sa.Index("ix_assets_fqn_key", "fqn_key", "id", "archived_at"),
        sa.Index("ix_assets_owner_team_id_fqn_key", "owner_team_id", "fqn_key", "id", "archived_at"),
        sa.Index("ix_assets_tier_fqn_key", "tier", "fqn_key", "id", "archived_at"),
        sa.Index("ix_assets_created_at", "created_at", "id"),
        sa.Index("ix_assets_updated_at", "updated_at", "id"),
        sa.Index(
            "ix_assets_archived_at",
            "archived_at",
            "id",
            postgresql_where=sa.text("archived_at IS NOT NULL"),
            sqlite_where=sa.text("archived_at IS NOT NULL"),
        ),
        {"schema": "core"},
    )

    id: UUID = id_column()
    fqn: str = column(Text)
    fqn_key: str = column(BYTE_ORDERED)
    owner_team_id: UUID = foreign_key("core.teams.id", index=True)
    resource_type: enums.ResourceType = column(enum_column_type(enums.ResourceType))
    description: str | None = column(Text, nullable=True)
    compatibility_mode: Mode = column(enum_column_type(Mode))
    meta: dict[str, Any] = column(JSON_TYPE)
    tier: enums.AssetTier = Field(
        default=enums.AssetTier.NORMAL,
        sa_column=sa.Column(enum_column_type(enums.AssetTier), nullable=False, server_default="NORMAL"),
    )
    is_tier_confirmed: bool = Field(
        default=False, sa_column=sa.Column(sa.Boolean, nullable=False, server_default=sa.false())
    )
    superseded_by_id: UUID | None = foreign_key("core.assets.id", nullable=True, index=True)
    archived_at: datetime | None = time_column(nullable=True)
    updated_at: datetime = updated_column()
    row_version: int = row_version_column()
    created_at: datetime = time_column()


class Contract(Base, table=True):
    """One immutable version of an asset's schema; only `status` changes, and at most one per asset is ACTIVE.

    `known_columns` has the types of a dbt model's columns: as `declared` in the manifest, and as `observed` in the
    catalog. Without one of these keys that document does not have the column; null means that it names no type.
    """

    __tablename__ = "contracts"
    __table_args__ = (
        sa.UniqueConstraint("asset_id", "version"),
        unique_where("uq_contracts_active", "asset_id", condition="status = 'ACTIVE'"),
        sa.Index("ix_contracts_asset_id_published_at", "asset_id", "published_at", "id"),
        sa.Index("ix_contracts_published_at", "published_at", "id"),
        sa.Index("ix_contracts_status_published_at", "status", "published_at", "id"),
        {"schema": "core"},
    )

    id: UUID = id_column()
    asset_id: UUID = foreign_key("core.assets.id")
    version: str = column(Text)
    schema_def: Any = column(sa.JSON(none_as_null=True))  # not JSONB, which loses the order of keys
    guarantees: dict[str, Any] | None = column(JSON_TYPE, nullable=True)
    compatibility_mode: Mode = column(enum_column_type(Mode))
    status: enums.ContractStatus = column(enum_column_type(enums.ContractStatus))
    change_type: enums.ChangeType = column(enum_column_type(enums.ChangeType))
    schema_hash: str = column(Text)
    published_by: UUID = foreign_key("core.teams.id", index=True)
    published_at: datetime = time_column()
    meta: dict[str, Any] = column(JSON_TYPE)
    source: dict[str, str] | None = column(sa.JSON(none_as_null=True), nullable=True)
    known_columns: dict[str, dict[str, str | None]] | None = column(sa.JSON(none_as_null=True), nullable=True)
    created_at: datetime = time_column()


class AssetColumn(Base, table=True):
    """A column that the active contract of an asset declares, by its case-folded name."""

    __tablename__ = "asset_columns"
    __table_args__ = (
        sa.Index("ix_asset_columns_name_key", "name_key", "asset_id", postgresql_ops={"name_key": "text_pattern_ops"}),
        {"schema": "core", "sqlite_with_rowid": False},
    )

    asset_id: UUID = Field(sa_column=sa.Column(Uuid, sa.ForeignKey("core.assets.id"), primary_key=True))
    name_key: str = Field(sa_column=sa.Column(Text, primary_key=True))


class AssetLabel(Base, table=True):
    """A label of an asset, such as `pii` or `domain:sales`; `name_key` is the case-folded name."""

    __tablename__ = "asset_labels"
    __table_args__ = (
        sa.Index("ix_asset_labels_name_key", "name_key", "asset_id", postgresql_ops={"name_key": "text_pattern_ops"}),
        {"schema": "core", "sqlite_with_rowid": False},
    )

    asset_id: UUID = Field(sa_column=sa.Column(Uuid, sa.ForeignKey("core.assets.id"), primary_key=True))
    name_key: str = Field(sa_column=sa.Column(Text, primary_key=True))
    name: str = column(Text)
    origin: enums.LabelOrigin = column(enum_column_type(enums.LabelOrigin))


class FieldChange(Base, table=True):
    """A change of a field from one contract to the next; an ADDED with an empty path is that of all first fields.

    `previous_path` is the former path of a RENAMED field. `change_kind` and `fingerprint` are those of the difference.
    """

    __tablename__ = "field_changes"
    __table_args__ = (
        sa.Index("ix_field_changes_asset_id_path", "asset_id", "path", "kind", "changed_at", "id"),
        sa.Index("ix_field_changes_asset_id_kind", "asset_id", "kind", "changed_at", "id"),
        sa.Index("ix_field_changes_asset_id_changed_at", "asset_id", "changed_at", "id"),
        {"schema": "core"},
    )

    id: UUID = id_column()
    asset_id: UUID = foreign_key("core.assets.id")
    contract_id: UUID = foreign_key("core.contracts.id", index=True)
    path: str = column(Text)
    previous_path: str | None = column(Text, nullable=True)
    kind: enums.FieldChangeKind = column(enum_column_type(enums.FieldChangeKind))
    change_kind: str | None = column(Text, nullable=True)
    fingerprint: str | None = column(Text, nullable=True)
    message: str = column(Text)
    changed_at: datetime = time_column()


class AssetDependency(Base, table=True):
    """A lineage edge: the dependent asset is made from the dependency, or reads it."""

    __tablename__ = "asset_dependencies"
    __table_args__ = (
        sa.UniqueConstraint("dependent_asset_id", "dependency_asset_id", "dependency_type"),
        sa.CheckConstraint("dependent_asset_id <> dependency_asset_id", name="not_itself"),
        {"schema": "core"},
    )

    id: UUID = id_column()
    dependent_asset_id: UUID = foreign_key("core.assets.id")
    dependency_asset_id: UUID = foreign_key("core.assets.id", index=True)
    dependency_type: enums.DependencyType = column(enum_column_type(enums.DependencyType))
    evidence: enums.Evidence = column(enum_column_type(enums.Evidence))
    created_at: datetime = time_column()


class ColumnEdge(Base, table=True):
    """A column of the target asset that is made from a column of the source asset; an empty name stands for any.

    Two assets with a dependency but without column edges have unknown column lineage.
    """

    __tablename__ = "column_edges"
    __table_args__ = (
        sa.Index("ix_column_edges_source_asset_id", "source_asset_id", "source_column"),
        sa.CheckConstraint("source_asset_id <> target_asset_id", name="not_itself"),
        {"schema": "core"},
    )

    target_asset_id: UUID = Field(sa_column=sa.Column(Uuid, sa.ForeignKey("core.assets.id"), primary_key=True))
    target_column: str = Field(sa_column=sa.Column(Text, primary_key=True))
    source_asset_id: UUID = Field(sa_column=sa.Column(Uuid, sa.ForeignKey("core.assets.id"), primary_key=True))
    source_column: str = Field(sa_column=sa.Column(Text, primary_key=True))
    kind: enums.ColumnEdgeKind = Field(sa_column=sa.Column(enum_column_type(enums.ColumnEdgeKind), primary_key=True))
    created_at: datetime = time_column()


class Deprecation(Base, table=True):
    """An announcement that an asset, or its field `path` (empty: the whole asset), goes away at `sunset_at`."""

    __tablename__ = "deprecations"
    __table_args__ = (
        unique_where("uq_deprecations_live", "asset_id", "path", condition="ended_at IS NULL"),
        sa.Index("ix_deprecations_asset_id_declared_at", "asset_id", "declared_at", "id"),
        {"schema": "core"},
    )

    id: UUID = id_column()
    asset_id: UUID = foreign_key("core.assets.id")
    path: str = column(Text)
    sunset_at: datetime | None = time_column(nullable=True)
    replacement: str | None = column(Text, nullable=True)
    reason: str | None = column(Text, nullable=True)
    origin: enums.DeprecationOrigin = column(enum_column_type(enums.DeprecationOrigin))
    declared_by: UUID = foreign_key("core.teams.id", index=True)
    declared_at: datetime = time_column()
    ended_at: datetime | None = time_column(nullable=True)
    reminded_days: list[int] = column(JSON_TYPE)
    row_version: int = row_version_column()
    created_at: datetime = time_column()


class Project(Base, table=True):
    """A dbt project, or another source of contracts: its keys sync the tables of its owners, in its schemas.

    `schemas` are patterns of `database.schema` in lower case; an empty list permits every schema.
    """

    __tablename__ = "projects"
    __table_args__ = (sa.UniqueConstraint("name_key"), {"schema": "core"})

    id: UUID = id_column()
    name: str = column(Text)
    name_key: str = column(Text, nullable=False)
    schemas: list[str] = column(JSON_TYPE)
    row_version: int = row_version_column()
    created_at: datetime = time_column()


class ProjectOwner(Base, table=True):
    """A team whose tables a project may sync."""

    __tablename__ = "project_owners"
    __table_args__ = ({"schema": "core"},)

    project_id: UUID = Field(sa_column=sa.Column(Uuid, sa.ForeignKey("core.projects.id"), primary_key=True))
    team_id: UUID = Field(sa_column=sa.Column(Uuid, sa.ForeignKey("core.teams.id"), primary_key=True, index=True))


class ApiKey(Base, table=True):
    """An API key of a team, a project or a source of usage, or (without all) of an administrator.

    Only its token's SHA-256 is stored.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        sa.Index("ix_api_keys_team_id_created_at", "team_id", "created_at", "id"),
        sa.CheckConstraint("team_id IS NULL OR project_id IS NULL", name="holder"),
        sa.CheckConstraint("usage_source_id IS NULL OR (team_id IS NULL AND project_id IS NULL)", name="source"),
        {"schema": "core"},
    )

    id: UUID = id_column()
    name: str = column(Text)
    prefix: str = column(Text, index=True)
    token_hash: str = column(Text, unique=True)
    team_id: UUID | None = foreign_key("core.teams.id", nullable=True)
    project_id: UUID | None = foreign_key("core.projects.id", nullable=True, index=True)
    usage_source_id: UUID | None = foreign_key("core.usage_sources.id", nullable=True, index=True)
    scopes: list[str] = column(JSON_TYPE)
    created_by: str = column(Text)
    expires_at: datetime | None = time_column(nullable=True)
    revoked_at: datetime | None = time_column(nullable=True)
    last_used_at: datetime | None = time_column(nullable=True)
    created_at: datetime = time_column()
