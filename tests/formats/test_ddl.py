"""SQL becomes valid contract schemas of the tables that its statements leave behind."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.diff import ChangeKind, Mode, check, compare
from tessera_gql.formats import ddl
from tessera_gql.formats.parsed_schema import DocumentError, ParsedSchema
from tessera_gql.formats.sql_statements import split_statements

DDL = """
CREATE TABLE analytics.core.orders (
  id BIGINT PRIMARY KEY,
  customer_id INTEGER NOT NULL,
  total NUMERIC(12, 2),
  note VARCHAR(200) COMMENT 'Free text.',
  tags ARRAY<STRING>
);
INSERT INTO x VALUES (1);
CREATE TABLE b (x INT, y INT, PRIMARY KEY (x, y));
"""


def test_create_table_becomes_an_object_whose_nullable_columns_may_be_null() -> None:
    orders, customers = ddl.parse_tables(DDL, "databricks")
    check(orders.schema)
    assert orders.name == "analytics.core.orders"
    assert orders.schema["required"] == ["id", "customer_id"]
    assert orders.schema["properties"]["note"]["description"] == "Free text."
    assert set(orders.schema["properties"]["note"]["type"]) == {"string", "null"}
    assert orders.schema["properties"]["id"]["type"] == "integer"
    assert orders.schema["properties"]["total"]["x-physical-type"]["precision"] == 12
    assert (customers.name, customers.schema["required"]) == ("b", ["x", "y"])


@pytest.mark.parametrize(
    ("text", "dialect"),
    [("", None), ("select 1", None), ("CREATE TABLE (", None), (DDL, "cobol"), ("create view a as select 1", None)],
)
def test_sql_that_creates_no_table_is_refused(text: str, dialect: str | None) -> None:
    with pytest.raises(DocumentError):
        ddl.parse_tables(text, dialect)


@pytest.mark.parametrize("dialect", ["snowflake", "bigquery", "redshift", "postgres", "databricks", "tsql", None])
def test_a_longer_column_in_sql_is_one_change_that_breaks_only_forward_and_full(dialect: str | None) -> None:
    name = "string" if dialect == "bigquery" else "varchar"
    old, new = (ddl.parse_tables(f"create table t (a {name}({length}))", dialect)[0].schema for length in (10, 100))
    (change,) = compare(old, new).changes
    assert (change.kind, change.breaks) == (ChangeKind.TYPE_WIDENED, {Mode.FORWARD, Mode.FULL})


def parse(sql: str, dialect: str | None = "postgres") -> ParsedSchema:
    """Parse SQL that creates a single table."""
    (table,) = ddl.parse_tables(sql, dialect)
    check(table.schema)
    return table


@pytest.mark.parametrize(
    ("action", "result"),
    [
        ("drop column b", "a int"),
        ("drop column if exists c", "a int, b text"),
        ("add column c text not null, add d int", "a int, b text, c text not null, d int"),
        ("add column if not exists b int", "a int, b text"),
        ("rename column a to z", "z int, b text"),
        ("rename a to z", "z int, b text"),
        ("alter column a type bigint using a::bigint", "a bigint, b text"),
        ("alter column a set not null", "a int not null, b text"),
        ("alter column a set not null; alter table s.t alter a drop not null", "a int, b text"),
        ("add constraint k primary key (a)", "a int primary key, b text"),
        ("add constraint k unique (a, b)", "a int, b text, unique (a, b)"),
        ("add constraint k unique (a); alter table s.t drop constraint k", "a int, b text"),
        ("add check (a > 0)", "a int check (a > 0), b text"),
        ("add check (a > 0); alter table s.t rename a to z", "z int check (z > 0), b text"),
        ("alter column a set default 3", "a int, b text"),
        ("owner to x", "a int, b text"),
        ("enable row level security", "a int, b text"),
    ],
)
def test_changes_of_a_table_are_applied_in_order(action: str, result: str) -> None:
    table = parse(f"create table s.T (a int, b text); alter table only S.t {action};")
    expected = parse(f"create table s.T ({result})")
    assert (table.schema, table.guarantees) == (expected.schema, expected.guarantees)
    assert table.warnings == ()


def test_a_renamed_table_keeps_its_schema_and_a_dropped_one_is_gone() -> None:
    assert parse("create table s.t (a int); alter table s.t rename to u").name == "s.u"
    assert parse("create table t (a int); drop table if exists t; create table t (b int)").schema[
        "properties"
    ].keys() == {"b"}


def test_changes_of_mysql_are_applied() -> None:
    table = parse(
        "create table `t` (`a` int not null, `b` enum('x','y') comment 'One of two.', unique key `u` (`a`));"
        "alter table `t` modify `a` bigint; alter table `t` change `b` `c` text not null;",
        "mysql",
    )
    assert table.schema["required"] == ["c"]
    assert table.schema["properties"]["a"]["x-physical-type"]["bits"] == 64
    assert table.guarantees == {"uniqueness": {"a": "always"}}


def test_an_action_that_is_not_understood_is_named_with_its_line() -> None:
    table = parse("create table t (a int);\n\nalter table t\n  frobnicate a; alter table other frobnicate b")
    assert table.warnings == ("Line 3: 'alter table t frobnicate a' is not understood and was left out.",)


def test_constraints_are_guarantees() -> None:
    table = parse(
        "create table t (id bigserial, kind text default 'a' check (kind in ('a', 'b')), n int unique check (n > 0),"
        " m int, constraint k primary key (id), unique (kind, n), check (n < m), foreign key (n) references o (id),"
        " constraint l check (m = any (array[1, 2]))); create unique index on t (m);"
        " create unique index on t (lower(kind));"
        " create unique index on t (id) where n > 1; create index on t (kind);"
    )
    assert table.schema["required"] == ["id"]
    assert table.guarantees == {
        "accepted_values": {"kind": ["a", "b"], "m": [1, 2]},
        "uniqueness": {"n": "always", "id": "always", "kind, n": "always", "m": "always"},
        "checks": {"n > 0": "always", "n < m": "always"},
    }


def test_columns_and_keys_in_spellings_of_one_database_are_read() -> None:
    table = parse("create table t (a int not null, b int generated always as (a + 1) virtual)")
    assert table.schema["properties"]["b"]["type"] == ["integer", "null"]
    table = parse("create table t (a int, b int, constraint k primary key nonclustered (a, b))", "tsql")
    assert (table.schema["required"], table.guarantees) == (["a", "b"], {"uniqueness": {"a, b": "always"}})


def test_enums_and_domains_of_a_file_are_the_types_of_its_columns() -> None:
    table = parse(
        "create type s.state as enum ('new', 'it''s', 'a  b'); alter type s.state add value 'paid';"
        " create domain s.amount as numeric(12,2) constraint positive check (value > 0);"
        " create table s.t (a s.state not null, b s.amount, c state[]);"
    )
    assert table.schema["properties"]["a"]["enum"] == ["new", "it's", "a  b", "paid"]
    assert table.schema["properties"]["b"]["type"] == ["number", "null"]
    assert table.schema["properties"]["b"]["x-physical-type"]["precision"] == 12
    assert table.schema["properties"]["c"]["type"] == ["array", "null"]


def test_columns_of_another_table_of_the_file_are_copied() -> None:
    tables = ddl.parse_tables(
        "create table p (a int not null); create table c (b int) inherits (p); create table l (like p)", "postgres"
    )
    assert [list(table.schema["properties"]) for table in tables] == [["a"], ["a", "b"], ["a"]]


@pytest.mark.parametrize(
    "statement",
    ["create table t as select 1 as a", "create table t (b int) inherits (p)", "create table t (like p)",
     "create table t (a int 7 %)"],
)  # fmt: skip
def test_a_table_whose_columns_are_not_known_is_refused_and_the_other_ones_are_read(statement: str) -> None:
    good, bad = ddl.parse_tables(f"create table good (a int); {statement}", "postgres")
    assert (good.fault, bad.name, list(good.schema["properties"])) == (None, "t", ["a"])
    assert bad.fault is not None
    with pytest.raises(DocumentError):
        ddl.parse_tables(statement, "postgres")


DUMP = r"""--
-- PostgreSQL database dump
--
\restrict token
SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA shop;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;
CREATE TYPE shop.state AS ENUM (
    'new',
    'paid'
);
CREATE FUNCTION shop.touch() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  CREATE TABLE inner_table (a int); -- not here
  RETURN NEW;
