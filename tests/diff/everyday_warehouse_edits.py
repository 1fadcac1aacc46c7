"""Everyday edits of the types of warehouse columns, as the SQL of five warehouses states them."""

from typing import Any

from tessera_gql.diff import ChangeKind
from tessera_gql.formats.ddl import parse_tables
from tests.diff.edits import ADDITION, BREAK, NARROWER_STORAGE, NO_CHANGE, WIDER_STORAGE, Edit, Effect, column
from tests.diff.schemas import INTEGER, NUMBER, TEXT

K = ChangeKind


def retype(dialect: str, old: str, new: str, kind: ChangeKind | None, effect: Effect, *facts: str) -> Edit:
    """Change the type of a column in the SQL of a warehouse."""
    before, after = (parse_tables(f"CREATE TABLE orders (value {text})", dialect)[0].schema for text in (old, new))
    return Edit(f"{dialect}: {old} becomes {new}", before, after, kind, effect, ("value", *facts) if kind else ())


SNOWFLAKE = (
    retype("snowflake", "VARCHAR(10)", "VARCHAR(100)", K.TYPE_WIDENED, WIDER_STORAGE, "10", "100"),
    retype("snowflake", "VARCHAR(100)", "VARCHAR(10)", K.TYPE_NARROWED, NARROWER_STORAGE, "100", "10"),
    retype("snowflake", "NUMBER(10, 2)", "NUMBER(12, 2)", K.TYPE_WIDENED, WIDER_STORAGE, "10", "12"),
    retype("snowflake", "NUMBER(12, 2)", "NUMBER(10, 2)", K.TYPE_NARROWED, NARROWER_STORAGE, "12", "10"),
    retype("snowflake", "NUMBER(10, 2)", "NUMBER(10, 4)", K.TYPE_CHANGED, BREAK, "2", "4"),
    retype("snowflake", "NUMBER(10, 2)", "NUMBER(10, 0)", K.TYPE_CHANGED, BREAK, "2", "0"),
    retype("snowflake", "TIMESTAMP_NTZ", "TIMESTAMP_TZ", K.TYPE_CHANGED, BREAK),
    retype("snowflake", "DATE", "TIMESTAMP_NTZ", K.TYPE_CHANGED, BREAK, "date", "timestamp"),
    retype("snowflake", "VARIANT", "GEOGRAPHY", K.TYPE_CHANGED, BREAK, "variant", "geography"),
    retype("snowflake", "VARIANT", "VARCHAR", K.TYPE_CHANGED, BREAK, "variant"),
    retype("snowflake", "NUMBER(10, 2)", "FLOAT", K.TYPE_CHANGED, BREAK),
    retype("snowflake", "BINARY", "VARCHAR", K.TYPE_CHANGED, BREAK, "binary"),
    retype("snowflake", "STRING", "TEXT", None, NO_CHANGE),
)
BIGQUERY = (
    retype("bigquery", "INT64", "FLOAT64", K.TYPE_CHANGED, BREAK, "int64", "float64"),
    retype("bigquery", "INT64", "NUMERIC", K.TYPE_CHANGED, BREAK, "int64", "numeric"),
    retype("bigquery", "STRING", "DATE", K.TYPE_CHANGED, BREAK, "string", "date"),
    retype("bigquery", "STRING", "BYTES", K.TYPE_CHANGED, BREAK, "string", "bytes"),
    retype("bigquery", "DATE", "TIMESTAMP", K.TYPE_CHANGED, BREAK, "date", "timestamp"),
    retype("bigquery", "DATETIME", "TIMESTAMP", K.TYPE_CHANGED, BREAK, "datetime", "timestamp"),
    retype("bigquery", "JSON", "STRING", K.TYPE_CHANGED, BREAK, "json", "string"),
    retype("bigquery", "STRING(10)", "STRING(100)", K.TYPE_WIDENED, WIDER_STORAGE, "10", "100"),
    retype("bigquery", "NUMERIC(10, 2)", "NUMERIC(12, 2)", K.TYPE_WIDENED, WIDER_STORAGE, "10", "12"),
    retype("bigquery", "ARRAY<INT64>", "ARRAY<STRING>", K.TYPE_CHANGED, BREAK),
    retype("bigquery", "STRUCT<a INT64>", "STRUCT<a INT64, b STRING>", K.PROPERTY_ADDED, ADDITION, "b"),
)
REDSHIFT = (
    retype("redshift", "SMALLINT", "INTEGER", K.TYPE_WIDENED, WIDER_STORAGE, "smallint", "int"),
    retype("redshift", "INTEGER", "BIGINT", K.TYPE_WIDENED, WIDER_STORAGE, "int", "bigint"),
    retype("redshift", "BIGINT", "INTEGER", K.TYPE_NARROWED, NARROWER_STORAGE, "bigint", "int"),
    retype("redshift", "REAL", "DOUBLE PRECISION", K.TYPE_WIDENED, WIDER_STORAGE),
    retype("redshift", "VARCHAR(256)", "VARCHAR(64)", K.TYPE_NARROWED, NARROWER_STORAGE, "256", "64"),
    retype("redshift", "DECIMAL(18, 2)", "DECIMAL(18, 4)", K.TYPE_CHANGED, BREAK, "2", "4"),
    retype("redshift", "TIMESTAMP", "TIMESTAMPTZ", K.TYPE_CHANGED, BREAK),
    retype("redshift", "SUPER", "VARCHAR(64)", K.TYPE_CHANGED, BREAK, "super"),
    retype("redshift", "BOOLEAN", "SMALLINT", K.TYPE_CHANGED, BREAK, "boolean"),
)
POSTGRES = (
    retype("postgres", "INTEGER", "BIGINT", K.TYPE_WIDENED, WIDER_STORAGE, "int", "bigint"),
    retype("postgres", "BIGINT", "INTEGER", K.TYPE_NARROWED, NARROWER_STORAGE, "bigint", "int"),
    retype("postgres", "BIGINT", "DOUBLE PRECISION", K.TYPE_CHANGED, BREAK, "bigint", "double"),
    retype("postgres", "NUMERIC(10, 2)", "NUMERIC(12, 2)", K.TYPE_WIDENED, WIDER_STORAGE, "10", "12"),
    retype("postgres", "NUMERIC(10, 2)", "NUMERIC(10, 4)", K.TYPE_CHANGED, BREAK, "2", "4"),
    retype("postgres", "VARCHAR(10)", "VARCHAR(100)", K.TYPE_WIDENED, WIDER_STORAGE, "10", "100"),
    retype("postgres", "VARCHAR(10)", "TEXT", K.TYPE_WIDENED, WIDER_STORAGE, "10"),
    retype("postgres", "TEXT", "VARCHAR(10)", K.TYPE_NARROWED, NARROWER_STORAGE, "10"),
    retype("postgres", "VARCHAR(10)", "DATE", K.TYPE_CHANGED, BREAK, "varchar", "date"),
    retype("postgres", "TIMESTAMP", "TIMESTAMPTZ", K.TYPE_CHANGED, BREAK),
    retype("postgres", "DATE", "TIMESTAMP", K.TYPE_CHANGED, BREAK, "date", "timestamp"),
    retype("postgres", "INTERVAL", "TEXT", K.TYPE_CHANGED, BREAK, "interval", "text"),
    retype("postgres", "BYTEA", "TEXT", K.TYPE_CHANGED, BREAK, "text"),
    retype("postgres", "INTEGER[]", "TEXT[]", K.TYPE_CHANGED, BREAK),
    retype("postgres", "INT4", "INTEGER", None, NO_CHANGE),
)
DATABRICKS = (
    retype("databricks", "INT", "BIGINT", K.TYPE_WIDENED, WIDER_STORAGE, "int", "bigint"),
    retype("databricks", "FLOAT", "DOUBLE", K.TYPE_WIDENED, WIDER_STORAGE, "float", "double"),
    retype("databricks", "INT", "STRING", K.TYPE_CHANGED, BREAK, "int", "string"),
    retype("databricks", "DECIMAL(10, 2)", "DECIMAL(12, 2)", K.TYPE_WIDENED, WIDER_STORAGE, "10", "12"),
    retype("databricks", "DECIMAL(10, 2)", "DECIMAL(10, 4)", K.TYPE_CHANGED, BREAK, "2", "4"),
    retype("databricks", "TIMESTAMP", "TIMESTAMP_NTZ", K.TYPE_CHANGED, BREAK),
    retype("databricks", "BINARY", "STRING", K.TYPE_CHANGED, BREAK, "binary", "string"),
    retype("databricks", "ARRAY<INT>", "ARRAY<BIGINT>", K.TYPE_WIDENED, WIDER_STORAGE),
    retype("databricks", "ARRAY<INT>", "ARRAY<STRING>", K.TYPE_CHANGED, BREAK),
    retype("databricks", "MAP<STRING, INT>", "MAP<STRING, STRING>", K.TYPE_CHANGED, BREAK),
    retype(
        "databricks", "STRUCT<a: INT, b: STRING>", "STRUCT<a: BIGINT, b: STRING>", K.TYPE_WIDENED, WIDER_STORAGE, "a"
    ),
)


