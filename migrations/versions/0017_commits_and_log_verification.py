"""The commit of a change set, and how far the event log was verified.

Revision: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None
works_with = "0013"


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def schema() -> str | None:
    """The schema of the tables; SQLite has none."""
    return None if is_sqlite() else "workflow"


def upgrade() -> None:
    sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("change_sets", sa.Column("commit", sa.Text(), nullable=True), schema=schema())
    op.create_table(
        "log_verifications",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sequence, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("broken_at", sequence, nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_log_verifications_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_verifications")),
        schema=schema(),
    )


def downgrade() -> None:
    op.drop_table("log_verifications", schema=schema())
    op.drop_column("change_sets", "commit", schema=schema())
