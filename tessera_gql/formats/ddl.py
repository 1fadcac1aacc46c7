"""Convert SQL `CREATE TABLE` statements to JSON Schemas. A nullable column is optional."""

from collections.abc import Iterator
from typing import Any

from tessera_gql.formats.parsed_schema import JSON_SCHEMA_DIALECT, DocumentError, ParsedSchema, check_length
from tessera_gql.formats.warehouse_types import allow_null, parse_type


def parse_tables(text: str, dialect: str | None = None) -> list[ParsedSchema]:
    """Parse the tables that the statements create, in order. Raises DocumentError.

    Statements that change the columns of such a table are refused; other statements are ignored.
    """
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
        with_dialect = "" if dialect else ", and its SQL dialect if it is not standard SQL"
        raise DocumentError(f"This SQL creates no table with columns. Give its CREATE TABLE statements{with_dialect}.")
    names = {_fold(schema.name) for schema in schemas}
    if len(names) < len(schemas):
        raise DocumentError("This SQL creates a table twice. Leave one of the CREATE TABLE statements out.")
    for statement in statements:
        if isinstance(statement, exp.Alter) and _fold(_table_name(statement.this)) in names:
            _refuse_column_changes(statement)
    return schemas


def _table_name(table: Any) -> str:
    return ".".join(part.name for part in table.parts)


def _fold(name: str) -> str:
    return name.lower()


def _refuse_column_changes(alter: Any) -> None:
    """Raise DocumentError if a statement changes names, types or nullability of columns, or the name of the table."""
    from sqlglot import exp  # noqa: PLC0415

    changing = (exp.ColumnDef, exp.Drop, exp.RenameColumn, exp.AlterRename)
    for action in alter.args.get("actions") or ():
        sets_default = isinstance(action, exp.AlterColumn) and action.args.get("default") is not None
        if isinstance(action, changing) or (isinstance(action, exp.AlterColumn) and not sets_default):
            raise DocumentError(
                f"ALTER TABLE {_table_name(alter.this)[:200]} changes columns, which is not applied here. Write the"
                " columns as they are now into its CREATE TABLE."
            )


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
        if column.name in schema["properties"]:
            raise DocumentError(f"This SQL declares the column {column.name[:200]!r} twice. Leave one of them out.")
        column_schema = parse_type(column.kind.sql(dialect), dialect).schema if column.kind else {}
        if is_never_null or column.name in key_columns:
            schema["required"].append(column.name)
        else:
            column_schema = allow_null(column_schema)
        comment = constraints.get(exp.CommentColumnConstraint)
        annotations = {"description": comment.this.name} if comment is not None else {}
        schema["properties"][column.name] = column_schema | annotations
    return ParsedSchema(_table_name(create.this.this), schema)


def _primary_key_columns(schema: Any) -> Iterator[str]:
    from sqlglot import exp  # noqa: PLC0415

    for key in schema.find_all(exp.PrimaryKey):
        yield from (part.name for part in key.expressions)
