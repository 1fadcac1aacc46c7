"""Pages of rows by keyset: one statement serves every parent, however many pages are asked for at once.

A page is ordered by one column that is never null, and the id breaks ties; a cursor is the place between two rows, so
rows that come or go elsewhere do not shift it.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
    true,
)
from sqlalchemy import column as sql_column

from tessera_gql.errors import Invalid
from tessera_gql.policy.naming import key
from tessera_gql.policy.visibility import View
from tessera_gql.store import visibility
from tessera_gql.store.session import Session
from tessera_gql.store.statements import Question, among, many
from tessera_gql.store.tables import Moment

DEFAULT_SIZE = 20
MAX_SIZE = 100
SHAPES = 500
"""Of pages whose statements are kept."""
SIZE: BindParameter[int] = bindparam("size", type_=Integer())
ESCAPE = "/"
NUMBER = "number"
"""Which of the parents it was that a row was asked for."""


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


class Page(NamedTuple):
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


@dataclass(frozen=True)
class Shape:
    """All of a request but its values: requests of one shape are one statement."""

    source: FromClause
    parent: str | None
    order_by: str
    descending: bool
    backwards: bool
    places: tuple[str, ...]
    """`after` and `before`, where they are given."""
    conditions: tuple[tuple[str, str], ...]
    """Columns and operators."""
    is_restricted: bool
    """Whether private rows and names are hidden."""

    @classmethod
    def of(cls, source: FromClause, parent: str | None, request: PageRequest, view: View) -> "Shape":
        return cls(
            source,
            parent,
            request.order_by,
            request.descending,
            request.backwards,
            tuple(name for name in ("after", "before") if getattr(request, name) is not None),
            tuple((one.column, one.operator) for one in request.conditions),
            visibility.is_restricted(source, view),
        )

    def columns(self, source: FromClause, *more: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        """What is selected of the source, or of an alias of it, and what more."""
        return [*visibility.columns(source, restricted=self.is_restricted), *more]

    def ordering(self, source: FromClause) -> list[Any]:
        column = source.c[self.order_by]
        if self.descending != self.backwards:
            return [column.desc(), source.c.id.desc()]
        return [column.asc(), source.c.id.asc()]

    def where(self, dialect: str) -> Iterator[ColumnElement[bool]]:
        """What meets the conditions, and may be seen."""
        if self.is_restricted:
            yield visibility.visible(self.source, dialect)
        for place, (name, operator) in enumerate(self.conditions):
            column = self._compared(name, operator)
            yield _compared(dialect, column, Condition(name, operator, f"value_{place}"))

    def _compared(self, name: str, operator: str) -> ColumnElement[Any]:
        """What a condition looks at: never more than the caller sees of the column."""
        column: ColumnElement[Any] = self.source.c[name]
        if self.is_restricted:
            column = visibility.visible_column(column)
        return _folded(self.source, name, column) if operator == "contains" else column

    def within(self, dialect: str) -> Iterator[ColumnElement[bool]]:
        """That, and what lies between the places."""
        yield from self.where(dialect)
        column, identity = self.source.c[self.order_by], self.source.c.id
        for name in self.places:
            place, its_id = bindparam(name, type_=column.type), bindparam(f"{name}_id", type_=identity.type)
            if (name == "after") != self.descending:
                yield or_(column > place, and_(column == place, identity > its_id))
            else:
                yield or_(column < place, and_(column == place, identity < its_id))


def _compared(dialect: str, column: ColumnElement[Any], condition: Condition) -> ColumnElement[bool]:
    """The condition, whose value is the name of the parameter that holds it."""
    name = condition.value
    match condition.operator:
        case "eq":
            return column == bindparam(name, type_=column.type)
        case "in":
            return among(dialect, column, many(name, column))
        case "contains":
            return column.like(bindparam(name, type_=Text()), escape=ESCAPE)
        case "has":
            return cast(column, Text).like(bindparam(name, type_=Text()), escape=ESCAPE)
        case "gte":
            return column >= bindparam(name, type_=column.type)
        case _:
            return column < bindparam(name, type_=column.type)


def _folded(source: FromClause, name: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Names are looked for by their key: the databases know the case of other letters than A to Z, if at all."""
    folded = source.c.get(f"{name}_key")
    return func.lower(column) if folded is None else folded


def _values(source: FromClause, request: PageRequest, view: View) -> dict[str, Any]:
    """Of all parameters but the parents; raises Invalid for a cursor that can't be a place here."""
    found = {f"value_{place}": _sought(source, one) for place, one in enumerate(request.conditions)}
    for name, cursor in (("after", request.after), ("before", request.before)):
        if cursor is not None:
            value, found[f"{name}_id"] = _place(cursor, request, name)
            found[name] = _bound(source.c[request.order_by], value, name)
    return found | {"size": request.size + 1} | visibility.parameters(view)


def _sought(source: FromClause, condition: Condition) -> Any:
    match condition.operator:
        case "contains":
            by_key = f"{condition.column}_key" in source.c
            return _anywhere(key(condition.value) if by_key else condition.value.lower())
        case "has":
            return _anywhere(str(condition.value))
        case _:
            return condition.value


def _anywhere(text: str) -> str:
    """A pattern for LIKE."""
    for special in (ESCAPE, "%", "_"):
        text = text.replace(special, ESCAPE + special)
    return f"%{text}%"


