"""Webhooks send messages to Teams, by e-mail and as commit statuses; a delivery covers several events.

Revision: 0018
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None
works_with = "0013"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
BEFORE = "format IN ('STANDARD', 'SLACK')"
AFTER = "format IN ('STANDARD', 'SLACK', 'TEAMS', 'EMAIL', 'GITHUB_STATUS')"
CHECK = "ck_webhooks_webhookformat"
INDEX = "ix_webhook_deliveries_open_groups"
IS_OPEN = "status = 'PENDING' AND group_key IS NOT NULL"


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def schema() -> str | None:
    """The schema of the tables; SQLite has none."""
    return None if is_sqlite() else "workflow"


def replace_check(old: str, new: str) -> None:
    if is_sqlite():
        replace_sqlite_check(old, new)
        return
    op.drop_constraint(op.f(CHECK), "webhooks", schema=schema(), type_="check")
    op.create_check_constraint(op.f(CHECK), "webhooks", new, schema=schema())


def replace_sqlite_check(old: str, new: str) -> None:
    """Replace a check in the stored definition of the table, since SQLite can't alter a constraint."""
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    definitions = sa.table("sqlite_master", sa.column("name", sa.Text()), sa.column("sql", sa.Text()))
    has_check = sa.func.instr(definitions.c.sql, old) > 0
    changed_sql = sa.func.replace(definitions.c.sql, old, new)
    replaced = connection.execute(
        sa.update(definitions).where(definitions.c.name == "webhooks", has_check).values(sql=changed_sql)
    )
    if replaced.rowcount != 1:
        raise RuntimeError(f"The table webhooks has no constraint {old}.")
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")


def upgrade() -> None:
    replace_check(BEFORE, AFTER)
    op.add_column("webhooks", sa.Column("token", JSON, nullable=True), schema=schema())
    op.add_column("webhook_deliveries", sa.Column("group_key", sa.Text(), nullable=True), schema=schema())
    op.add_column("webhook_deliveries", sa.Column("covered_events", JSON, nullable=True), schema=schema())
    op.add_column(
        "webhook_deliveries",
        sa.Column("event_count", sa.Integer(), server_default="1", nullable=False),
        schema=schema(),
    )
    op.create_index(
        INDEX,
        "webhook_deliveries",
        ["webhook_id", "group_key"],
        unique=False,
        schema=schema(),
        postgresql_where=sa.text(IS_OPEN),
        sqlite_where=sa.text(IS_OPEN),
    )


def downgrade() -> None:
    op.drop_index(INDEX, "webhook_deliveries", schema=schema())
    for name in ("event_count", "covered_events", "group_key"):
        op.drop_column("webhook_deliveries", name, schema=schema())
    op.drop_column("webhooks", "token", schema=schema())
    webhooks = sa.table(
        "webhooks", sa.column("format", sa.Text()), sa.column("is_active", sa.Boolean()), schema=schema()
    )
    is_new = webhooks.c.format.in_(("TEAMS", "EMAIL", "GITHUB_STATUS"))
    # The server before has no such formats: the webhooks stay, switched off.
    op.execute(sa.update(webhooks).where(is_new).values(format="STANDARD", is_active=False))
    replace_check(AFTER, BEFORE)
