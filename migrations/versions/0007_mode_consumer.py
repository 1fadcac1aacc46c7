"""Allow the compatibility mode CONSUMER.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
works_with = "0007"

TABLES = (("core", "assets"), ("core", "contracts"), ("workflow", "proposals"))
BEFORE = "compatibility_mode IN ('BACKWARD', 'FORWARD', 'FULL', 'NONE')"
AFTER = "compatibility_mode IN ('BACKWARD', 'FORWARD', 'FULL', 'CONSUMER', 'NONE')"


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def replace_checks(old: str, new: str) -> None:
    for schema, table in TABLES:
        if is_sqlite():
            replace_sqlite_check(table, old, new)
        else:
            op.drop_constraint(op.f(f"ck_{table}_mode"), table, schema=schema, type_="check")
            op.create_check_constraint(op.f(f"ck_{table}_mode"), table, new, schema=schema)


def replace_sqlite_check(table: str, old: str, new: str) -> None:
    """Replace a check in the stored definition of a table.

    SQLite can't alter a constraint. To copy the table instead, all foreign keys to it would have to be dropped.
    """
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    definitions = sa.table("sqlite_master", sa.column("name", sa.Text()), sa.column("sql", sa.Text()))
    has_check = sa.func.instr(definitions.c.sql, old) > 0
    changed_sql = sa.func.replace(definitions.c.sql, old, new)
    replaced = connection.execute(
        sa.update(definitions).where(definitions.c.name == table, has_check).values(sql=changed_sql)
    )
    if replaced.rowcount != 1:
        raise RuntimeError(f"The table {table} has no constraint {old}.")
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")


def upgrade() -> None:
    replace_checks(BEFORE, AFTER)


def downgrade() -> None:
    for schema, table in TABLES:
        rows = sa.table(table, sa.column("compatibility_mode", sa.Text()), schema=None if is_sqlite() else schema)
        # FULL is the only mode that forbids everything that CONSUMER forbids.
        op.execute(sa.update(rows).where(rows.c.compatibility_mode == "CONSUMER").values(compatibility_mode="FULL"))
    replace_checks(AFTER, BEFORE)
