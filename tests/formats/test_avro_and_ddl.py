"""Avro schemas and SQL DDL become valid contract schemas, and other documents are refused with a reason."""

from typing import Any

import orjson
import pytest

from tessera_gql.diff import ChangeKind, Mode, check, compare, list_fields
from tessera_gql.formats import avro, ddl
from tessera_gql.formats.parsed_schema import DocumentError

ORDER: dict[str, Any] = {
    "type": "record",
    "name": "Order",
    "namespace": "shop.events",
    "doc": "One order.",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "note", "type": ["null", "string"], "default": None, "doc": "Free text."},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
        {"name": "before", "type": "State"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "tags", "type": {"type": "map", "values": "string"}},
        {
            "name": "items",
            "type": {
                "type": "array",
                "items": {"type": "record", "name": "Item", "fields": [{"name": "sku", "type": "string"}]},
            },
        },
        {"name": "parent", "type": ["null", "Order"]},
    ],
}


def test_an_avro_record_becomes_an_object_with_all_its_fields() -> None:
    text = orjson.dumps(ORDER).decode()
    document = avro.parse_record(text)
    check(document.schema)
    assert (document.name, document.description) == ("shop.events.Order", "One order.")
    assert document.schema["required"] == [avro_field["name"] for avro_field in ORDER["fields"]]
    paths = {field.path for field in list_fields(document.schema)}
    assert {"id", "note", "items[].sku", "state"} <= paths
    assert document.schema["properties"]["note"]["anyOf"] == [
        {"type": "null"},
        {"type": "string", "x-physical-type": {"family": "text", "text": "string"}},
    ]


@pytest.mark.parametrize(
    ("avro_type", "physical"),
    [
        ("int", {"family": "integer", "bits": 32, "text": "int"}),
        ("double", {"family": "float", "bits": 64, "text": "double"}),
        ({"type": "int", "logicalType": "date"}, {"family": "date", "text": "date"}),
        (
            {"type": "long", "logicalType": "timestamp-millis"},
            {"family": "timestamp", "precision": 3, "timezone": "with", "text": "timestamp-millis"},
        ),
        (
            {"type": "long", "logicalType": "local-timestamp-micros"},
            {"family": "timestamp", "precision": 6, "timezone": "without", "text": "local-timestamp-micros"},
        ),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
            {"family": "decimal", "precision": 10, "scale": 2, "text": "decimal(10,2)"},
        ),
        ({"type": "string", "logicalType": "uuid"}, {"text": "uuid"}),
        ({"type": "string", "logicalType": "unknown"}, {"family": "text", "text": "string"}),
    ],
)
def test_a_type_of_avro_is_a_physical_type(avro_type: Any, physical: dict[str, Any]) -> None:
    record = {"type": "record", "name": "A", "fields": [{"name": "b", "type": avro_type}]}
    schema = avro.parse_record(orjson.dumps(record).decode()).schema
    assert schema["properties"]["b"]["x-physical-type"] == physical


@pytest.mark.parametrize(
    "text",
    ["", "{", "7", '"int"', "[]", "{}", '{"type": "record"}', '{"type": "record", "name": "A", "fields": 7}',
     '{"type": "record", "name": "A", "fields": [{"name": "b", "type": "Unknown"}]}',
     '{"type": "array", "items": "int"}', '{"type": "record", "name": "A", "fields": [7]}'],
)  # fmt: skip
def test_a_document_that_is_no_avro_record_is_refused(text: str) -> None:
    with pytest.raises(DocumentError, match=r"[Tt]his (Avro schema|is no Avro)"):
        avro.parse_record(text)


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


@pytest.mark.parametrize(
    "action",
    [
        "drop column b",
        "add column c text",
        "rename column a to z",
        "alter column a type bigint",
        "alter column a set not null",
        "alter column a drop not null",
        "rename to u",
    ],
)
def test_a_statement_that_changes_the_columns_of_a_table_is_refused(action: str) -> None:
    sql = f"create table s.T (a int, b text); alter table S.t {action};"
    with pytest.raises(DocumentError, match=r"ALTER TABLE S\.t changes columns, which is not applied here"):
        ddl.parse_tables(sql, "postgres")


@pytest.mark.parametrize(
    "statement",
    [
        "alter table t add constraint k primary key (a)",
        "alter table t alter column a set default 3",
        "alter table other drop column b",
    ],
)
def test_a_statement_that_leaves_the_columns_of_a_table_alone_is_ignored(statement: str) -> None:
    (table,) = ddl.parse_tables(f"create table t (a int); {statement};", "postgres")
    assert table.schema == ddl.parse_tables("create table t (a int)", "postgres")[0].schema


def test_a_table_or_a_column_that_is_declared_twice_is_refused() -> None:
    with pytest.raises(DocumentError, match="creates a table twice"):
        ddl.parse_tables("create table t (a int); create table T (b int)")
    with pytest.raises(DocumentError, match="declares the column 'a' twice"):
        ddl.parse_tables("create table t (a int, a text)")
