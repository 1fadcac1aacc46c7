"""The source document of contracts and proposals.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
works_with = "0001"

TABLES = (("contracts", "core"), ("proposals", "workflow"))


def schema_name(schema: str) -> str | None:
    """Return the schema to use: none on SQLite, which has no schemas."""
    return None if op.get_bind().dialect.name == "sqlite" else schema


def upgrade() -> None:
    for table, schema in TABLES:
        column = sa.Column("source", sa.JSON(none_as_null=True), nullable=True)
        op.add_column(table, column, schema=schema_name(schema))


def downgrade() -> None:
    for table, schema in TABLES:
        op.drop_column(table, "source", schema=schema_name(schema))
