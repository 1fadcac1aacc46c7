"""The history of fields, labels and columns of assets, the time of the latest change, and indexes of lists.

The changes between stored contracts are computed again, for as long as MAX_SECONDS allow; what is left then has only
its first contract. Tags of dbt models become labels.

Revision: 0012
"""

import json
import time
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

from tessera_gql.diff import Mode, SchemaError, list_fields
from tessera_gql.policy.compatibility import Terms, judge
from tessera_gql.policy.field_history import draft_field_changes, list_column_keys, read_plain_columns
from tessera_gql.store.tables import new_id

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None
works_with = "0010"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
TIME = sa.DateTime(timezone=True)
ASSETS_PER_STEP = 100
REPORT_INTERVAL = 1_000
MAX_SECONDS = 900.0
MAX_LABEL = 100
MAX_LABELS = 50
CHANGED = (
    ("core", "teams", "created_at"),
    ("core", "assets", "created_at"),
    ("workflow", "registrations", "coalesce(acknowledged_at, created_at)"),
    ("workflow", "change_sets", "coalesce(closed_at, created_at)"),
    ("workflow", "proposals", "coalesce(resolved_at, created_at)"),
)
INDEXES = (
    ("core", "teams", "created_at", ("created_at", "id")),
    ("core", "assets", "created_at", ("created_at", "id")),
    ("core", "assets", "owner_team_id_fqn_key", ("owner_team_id", "fqn_key", "id")),
    ("core", "assets", "tier_fqn_key", ("tier", "fqn_key", "id")),
    ("core", "contracts", "published_at", ("published_at", "id")),
    ("workflow", "registrations", "registered_at", ("registered_at", "id")),
    ("workflow", "change_sets", "opened_at", ("opened_at", "id")),
    ("workflow", "proposals", "proposed_at", ("proposed_at", "id")),
    ("workflow", "proposals", "expires_at", ("expires_at", "id")),
    ("workflow", "acknowledgments", "consumer_team_id_due_at", ("consumer_team_id", "due_at", "id")),
    ("audit", "events", "kind_sequence", ("kind", "sequence")),
)
PREFIX = {"name_key": "text_pattern_ops"}


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def schema_name(schema: str) -> str | None:
    """Return the schema to use: none on SQLite, which has no schemas."""
    return None if is_sqlite() else schema


def qualified(schema: str, name: str) -> str:
    return name if is_sqlite() else f"{schema}.{name}"


def enum_type(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [qualified("core", target)], name=op.f(f"fk_{table}_{column}"))


def create_index(schema: str, table: str, name: str, columns: tuple[str, ...], **options: Any) -> None:
    op.create_index(f"ix_{table}_{name}", table, [*columns], unique=False, schema=schema_name(schema), **options)


def create_tables() -> None:
    core = schema_name("core")
    op.create_table(
        "asset_columns",
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        reference("asset_columns", "asset_id", "assets.id"),
        sa.PrimaryKeyConstraint("asset_id", "name_key", name=op.f("pk_asset_columns")),
        schema=core,
        sqlite_with_rowid=False,
    )
    create_index("core", "asset_columns", "name_key", ("name_key", "asset_id"), postgresql_ops=PREFIX)
    op.create_table(
        "asset_labels",
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("origin", enum_type("labelorigin", "DECLARED", "DBT_MANIFEST"), nullable=False),
        reference("asset_labels", "asset_id", "assets.id"),
        sa.PrimaryKeyConstraint("asset_id", "name_key", name=op.f("pk_asset_labels")),
        schema=core,
        sqlite_with_rowid=False,
    )
    create_index("core", "asset_labels", "name_key", ("name_key", "asset_id"), postgresql_ops=PREFIX)
    op.create_table(
        "field_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("contract_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("previous_path", sa.Text(), nullable=True),
        sa.Column("kind", enum_type("fieldchangekind", "ADDED", "CHANGED", "RENAMED", "REMOVED"), nullable=False),
        sa.Column("change_kind", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        reference("field_changes", "asset_id", "assets.id"),
        reference("field_changes", "contract_id", "contracts.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_field_changes")),
        schema=core,
    )
    create_index("core", "field_changes", "contract_id", ("contract_id",))
    create_index("core", "field_changes", "asset_id_path", ("asset_id", "path", "kind", "changed_at", "id"))
    create_index("core", "field_changes", "asset_id_kind", ("asset_id", "kind", "changed_at", "id"))
    create_index("core", "field_changes", "asset_id_changed_at", ("asset_id", "changed_at", "id"))


def add_times() -> None:
    epoch = sa.text("'2000-01-01 00:00:00.000000'" if is_sqlite() else "'2000-01-01 00:00:00+00'")
    for schema, table, value in CHANGED:
        column = sa.Column("updated_at", TIME, server_default=epoch, nullable=False)
        op.add_column(table, column, schema=schema_name(schema))
        target = sa.table(table, sa.column("updated_at"), schema=schema_name(schema))
        op.execute(sa.update(target).values(updated_at=sa.literal_column(value)))
        create_index(schema, table, "updated_at", ("updated_at", "id"))


def add_indexes() -> None:
    for schema, table, name, columns in INDEXES:
        create_index(schema, table, name, columns)
    create_index("core", "assets", "fqn_key_prefix", ("fqn_key",), postgresql_ops={"fqn_key": "text_pattern_ops"})


