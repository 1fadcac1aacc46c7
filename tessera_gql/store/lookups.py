"""Declarations of how rows are looked up by a key, from which single rows are loaded and JSON is built."""

from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.sql.visitors import replacement_traverse


@dataclass(frozen=True)
class RowLookup:
    """The rows of a table whose column has a key and that meet the conditions."""

    column: sa.Column[Any]
    conditions: tuple[ColumnElement[bool], ...] = ()

    @property
    def table(self) -> sa.Table:
        return self.column.table

    @property
    def is_unique(self) -> bool:
        """Whether a constraint ensures that no two rows have the same key."""
        constraints = [item for item in self.table.constraints if isinstance(item, sa.UniqueConstraint)]
        indexes = [item for item in self.table.indexes if item.unique and (self.conditions or not _is_partial(item))]
        column_lists = [self.table.primary_key.columns, *(cast("Any", item).columns for item in constraints + indexes)]
        return any([*columns] == [self.column] for columns in column_lists)

    def join(self, rows: sa.FromClause, key: ColumnElement[Any]) -> ColumnElement[bool]:
        """Build the condition that a row of an alias of the table is found by the key.

        Its constants are in the text, since an index of some rows serves no statement that has a parameter for them.
        """
        columns = {id(column): rows.c[column.key] for column in self.table.c}

        def replace(element: Any, **_: Any) -> Any:
            if isinstance(element, sa.BindParameter):
                return sa.literal_column(f"'{_to_constant(element.value)}'", element.type)
            return columns.get(id(element))

        conditions = (replacement_traverse(condition, {}, replace) for condition in self.conditions)
        return sa.and_(rows.c[self.column.key] == key, *conditions)

    def always_finds(self, key: ColumnElement[Any]) -> bool:
        """Whether there is a row for each value of a column, as its foreign key ensures."""
        return not self.conditions and any(reference.column is self.column for reference in key.foreign_keys)


def _is_partial(index: sa.Index) -> bool:
    return any(index.dialect_options[name]["where"] is not None for name in ("postgresql", "sqlite"))


def _to_constant(value: Any) -> str:
    text = str(getattr(value, "value", value))
    if not text.isidentifier():
        raise ValueError(f"{text!r} can't be a constant of a lookup.")
    return text
