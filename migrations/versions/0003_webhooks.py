"""Webhooks and the deliveries of events to them.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
works_with = "0001"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def schema_name(schema: str) -> str | None:
    """Return the schema to use: none on SQLite, which has no schemas."""
    return None if is_sqlite() else schema


def qualified(schema: str, column: str) -> str:
    return column if is_sqlite() else f"{schema}.{column}"


def enum_type(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secrets", JSON, nullable=False),
        sa.Column("kinds", JSON, nullable=True),
        sa.Column("format", enum_type("webhookformat", "STANDARD", "SLACK"), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("position", SEQUENCE, nullable=False),
        sa.Column("row_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], [qualified("core", "teams.id")], name=op.f("fk_webhooks_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        schema=schema_name("workflow"),
    )
    op.create_index(
        "ix_webhooks_team_id_created_at",
        "webhooks",
        ["team_id", "created_at", "id"],
        unique=False,
        schema=schema_name("workflow"),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", SEQUENCE, nullable=True),
        sa.Column("status", enum_type("deliverystatus", "PENDING", "DELIVERED", "DEAD"), nullable=False),
        sa.Column("attempts", JSON, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"], [qualified("workflow", "webhooks.id")], name=op.f("fk_webhook_deliveries_webhook_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("webhook_id", "sequence", name=op.f("uq_webhook_deliveries_webhook_id_sequence")),
        schema=schema_name("workflow"),
    )
    for name, columns in (
        ("ix_webhook_deliveries_webhook_id_created_at", ["webhook_id", "created_at", "id"]),
        ("ix_webhook_deliveries_status_due_at", ["status", "due_at", "id"]),
    ):
        op.create_index(name, "webhook_deliveries", columns, unique=False, schema=schema_name("workflow"))


def downgrade() -> None:
    op.drop_table("webhook_deliveries", schema=schema_name("workflow"))
    op.drop_table("webhooks", schema=schema_name("workflow"))
