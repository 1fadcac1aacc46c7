"""Row classes that convert a driver's value only when its attribute is read, because most columns never are.

Indexing and unpacking a row give the driver's own values, so read rows by attribute.
"""

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
from sqlalchemy import JSON, Dialect, Enum, FromClause, Uuid
from sqlalchemy.types import TypeEngine

from tessera_gql.store.tables import UTCDateTime

TableLike: TypeAlias = FromClause
"""A table or a view that rows are read from."""
Converter = Callable[[Any], Any]


MAX_CACHED_CLASSES = 2_000
_row_classes: dict[Hashable, type[Any]] = {}
"""The row class of each list of columns, least recently used first."""


def get_row_class(columns: Sequence[Any], dialect: Dialect) -> type[Any]:
    """Return the row class with an attribute for each column, in the order of the statement.

    Its `json_indexes` are the indexes of the JSON columns, which may hold large values. Statements with like columns
    share a class, because a class is a reference cycle, which is freed late.
    Measured: converting all values at once, a page takes 1.1 x the CPU, within the noise, and needs a class as well.
    """
    converters = [_result_converter(column.type, dialect) for column in columns]
    types = (
        None if convert is None and not isinstance(column.type, JSON) else column.type
        for column, convert in zip(columns, converters, strict=True)
    )
    key = (dialect.name, *zip((column.key for column in columns), types, strict=True))
    if (row_class := _row_classes.pop(key, None)) is None:
        row_class = _create_row_class(columns, converters, dialect)
        if len(_row_classes) >= MAX_CACHED_CLASSES:
            del _row_classes[next(iter(_row_classes))]
    _row_classes[key] = row_class
    return row_class


def _create_row_class(columns: Sequence[Any], converters: Sequence[Converter | None], dialect: Dialect) -> type[Any]:
    members: dict[str, Any] = {"__slots__": ()}
    for index, (column, convert) in enumerate(zip(columns, converters, strict=True)):
        members[str(column.key)] = property(_getter(index, convert))
    members["json_indexes"] = tuple(index for index, column in enumerate(columns) if isinstance(column.type, JSON))
    return type("Row", (asyncpg.Record if dialect.name == "postgresql" else tuple,), members)


@lru_cache
def create_value_class(names: tuple[str, ...]) -> type[Any]:
    """Create a row class for values that need no conversion."""
    members = {name: property(itemgetter(index)) for index, name in enumerate(names)}
    return type("Row", (tuple,), {"__slots__": (), **members})


def count_characters(row: Any) -> int:
    """Count the characters of text and JSON in a row, which is about the memory that it takes."""
    return sum(len(value) for value in tuple(row) if isinstance(value, str))


def _getter(index: int, convert: Converter | None) -> Converter:
    return itemgetter(index) if convert is None else lambda row: convert(row[index])


def _result_converter(type_: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    """Return the function that converts a driver's value; None where no conversion is needed."""
    match type_:
        case Enum(enum_class=enum) if enum is not None:
            return {None: None, **{member.value: member for member in enum}}.__getitem__
        case UTCDateTime() if dialect.name == "postgresql":
            return None
        case Uuid() if dialect.name == "sqlite":
            return _uuid
        case _:
            return type_.dialect_impl(dialect).result_processor(dialect, None)


@lru_cache(maxsize=10_000)
def _uuid(digits: str | None) -> UUID | None:
    return None if digits is None else UUID(digits)
