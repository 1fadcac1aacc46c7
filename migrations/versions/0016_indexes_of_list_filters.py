"""Indexes of filtered lists: archived assets, and contracts, proposals and change sets by status in each order.

Revision: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None
works_with = "0013"

INDEXES = (
    ("ix_contracts_status_published_at", "core", "contracts", ["status", "published_at", "id"]),
    ("ix_proposals_status_expires_at", "workflow", "proposals", ["status", "expires_at", "id"]),
    ("ix_proposals_status_updated_at", "workflow", "proposals", ["status", "updated_at", "id"]),
    ("ix_change_sets_status_updated_at", "workflow", "change_sets", ["status", "updated_at", "id"]),
)
ARCHIVED = sa.text("archived_at IS NOT NULL")


def in_schema(schema: str) -> str | None:
    return None if op.get_bind().dialect.name == "sqlite" else schema


def upgrade() -> None:
    condition = {"postgresql_where": ARCHIVED, "sqlite_where": ARCHIVED}
    op.create_index("ix_assets_archived_at", "assets", ["archived_at", "id"], schema=in_schema("core"), **condition)
    for name, schema, table, columns in INDEXES:
        op.create_index(name, table, columns, schema=in_schema(schema))


def downgrade() -> None:
    for name, schema, table, _ in INDEXES:
        op.drop_index(name, table, schema=in_schema(schema))
    op.drop_index("ix_assets_archived_at", "assets", schema=in_schema("core"))