END;
$$;
CREATE TABLE shop.orders (
    id bigint NOT NULL,
    state shop.state DEFAULT 'new'::shop.state NOT NULL,
    email character varying(200) COLLATE "C",
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT email_check CHECK (((email)::text <> ''::text))
);
ALTER TABLE ONLY shop.orders FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.orders OWNER TO postgres;
COMMENT ON TABLE shop.orders IS 'All orders; of the shop.';
COMMENT ON COLUMN shop.orders.email IS 'Where the invoice goes.';
ALTER TABLE shop.orders ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME shop.orders_id_seq
    START WITH 1
);
CREATE TABLE shop.events (at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE shop.events_2030 PARTITION OF shop.events FOR VALUES FROM ('2030-01-01') TO ('2031-01-01');
CREATE VIEW shop.open AS SELECT 1;
COPY shop.orders (id, state, email, created_at) FROM stdin;
1	new	it's; (odd)	2030-01-01
\.
SELECT pg_catalog.setval('shop.orders_id_seq', 1, true);
ALTER TABLE ONLY shop.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX orders_email ON shop.orders USING btree (email);
CREATE TRIGGER touch BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch();
GRANT SELECT ON TABLE shop.orders TO reader;
REVOKE ALL ON SCHEMA shop FROM PUBLIC;
BEGIN; COMMIT;
\unrestrict token
"""


@pytest.mark.parametrize("dialect", [None, "postgres"])
def test_the_dump_of_a_database_is_read_for_its_tables(dialect: str | None) -> None:
    orders, events = ddl.parse_tables(DUMP, dialect)
    check(orders.schema)
    assert (orders.name, orders.description) == ("shop.orders", "All orders; of the shop.")
    assert orders.schema["required"] == ["id", "state", "created_at"]
    assert orders.schema["properties"]["state"]["enum"] == ["new", "paid"]
    assert orders.schema["properties"]["email"]["description"] == "Where the invoice goes."
    assert orders.guarantees is not None
    assert orders.guarantees["uniqueness"] == {"id": "always", "email": "always"}
    assert list(orders.guarantees["checks"].values()) == ["always"]
    assert (events.name, events.schema["required"]) == ("shop.events", ["at"])
    assert (orders.warnings, events.warnings) == ((), ())


def test_a_script_of_sql_server_is_read() -> None:
    table = parse(
        "SET ANSI_NULLS ON\nGO\nCREATE TABLE [dbo].[Orders](\n [Id] [int] IDENTITY(1,1) NOT NULL,\n"
        " [Note] [nvarchar](50) NULL,\n CONSTRAINT [PK] PRIMARY KEY CLUSTERED ([Id] ASC)\n) ON [PRIMARY]\nGO\n"
        "ALTER TABLE [dbo].[Orders] WITH CHECK ADD CONSTRAINT [CK] CHECK (([Id]>(0)))\nGO\n"
        "ALTER TABLE [dbo].[Orders] CHECK CONSTRAINT [CK]\nGO\n",
        "tsql",
    )
    assert (table.name, table.schema["required"]) == ("dbo.Orders", ["Id"])
    assert table.guarantees is not None
    assert table.guarantees["uniqueness"] == {"Id": "always"}
    assert len(table.guarantees["checks"]) == 1
    assert table.warnings == ()


@pytest.mark.parametrize(
    ("sql", "dialect", "statements"),
    [
        ("a;b", None, [("a", 1), ("b", 1)]),
        ("a 'x;''y'\n;\n-- c;\n/* d;\n*/ b", None, [("a 'x;''y'", 1), ("b", 5)]),
        (r"a '\';b", None, [(r"a '\'", 1), ("b", 1)]),
        (r"a '\';b", "mysql", [(r"a '\';b", 1)]),
        (r"a E'\';b'; c", "postgres", [(r"a E'\';b'", 1), ("c", 1)]),
        ('a "x;";`y;`; b', None, [('a "x;"', 1), ("`y;`", 1), ("b", 1)]),
        ("a $t$ ; $$ ; $t$; b", None, [("a $t$ ; $$ ; $t$", 1), ("b", 1)]),
        ("\\set x 1;\na;\n\\i b.sql", None, [("a", 2)]),
        ("copy t from stdin;\n';x\n\\.\nb", None, [("copy t from stdin", 1), ("b", 4)]),
        ("create procedure p() begin if x then c; end if; end; b", None,
         [("create procedure p() begin if x then c; end if; end", 1), ("b", 1)]),
        ("delimiter $$\ncreate trigger t begin a; end$$\ndelimiter ;\nb", "mysql", [("b", 4)]),
        ("begin; a; end; b", None, [("begin", 1), ("a", 1), ("end", 1), ("b", 1)]),
        ("a\nGO\nb\ngo", "tsql", [("a", 1), ("b", 3)]),
        ("a 'open;", None, [("a 'open;", 1)]),
        (" ;; ", None, []),
    ],
)  # fmt: skip
def test_sql_is_split_at_semicolons_outside_of_quotes_and_routines(
    sql: str, dialect: str | None, statements: list[tuple[str, int]]
) -> None:
    assert [(statement.text, statement.line) for statement in split_statements(sql, dialect)] == statements


WORDS = st.sampled_from(
    ["create table ", "t ", "(", ")", "a ", "int ", ", ", ";", "'", '"', "$$", "\n", "--", "/*", "*/", "alter table t ",
     "add ", "column ", "primary key ", "check ", "not null ", "unique ", "rename ", "to ", "like ", "b ", "0 ",
     "comment on ", "type ", "enum ", "begin ", "end ", "\\", "copy t from stdin;", "inherits "]
)  # fmt: skip


@given(st.lists(WORDS, max_size=25).map("".join), st.sampled_from([None, "postgres", "mysql", "tsql", "snowflake"]))
def test_any_sql_gives_valid_schemas_or_an_error(sql: str, dialect: str | None) -> None:
    with suppress(DocumentError):
        for table in ddl.parse_tables(f"create table t (a int); {sql}", dialect):
            check(table.schema)


def test_a_table_or_a_column_that_is_declared_twice_is_refused() -> None:
    with pytest.raises(DocumentError, match="creates a table twice"):
        ddl.parse_tables("create table t (a int); create table T (b int)")
    with pytest.raises(DocumentError, match="declares the column 'a' twice"):
        ddl.parse_tables("create table t (a int, a text)")
