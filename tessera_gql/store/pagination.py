"""Keyset pagination: pages of a table, or of many parents' rows with one statement, and their total counts.

A page is ordered by one column that is never null, then by id. A cursor holds the sort key of a row, so rows inserted
or deleted elsewhere do not shift pages.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count as count_up
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, Select, Table, bindparam, select

from tessera_gql.errors import Invalid
from tessera_gql.policy.visibility import UNRESTRICTED, Visibility
from tessera_gql.store.compiled import PreparedQuery, list_parameter
from tessera_gql.store.conditions import (
    AnyCondition,
    LeafShape,
    Shape,
    build_clauses,
    build_condition,
    list_leaves,
    shapes_of,
    to_parameters,
)
from tessera_gql.store.cursors import decode_cursor, to_column_value
from tessera_gql.store.related_matches import mark_frequent
from tessera_gql.store.session import Session
from tessera_gql.store.text_matches import MAX_COUNT_SHARE, MAX_PAGE_SHARE, use_text_index
from tessera_gql.store.visibility import (
    is_restricted,
    visibility_condition,
    visibility_parameters,
    visible_column,
    visible_columns,
)

DEFAULT_SIZE = 20
MAX_SIZE = 100
MAX_COUNT = 10_000
"""Rows of a list that are counted; of a longer list only that it has more is known."""
MAX_CACHED_SHAPES = 500
"""Prepared queries that each of the caches below holds."""
SIZE: sa.BindParameter[int] = bindparam("size", type_=sa.Integer())
MAX_FEW_PARENTS = 20
"""Parents whose rows in a view SQLite finds by their keys, one by one, instead of reading all rows of the view."""
PARENT_INDEX = "number"
"""Column of the results with the index of a row's parent in the list of parents."""


@dataclass(frozen=True)
class PageRequest:
    """The arguments of a connection field; hashable, so that equal requests of many parents share one statement."""

    order_by: str
    is_descending: bool = False
    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None
    conditions: tuple[AnyCondition, ...] = ()

    @property
    def size(self) -> int:
        if self.last is not None:
            return self.last
        return DEFAULT_SIZE if self.first is None else self.first

    @property
    def is_backward(self) -> bool:
        return self.last is not None


class Page(NamedTuple):
    """The rows of one page, in the order of the list."""

    rows: Sequence[Any]
    has_next: bool
    has_previous: bool


def validate_request(request: PageRequest) -> PageRequest:
    """Return the request; raise Invalid if its size or a cursor is invalid."""
    if request.first is not None and request.last is not None:
        raise Invalid("Ask for `first` or `last`, not both: a page is read in one direction.", field=("last",))
    if not 0 <= request.size <= MAX_SIZE:
        name = "last" if request.is_backward else "first"
        raise Invalid(f"`{name}` is {request.size}; a page holds 0 to {MAX_SIZE} items.", field=(name,))
    for name, cursor in (("after", request.after), ("before", request.before)):
        if cursor is not None:
            decode_cursor(cursor, request.order_by, name)
    return request


