"""A policy may demand observed coverage of what nobody is asked about; proposals keep what they are held for.

Revision: 0015
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None
works_with = "0013"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
COLUMNS = ("required_coverage_days", "held_at", "hold", "coverage_proof")


def upgrade() -> None:
    schema = None if op.get_bind().dialect.name == "sqlite" else "workflow"
    op.add_column("ask_policies", sa.Column("require_coverage_days", sa.Integer(), nullable=True), schema=schema)
    types = (sa.Integer(), sa.DateTime(timezone=True), JSON, JSON)
    for name, type_ in zip(COLUMNS, types, strict=True):
        op.add_column("proposals", sa.Column(name, type_, nullable=True), schema=schema)


def downgrade() -> None:
    schema = None if op.get_bind().dialect.name == "sqlite" else "workflow"
    for name in COLUMNS:
        op.drop_column("proposals", name, schema=schema)
    op.drop_column("ask_policies", "require_coverage_days", schema=schema)