async def root(session: Session, source: Table, request: PageRequest, view: View) -> Page:
    """One page of a whole table."""
    question = _root(Shape.of(source, None, request, view))
    return _page(await session.ask(question, **_values(source, request, view)), request)


@lru_cache(SHAPES)
def _root(shape: Shape) -> Question:
    def build(dialect: str) -> Select[Any]:
        statement = select(*shape.columns(shape.source)).where(*shape.within(dialect))
        return statement.order_by(*shape.ordering(shape.source)).limit(SIZE)

    return Question(build, shape.source, [], beside_id=shape.order_by)


async def of_parents(
    session: Session, source: Table, parent: str, parents: Sequence[UUID], request: PageRequest, view: View
) -> dict[UUID, Page]:
    """A page for each parent; one statement for all."""
    question = _of_parents(Shape.of(source, parent, request, view))
    found = dict.fromkeys(parents, _page([], request))
    rows = await session.ask(question, parents=parents, **_values(source, request, view))
    first = 1 if session.dialect == "postgresql" else 0
    for number, its_rows in groupby(rows, attrgetter(NUMBER)):  # they come in the order of their parents
        found[parents[number - first]] = _page([*its_rows], request)
    return found


@lru_cache(SHAPES)
def _of_parents(shape: Shape) -> Question:
    def build(dialect: str) -> Select[Any]:
        parent = shape.source.c[shape.parent or ""]
        if dialect == "postgresql":
            return _each_looked_up(shape, parent)
        return _picked(shape, parent) if isinstance(shape.source, Table) else _numbered(shape, parent)

    return Question(build, shape.source, [NUMBER], beside_id=shape.order_by)


def _each_looked_up(shape: Shape, parent: ColumnElement[Any]) -> Select[Any]:
    """Reads no more of a parent's rows than its page holds, where an index knows their order."""
    wanted = func.unnest(many("parents", parent)).table_valued("parent", with_ordinality=NUMBER).render_derived()
    picked: FromClause = (
        select(*shape.columns(shape.source))
        .where(cast(wanted.c.parent, parent.type) == parent, *shape.within("postgresql"))
        .order_by(*shape.ordering(shape.source))
        .limit(SIZE)
        .lateral()
    )
    joined = select(picked, wanted.c[NUMBER]).select_from(wanted.join(picked, true()))
    return joined.order_by(wanted.c[NUMBER], *shape.ordering(picked))


def _picked(shape: Shape, parent: ColumnElement[Any]) -> Select[Any]:
    """The same without a lateral join, which SQLite does not know: the ids of a page are looked up before its rows."""
    wanted = _listed(parent)
    mine = and_(wanted.c.value == parent, *shape.within("sqlite"))
    ids = select(shape.source.c.id).where(mine).order_by(*shape.ordering(shape.source)).limit(SIZE)
    whole = shape.source.alias()
    chosen = whole.c.id.in_(ids.correlate(wanted))
    return (
        select(*shape.columns(whole, wanted.c.key.label(NUMBER)))
        .select_from(wanted.join(whole, chosen))
        .order_by(wanted.c.key, *shape.ordering(whole))
    )


def _numbered(shape: Shape, parent: ColumnElement[Any]) -> Select[Any]:
    """Numbers the rows of each parent, where an id may be there for several of them."""
    wanted = _listed(parent)
    place = func.row_number().over(partition_by=wanted.c.key, order_by=shape.ordering(shape.source))
    numbered = (
        select(*shape.columns(shape.source, wanted.c.key.label(NUMBER), place.label("place")))
        .select_from(wanted.join(shape.source, wanted.c.value == parent))
        .where(*shape.within("sqlite"))
        .subquery()
    )
    kept = select(numbered).where(numbered.c.place <= SIZE)
    return kept.order_by(numbered.c[NUMBER], numbered.c.place)


def _listed(parent: ColumnElement[Any]) -> Any:
    return func.json_each(many("parents", parent)).table_valued(sql_column("key", Integer), "value")


def _page(found: Sequence[Any], request: PageRequest) -> Page:
    more = len(found) > request.size
    rows = found[: request.size] if more else found
    if request.backwards:
        return Page(rows[::-1], has_next=request.before is not None, has_previous=more)
    return Page(rows, has_next=more, has_previous=request.after is not None)


async def count(session: Session, source: Table, request: PageRequest, view: View) -> int:
    (row,) = await session.ask(_count(Shape.of(source, None, request, view)), **_values(source, request, view))
    return int(row.number)


@lru_cache(SHAPES)
def _count(shape: Shape) -> Question:
    def build(dialect: str) -> Select[Any]:
        return select(func.count().label("number")).select_from(shape.source).where(*shape.where(dialect))

    return Question(build)


async def counts(
    session: Session, source: Table, parent: str, parents: Sequence[UUID], request: PageRequest, view: View
) -> dict[UUID, int]:
    question = _counts(Shape.of(source, parent, request, view))
    found = await session.ask(question, parents=parents, **_values(source, request, view))
    return dict.fromkeys(parents, 0) | {row.parent: row.number for row in found}


@lru_cache(SHAPES)
def _counts(shape: Shape) -> Question:
    def build(dialect: str) -> Any:
        parent = shape.source.c[shape.parent or ""]
        return (
            select(parent.label("parent"), func.count().label("number"))
            .where(among(dialect, parent, many("parents", parent)), *shape.where(dialect))
            .group_by(parent)
        )

    return Question(build)