def stored(schema: dict[str, Any], family: str, text: str, **parameters: object) -> dict[str, Any]:
    """Add the physical type of a column to its schema."""
    return {**schema, "x-physical-type": {"family": family, "text": text, **parameters}}


SMALL = stored(NUMBER, "decimal", "decimal(10,2)", precision=10, scale=2)
LARGE = stored(NUMBER, "decimal", "decimal(12,2)", precision=12, scale=2)
EXACT = stored(NUMBER, "decimal", "decimal(10,4)", precision=10, scale=4)
WRITTEN_TYPES = (
    Edit(
        "a decimal gets more digits before the point",
        *column("price", SMALL, LARGE),
        K.TYPE_WIDENED,
        WIDER_STORAGE,
        ("price", "decimal(10,2)", "decimal(12,2)"),
    ),
    Edit(
        "a decimal gets fewer digits before the point",
        *column("price", LARGE, SMALL),
        K.TYPE_NARROWED,
        NARROWER_STORAGE,
        ("price", "decimal(12,2)", "decimal(10,2)"),
    ),
    Edit(
        "a decimal gets another scale",
        *column("price", SMALL, EXACT),
        K.TYPE_CHANGED,
        BREAK,
        ("price", "decimal(10,2)", "decimal(10,4)"),
    ),
    Edit(
        "a text is stored as a date",
        *column("day", stored(TEXT, "text", "varchar"), stored(TEXT, "date", "date")),
        K.TYPE_CHANGED,
        BREAK,
        ("day", "varchar", "date"),
    ),
    Edit(
        "an integer is stored as a decimal",
        *column("price", stored(INTEGER, "integer", "bigint"), stored(INTEGER, "decimal", "decimal(38,0)")),
        K.TYPE_CHANGED,
        BREAK,
        ("price", "bigint", "decimal(38,0)"),
    ),
    Edit(
        "a type that nobody understands becomes another one",
        *column("sketch", {"x-physical-type": {"text": "hllsketch"}}, {"x-physical-type": {"text": "tdigest"}}),
        K.TYPE_CHANGED,
        BREAK,
        ("sketch", "hllsketch", "tdigest"),
    ),
)

WAREHOUSE_EDITS = (*SNOWFLAKE, *BIGQUERY, *REDSHIFT, *POSTGRES, *DATABRICKS, *WRITTEN_TYPES)
