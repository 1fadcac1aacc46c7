"""Read the constraints of tables and columns in SQL into what a table promises."""

from collections.abc import Iterable
from typing import Any

from tessera_gql.formats.ddl_tables import Column, Table
from tessera_gql.formats.untrusted_json import JsonObject


def read_enum(data_type: Any) -> JsonObject | None:
    """Return the schema of a type that lists its values, such as `ENUM('a', 'b')` of MySQL."""
    from sqlglot import exp  # noqa: PLC0415 - heavy, and only where DDL is read

    if data_type is None or data_type.this is not exp.DataType.Type.ENUM:
        return None
    values = [value.name for value in data_type.expressions if isinstance(value, exp.Literal)]
    return {"type": "string", "enum": values} if values else None


def apply_column_constraints(table: Table, column: Column, definition: Any, dialect: str | None) -> None:
    """Read the constraints in the definition of a column."""
    from sqlglot import exp  # noqa: PLC0415

    for constraint in definition.constraints:
        name = constraint.args["this"].name if constraint.args.get("this") else None
        match constraint.kind:
            case exp.NotNullColumnConstraint() as not_null:
                column.is_required = not not_null.args.get("allow_null")
            case exp.PrimaryKeyColumnConstraint():
                column.is_required = True
                table.promise_key([column.name], name)
            case exp.GeneratedAsIdentityColumnConstraint():
                column.is_required = True
            case exp.UniqueColumnConstraint():
                table.promise_key([column.name], name)
            case exp.CheckColumnConstraint(this=condition):
                _apply_check(table, condition, name, dialect)
            case exp.CommentColumnConstraint(this=text):
                column.description = text.name
            case _:
                pass


def apply_table_constraints(table: Table, items: Iterable[Any], dialect: str | None) -> None:
    """Read the constraints of a table; columns and foreign keys are passed over."""
    from sqlglot import exp  # noqa: PLC0415

    for item in items:
        if not isinstance(item, exp.Constraint):
            _apply_constraint(table, item, None, dialect)
            continue
        for part in item.expressions:
            _apply_constraint(table, part, item.name, dialect)
        if (clustered := item.find(exp.ClusteredColumnConstraint, exp.NonClusteredColumnConstraint)) is not None:
            _apply_clustered_key(table, item, clustered)


def _apply_clustered_key(table: Table, item: Any, clustered: Any) -> None:
    """Read `PRIMARY KEY CLUSTERED (a)` and `UNIQUE CLUSTERED (a)` of SQL Server."""
    from sqlglot import exp  # noqa: PLC0415

    columns = [column.name for column in clustered.find_all(exp.Column)]
    if item.find(exp.PrimaryKeyColumnConstraint):
        table.require(columns)
    table.promise_key(columns, item.name)


def _apply_constraint(table: Table, item: Any, name: str | None, dialect: str | None) -> None:
    from sqlglot import exp  # noqa: PLC0415

    match item:
        case exp.PrimaryKey():
            _apply_primary_key(table, item.expressions, name)
        case exp.UniqueColumnConstraint(this=exp.Schema() as schema):
            table.promise_key(
                [column.name for column in schema.expressions], name or (schema.this and schema.this.name)
            )
        case exp.CheckColumnConstraint(this=condition):
            _apply_check(table, condition, name, dialect)
        case _:
            pass


def _apply_primary_key(table: Table, expressions: Any, name: str | None) -> None:
    from sqlglot import exp  # noqa: PLC0415

    columns = [(item.find(exp.Column) or item).name for item in expressions]
    table.require(columns)
    table.promise_key(columns, name)


def apply_unique_index(table: Table, index: Any) -> None:
    """Read a unique index. One of some rows only, or of an expression, promises nothing about a column."""
    from sqlglot import exp  # noqa: PLC0415

    parameters = index.args.get("params")
    columns = [item.this if isinstance(item, exp.Ordered) else item for item in parameters.args.get("columns") or ()]
    is_partial = parameters.args.get("where") is not None
    if columns and not is_partial and all(isinstance(column, exp.Column) for column in columns):
        table.promise_key([column.name for column in columns], index.name or None)


def _apply_check(table: Table, condition: Any, name: str | None, dialect: str | None) -> None:
    """Read a check as accepted values if it lists those of a column, otherwise as an expression."""
    from sqlglot import exp  # noqa: PLC0415

    condition = condition.unnest()
    accepted = _read_accepted_values(condition)
    if accepted is not None:
        table.promise_values(*accepted, name)
        return
    columns = dict.fromkeys(column.name for column in condition.find_all(exp.Column))
    table.promise_check(condition.sql(dialect), columns, name)


def _read_accepted_values(condition: Any) -> tuple[str, list[Any]] | None:
    """Return column and values of `a IN ('x', 'y')` or `a = ANY (ARRAY['x', 'y'])`; None for any other condition."""
    from sqlglot import exp  # noqa: PLC0415

    match condition:
        case exp.In(this=target) if condition.expressions:
            items = condition.expressions
        case exp.EQ(this=target, expression=exp.Any() as any_value):
            array = any_value.find(exp.Array)
            items = array.expressions if array is not None else []
        case _:
            return None
    column = _strip_casts(target)
    values = [_strip_casts(item) for item in items]
    if not isinstance(column, exp.Column) or not values or not all(isinstance(item, exp.Literal) for item in values):
        return None
    return column.name, [_to_value(item) for item in values]


def _strip_casts(expression: Any) -> Any:
    from sqlglot import exp  # noqa: PLC0415

    while isinstance(expression, exp.Cast | exp.Paren):
        expression = expression.this
    return expression


def _to_value(literal: Any) -> Any:
    if literal.is_string:
        return literal.name
    number = float(literal.name)
    return int(number) if number.is_integer() else number