@dataclass(frozen=True)
class QueryShape:
    """A request without its values: requests of one shape share one statement."""

    source: FromClause
    parent: str | None
    order_by: str
    is_descending: bool
    is_backward: bool
    bounds: tuple[str, ...]
    """Which of `after` and `before` the request has."""
    conditions: tuple[Shape, ...]
    """The conditions without their values."""
    is_restricted: bool
    """Whether private rows and names are hidden."""
    prefix: str = ""
    """Start of the names of its parameters, where several lists are read with one statement."""
    is_long: bool = False
    """Whether more than MAX_COUNT rows were counted lately, so that they are not counted."""
    has_few_parents: bool = False
    """Whether there are MAX_FEW_PARENTS at most, and the rows are those of a view on SQLite."""
    counted_conditions: tuple[Shape, ...] | None = None
    """The conditions of a count in the same statement, if it finds texts in another way than the page."""

    @classmethod
    def public(cls, source: FromClause, parent: str | None, request: PageRequest, prefix: str) -> "QueryShape":
        """Return the shape of a request for rows that all callers may see."""
        return replace(cls.of(source, parent, request, UNRESTRICTED), prefix=prefix)

    @classmethod
    def of(cls, source: FromClause, parent: str | None, request: PageRequest, visibility: Visibility) -> "QueryShape":
        return cls(
            source,
            parent,
            request.order_by,
            request.is_descending,
            request.is_backward,
            tuple(name for name in ("after", "before") if getattr(request, name) is not None),
            shapes_of(request.conditions),
            is_restricted(source, visibility),
        )

    def columns(self, source: FromClause, *extra: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        """Return the columns to select from the source, or from an alias of it, followed by extra ones."""
        return [*visible_columns(source, restricted=self.is_restricted), *extra]

    def ordering(self, source: FromClause) -> list[Any]:
        column = source.c[self.order_by]
        if self.is_descending != self.is_backward:
            return [column.desc(), source.c.id.desc()]
        return [column.asc(), source.c.id.asc()]

    def filters(self, dialect: str) -> Iterator[ColumnElement[bool]]:
        """Build the WHERE clauses for the visibility of rows and for the conditions."""
        if self.has_few_parents:
            parent = self.source.c[self.parent or ""]
            keys = list_parameter("parents", parent)
            # SQLite passes only a list of constants on into a view with window functions, not one that it selects.
            items = (sa.func.json_extract(keys, sa.literal_column(f"'$[{i}]'")) for i in range(MAX_FEW_PARENTS))
            yield parent.in_([*items])
        if self.is_restricted:
            yield visibility_condition(self.source, dialect)
        names = map(f"{self.prefix}value_{{}}".format, count_up())

        def build_leaf(leaf: LeafShape) -> ColumnElement[bool]:
            return build_condition(dialect, self.source, self._filtered_column(leaf.column), leaf, next(names))

        yield from build_clauses(self.conditions, build_leaf)

    def _filtered_column(self, name: str) -> ColumnElement[Any]:
        """Return the column that a condition compares, masked as the caller sees it."""
        column: ColumnElement[Any] = self.source.c[name]
        return visible_column(column) if self.is_restricted else column

    def bounded_rows(self, dialect: str, *is_of_parent: ColumnElement[bool]) -> FromClause:
        """Build the rows to count, MAX_COUNT + 1 at most: so many rows are read, however many there are."""
        rows: Select[Any] = select(sa.literal_column("1").label("row")).select_from(self.source)
        conditions = self.conditions if self.counted_conditions is None else self.counted_conditions
        filters = replace(self, conditions=conditions).filters(dialect)
        rows = rows.where(*is_of_parent, *filters).limit(sa.literal_column(str(MAX_COUNT + 1)))
        return rows.correlate_except(self.source).subquery()

    def bounded_count(self, dialect: str, *is_of_parent: ColumnElement[bool]) -> ColumnElement[int]:
        """Build the number of rows, MAX_COUNT + 1 at most."""
        return select(sa.func.count()).select_from(self.bounded_rows(dialect, *is_of_parent)).scalar_subquery()

    def bounded_filters(self, dialect: str) -> Iterator[ColumnElement[bool]]:
        """Build the clauses of `filters` and those that bound the page by its cursors."""
        yield from self.filters(dialect)
        column, identity = self.source.c[self.order_by], self.source.c.id
        for name in self.bounds:
            bound = bindparam(f"{self.prefix}{name}", type_=column.type)
            bound_id = bindparam(f"{self.prefix}{name}_id", type_=identity.type)
            # Compared as a pair, because an index finds its position: with OR, all rows before it would be read.
            position, bound_position = sa.tuple_(column, identity), sa.tuple_(bound, bound_id)
            is_behind = (name == "after") != self.is_descending
            yield position > bound_position if is_behind else position < bound_position


def request_parameters(source: FromClause, request: PageRequest, prefix: str = "") -> dict[str, Any]:
    """Return the parameters of the conditions and cursors; raise Invalid for a cursor of another list."""
    values: dict[str, Any] = {}
    for index, condition in enumerate(list_leaves(request.conditions)):
        values |= to_parameters(source, condition, f"{prefix}value_{index}")
    for name, cursor in (("after", request.after), ("before", request.before)):
        if cursor is not None:
            value, values[f"{prefix}{name}_id"] = decode_cursor(cursor, request.order_by, name)
            values[f"{prefix}{name}"] = to_column_value(source.c[request.order_by], value, name)
    return values


def _bind_values(source: FromClause, request: PageRequest, visibility: Visibility) -> dict[str, Any]:
    """Return the values of all parameters but the parents; raise Invalid for a cursor of another list."""
    values = request_parameters(source, request)
    return values | {"size": request.size + 1} | visibility_parameters(visibility)


async def use_index(
    session: Session, source: FromClause, request: PageRequest, max_share: float = MAX_PAGE_SHARE
) -> PageRequest:
    """Return an equal request that finds texts by their index if no greater share of the rows contains them.

    On SQLite a page is also read in its order where many related rows meet a condition.
    """
    conditions = await use_text_index(session, source, request.conditions, max_share)
    if max_share == MAX_PAGE_SHARE:
        conditions = await mark_frequent(session, conditions)
    return request if conditions is request.conditions else replace(request, conditions=conditions)


async def load_page(session: Session, source: Table, request: PageRequest, visibility: Visibility) -> Page:
    """Load one page of a whole table."""
    request = await use_index(session, source, request)
    query = _page_query(QueryShape.of(source, None, request, visibility))
    return _to_page(await session.fetch(query, now=session.now, **_bind_values(source, request, visibility)), request)


@lru_cache(MAX_CACHED_SHAPES)
def _page_query(shape: QueryShape) -> PreparedQuery:
    def build(dialect: str) -> Select[Any]:
        statement = select(*shape.columns(shape.source)).where(*shape.bounded_filters(dialect))
        return statement.order_by(*shape.ordering(shape.source)).limit(SIZE)

    return PreparedQuery(build, shape.source, [], cursor_column=shape.order_by)


async def load_pages_by_parent(
    session: Session,
    source: sa.Table,
    parent: str,
    parents: Sequence[UUID],
    request: PageRequest,
    visibility: Visibility,
) -> dict[UUID, Page]:
    """Load a page for each parent with one statement."""
    request = await use_index(session, source, request)
    query = _parent_pages_query(_shape_for_parents(session, source, parent, len(parents), request, visibility))
    pages = dict.fromkeys(parents, _to_page([], request))
    rows = await session.fetch(query, now=session.now, parents=parents, **_bind_values(source, request, visibility))
    first = 1 if session.dialect == "postgresql" else 0
    for index, group in groupby(rows, attrgetter(PARENT_INDEX)):  # the statement orders the rows by parent
        pages[parents[index - first]] = _to_page([*group], request)
    return pages


def _shape_for_parents(
    session: Session, source: FromClause, parent: str, count: int, request: PageRequest, visibility: Visibility
) -> QueryShape:
    is_view = session.dialect == "sqlite" and not isinstance(source, sa.Table)
    shape = QueryShape.of(source, parent, request, visibility)
    return replace(shape, has_few_parents=is_view and count <= MAX_FEW_PARENTS)


@lru_cache(MAX_CACHED_SHAPES)
def _parent_pages_query(shape: QueryShape) -> PreparedQuery:
    def build(dialect: str) -> Select[Any]:
        parent = shape.source.c[shape.parent or ""]
        if dialect == "postgresql":
            return _lateral_query(shape, parent)
        return _id_subquery(shape, parent) if isinstance(shape.source, sa.Table) else _row_number_query(shape, parent)

    return PreparedQuery(build, shape.source, [PARENT_INDEX], cursor_column=shape.order_by)


def _lateral_query(shape: QueryShape, parent: ColumnElement[Any]) -> Select[Any]:
    """Select the pages with a lateral join, which stops at the end of a page where an index has the order."""
    ids = sa.func.unnest(list_parameter("parents", parent))
    parents = ids.table_valued("parent", with_ordinality=PARENT_INDEX).render_derived()
    page: FromClause = (
        select(*shape.columns(shape.source))
        .where(sa.cast(parents.c.parent, parent.type) == parent, *shape.bounded_filters("postgresql"))
        .order_by(*shape.ordering(shape.source))
        .limit(SIZE)
        .lateral()
    )
    joined = select(page, parents.c[PARENT_INDEX]).select_from(parents.join(page, sa.true()))
    return joined.order_by(parents.c[PARENT_INDEX], *shape.ordering(page))


def _id_subquery(shape: QueryShape, parent: ColumnElement[Any]) -> Select[Any]:
    """Select the ids of each page before its rows, since SQLite has no lateral joins."""
    parents = _parents_table(parent)
    condition = sa.and_(parents.c.value == parent, *shape.bounded_filters("sqlite"))
    ids = select(shape.source.c.id).where(condition).order_by(*shape.ordering(shape.source)).limit(SIZE)
    rows = shape.source.alias()
    is_on_page = rows.c.id.in_(ids.correlate(parents))
    return (
        select(*shape.columns(rows, parents.c.key.label(PARENT_INDEX)))
        .select_from(parents.join(rows, is_on_page))
        .order_by(parents.c.key, *shape.ordering(rows))
    )


def _row_number_query(shape: QueryShape, parent: ColumnElement[Any]) -> Select[Any]:
    """Number the rows of each parent, for a source in which several parents share an id."""
    parents = _parents_table(parent)
    position = sa.func.row_number().over(partition_by=parents.c.key, order_by=shape.ordering(shape.source))
    numbered = (
        select(*shape.columns(shape.source, parents.c.key.label(PARENT_INDEX), position.label("position")))
        .select_from(parents.join(shape.source, parents.c.value == parent))
        .where(*shape.bounded_filters("sqlite"))
        .subquery()
    )
    page = select(numbered).where(numbered.c.position <= SIZE)
    return page.order_by(numbered.c[PARENT_INDEX], numbered.c.position)


def _parents_table(parent: ColumnElement[Any]) -> Any:
    return sa.func.json_each(list_parameter("parents", parent)).table_valued(sa.column("key", sa.Integer), "value")


def _to_page(rows: Sequence[Any], request: PageRequest) -> Page:
    """Build a page without the extra row, which was read to learn whether more follow."""
    has_more = len(rows) > request.size
    rows = rows[: request.size] if has_more else rows
    if request.is_backward:
        return Page(rows[::-1], has_next=request.before is not None, has_previous=has_more)
    return Page(rows, has_next=has_more, has_previous=request.after is not None)


async def count(session: Session, source: sa.Table, request: PageRequest, visibility: Visibility) -> int:
    """Count the rows of a table that meet the request's conditions, MAX_COUNT + 1 of them at most."""
    name = (source, request.conditions)
    if not is_restricted(source, visibility) and name in session.long_lists:
        return MAX_COUNT + 1
    request = await use_index(session, source, request, MAX_COUNT_SHARE)
    shape = QueryShape.of(source, None, request, visibility)
    (row,) = await session.fetch(_count_query(shape), now=session.now, **_bind_values(source, request, visibility))
    if row.number > MAX_COUNT and not shape.is_restricted:
        session.long_lists.add(name)
    return int(row.number)


async def count_by_parent(
    session: Session,
    source: sa.Table,
    parent: str,
    parents: Sequence[UUID],
    request: PageRequest,
    visibility: Visibility,
) -> dict[UUID, int]:
    """Count the rows of each parent that meet the request's conditions, MAX_COUNT + 1 at most, with one statement."""
    request = await use_index(session, source, request, MAX_COUNT_SHARE)
    query = _count_query(_shape_for_parents(session, source, parent, len(parents), request, visibility))
    rows = await session.fetch(query, now=session.now, parents=parents, **_bind_values(source, request, visibility))
    first = 1 if session.dialect == "postgresql" else 0
    return {parents[getattr(row, PARENT_INDEX) - first]: row.count for row in rows}


@lru_cache(MAX_CACHED_SHAPES)
def _count_query(shape: QueryShape) -> PreparedQuery:
    def build(dialect: str) -> Any:
        if shape.parent is None:
            return select(shape.bounded_count(dialect).label("number"))
        parent = shape.source.c[shape.parent]
        parents: Any = _parents_table(parent)
        key, number = parents.c.value, parents.c.key
        if dialect == "postgresql":
            ids = sa.func.unnest(list_parameter("parents", parent))
            parents = ids.table_valued("parent", with_ordinality=PARENT_INDEX).render_derived()
            key, number = sa.cast(parents.c.parent, parent.type), parents.c[PARENT_INDEX]
        return select(number.label(PARENT_INDEX), shape.bounded_count(dialect, key == parent).label("count"))

    return PreparedQuery(build)