def table(table_name: str, /, **columns: Any) -> sa.TableClause:
    items = [sa.column(column, type_) for column, type_ in columns.items()]
    return sa.table(table_name, *items, schema=schema_name("core"))


def contracts() -> sa.TableClause:
    return table(
        "contracts",
        id=sa.Uuid(),
        asset_id=sa.Uuid(),
        schema_def=sa.JSON(),
        guarantees=JSON,
        compatibility_mode=sa.Text(),
        known_columns=sa.JSON(),
        status=sa.Text(),
        published_at=TIME,
    )


def insert(name: str, values: list[dict[str, Any]]) -> None:
    if values:
        types = {"id": sa.Uuid(), "asset_id": sa.Uuid(), "contract_id": sa.Uuid(), "changed_at": TIME}
        target = table(name, **{column: types.get(column, sa.Text()) for column in values[0]})
        op.get_bind().execute(sa.insert(target), values)


def fill() -> None:
    """Compute what stored contracts changed, a hundred assets at a time."""
    report: Callable[[str], None] = context.config.attributes.get("report_progress", print)
    deadline = time.monotonic() + MAX_SECONDS
    rows = contracts()
    asset_ids = list(op.get_bind().execute(sa.select(rows.c.asset_id).distinct().order_by(rows.c.asset_id)).scalars())
    for start in range(0, len(asset_ids), ASSETS_PER_STEP):
        fill_assets(asset_ids[start : start + ASSETS_PER_STEP], is_in_time=time.monotonic() < deadline)
        if start % REPORT_INTERVAL == 0 and start:
            report(f"Computed the history of the fields of {start} of {len(asset_ids)} assets.")


def fill_assets(asset_ids: list[UUID], *, is_in_time: bool) -> None:
    rows = contracts()
    statement = sa.select(rows).where(rows.c.asset_id.in_(asset_ids))
    changes: list[dict[str, Any]] = []
    columns: list[dict[str, Any]] = []
    previous: Any = None
    for row in op.get_bind().execute(statement.order_by(rows.c.asset_id, rows.c.published_at, rows.c.id)):
        is_first = previous is None or previous.asset_id != row.asset_id
        if is_first or is_in_time:
            changes += list_changes(None if is_first else previous, row)
        if row.status == "ACTIVE":
            columns += [{"asset_id": row.asset_id, "name_key": key} for key in sorted(column_keys(row.schema_def))]
        previous = row
    insert("field_changes", changes)
    insert("asset_columns", columns)


def list_changes(previous: Any, row: Any) -> Iterator[dict[str, Any]]:
    """List the changes of fields from one contract to the next; none if they can't be compared any more."""
    common = {"asset_id": row.asset_id, "contract_id": row.id, "changed_at": row.published_at}
    try:
        changes = () if previous is None else judge(terms_of(previous), terms_of(row)).changes
    except (SchemaError, ValueError):
        return
    for draft in draft_field_changes(changes, is_first=previous is None):
        yield {"id": new_id(), **common, **vars(draft), "kind": draft.kind.value}


def terms_of(row: Any) -> Terms:
    mode = Mode(row.compatibility_mode)
    return Terms(row.schema_def, row.guarantees, mode, known_columns=row.known_columns)


def column_keys(schema: Any) -> frozenset[str]:
    names = read_plain_columns(schema)
    if names is None:
        try:
            paths = [field.path for field in list_fields(schema)]
        except (SchemaError, ValueError):
            paths = []
        names = frozenset(path for path in paths if "." not in path and "[]" not in path)
    return list_column_keys(names)


def label_key(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name.strip()).casefold())


def copy_tags() -> None:
    """Make labels of the tags that earlier syncs stored in the metadata of assets."""
    assets = table("assets", id=sa.Uuid(), meta=JSON)
    values: list[dict[str, Any]] = []
    for identity, meta in op.get_bind().execute(sa.select(assets.c.id, assets.c.meta)):
        members = (json.loads(meta) if isinstance(meta, str) else meta).get("dbt")
        tags = members.get("tags") if isinstance(members, dict) else None
        texts = [tag.strip() for tag in tags or () if isinstance(tag, str)]
        names = {label_key(text): text for text in texts if 0 < len(text) <= MAX_LABEL}
        values += [
            {"asset_id": identity, "name_key": key, "name": name, "origin": "DBT_MANIFEST"}
            for key, name in sorted(names.items())[:MAX_LABELS]
        ]
    insert("asset_labels", values)


def upgrade() -> None:
    create_tables()
    add_times()
    add_indexes()
    fill()
    copy_tags()


def downgrade() -> None:
    op.drop_index("ix_assets_fqn_key_prefix", "assets", schema=schema_name("core"))
    for schema, table_name, name, _ in reversed(INDEXES):
        op.drop_index(f"ix_{table_name}_{name}", table_name, schema=schema_name(schema))
    for schema, table_name, _ in CHANGED:
        op.drop_index(f"ix_{table_name}_updated_at", table_name, schema=schema_name(schema))
        op.drop_column(table_name, "updated_at", schema=schema_name(schema))
    for table_name in ("field_changes", "asset_labels", "asset_columns"):
        op.drop_table(table_name, schema=schema_name("core"))
