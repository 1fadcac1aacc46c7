"""Refuse `INSERT OR REPLACE` of events on SQLite, which would delete a row without firing the delete trigger.

Revision: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
works_with = "0001"


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def upgrade() -> None:
    if is_sqlite():
        op.execute(
            "CREATE TRIGGER events_no_replace BEFORE INSERT ON events"
            " WHEN EXISTS (SELECT 1 FROM events WHERE sequence = NEW.sequence)"
            " OR EXISTS (SELECT 1 FROM events WHERE id = NEW.id)"
            " BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        )


def downgrade() -> None:
    if is_sqlite():
        op.execute("DROP TRIGGER events_no_replace")
