"""Projects and their keys, change sets, retirement proposals, debts, and what is known of the columns of dbt models.

Revision: 0009
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
works_with = "0009"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
PLAIN_JSON = sa.JSON(none_as_null=True)
TIME = sa.DateTime(timezone=True)
PUBLISHED_BEFORE = "(contract_id IS NOT NULL) = (status = 'PUBLISHED')"
PUBLISHED_AFTER = "(contract_id IS NOT NULL) = (status = 'PUBLISHED' AND kind = 'CHANGE')"
SCHEMA_CHECK = "(proposed_schema IS NULL) = (kind = 'RETIREMENT')"
VERSION_CHECK = "(proposed_version IS NULL) = (kind = 'RETIREMENT')"
KIND_CHECK = "kind IN ('CHANGE', 'RETIREMENT')"
HOLDER_CHECK = "team_id IS NULL OR project_id IS NULL"
# SQLite can't alter a column or a constraint, so the stored definition is edited: pairs of old and new text.
NEW_CHECKS = ", \n\t".join(
    (
        f"CHECK ({PUBLISHED_AFTER})",
        f"CONSTRAINT ck_proposals_schema CHECK ({SCHEMA_CHECK})",
        f"CONSTRAINT ck_proposals_version CHECK ({VERSION_CHECK})",
    )
)
SQLITE_EDITS = (
    ("proposed_schema JSON NOT NULL", "proposed_schema JSON"),
    ("proposed_version TEXT NOT NULL", "proposed_version TEXT"),
    (f"CHECK ({PUBLISHED_BEFORE})", NEW_CHECKS),
)


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def schema_name(schema: str) -> str | None:
    """Return the schema to use: none on SQLite, which has no schemas."""
    return None if is_sqlite() else schema


def qualified(schema: str, column: str) -> str:
    return column if is_sqlite() else f"{schema}.{column}"


def enum_type(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def foreign_key(table: str, column: str, schema: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [qualified(schema, target)], name=op.f(f"fk_{table}_{column}"))


def row_version() -> sa.Column[Any]:
    return sa.Column("row_version", sa.Integer(), server_default="1", nullable=False)


def add_reference(table: str, schema: str, column: str, target_schema: str, target: str, check: str | None) -> None:
    """Add a nullable column with a foreign key and an index, and a check over it."""
    name = f"fk_{table}_{column}"
    if is_sqlite():
        reference = f"CONSTRAINT {name} REFERENCES {target} (id)"
        constraint = f" CONSTRAINT ck_{table}_holder CHECK ({check})" if check else ""
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} CHAR(32) {reference}{constraint}")
    else:
        op.add_column(table, sa.Column(column, sa.Uuid(), nullable=True), schema=schema)
        op.create_foreign_key(
            op.f(name), table, target, [column], ["id"], source_schema=schema, referent_schema=target_schema
        )
        if check:
            op.create_check_constraint(op.f(f"ck_{table}_holder"), table, check, schema=schema)
    op.create_index(f"ix_{table}_{column}", table, [column], unique=False, schema=schema_name(schema))


def edit_sqlite_definition(table: str, edits: tuple[tuple[str, str], ...]) -> None:
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    definitions = sa.table("sqlite_master", sa.column("name", sa.Text()), sa.column("sql", sa.Text()))
    for old, new in edits:
        has_text = sa.func.instr(definitions.c.sql, old) > 0
        edited = connection.execute(
            sa.update(definitions)
            .where(definitions.c.name == table, has_text)
            .values(sql=sa.func.replace(definitions.c.sql, old, new))
        )
        if edited.rowcount != 1:
            raise RuntimeError(f"The definition of the table {table} has no {old}.")
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")


def create_projects() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("schemas", JSON, nullable=False),
        row_version(),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("name_key", name=op.f("uq_projects_name_key")),
        schema=schema_name("core"),
    )
    op.create_table(
        "project_owners",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        foreign_key("project_owners", "project_id", "core", "projects.id"),
        foreign_key("project_owners", "team_id", "core", "teams.id"),
        sa.PrimaryKeyConstraint("project_id", "team_id", name=op.f("pk_project_owners")),
        schema=schema_name("core"),
    )
    op.create_index("ix_project_owners_team_id", "project_owners", ["team_id"], schema=schema_name("core"))
    add_reference("api_keys", "core", "project_id", "core", "projects", HOLDER_CHECK)


def create_change_sets() -> None:
    op.create_table(
        "change_sets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("status", enum_type("changesetstatus", "OPEN", "WITHDRAWN", "PUBLISHED"), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=True),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("closed_at", TIME, nullable=True),
        row_version(),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("(closed_at IS NULL) = (status = 'OPEN')", name=op.f("ck_change_sets_closed")),
        foreign_key("change_sets", "opened_by", "core", "teams.id"),
        foreign_key("change_sets", "project_id", "core", "projects.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_sets")),
        sa.UniqueConstraint("key", name=op.f("uq_change_sets_key")),
        schema=schema_name("workflow"),
    )
    for columns in (["status", "opened_at", "id"], ["opened_by"], ["project_id"]):
        name = f"ix_change_sets_{'_'.join(columns).removesuffix('_id') if len(columns) > 1 else columns[0]}"
        op.create_index(name, "change_sets", columns, unique=False, schema=schema_name("workflow"))


def create_debts() -> None:
    op.create_table(
        "debts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("kind", enum_type("debtkind", "REMOVED_FIELD", "UNKNOWN_FIELD", "FORCED"), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("change_fingerprint", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=True),
        sa.Column("since", TIME, nullable=False),
        sa.Column("settled_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        foreign_key("debts", "asset_id", "core", "assets.id"),
        foreign_key("debts", "team_id", "core", "teams.id"),
        foreign_key("debts", "contract_id", "core", "contracts.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_debts")),
        schema=schema_name("workflow"),
    )
    schema, is_open = schema_name("workflow"), sa.text("settled_at IS NULL")
    op.create_index(
        "uq_debts_open",
        "debts",
        ["asset_id", "team_id", "kind", "path", "change_fingerprint"],
        unique=True,
        schema=schema,
        postgresql_where=is_open,
        sqlite_where=is_open,
    )
    op.create_index("ix_debts_team_id_since", "debts", ["team_id", "since", "id"], schema=schema)
    op.create_index("ix_debts_asset_id_since", "debts", ["asset_id", "since", "id"], schema=schema)
    op.create_index("ix_debts_contract_id", "debts", ["contract_id"], schema=schema)


def extend_proposals() -> None:
    schema = schema_name("workflow")
    kind = sa.Column("kind", sa.String(32), server_default="CHANGE", nullable=False)
    if is_sqlite():
        op.execute(
            "ALTER TABLE proposals ADD COLUMN kind VARCHAR(32) DEFAULT 'CHANGE' NOT NULL"
            f" CONSTRAINT ck_proposals_proposalkind CHECK ({KIND_CHECK})"
        )
        edit_sqlite_definition("proposals", SQLITE_EDITS)
    else:
        op.add_column("proposals", kind, schema=schema)
        op.create_check_constraint(op.f("ck_proposals_proposalkind"), "proposals", KIND_CHECK, schema=schema)
        op.alter_column("proposals", "proposed_schema", nullable=True, schema=schema)
        op.alter_column("proposals", "proposed_version", nullable=True, schema=schema)
        op.drop_constraint(op.f("ck_proposals_published"), "proposals", schema=schema, type_="check")
        for name, check in (("published", PUBLISHED_AFTER), ("schema", SCHEMA_CHECK), ("version", VERSION_CHECK)):
            op.create_check_constraint(op.f(f"ck_proposals_{name}"), "proposals", check, schema=schema)
    add_reference("proposals", "workflow", "change_set_id", "workflow", "change_sets", None)
    explicit = sa.Column("require_explicit_publish", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("proposals", explicit, schema=schema)
    op.add_column("proposals", sa.Column("known_columns", PLAIN_JSON, nullable=True), schema=schema)
    op.add_column("contracts", sa.Column("known_columns", PLAIN_JSON, nullable=True), schema=schema_name("core"))


def upgrade() -> None:
    create_projects()
    create_change_sets()
    create_debts()
    extend_proposals()


def remove_retirements() -> None:
    """Delete the retirement proposals, which the tables can't hold any more, with their acknowledgments."""
    proposals, acknowledgments = qualified("workflow", "proposals"), qualified("workflow", "acknowledgments")
    retirements = f"SELECT id FROM {proposals} WHERE kind = 'RETIREMENT'"  # noqa: S608 - constants
    op.execute(f"DELETE FROM {acknowledgments} WHERE proposal_id IN ({retirements})")  # noqa: S608 - constants
    op.execute(f"DELETE FROM {proposals} WHERE kind = 'RETIREMENT'")  # noqa: S608 - constants


