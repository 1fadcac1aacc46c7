"""Rows as the driver makes them, a value made of what it gave only where it is read: most columns never are.

Read them by attribute only: by place, and when unpacked, they are the driver's own values.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import itemgetter
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import JSON, Dialect, Enum, Uuid
from sqlalchemy.types import TypeEngine

from tessera_gql.store.tables import Moment

Make = Callable[[Any], Any]


def row_kind(columns: Iterable[Any], dialect: Dialect) -> type[Any]:
    """The class of rows with an attribute for each of the columns, in the order of the statement.

    Its `json_places` are those of columns that may hold large values.
    """
    members: dict[str, Any] = {"__slots__": ()}
    for place, column in enumerate(columns):
        members[str(column.key)] = property(_reader(place, _maker(column.type, dialect)))
    members["json_places"] = tuple(place for place, column in enumerate(columns) if isinstance(column.type, JSON))
    return type("Row", (asyncpg.Record if dialect.name == "postgresql" else tuple,), members)


def characters(row: Any) -> int:
    """How many characters the text in a row has, documents included: about the memory that the row takes."""
    return sum(len(value) for value in tuple(row) if isinstance(value, str))


def _reader(place: int, make: Make | None) -> Make:
    return itemgetter(place) if make is None else lambda row: make(row[place])


def _maker(kind: TypeEngine[Any], dialect: Dialect) -> Make | None:
    """What makes the value of what the driver gave; None where that is the value."""
    match kind:
        case Enum(enum_class=enum) if enum is not None:
            return {None: None, **{member.value: member for member in enum}}.__getitem__
        case Moment() if dialect.name == "postgresql":
            return None
        case Uuid() if dialect.name == "sqlite":
            return _uuid
        case _:
            return kind.dialect_impl(dialect).result_processor(dialect, None)


@lru_cache(maxsize=10_000)
def _uuid(digits: str | None) -> UUID | None:
    return None if digits is None else UUID(digits)
