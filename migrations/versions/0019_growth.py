"""Assets are sorted and found by their names with one index, and by parts of their names and descriptions with another.

The key of an asset's name is compared byte by byte, so that the index of the order serves those that start with a text,
whatever the language of the database. The indexes of lists have all columns of a count, so that it reads no rows of the
table. Trigrams of names and descriptions find those that contain a text: in a GIN index
on PostgreSQL, in an FTS5 table on SQLite that triggers keep up. No extension is needed.

Revision: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None
works_with = "0013"

# Costly on paper, so that the planner never evaluates it for every asset in place of using the index.
TRIGRAMS_FUNCTION = """
CREATE FUNCTION core.trigrams(value text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL UNSAFE COST 10000
AS $$
DECLARE
  first text := '';
  second text := '';
  third text;
  trigrams text[] := '{}';
BEGIN
  FOREACH third IN ARRAY string_to_array(value, NULL) LOOP
    IF first <> '' THEN trigrams := trigrams || (first || second || third); END IF;
    first := second;
    second := third;
  END LOOP;
  RETURN trigrams;
END $$
"""
# Entries that wait to be merged are read by every search, so only few may wait.
TRIGRAMS_INDEX = """
CREATE INDEX search_index_asset_texts ON core.assets
USING gin (core.trigrams(fqn_key), core.trigrams(lower(description))) WITH (gin_pending_list_limit = 128)
"""
ADDITION = """
INSERT INTO search_index_asset_texts (rowid, fqn_key, description)
VALUES ((SELECT number FROM search_index_assets WHERE asset_id = new.id), new.fqn_key, lower(new.description));
"""
REMOVAL = """
INSERT INTO search_index_asset_texts (search_index_asset_texts, rowid, fqn_key, description)
VALUES
('delete', (SELECT number FROM search_index_assets WHERE asset_id = old.id), old.fqn_key, lower(old.description));
"""
IS_CHANGED = "old.fqn_key <> new.fqn_key OR old.description IS NOT new.description"
SQLITE_STATEMENTS = (
    "CREATE TABLE search_index_assets (number INTEGER PRIMARY KEY, asset_id CHAR(32) NOT NULL UNIQUE)",
    """
    CREATE VIRTUAL TABLE search_index_asset_texts
    USING fts5(fqn_key, description, content='', columnsize=0, detail=column, tokenize='trigram')
    """,
    "INSERT INTO search_index_assets (asset_id) SELECT id FROM assets ORDER BY id",
    """
    INSERT INTO search_index_asset_texts (rowid, fqn_key, description)
    SELECT number, fqn_key, lower(description) FROM assets JOIN search_index_assets ON asset_id = id
    """,
    f"""
    CREATE TRIGGER search_index_assets_insert AFTER INSERT ON assets
    BEGIN INSERT INTO search_index_assets (asset_id) VALUES (new.id); {ADDITION} END
    """,  # noqa: S608 - constants
    f"""
    CREATE TRIGGER search_index_assets_update AFTER UPDATE OF fqn_key, description ON assets WHEN {IS_CHANGED}
    BEGIN {REMOVAL} {ADDITION} END
    """,
    f"""
    CREATE TRIGGER search_index_assets_delete AFTER DELETE ON assets
    BEGIN {REMOVAL} DELETE FROM search_index_assets WHERE asset_id = old.id; END
    """,  # noqa: S608 - constants
)
PREFIX_INDEX = "ix_assets_fqn_key_prefix"
LIST_INDEXES = {
    "ix_assets_owner_team_id_fqn_key": ("owner_team_id", "fqn_key", "id"),
    "ix_assets_tier_fqn_key": ("tier", "fqn_key", "id"),
}
NAME_INDEX = "ix_assets_fqn_key"


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def replace_list_indexes(*last_columns: str) -> None:
    schema = None if is_sqlite() else "core"
    for name, columns in LIST_INDEXES.items():
        op.drop_index(name, "assets", schema=schema)
        op.create_index(name, "assets", [*columns, *last_columns], schema=schema)


def upgrade() -> None:
    schema = None if is_sqlite() else "core"
    op.drop_index(PREFIX_INDEX, "assets", schema=schema)
    replace_list_indexes("archived_at")
    op.create_index(NAME_INDEX, "assets", ["fqn_key", "id", "archived_at"], schema=schema)
    if is_sqlite():
        for statement in SQLITE_STATEMENTS:
            op.execute(statement)
        return
    op.alter_column("assets", "fqn_key", type_=sa.Text(collation="C"), existing_nullable=False, schema="core")
    op.execute(TRIGRAMS_FUNCTION)
    op.execute(TRIGRAMS_INDEX)
    # The index is used whenever it can be, so the planner needs no figures, which would take seconds to compute.
    for number in (1, 2):
        op.execute(f"ALTER INDEX core.search_index_asset_texts ALTER COLUMN {number} SET STATISTICS 0")
    op.execute("ANALYZE core.assets")  # the figures of a column go with its type


def downgrade() -> None:
    op.drop_index(NAME_INDEX, "assets", schema=None if is_sqlite() else "core")
    replace_list_indexes()
    if is_sqlite():
        for event in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER search_index_assets_{event}")
        op.execute("DROP TABLE search_index_asset_texts")
        op.execute("DROP TABLE search_index_assets")
        op.create_index(PREFIX_INDEX, "assets", ["fqn_key"])
        return
    op.drop_index("search_index_asset_texts", "assets", schema="core")
    op.execute("DROP FUNCTION core.trigrams(text)")
    op.alter_column("assets", "fqn_key", type_=sa.Text(collation="default"), existing_nullable=False, schema="core")
    op.create_index(PREFIX_INDEX, "assets", ["fqn_key"], schema="core", postgresql_ops={"fqn_key": "text_pattern_ops"})