def reduce_proposals() -> None:
    schema = schema_name("workflow")
    op.drop_column("contracts", "known_columns", schema=schema_name("core"))
    op.drop_column("proposals", "known_columns", schema=schema)
    op.drop_column("proposals", "require_explicit_publish", schema=schema)
    drop_reference("proposals", "workflow", "change_set_id")
    if is_sqlite():
        edit_sqlite_definition("proposals", tuple((new, old) for old, new in SQLITE_EDITS))
    else:
        for name in ("published", "schema", "version", "proposalkind"):
            op.drop_constraint(op.f(f"ck_proposals_{name}"), "proposals", schema=schema, type_="check")
        op.create_check_constraint(op.f("ck_proposals_published"), "proposals", PUBLISHED_BEFORE, schema=schema)
        op.alter_column("proposals", "proposed_schema", nullable=False, schema=schema)
        op.alter_column("proposals", "proposed_version", nullable=False, schema=schema)
    op.drop_column("proposals", "kind", schema=schema)


def drop_reference(table: str, schema: str, column: str) -> None:
    op.drop_index(f"ix_{table}_{column}", table, schema=schema_name(schema))
    op.drop_column(table, column, schema=schema_name(schema))


def downgrade() -> None:
    remove_retirements()
    reduce_proposals()
    # Without its project, a key would be one of no team.
    keys = qualified("core", "api_keys")
    op.execute(f"DELETE FROM {keys} WHERE project_id IS NOT NULL")  # noqa: S608 - constants
    if not is_sqlite():
        op.drop_constraint(op.f("ck_api_keys_holder"), "api_keys", schema="core", type_="check")
    drop_reference("api_keys", "core", "project_id")
    for table in ("debts", "change_sets"):
        op.drop_table(table, schema=schema_name("workflow"))
    for table in ("project_owners", "projects"):
        op.drop_table(table, schema=schema_name("core"))
