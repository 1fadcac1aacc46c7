"""The indexes of delegates, escalation teams and escalated asks have only the rows with such a team.

Most rows have none, and SQLite took these for rows of one team, so that it read all acknowledgments for an inbox.

Revision: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None
works_with = "0013"

INDEXES = (
    ("core", "teams", "delegate_team_id"),
    ("core", "teams", "escalation_team_id"),
    ("workflow", "acknowledgments", "escalated_to"),
)


def replace_indexes(*, is_partial: bool) -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for schema, table, column in INDEXES:
        schema_name = None if is_sqlite else schema
        condition = sa.text(f"{column} IS NOT NULL") if is_partial else None
        name = f"ix_{table}_{column}"
        op.drop_index(name, table, schema=schema_name)
        op.create_index(name, table, [column], schema=schema_name, postgresql_where=condition, sqlite_where=condition)


def upgrade() -> None:
    replace_indexes(is_partial=True)


def downgrade() -> None:
    replace_indexes(is_partial=False)
