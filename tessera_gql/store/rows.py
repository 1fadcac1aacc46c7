"""Rows as the driver gave them, a value made of it only where it is read: most columns of most rows never are.

Read them by attribute only: by place, and when unpacked, they are the driver's own values.
"""

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any, cast
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import CursorResult, Dialect, Enum, Select, Uuid
from sqlalchemy.types import TypeEngine

from tessera_gql.store.tables import Moment

Make = Callable[[Any], Any]

_kinds: WeakKeyDictionary[Any, type[tuple[Any, ...]]] = WeakKeyDictionary()


def rows_of(result: CursorResult[Any]) -> list[Any]:
    """All rows, with an attribute for each column."""
    compiled = cast("Any", result.context).compiled
    if not isinstance(compiled.statement, Select):
        return [*result.all()]
    if (kind := _kinds.get(compiled)) is None:
        kind = _kinds[compiled] = _kind(compiled.statement, result.dialect)
    rows = [*map(kind, cast("Any", result.cursor).fetchall())]
    result.close()
    return rows


def _kind(statement: Select[Any], dialect: Dialect) -> type[tuple[Any, ...]]:
    members: dict[str, Any] = {"__slots__": ()}
    for place, column in enumerate(statement.selected_columns):
        members[str(column.key)] = property(_reader(place, _maker(column.type, dialect)))
    return type("Row", (tuple,), members)


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
