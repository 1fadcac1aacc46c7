"""Conditions on rows. Each operator is declared once: its SQL for lists, its test of a row for live events."""

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, Select, Text, bindparam, cast, false, func, select, true

from tessera_gql.policy.validation import uniqueness_key
from tessera_gql.store.compiled import ValueList, in_values, list_parameter
from tessera_gql.store.related_rows import RELATED_ROWS
from tessera_gql.store.tables.base import BYTE_ORDERED

ESCAPE = "/"
CONTAINS_BY_INDEX = "contains_by_index"
"""The operator `contains`, for texts of assets that an index of trigrams finds."""
CONTAINS_IN_INDEX = "contains_in_index"
"""The same within a combination, where no other index serves: as a condition on ids."""
CONTAINS_OFTEN = "contains_often"
"""The same for texts that many rows contain, which PostgreSQL would take for few and read all rows."""
TRIGRAM_SIZE = 3
TEXT_NUMBERS = sa.table("search_index_assets", sa.column("number", sa.Integer), sa.column("asset_id", sa.Uuid))
"""The numbers of assets in the index of trigrams on SQLite."""
TRIGRAMS = sa.table("search_index_asset_texts", sa.column("rowid", sa.Integer))
LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True)
class Condition:
    """A filter on one column; `operator` is eq, in, contains and starts_with (ignoring case), has (an id in a JSON
    list), gte, lt, is_set (not null, or null for False) or exists (some related row).

    With `related`, a name in RELATED_ROWS, the condition is on their value, some of which must meet it; such
    conditions are for lists only. The value of `in` is a tuple, so that conditions are hashable. Whether many related
    rows meet it (`is_frequent`) decides only about the way in which SQLite finds the rows.
    """

    column: str
    operator: str
    value: Any = None
    related: str = ""
    is_frequent: bool = False
    trigrams: tuple[str, ...] = ()
    """For the operators that look up a text in the index: the trigrams of the text that are looked up."""

    @property
    def shape(self) -> "LeafShape":
        is_unset = self.operator == "is_set" and not self.value
        return LeafShape(self.column, "is_unset" if is_unset else self.operator, self.related, self.is_frequent)

    def matches(self, row: Any) -> bool:
        """Return whether a row meets the condition. As in SQL, null meets none but that of being null."""
        if self.related:
            raise TypeError(f"A row alone does not have its {self.related}.")
        value = getattr(row, self.column)
        is_comparable = value is not None or self.operator == "is_set"
        return is_comparable and OPERATORS[self.operator].matches(value, self.value)


@dataclass(frozen=True)
class Combination:
    """Conditions in groups, of each of which all must hold: for one group at least, or (`is_negated`) for none."""

    groups: "tuple[tuple[AnyCondition, ...], ...]"
    is_negated: bool = False

    @property
    def shape(self) -> "CombinedShape":
        return CombinedShape(tuple(map(shapes_of, self.groups)), self.is_negated)

    def matches(self, row: Any) -> bool:
        """Return whether a row meets the combination."""
        is_met = any(all(condition.matches(row) for condition in group) for group in self.groups)
        return is_met is not self.is_negated


AnyCondition: TypeAlias = Condition | Combination


class LeafShape(NamedTuple):
    """A condition without its value."""

    column: str
    operator: str
    related: str = ""
    is_frequent: bool = False


class CombinedShape(NamedTuple):
    """A combination without the values of its conditions."""

    groups: "tuple[tuple[Shape, ...], ...]"
    is_negated: bool


Shape: TypeAlias = LeafShape | CombinedShape


def shapes_of(conditions: Iterable[AnyCondition]) -> tuple[Shape, ...]:
    """Return the conditions without values: those of equal shapes share a statement."""
    return tuple(condition.shape for condition in conditions)


def list_leaves(conditions: Iterable[AnyCondition]) -> Iterator[Condition]:
    """List the single conditions, those within combinations too, in their order."""
    for condition in conditions:
        if isinstance(condition, Condition):
            yield condition
        else:
            for group in condition.groups:
                yield from list_leaves(group)


