"""The document that a contract, or a proposal, was read from.

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


def at(schema: str) -> str | None:
    """SQLite has no schemas: the same tables stand side by side."""
    return None if op.get_bind().dialect.name == "sqlite" else schema


def upgrade() -> None:
    for table, schema in TABLES:
        column = sa.Column("source", sa.JSON(none_as_null=True), nullable=True)
        op.add_column(table, column, schema=at(schema))


def downgrade() -> None:
    for table, schema in TABLES:
        op.drop_column(table, "source", schema=at(schema))
