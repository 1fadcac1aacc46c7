"""SQL `CREATE TABLE` statements as JSON Schemas: a column that may be null need not be there."""

from collections.abc import Iterator
from typing import Any

from tessera_gql.formats import dbt_types
from tessera_gql.formats.foreign import Described, ForeignError, bounded

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def read(text: str, dialect: str | None = None) -> list[Described]:
    """Every table the statements create, in their order; other statements are passed over. Raises ForeignError."""
    import sqlglot  # noqa: PLC0415 - heavy, and only where DDL is read
    from sqlglot import exp  # noqa: PLC0415
    from sqlglot.errors import SqlglotError  # noqa: PLC0415

    bounded(text, "SQL")
    if dialect is not None and dialect not in {one.value for one in sqlglot.Dialects}:
        raise ForeignError(f"There is no SQL dialect {dialect[:40]!r}. Name one, such as postgres or snowflake.")
    try:
        statements = sqlglot.parse(text, read=dialect)
    except (SqlglotError, RecursionError) as error:
        raise ForeignError(f"This SQL can't be read: {' '.join(str(error).split())[:300]}") from error
    found = [
        _table(one, dialect) for one in statements if isinstance(one, exp.Create) and isinstance(one.this, exp.Schema)
    ]
    if not found:
        raise ForeignError("This SQL creates no table with columns. Give its CREATE TABLE statements.")
    return found


def _table(create: Any, dialect: str | None) -> Described:
    from sqlglot import exp  # noqa: PLC0415

    keys = list(_keys(create.this))
    schema: dict[str, Any] = {"$schema": _DIALECT, "type": "object", "properties": {}, "required": []}
    for column in create.this.find_all(exp.ColumnDef):
        if column.parent is not create.this:
            continue
        kinds = {type(one.kind): one.kind for one in column.constraints}
        never_null = exp.PrimaryKeyColumnConstraint in kinds or (
            (said := kinds.get(exp.NotNullColumnConstraint)) is not None and not said.args.get("allow_null")
        )
        described = dbt_types.read(column.kind.sql(dialect), is_sized=True).schema if column.kind else {}
        if never_null or column.name in keys:
            schema["required"].append(column.name)
        else:
            described = dbt_types.nullable(described)
        comment = kinds.get(exp.CommentColumnConstraint)
        about = {"description": comment.this.name} if comment is not None else {}
        schema["properties"][column.name] = described | about
    name = ".".join(part.name for part in create.this.this.parts)
    return Described(name, schema, {"format": "ddl", "text": create.sql(dialect)})


def _keys(schema: Any) -> Iterator[str]:
    from sqlglot import exp  # noqa: PLC0415

    for key in schema.find_all(exp.PrimaryKey):
        yield from (part.name for part in key.expressions)
