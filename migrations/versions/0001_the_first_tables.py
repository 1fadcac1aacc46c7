"""The first tables, and triggers that make the event log append-only.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
works_with = "0001"

SCHEMAS = ("core", "workflow", "audit")
TABLES = (
    ("workflow", "acknowledgments"),
    ("workflow", "proposals"),
    ("workflow", "registrations"),
    ("core", "contracts"),
    ("core", "asset_dependencies"),
    ("core", "assets"),
    ("core", "teams"),
    ("workflow", "idempotency_keys"),
    ("audit", "events"),
)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def schema_name(schema: str) -> str | None:
    """Return the schema to use: none on SQLite, which has no schemas."""
    return None if is_sqlite() else schema


def qualified(schema: str, column: str) -> str:
    return column if is_sqlite() else f"{schema}.{column}"


def upgrade() -> None:
    if not is_sqlite():
        for schema in SCHEMAS:
            op.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    op.create_table(
        "events",
        sa.Column(
            "sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("entity_type", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=True),
        sa.Column("proposal_id", sa.Uuid(), nullable=True),
        sa.Column("teams", JSON, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_events")),
        sa.UniqueConstraint("id", name=op.f("uq_events_id")),
        schema=schema_name("audit"),
    )
    op.create_index(
        "ix_events_asset_id_sequence", "events", ["asset_id", "sequence"], unique=False, schema=schema_name("audit")
    )
    op.create_index(
        "ix_events_proposal_id_sequence",
        "events",
        ["proposal_id", "sequence"],
        unique=False,
        schema=schema_name("audit"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column("answer", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("actor", "key", name=op.f("pk_idempotency_keys")),
        schema=schema_name("workflow"),
    )
    op.create_table(
        "teams",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("meta", JSON, nullable=False),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("name_key", name=op.f("uq_teams_name_key")),
        schema=schema_name("core"),
    )
    op.create_table(
        "assets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fqn", sa.Text(), nullable=False),
        sa.Column("fqn_key", sa.Text(), nullable=False),
        sa.Column("owner_team_id", sa.Uuid(), nullable=False),
        sa.Column(
            "resource_type",
            sa.Enum(
                "TABLE",
                "VIEW",
                "MODEL",
                "SOURCE",
                "SEED",
                "SNAPSHOT",
                "TOPIC",
                "FILE",
                "API",
                "EXPOSURE",
                "OTHER",
                name="resourcetype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "compatibility_mode",
            sa.Enum(
                "BACKWARD", "FORWARD", "FULL", "NONE", name="mode", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("meta", JSON, nullable=False),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_team_id"], [qualified("core", "teams.id")], name=op.f("fk_assets_owner_team_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assets")),
        sa.UniqueConstraint("fqn_key", name=op.f("uq_assets_fqn_key")),
        schema=schema_name("core"),
    )
    op.create_index(
        op.f("ix_assets_owner_team_id"), "assets", ["owner_team_id"], unique=False, schema=schema_name("core")
    )
    op.create_table(
        "asset_dependencies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dependent_asset_id", sa.Uuid(), nullable=False),
        sa.Column("dependency_asset_id", sa.Uuid(), nullable=False),
        sa.Column(
            "dependency_type",
            sa.Enum(
                "CONSUMES",
                "REFERENCES",
                "TRANSFORMS",
                name="dependencytype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "evidence",
            sa.Enum(
                "DECLARED",
                "DBT_MANIFEST",
                "QUERY_LOG",
                name="evidence",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("dependent_asset_id <> dependency_asset_id", name=op.f("ck_asset_dependencies_not_itself")),
        sa.ForeignKeyConstraint(
            ["dependency_asset_id"],
            [qualified("core", "assets.id")],
            name=op.f("fk_asset_dependencies_dependency_asset_id"),
        ),
        sa.ForeignKeyConstraint(
            ["dependent_asset_id"],
            [qualified("core", "assets.id")],
            name=op.f("fk_asset_dependencies_dependent_asset_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset_dependencies")),
        sa.UniqueConstraint(
            "dependent_asset_id",
            "dependency_asset_id",
            "dependency_type",
            name=op.f("uq_asset_dependencies_dependent_asset_id_dependency_asset_id_dependency_type"),
        ),
        schema=schema_name("core"),
    )
    op.create_index(
        op.f("ix_asset_dependencies_dependency_asset_id"),
        "asset_dependencies",
        ["dependency_asset_id"],
        unique=False,
        schema=schema_name("core"),
    )
    op.create_table(
        "contracts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("schema_def", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("guarantees", JSON, nullable=True),
        sa.Column(
            "compatibility_mode",
            sa.Enum(
                "BACKWARD", "FORWARD", "FULL", "NONE", name="mode", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "ACTIVE",
                "DEPRECATED",
                "RETIRED",
                name="contractstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "change_type",
            sa.Enum(
                "INITIAL",
                "PATCH",
                "MINOR",
                "MAJOR",
                name="changetype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("schema_hash", sa.Text(), nullable=False),
        sa.Column("published_by", sa.Uuid(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("meta", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], [qualified("core", "assets.id")], name=op.f("fk_contracts_asset_id")),
        sa.ForeignKeyConstraint(
            ["published_by"], [qualified("core", "teams.id")], name=op.f("fk_contracts_published_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contracts")),
        sa.UniqueConstraint("asset_id", "version", name=op.f("uq_contracts_asset_id_version")),
        schema=schema_name("core"),
    )
    op.create_index(
        "ix_contracts_asset_id_published_at",
        "contracts",
        ["asset_id", "published_at", "id"],
        unique=False,
        schema=schema_name("core"),
    )
    op.create_index(
        op.f("ix_contracts_published_by"), "contracts", ["published_by"], unique=False, schema=schema_name("core")
    )
    op.create_index(
        "uq_contracts_active",
        "contracts",
        ["asset_id"],
        unique=True,
        postgresql_where=sa.text("status = 'ACTIVE'"),
        sqlite_where=sa.text("status = 'ACTIVE'"),
        schema=schema_name("core"),
    )
    op.create_table(
        "registrations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("consumer_team_id", sa.Uuid(), nullable=False),
        sa.Column("consumer_asset_id", sa.Uuid(), nullable=True),
        sa.Column("fields", JSON, nullable=True),
        sa.Column("pinned_version", sa.Text(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "ACTIVE",
                "MIGRATING",
                "INACTIVE",
                name="registrationstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "evidence",
            sa.Enum(
                "DECLARED",
                "DBT_MANIFEST",
                "QUERY_LOG",
                name="evidence",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("meta", JSON, nullable=False),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], [qualified("core", "assets.id")], name=op.f("fk_registrations_asset_id")),
        sa.ForeignKeyConstraint(
            ["consumer_asset_id"], [qualified("core", "assets.id")], name=op.f("fk_registrations_consumer_asset_id")
        ),
        sa.ForeignKeyConstraint(
            ["consumer_team_id"], [qualified("core", "teams.id")], name=op.f("fk_registrations_consumer_team_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registrations")),
        schema=schema_name("workflow"),
    )
    op.create_index(
        "ix_registrations_asset_id_registered_at",
        "registrations",
        ["asset_id", "registered_at", "id"],
        unique=False,
        schema=schema_name("workflow"),
    )
    op.create_index(
        op.f("ix_registrations_consumer_asset_id"),
        "registrations",
        ["consumer_asset_id"],
        unique=False,
        schema=schema_name("workflow"),
    )
    op.create_index(
        op.f("ix_registrations_consumer_team_id"),
        "registrations",
        ["consumer_team_id"],
        unique=False,
        schema=schema_name("workflow"),
    )
    op.create_index(
        "uq_registrations_live",
        "registrations",
        ["asset_id", "consumer_team_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'INACTIVE' AND consumer_asset_id IS NULL"),
        sqlite_where=sa.text("status <> 'INACTIVE' AND consumer_asset_id IS NULL"),
        schema=schema_name("workflow"),
    )
    op.create_index(
        "uq_registrations_live_asset",
        "registrations",
        ["asset_id", "consumer_team_id", "consumer_asset_id"],
        unique=True,
        postgresql_where=sa.text("status <> 'INACTIVE' AND consumer_asset_id IS NOT NULL"),
        sqlite_where=sa.text("status <> 'INACTIVE' AND consumer_asset_id IS NOT NULL"),
        schema=schema_name("workflow"),
    )
    op.create_table(
        "proposals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("base_contract_id", sa.Uuid(), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=True),
        sa.Column("proposed_schema", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("proposed_version", sa.Text(), nullable=False),
        sa.Column("guarantees", JSON, nullable=True),
        sa.Column(
            "compatibility_mode",
            sa.Enum(
                "BACKWARD", "FORWARD", "FULL", "NONE", name="mode", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column(
            "change_type",
            sa.Enum(
                "INITIAL",
                "PATCH",
                "MINOR",
                "MAJOR",
                name="changetype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("breaking_changes", JSON, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING",
                "APPROVED",
                "REJECTED",
                "WITHDRAWN",
                "PUBLISHED",
                "SUPERSEDED",
                "EXPIRED",
                name="proposalstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("publish_when_approved", sa.Boolean(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("meta", JSON, nullable=False),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(contract_id IS NOT NULL) = (status = 'PUBLISHED')", name=op.f("ck_proposals_published")),
        sa.CheckConstraint(
            "(resolved_at IS NULL) = (status IN ('PENDING', 'APPROVED', 'REJECTED'))",
            name=op.f("ck_proposals_resolved"),
        ),
        sa.ForeignKeyConstraint(["asset_id"], [qualified("core", "assets.id")], name=op.f("fk_proposals_asset_id")),
        sa.ForeignKeyConstraint(
            ["base_contract_id"], [qualified("core", "contracts.id")], name=op.f("fk_proposals_base_contract_id")
        ),
        sa.ForeignKeyConstraint(
            ["contract_id"], [qualified("core", "contracts.id")], name=op.f("fk_proposals_contract_id")
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by"], [qualified("core", "teams.id")], name=op.f("fk_proposals_proposed_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
        sa.UniqueConstraint("contract_id", name=op.f("uq_proposals_contract_id")),
        schema=schema_name("workflow"),
    )
    op.create_index(
        "ix_proposals_asset_id_proposed_at",
        "proposals",
        ["asset_id", "proposed_at", "id"],
        unique=False,
        schema=schema_name("workflow"),
    )
    op.create_index(
        op.f("ix_proposals_base_contract_id"),
        "proposals",
        ["base_contract_id"],
        unique=False,
        schema=schema_name("workflow"),
    )
    op.create_index(
        op.f("ix_proposals_proposed_by"), "proposals", ["proposed_by"], unique=False, schema=schema_name("workflow")
    )
    op.create_index(
        "ix_proposals_status_proposed_at",
        "proposals",
        ["status", "proposed_at", "id"],
        unique=False,
        schema=schema_name("workflow"),
    )
    op.create_index(
        "uq_proposals_open",
        "proposals",
        ["asset_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('PENDING', 'APPROVED', 'REJECTED')"),
        sqlite_where=sa.text("status IN ('PENDING', 'APPROVED', 'REJECTED')"),
        schema=schema_name("workflow"),
    )
    op.create_table(
        "acknowledgments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("proposal_id", sa.Uuid(), nullable=False),
        sa.Column("consumer_team_id", sa.Uuid(), nullable=False),
        sa.Column("because", JSON, nullable=False),
        sa.Column(
            "response",
            sa.Enum(
                "APPROVED",
                "MIGRATING",
                "BLOCKED",
                name="response",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("migration_deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("responded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "response IS NULL OR response <> 'MIGRATING' OR migration_deadline IS NOT NULL",
            name=op.f("ck_acknowledgments_deadline"),
        ),
        sa.CheckConstraint("(response IS NULL) = (responded_at IS NULL)", name=op.f("ck_acknowledgments_responded")),
        sa.ForeignKeyConstraint(
            ["consumer_team_id"], [qualified("core", "teams.id")], name=op.f("fk_acknowledgments_consumer_team_id")
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"], [qualified("workflow", "proposals.id")], name=op.f("fk_acknowledgments_proposal_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acknowledgments")),
        sa.UniqueConstraint(
            "proposal_id", "consumer_team_id", name=op.f("uq_acknowledgments_proposal_id_consumer_team_id")
        ),
        schema=schema_name("workflow"),
    )
    op.create_index(
        "ix_acknowledgments_consumer_team_id_response",
        "acknowledgments",
        ["consumer_team_id", "response", "proposal_id"],
        unique=False,
        schema=schema_name("workflow"),
    )
    protect_events()


def protect_events() -> None:
    """Create triggers that refuse to change or delete events."""
    if is_sqlite():
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER events_no_{verb.lower()} BEFORE {verb} ON events"
                " BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'events are append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.events"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()"
    )


def downgrade() -> None:
    for schema, table in TABLES:
        op.drop_table(table, schema=schema_name(schema))
    if not is_sqlite():
        op.execute("DROP FUNCTION audit.refuse_change()")
        for schema in SCHEMAS:
            op.execute(f"DROP SCHEMA {schema}")