def build_clauses(
    shapes: Iterable[Shape], build_leaf: Callable[[LeafShape], ColumnElement[bool]]
) -> Iterator[ColumnElement[bool]]:
    """Build a clause for each shape; `build_leaf` is called for the single conditions in the order of `list_leaves`."""
    for shape in shapes:
        if isinstance(shape, LeafShape):
            yield build_leaf(shape)
            continue
        groups = [sa.and_(true(), *build_clauses(group, build_leaf)) for group in shape.groups]
        combined = sa.or_(false(), *groups)
        yield combined.is_not(true()) if shape.is_negated else combined


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


def _contains_often(dialect: str, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Compare by a function of which PostgreSQL expects a third of the rows, so that it reads them in their order."""
    if dialect == "sqlite":
        return _like(dialect, column, name)
    return func.strpos(column, bindparam(f"{name}_text", type_=Text())) > sa.literal_column("0")


def _starts_with(dialect: str, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Compare with both ends of the range of texts that start so: unlike LIKE, with an index whatever the collation."""
    start, end = bindparam(name, type_=Text()), bindparam(f"{name}_end", type_=Text())
    if dialect == "postgresql" and column.type is not BYTE_ORDERED:
        return sa.and_(column.op("~>=~", is_comparison=True)(start), column.op("~<~", is_comparison=True)(end))
    return sa.and_(column >= start, column < end)


def _always(_dialect: str, _column: ColumnElement[Any], _name: str) -> ColumnElement[bool]:
    return true()


OPERATORS = {
    "eq": _comparison(operator.eq),
    "gte": _comparison(operator.ge),
    "lt": _comparison(operator.lt),
    "in": Operator(
        lambda dialect, column, name: in_values(dialect, column, list_parameter(name, column)),
        lambda value, values: value in values,
    ),
    # Two statements rather than a parameter, so that indexes of the rows with a value serve.
    "is_set": Operator(
        lambda _, column, _name: column.is_not(None), lambda value, is_set: (value is not None) is is_set
    ),
    "is_unset": Operator(lambda _, column, _name: column.is_(None), lambda value, _: value is None),
    "exists": Operator(_always, lambda _value, _expected: True),
    "starts_with": Operator(_starts_with, lambda value, text: value.lower().startswith(text.lower())),
    "contains": Operator(_like, lambda value, text: text.lower() in value.lower()),
    CONTAINS_OFTEN: Operator(_contains_often, lambda value, text: text.lower() in value.lower()),
    "has": Operator(
        lambda dialect, column, name: _like(dialect, cast(column, Text), name), lambda items, item: str(item) in items
    ),
}


FOLDED_OPERATORS = frozenset({"contains", CONTAINS_BY_INDEX, CONTAINS_IN_INDEX, CONTAINS_OFTEN, "starts_with"})
EXACT_OPERATORS = frozenset({"eq", "in"})
"""Operators that compare a name as it is written; its key, which has the index, is compared as well."""


def build_condition(
    dialect: str, source: FromClause, column: ColumnElement[Any], shape: LeafShape, name: str
) -> ColumnElement[bool]:
    """Build the SQL of a condition on a column of the source, or on the rows that are related by it."""
    if shape.operator in (CONTAINS_BY_INDEX, CONTAINS_IN_INDEX):
        return _contains_by_index(dialect, source, column, shape, name)
    operation = OPERATORS[shape.operator]
    if shape.related:
        rows = select_related(dialect, shape, name)
        if shape.is_frequent:  # read in the order of the list until the page is full
            return rows.where(RELATED_ROWS[shape.related].key == column).exists()
        return column.in_(rows)
    if shape.operator in EXACT_OPERATORS and (key := source.c.get(f"{shape.column}_key")) is not None:
        return sa.and_(operation.to_sql(dialect, key, f"{name}_key"), operation.to_sql(dialect, column, name))
    compared = fold_column(source, shape.column, column) if shape.operator in FOLDED_OPERATORS else column
    return operation.to_sql(dialect, compared, name)


def select_related(dialect: str, shape: LeafShape, name: str) -> Select[Any]:
    """Select the keys of the related rows that meet a condition; `name` is that of its parameter."""
    related = RELATED_ROWS[shape.related]
    is_met = OPERATORS[shape.operator].to_sql(dialect, related.value, name)
    return select(related.key).where(*related.conditions, is_met)


def _contains_by_index(
    dialect: str, source: FromClause, column: ColumnElement[Any], shape: LeafShape, name: str
) -> ColumnElement[bool]:
    """Build the condition that a column contains a text with conditions on its trigrams, which the index finds."""
    is_met = _like(dialect, fold_column(source, shape.column, column), name)
    if dialect == "sqlite":
        is_match = sa.literal_column(TRIGRAMS.name).bool_op("MATCH")(bindparam(f"{name}_match", type_=Text()))
        numbers = select(TEXT_NUMBERS.c.asset_id).join(TRIGRAMS, TRIGRAMS.c.rowid == TEXT_NUMBERS.c.number)
        return sa.and_(is_met, source.c.id.in_(numbers.where(is_match)))
    rows = source if shape.operator == CONTAINS_BY_INDEX else source.alias()
    text = fold_column(rows, shape.column, rows.c[shape.column])
    has_trigrams = func.core.trigrams(text).bool_op("@>")
    has_all = has_trigrams(bindparam(f"{name}_trigrams", type_=ValueList(Text())))
    if rows is source:
        return sa.and_(is_met, has_all)
    return source.c.id.in_(select(rows.c.id).where(_like(dialect, text, name), has_all))


def _index_parameters(name: str, indexed_column: str, trigrams: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of both databases that look up trigrams."""
    quoted = (f'"{trigram}"' for trigram in (trigram.replace('"', '""') for trigram in trigrams))
    return {f"{name}_trigrams": trigrams, f"{name}_match": f"{indexed_column} : ({' AND '.join(quoted)})"}


def fold_column(source: FromClause, name: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the case-folded column: the stored key of a name, since `lower()` may know only the letters A to Z."""
    folded = source.c.get(f"{name}_key")
    return func.lower(column) if folded is None else folded


def to_parameters(source: FromClause, condition: Condition, name: str) -> dict[str, Any]:
    """Return the bind parameters of a condition: its own value, the pattern of a LIKE, or the ends of a range."""
    value = fold_value(source, condition)
    match condition.operator:
        case "contains":
            return {name: _contains_pattern(value)}
        case "contains_by_index" | "contains_in_index" | "contains_often":
            # Those of all ways, because the page and the count of a list may differ in it.
            folded_name = f"{condition.column}_key"
            indexed_column = folded_name if folded_name in source.c else condition.column
            parameters = {name: _contains_pattern(value), f"{name}_text": value}
            return parameters | _index_parameters(name, indexed_column, condition.trigrams)
        case "starts_with":
            return {name: value, f"{name}_end": value + LAST_CHARACTER}
        case "has":
            return {name: _contains_pattern(str(value))}
        case "eq" | "in" if not condition.related and f"{condition.column}_key" in source.c:
            folded = uniqueness_key(value) if isinstance(value, str) else tuple(map(uniqueness_key, value))
            return {name: value, f"{name}_key": folded}
        case _:
            return {name: value}


def fold_value(source: FromClause, condition: Condition) -> Any:
    """Fold the case of a condition's texts if what they are compared with is folded."""
    value = condition.value
    if condition.related:
        if not RELATED_ROWS[condition.related].is_folded or value is None:
            return value
        return uniqueness_key(value) if isinstance(value, str) else tuple(map(uniqueness_key, value))
    if condition.operator not in FOLDED_OPERATORS:
        return value
    return uniqueness_key(value) if f"{condition.column}_key" in source.c else value.lower()


def _contains_pattern(text: str) -> str:
    """Build a LIKE pattern that matches the text anywhere, with its special characters escaped."""
    for special in (ESCAPE, "%", "_"):
        text = text.replace(special, ESCAPE + special)
    return f"%{text}%"
