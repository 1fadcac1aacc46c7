"""Name the fingerprints of the changes that an acknowledgment is about.

Revision: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
works_with = "0006"


def rename(old: str, new: str) -> None:
    schema = None if op.get_bind().dialect.name == "sqlite" else "workflow"
    op.alter_column("acknowledgments", old, new_column_name=new, schema=schema)


def upgrade() -> None:
    rename("because", "change_fingerprints")


def downgrade() -> None:
    rename("change_fingerprints", "because")
