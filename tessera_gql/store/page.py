"""Pages of rows by keyset: one statement serves every parent, however many pages are asked for at once.

A page is ordered by one column that is never null, and the id breaks ties; a cursor is the place between two rows, so
rows that come or go elsewhere do not shift it.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, ColumnElement, Select, Table, Text, and_, cast, func, literal, or_, select, true

from tessera_gql.errors import Invalid
from tessera_gql.policy.naming import key
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Moment

DEFAULT_SIZE = 20
MAX_SIZE = 100


@dataclass(frozen=True)
class Condition:
    """One comparison; `operator` is eq, in, contains (ignoring case), has (an id in a JSON list), gte or lt.

    Values of `in` are a tuple.
    """

    column: str
    operator: str
    value: Any


@dataclass(frozen=True)
class PageRequest:
    """What a connection field was asked for; hashable, so that equal requests of many parents share one statement."""

    order_by: str
    descending: bool = False
    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None
    conditions: tuple[Condition, ...] = ()

    @property
    def size(self) -> int:
        if self.last is not None:
            return self.last
        return DEFAULT_SIZE if self.first is None else self.first

    @property
    def backwards(self) -> bool:
        return self.last is not None


@dataclass(frozen=True)
class Page:
    rows: Sequence[Any]
    has_next: bool
    has_previous: bool


def checked(request: PageRequest) -> PageRequest:
    """The same request; raises Invalid for sizes and cursors that make no sense."""
    if request.first is not None and request.last is not None:
        raise Invalid("Ask for `first` or `last`, not both: a page is read in one direction.", field=("last",))
    if not 0 <= request.size <= MAX_SIZE:
        name = "last" if request.backwards else "first"
        raise Invalid(f"`{name}` is {request.size}; a page holds 0 to {MAX_SIZE} items.", field=(name,))
    for name, cursor in (("after", request.after), ("before", request.before)):
        if cursor is not None:
            _place(cursor, request, name)
    return request


def cursor(row: Any, order_by: str) -> str:
    """The place just behind a row, opaque to clients."""
    value = getattr(row, order_by)
    if isinstance(value, datetime):
        value = value.isoformat()
    return base64.urlsafe_b64encode(orjson.dumps([order_by, value, str(row.id)])).decode().rstrip("=")


def _place(text: str, request: PageRequest, name: str) -> tuple[Any, UUID]:
    problem = Invalid(
        f"The cursor in `{name}` does not belong to this list and order. Start without it and use the cursors you get.",
        field=(name,),
    )
    try:
        order_by, value, identity = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        place = (value, UUID(identity))
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise problem from None
    if order_by != request.order_by or not isinstance(value, str | int):
        raise problem
    return place


def _bound(column: Any, value: Any, name: str) -> Any:
    """The value as the column holds it; raises Invalid for what the column can't hold."""
    try:
        if isinstance(column.type, Moment):
            return datetime.fromisoformat(value).astimezone(UTC)
        if type(value) is column.type.python_type and ("\0" not in value if isinstance(value, str) else value < 2**63):
            return value
    except (ValueError, TypeError, OverflowError):
        pass
    raise Invalid(f"The cursor in `{name}` is damaged. Start without it.", field=(name,))


def _beyond(source: Table, request: PageRequest, name: str, text: str) -> ColumnElement[bool]:
    value, identity = _place(text, request, name)
    column = source.c[request.order_by]
    bound = _bound(column, value, name)
    if (name == "after") != request.descending:
        return or_(column > bound, and_(column == bound, source.c.id > identity))
    return or_(column < bound, and_(column == bound, source.c.id < identity))


def where(session: Session, source: Table, conditions: Sequence[Condition]) -> list[ColumnElement[bool]]:
    """The conditions as SQL, to be AND-ed."""
    found: list[ColumnElement[bool]] = []
    for condition in conditions:
        column = source.c[condition.column]
        match condition.operator:
            case "eq":
                found.append(column == condition.value)
            case "in":
                found.append(session.among(column, condition.value))
            case "contains":
                found.append(_contains(source, condition))
            case "has":
                found.append(cast(column, Text).contains(str(condition.value)))
            case "gte":
                found.append(column >= condition.value)
            case _:
                found.append(column < condition.value)
    return found


