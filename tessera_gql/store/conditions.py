"""Conditions on rows. Each operator is declared once: its SQL for lists, its test of a row for live events."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, ColumnElement, FromClause, Text, bindparam, case, cast, false, func, select, true

from tessera_gql.policy.validation import uniqueness_key
from tessera_gql.store.compiled import in_values, list_parameter
from tessera_gql.store.tables import Deprecation, table

ESCAPE = "/"


@dataclass(frozen=True)
class Condition:
    """A filter on one column; `operator` is eq, in, contains (ignoring case), has (an id in a JSON list), gte, lt
    or is_set (not null, or null for False).

    `deprecated`, for the id of an asset, asks whether the whole asset is deprecated, and is for lists only. The value
    of `in` is a tuple, so that conditions are hashable.
    """

    column: str
    operator: str
    value: Any

    def matches(self, row: Any) -> bool:
        """Return whether a row meets the condition. As in SQL, null meets none but that of being null."""
        value = getattr(row, self.column)
        is_comparable = value is not None or self.operator == "is_set"
        return is_comparable and OPERATORS[self.operator].matches(value, self.value)


@dataclass(frozen=True)
class Operator:
    to_sql: Callable[[str, ColumnElement[Any], str], ColumnElement[bool]]
    """Builds the SQL from the dialect, the column and the name of the bind parameter."""
    matches: Callable[[Any, Any], bool]
    """Compares a row's value with the condition's."""


def _comparison(compare: Callable[[Any, Any], Any]) -> Operator:
    return Operator(lambda _, column, name: compare(column, bindparam(name, type_=column.type)), compare)


def _like(_dialect: str, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return column.like(bindparam(name, type_=Text()), escape=ESCAPE)


def _is_deprecated(_dialect: str, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    rows = table(Deprecation).c
    deprecated_assets = select(rows.asset_id).where(rows.ended_at.is_(None), rows.path == "")
    return column.in_(deprecated_assets) == bindparam(name, type_=Boolean())


def _refuse_row(_value: Any, _expected: Any) -> bool:
    raise TypeError("A row alone does not say whether the asset is deprecated.")


OPERATORS = {
    "eq": _comparison(operator.eq),
    "gte": _comparison(operator.ge),
    "lt": _comparison(operator.lt),
    "in": Operator(
        lambda dialect, column, name: in_values(dialect, column, list_parameter(name, column)),
        lambda value, values: value in values,
    ),
    "is_set": Operator(
        lambda _, column, name: case((column.is_(None), false()), else_=true()) == bindparam(name, type_=Boolean()),
        lambda value, is_set: (value is not None) is is_set,
    ),
    "deprecated": Operator(_is_deprecated, _refuse_row),
    "contains": Operator(_like, lambda value, text: text.lower() in value.lower()),
    "has": Operator(
        lambda dialect, column, name: _like(dialect, cast(column, Text), name), lambda items, item: str(item) in items
    ),
}


def fold_column(source: FromClause, name: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the case-folded column: the stored key of a name, since `lower()` may know only the letters A to Z."""
    folded = source.c.get(f"{name}_key")
    return func.lower(column) if folded is None else folded


def to_parameter(source: FromClause, condition: Condition) -> Any:
    """Return the value of the bind parameter: the condition's own, or the pattern of a LIKE."""
    match condition.operator:
        case "contains":
            has_key = f"{condition.column}_key" in source.c
            return _contains_pattern(uniqueness_key(condition.value) if has_key else condition.value.lower())
        case "has":
            return _contains_pattern(str(condition.value))
        case _:
            return condition.value


def _contains_pattern(text: str) -> str:
    """Build a LIKE pattern that matches the text anywhere, with its special characters escaped."""
    for special in (ESCAPE, "%", "_"):
        text = text.replace(special, ESCAPE + special)
    return f"%{text}%"
