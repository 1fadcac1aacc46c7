"""Decide on SQLite whether assets are found by the rows related to them or in the order of the list.

A page of a condition that many related rows meet is found in the order of the list after few rows; else the assets are
looked up by their related rows. PostgreSQL decides by its statistics. It decides about the way, never about the result.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, func, literal_column, select

from tessera_gql.store.compiled import PreparedQuery
from tessera_gql.store.conditions import (
    AnyCondition,
    Combination,
    LeafShape,
    list_leaves,
    select_related,
    to_parameters,
)
from tessera_gql.store.related_rows import RELATED_ROWS
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, table

MAX_FOUND = 1_000
"""The greatest number of related rows by which the assets of a page are looked up."""


async def mark_frequent(session: Session, conditions: tuple[AnyCondition, ...]) -> tuple[AnyCondition, ...]:
    """Return equal conditions; on SQLite those that many related rows meet are marked."""
    if session.dialect != "sqlite" or not any(condition.related for condition in list_leaves(conditions)):
        return conditions
    return tuple([await _mark(session, condition) for condition in conditions])


async def _mark(session: Session, condition: AnyCondition) -> AnyCondition:
    if isinstance(condition, Combination):
        groups = [tuple([await _mark(session, item) for item in group]) for group in condition.groups]
        return Combination(tuple(groups), condition.is_negated)
    if not condition.related:
        return condition
    parameters = to_parameters(table(Asset), condition, "value")
    (row,) = await session.fetch(_count_related(condition.shape), **parameters)
    return replace(condition, is_frequent=row.number > MAX_FOUND)


@lru_cache(100)
def _count_related(shape: LeafShape) -> PreparedQuery:
    """Prepare the count of the related rows that meet a condition, of which no more are read than needed."""

    def build(dialect: str) -> Select[Any]:
        # In the order of the value, so that its index is used even where the statistics expect no gain of it.
        rows = select_related(dialect, shape, "value").order_by(RELATED_ROWS[shape.related].value)
        rows = rows.limit(literal_column(str(MAX_FOUND + 1)))
        return select(func.count().label("number")).select_from(rows.subquery())

    return PreparedQuery(build)
