"""Documents of the search with an inverted index of their terms, and the variants by which misspelt terms are found.

PostgreSQL has a GIN index on arrays of terms, SQLite an FTS5 table that triggers keep equal to the documents. No
extension is needed.

Revision: 0013
"""

import sqlalchemy as sa
from alembic import context, op

from tessera_gql.store.search_rebuild import rebuild

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None
works_with = "0010"

PARTS = ("names", "columns", "labels", "body")
SYMBOLS = "%#&@$+"
# Costly on paper, so that the planner never evaluates it for every document in place of using the index; and unsafe in
# parallel, because to start workers takes ten times as long as to read the few documents.
TERMS_FUNCTION = """
CREATE FUNCTION core.search_terms(names text, columns text, labels text, body text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE COST 10000
AS $$ BEGIN RETURN string_to_array(concat_ws(' ', names, columns, labels, body), ' '); END $$
"""
TERMS_INDEX = """
CREATE INDEX search_index_terms ON core.search_documents
USING gin (core.search_terms(names, columns, labels, body)) WITH (fastupdate = off)
"""
NEW = ", ".join(f"new.{part}" for part in PARTS)
OLD = ", ".join(f"old.{part}" for part in PARTS)
COLUMNS = ", ".join(PARTS)
INSERTION = f"INSERT INTO search_index (rowid, {COLUMNS}) VALUES (new.number, {NEW});"  # noqa: S608 - constants
DELETION = f"INSERT INTO search_index (search_index, rowid, {COLUMNS}) VALUES ('delete', old.number, {OLD});"  # noqa: S608
REPLACEMENT = f"{DELETION} {INSERTION}"
OPTIONS = "content='search_documents', content_rowid='number', detail=none, columnsize=0"
FTS_STATEMENTS = (
    f"CREATE VIRTUAL TABLE search_index USING fts5({COLUMNS}, {OPTIONS}, tokenize=\"ascii tokenchars '{SYMBOLS}'\")",
    f"CREATE TRIGGER search_index_insert AFTER INSERT ON search_documents BEGIN {INSERTION} END",
    f"CREATE TRIGGER search_index_delete AFTER DELETE ON search_documents BEGIN {DELETION} END",
    f"CREATE TRIGGER search_index_update AFTER UPDATE OF {COLUMNS} ON search_documents BEGIN {REPLACEMENT} END",
)


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def byte_ordered(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    type_ = sa.Text() if is_sqlite() else sa.Text(collation="C")
    return sa.Column(name, type_, primary_key=primary_key, nullable=False)


def upgrade() -> None:
    schema = None if is_sqlite() else "core"
    texts = [sa.Column(name, sa.Text(), nullable=False) for name in (*PARTS, "lines")]
    op.create_table(
        "search_documents",
        sa.Column("number", sa.Integer() if is_sqlite() else sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("entity_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=True),
        sa.Column("owner_team_id", sa.Uuid(), nullable=True),
        sa.Column("tier", sa.String(32), nullable=True),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        byte_ordered("title"),
        byte_ordered("leaf"),
        *texts,
        sa.UniqueConstraint("entity_id", name=op.f("uq_search_documents_entity_id")),
        schema=schema,
    )
    op.create_table(
        "search_variants",
        byte_ordered("variant", primary_key=True),
        byte_ordered("term", primary_key=True),
        schema=schema,
    )
    for name, columns in (
        ("ix_search_documents_type_title", ["type", "title"]),
        ("ix_search_documents_type_leaf", ["type", "leaf", "title"]),
        ("ix_search_documents_asset_id", ["asset_id"]),
    ):
        op.create_index(name, "search_documents", columns, schema=schema)
    for statement in FTS_STATEMENTS if is_sqlite() else (TERMS_FUNCTION, TERMS_INDEX):
        op.execute(statement)
    rebuild(op.get_bind(), context.config.attributes.get("report_progress", print))


def downgrade() -> None:
    schema = None if is_sqlite() else "core"
    op.drop_table("search_documents", schema=schema)
    op.drop_table("search_variants", schema=schema)
    op.execute("DROP TABLE search_index" if is_sqlite() else "DROP FUNCTION core.search_terms")
