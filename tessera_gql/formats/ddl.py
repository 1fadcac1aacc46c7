"""Convert SQL `CREATE TABLE` statements to JSON Schemas. A nullable column is optional."""

from collections.abc import Iterator
from typing import Any

from tessera_gql.formats.parsed_schema import JSON_SCHEMA_DIALECT, DocumentError, ParsedSchema, check_length
from tessera_gql.formats.warehouse_types import allow_null, parse_type


def parse_tables(text: str, dialect: str | None = None) -> list[ParsedSchema]:
    """Parse the tables that the statements create, in order; other statements are ignored. Raises DocumentError."""
    import sqlglot  # noqa: PLC0415 - heavy, and only where DDL is read
    from sqlglot import exp  # noqa: PLC0415
    from sqlglot.errors import SqlglotError  # noqa: PLC0415

    check_length(text, "SQL")
    if dialect is not None and dialect not in {item.value for item in sqlglot.Dialects}:
        raise DocumentError(f"There is no SQL dialect {dialect[:40]!r}. Name one, such as postgres or snowflake.")
    try:
        statements = sqlglot.parse(text, read=dialect)
    except (SqlglotError, RecursionError) as error:
        raise DocumentError(f"This SQL can't be read: {' '.join(str(error).split())[:300]}") from error
    tables = (item for item in statements if isinstance(item, exp.Create) and isinstance(item.this, exp.Schema))
    schemas = [_convert_table(table, dialect) for table in tables]
    if not schemas:
        raise DocumentError("This SQL creates no table with columns. Give its CREATE TABLE statements.")
    return schemas


def _convert_table(create: Any, dialect: str | None) -> ParsedSchema:
    from sqlglot import exp  # noqa: PLC0415

    key_columns = list(_primary_key_columns(create.this))
    schema: dict[str, Any] = {"$schema": JSON_SCHEMA_DIALECT, "type": "object", "properties": {}, "required": []}
    for column in create.this.find_all(exp.ColumnDef):
        if column.parent is not create.this:
            continue
        constraints = {type(constraint.kind): constraint.kind for constraint in column.constraints}
        not_null = constraints.get(exp.NotNullColumnConstraint)
        is_never_null = exp.PrimaryKeyColumnConstraint in constraints or (
            not_null is not None and not not_null.args.get("allow_null")
        )
        column_schema = parse_type(column.kind.sql(dialect), dialect).schema if column.kind else {}
        if is_never_null or column.name in key_columns:
            schema["required"].append(column.name)
        else:
            column_schema = allow_null(column_schema)
        comment = constraints.get(exp.CommentColumnConstraint)
        annotations = {"description": comment.this.name} if comment is not None else {}
        schema["properties"][column.name] = column_schema | annotations
    name = ".".join(part.name for part in create.this.this.parts)
    return ParsedSchema(name, schema)


def _primary_key_columns(schema: Any) -> Iterator[str]:
    from sqlglot import exp  # noqa: PLC0415

    for key in schema.find_all(exp.PrimaryKey):
        yield from (part.name for part in key.expressions)