def _contains(source: Table, condition: Condition) -> ColumnElement[bool]:
    """Names are looked for by their key: the databases know the case of other letters than A to Z, if at all."""
    folded = source.c.get(f"{condition.column}_key")
    if folded is not None:
        return folded.contains(key(condition.value), autoescape=True)
    return func.lower(source.c[condition.column]).contains(condition.value.lower(), autoescape=True)


def _filtered(session: Session, source: Table, request: PageRequest) -> list[ColumnElement[bool]]:
    found = where(session, source, request.conditions)
    if request.after is not None:
        found.append(_beyond(source, request, "after", request.after))
    if request.before is not None:
        found.append(_beyond(source, request, "before", request.before))
    return found


def _ordering(source: Any, request: PageRequest) -> list[Any]:
    column = source.c[request.order_by]
    if request.descending != request.backwards:
        return [column.desc(), source.c.id.desc()]
    return [column.asc(), source.c.id.asc()]


async def root(session: Session, source: Table, request: PageRequest) -> Page:
    """One page of a whole table."""
    statement = select(source).where(*_filtered(session, source, request))
    statement = statement.order_by(*_ordering(source, request)).limit(request.size + 1)
    return _page(await session.rows(statement), request)


async def of_parents(
    session: Session, source: Table, parent: str, parents: Sequence[UUID], request: PageRequest
) -> dict[UUID, Page]:
    """A page for each parent; one statement for all."""
    build = _each_looked_up if session.dialect == "postgresql" else _numbered
    statement = build(session, source, parent, parents, request)
    found: dict[UUID, list[Any]] = {}
    for row in await session.rows(statement):
        found.setdefault(getattr(row, parent), []).append(row)
    return {one: _page(found.get(one, []), request) for one in parents}


def _each_looked_up(
    session: Session, source: Table, parent: str, parents: Sequence[UUID], request: PageRequest
) -> Select[Any]:
    """Reads no more of a parent's rows than its page holds, where an index knows their order."""
    wanted = func.unnest(literal([*parents], ARRAY(source.c[parent].type))).table_valued("parent").render_derived()
    here = cast(wanted.c.parent, source.c[parent].type) == source.c[parent]
    picked = (
        select(source)
        .where(here, *_filtered(session, source, request))
        .order_by(*_ordering(source, request))
        .limit(request.size + 1)
        .lateral()
    )
    joined = select(picked).select_from(wanted.join(picked, true()))
    return joined.order_by(picked.c[parent], *_ordering(picked, request))


def _numbered(
    session: Session, source: Table, parent: str, parents: Sequence[UUID], request: PageRequest
) -> Select[Any]:
    """Numbers the rows of each parent: SQLite knows no lateral join."""
    place = func.row_number().over(partition_by=source.c[parent], order_by=_ordering(source, request))
    numbered = (
        select(source, place.label("place"))
        .where(session.among(source.c[parent], parents), *_filtered(session, source, request))
        .subquery()
    )
    kept = select(numbered).where(numbered.c.place <= request.size + 1)
    return kept.order_by(numbered.c[parent], numbered.c.place)


def _page(found: Sequence[Any], request: PageRequest) -> Page:
    more = len(found) > request.size
    rows = [*found[: request.size]]
    if request.backwards:
        rows.reverse()
        return Page(rows, has_next=request.before is not None, has_previous=more)
    return Page(rows, has_next=more, has_previous=request.after is not None)


async def count(session: Session, source: Table, request: PageRequest) -> int:
    statement = select(func.count()).select_from(source).where(*where(session, source, request.conditions))
    return int(await session.value(statement))


async def counts(
    session: Session, source: Table, parent: str, parents: Sequence[UUID], request: PageRequest
) -> dict[UUID, int]:
    statement = (
        select(source.c[parent].label("parent"), func.count().label("number"))
        .where(session.among(source.c[parent], parents), *where(session, source, request.conditions))
        .group_by(source.c[parent])
    )
    found = {row.parent: row.number for row in await session.rows(statement)}
    return {one: found.get(one, 0) for one in parents}
