"""Reads by day are kept for a time; observations say what is left of the older days.

On PostgreSQL the table of days is partitioned by month, so that retention drops whole partitions. All rows are kept.

Revision: 0014
"""

from datetime import UTC, date, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy import text

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None
works_with = "0010"

MONTHS_AHEAD = 3
SUMS = (
    ("summed_until", sa.Date()),
    ("summed_count", sa.BigInteger()),
    ("summed_pause_seconds", sa.BigInteger()),
    ("summed_first_at", sa.DateTime(timezone=True)),
    ("summed_last_at", sa.DateTime(timezone=True)),
)
COPY = "INSERT INTO core.observation_days SELECT * FROM core.observation_days_before"
MONTHS = "SELECT DISTINCT date_trunc('month', day)::date AS month FROM core.observation_days_before"


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def upgrade() -> None:
    for name, type_ in SUMS:
        op.add_column("observations", sa.Column(name, type_, nullable=True), schema=None if is_sqlite() else "core")
    if is_sqlite():
        return
    move_table()
    create_table("RANGE (day)")
    op.execute("CREATE TABLE core.observation_days_default PARTITION OF core.observation_days DEFAULT")
    months = {row.month for row in op.get_bind().execute(text(MONTHS))}
    month = datetime.now(UTC).date().replace(day=1)
    for _ in range(MONTHS_AHEAD):
        months.add(month)
        month = next_month(month)
    for month in sorted(months):
        end = next_month(month)
        op.execute(
            f"CREATE TABLE core.observation_days_{month:%Y_%m} PARTITION OF core.observation_days"
            f" FOR VALUES FROM ('{month}') TO ('{end}')"
        )
    op.execute(COPY)
    op.drop_table("observation_days_before", schema="core")


def next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def move_table() -> None:
    op.rename_table("observation_days", "observation_days_before", schema="core")
    op.execute("ALTER INDEX core.pk_observation_days RENAME TO pk_observation_days_before")


def create_table(partition_by: str | None) -> None:
    op.create_table(
        "observation_days",
        sa.Column("observation_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("read_count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["observation_id"], ["core.observations.id"], name=op.f("fk_observation_days_observation_id")
        ),
        sa.PrimaryKeyConstraint("observation_id", "day", name=op.f("pk_observation_days")),
        schema="core",
        **({"postgresql_partition_by": partition_by} if partition_by else {}),
    )


def downgrade() -> None:
    if not is_sqlite():
        move_table()
        create_table(None)
        op.execute(COPY)
        op.drop_table("observation_days_before", schema="core")
    for name, _ in reversed(SUMS):
        op.drop_column("observations", name, schema=None if is_sqlite() else "core")
