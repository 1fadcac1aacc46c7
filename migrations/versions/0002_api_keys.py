"""API keys: name, hash of the token, team, scopes and expiry.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
works_with = "0001"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def schema_name(schema: str) -> str | None:
    """Return the schema to use: none on SQLite, which has no schemas."""
    return None if is_sqlite() else schema


def qualified(schema: str, column: str) -> str:
    return column if is_sqlite() else f"{schema}.{column}"


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=True),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], [qualified("core", "teams.id")], name=op.f("fk_api_keys_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_keys_token_hash")),
        schema=schema_name("core"),
    )
    op.create_index("ix_api_keys_prefix", "api_keys", ["prefix"], unique=False, schema=schema_name("core"))
    op.create_index(
        "ix_api_keys_team_id_created_at",
        "api_keys",
        ["team_id", "created_at", "id"],
        unique=False,
        schema=schema_name("core"),
    )


def downgrade() -> None:
    op.drop_table("api_keys", schema=schema_name("core"))
