"""Build the statement of a JSON tree, level by level.

The rows of a list are read once for all parents, with the rows that they refer to; a list with further lists within is
a materialized part of the statement, since their parents are its distinct rows. Then the rows of each parent are
joined to one text. So no part runs for more rows than the pages above it have: the rows of the root come first.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, Select, func, literal_column, select

from tessera_gql.store.compiled import expect_few, list_parameter
from tessera_gql.store.json_pages import (
    COUNT_LIMIT,
    PagePart,
    count_member,
    display_order,
    empty_part,
    has_rows,
    have_count,
    is_counted,
    is_long,
    needs_position,
)
from tessera_gql.store.json_text import (
    JSON_TEXT,
    Piece,
    concatenate,
    constant,
    flag,
    label_members,
    leaf,
    or_null,
    quote,
)
from tessera_gql.store.json_trees import (
    Constant,
    CursorMember,
    Edges,
    GlobalId,
    Items,
    JsonList,
    JsonObject,
    Leaf,
    ListMember,
    PageInfo,
    PageMember,
    RelatedObject,
    TotalCount,
    is_never_null,
)
from tessera_gql.store.lookups import RowLookup
from tessera_gql.store.pagination import QueryShape

NO_COUNT = literal_column("NULL", sa.Integer())
KEYS, KEY = "keys", "key"
"""The parameters with the keys of a statement, or with its only key."""
NUMBER, TEXT = "number", "text"
"""The columns of the results: the index of the key, and the JSON text."""


def size_token(number: int, *, with_next: bool = False) -> str:
    """Return the placeholder of the size of a page, or of the size with one more row.

    It becomes a number before the text is sent: PostgreSQL plans a LIMIT that is a parameter anew for each execution.
    """
    return f"@{'limit' if with_next else 'size'}{number}@"


class StatementBuilder:
    """Builds the statement of one tree for one dialect and the shapes of its lists."""

    def __init__(self, dialect: str, shapes: Sequence[QueryShape], *, has_single_key: bool = False) -> None:
        self.dialect = dialect
        self.has_single_key = has_single_key
        self.text = JSON_TEXT[dialect]
        self.shapes = shapes

    def whole_list(self, tree: JsonList) -> Select[Any]:
        """Select the text of a page of all rows."""
        if has_rows(tree, self.shapes[tree.number]):
            return self.page(tree, None)
        parts = [*self._empty_members(tree)]
        if not have_count(parts):
            return _select_text(concatenate(self._with_count(parts)))
        text = concatenate(self._with_count(parts, func.count()))
        return _select_text(text).add_columns(is_long(func.count())).select_from(self._counted_rows(tree))

    def lists_by_key(self, tree: JsonList) -> Select[Any]:
        """Select the text of a page for each parent."""
        keys = self._keys(tree.source.c[cast("str", tree.parent)])
        empty = self.empty_page(tree, keys.c.key)
        if not has_rows(tree, self.shapes[tree.number]):
            return _select_text(empty, keys.c.number).select_from(keys)
        page = self.page(tree, keys).cte(f"page_{tree.number}")
        joined = keys.outerjoin(page, page.c.page_parent == keys.c.key)
        return _select_text(func.coalesce(page.c.text, empty), keys.c.number).select_from(joined)

    def objects_by_key(self, lookup: RowLookup, tree: JsonObject) -> Select[Any]:
        """Select the text of the object that the lookup finds for each key."""
        keys, row = self._keys(lookup.column), lookup.table.alias()
        level = _Level(row, keys.join(row, lookup.join(row, keys.c.key)))
        level.add(tree, row, "")
        rows: FromClause = self._materialize(level.select(keys.c.number.label("key_number")), "root", tree)
        composer = _Composer(self, rows, rows, level.prefixes)
        text = concatenate(composer.object(tree, lookup.table, ""))
        return _select_text(text, rows.c.key_number.label(NUMBER)).select_from(composer.joined)

    def _keys(self, column: ColumnElement[Any]) -> FromClause:
        """Return the keys of the statement with their indexes.

        Within a subquery, their number is unknown to PostgreSQL, whose estimate is then the same for all executions: so
        it keeps the plan instead of making a new one each time, which takes longer than the execution.
        """
        if self.has_single_key:
            first = literal_column("1" if self.dialect == "postgresql" else "0", sa.Integer())
            return select(first.label(NUMBER), sa.bindparam(KEY, type_=column.type).label("key")).cte("keys")
        values = list_parameter(KEYS, column)
        if self.dialect == "postgresql":
            listed = (
                func.unnest(select(values).scalar_subquery())
                .table_valued("key", with_ordinality=NUMBER)
                .render_derived()
            )
            key = sa.cast(listed.c.key, column.type)
        else:
            listed = func.json_each(values).table_valued(sa.column("key", sa.Integer), sa.column("value", column.type))
            return select(listed.c.key.label(NUMBER), listed.c.value.label("key")).cte("keys")
        return select(listed.c.number, key.label("key")).cte("keys")

    def _materialize(self, rows: Select[Any], name: str, *trees: JsonObject) -> FromClause:
        if not any(tree.has_lists() for tree in trees):
            return rows.subquery(name)
        return rows.cte(name).prefix_with("MATERIALIZED")

    def page(self, tree: JsonList, keys: FromClause | None) -> Select[Any]:
        """Select the text of a page for each key as `page_parent`, or of all rows without keys."""
        shape, has_position = self.shapes[tree.number], needs_position(tree, self.shapes[tree.number])
        level, row = self._page_level(tree, keys, has_position=has_position)
        level.columns |= {"page_order": row.c[shape.order_by], "id": row.c.id}
        for item in tree.objects():
            level.add(item, row, "")
        parent = [] if keys is None else [keys.c.key]
        extra = [column.label("page_parent") for column in parent]
        if has_position:
            extra.append(
                func.row_number().over(partition_by=parent, order_by=shape.ordering(row)).label("page_position")
            )
        if tree.page_members() & {PageMember.START, PageMember.END}:
            extra.append(func.count().over(partition_by=parent).label("page_row_count"))
        rows = self._materialize(level.select(*extra), f"rows_{tree.number}", *tree.objects())
        order = display_order(rows, shape, by_position=has_position)
        ordered = rows
        if self.dialect == "sqlite":
            ordered = (
                select(rows).order_by(*[rows.c.page_parent for _ in parent], *order).subquery(f"list_{tree.number}")
            )
            order = []
        composer = _Composer(self, ordered, rows, level.prefixes)
        parents = [] if keys is None else [ordered.c.page_parent]
        return self._page_text(tree, [*composer.page(tree, order)], parents, composer.joined)

    def _page_text(
        self, tree: JsonList, parts: Sequence[PagePart], parents: Sequence[ColumnElement[Any]], rows: FromClause
    ) -> Select[Any]:
        """Select the text of the page of each parent, whose count is a column, since several members may need it."""
        if not have_count(parts):
            return _select_text(concatenate(self._with_count(parts)), *parents).select_from(rows).group_by(*parents)
        count = select(func.count()).select_from(self._counted_rows(tree, *parents)).scalar_subquery()
        texts = [part.label(f"page_{index}") for index, part in enumerate(parts) if isinstance(part, ColumnElement)]
        page = select(*parents, count.label("page_count"), *texts).select_from(rows).group_by(*parents).subquery()
        columns = (page.c[f"page_{i}"] if isinstance(part, ColumnElement) else part for i, part in enumerate(parts))
        text = concatenate(self._with_count(columns, page.c.page_count))
        selected = _select_text(text, *(page.c[parent.name] for parent in parents))
        return selected if parents else selected.add_columns(is_long(page.c.page_count))

    def _page_level(
        self, tree: JsonList, keys: FromClause | None, *, has_position: bool
    ) -> tuple["_Level", FromClause]:
        """Return the level with the rows of a page for each key, and the rows, without order."""
        source = tree.source.alias()
        shape = replace(self.shapes[tree.number], source=source)
        limit: Any = literal_column(size_token(tree.number, with_next=has_position), sa.Integer())
        filters = [*shape.bounded_filters(self.dialect)]
        columns = [source.c[name] for name in sorted(tree.columns(shape.order_by))]
        if keys is None:
            page: FromClause = (
                select(*columns).where(*filters).order_by(*shape.ordering(source)).limit(limit).subquery()
            )
            return _Level(page, page), page
        is_of_parent = source.c[cast("str", tree.parent)] == keys.c.key
        if self.dialect == "postgresql":
            selected = select(*columns).where(is_of_parent, *filters).order_by(*shape.ordering(source)).limit(limit)
            page = selected.correlate(keys).lateral()
            return _Level(page, keys.join(page, sa.true())), page
        if isinstance(tree.source, sa.Table):
            ids = select(source.c.id).where(is_of_parent, *filters).order_by(*shape.ordering(source)).limit(limit)
            page = tree.source.alias()
            return _Level(page, keys.join(page, page.c.id.in_(ids.correlate(keys)))), page
        number = func.row_number().over(partition_by=keys.c.key, order_by=shape.ordering(source)).label("page_rank")
        ranked = select(*columns, keys.c.key.label("page_key"), number).select_from(keys.join(source, is_of_parent))
        page = ranked.where(expect_few(keys.c.key), *filters).subquery()
        return _Level(page, keys.join(page, sa.and_(page.c.page_key == keys.c.key, page.c.page_rank <= limit))), page

    def empty_page(self, tree: JsonList, key: ColumnElement[Any]) -> ColumnElement[str]:
        """Return the text of a page without rows."""
        parts = [*self._empty_members(tree)]
        if not have_count(parts):
            return concatenate(self._with_count(parts))
        rows = self._counted_rows(tree, key)
        return select(concatenate(self._with_count(parts, func.count()))).select_from(rows).scalar_subquery()

    def _empty_members(self, tree: JsonList) -> Iterator[PagePart]:
        shape = self.shapes[tree.number]
        yield "{"
        for label, member in label_members(tree.members):
            yield label
            match member:
                case Constant(text):
                    yield quote(text)
                case TotalCount():
                    yield count_member(member, shape)
                case PageInfo(parts):
                    values = (f"{quote(part_name)}:{empty_part(part, shape)}" for part_name, part in parts)
                    yield "{" + ",".join(values) + "}"
                case Items() | Edges():
                    yield "[]"
        yield "}"

    def _with_count(self, parts: Iterable[PagePart], count: ColumnElement[int] = NO_COUNT) -> Iterator[Piece]:
        for part in parts:
            match part:
                case TotalCount.TOTAL:
                    yield self.text.number(sa.case((count > COUNT_LIMIT, COUNT_LIMIT), else_=count))
                case TotalCount.IS_EXACT:
                    yield flag(count <= COUNT_LIMIT)
                case _:
                    yield part

    def _counted_rows(self, tree: JsonList, *keys: ColumnElement[Any]) -> FromClause:
        """Build the rows of the whole list, or of the list of a key."""
        source = tree.source.alias()
        is_of_parent = [source.c[cast("str", tree.parent)] == key for key in keys]
        return replace(self.shapes[tree.number], source=source).bounded_rows(self.dialect, *is_of_parent)


class _Level:
    """The rows of one list or lookup, joined to the rows that they refer to."""

    def __init__(self, row: FromClause, joined: FromClause) -> None:
        self.row = row
        self.joined = joined
        self.columns: dict[str, ColumnElement[Any]] = {}
        self.prefixes: dict[RelatedObject, str] = {}
        """For each related object the start of the labels of its columns."""

    def add(self, tree: JsonObject, row: FromClause, prefix: str) -> None:
        """Add the columns that an object reads, and the rows of its relations."""
        for _, member in tree.members:
            match member:
                case Leaf(column):
                    self.columns[prefix + column] = row.c[column]
                case GlobalId():
                    self.columns[f"{prefix}id"] = row.c.id
                case JsonList(key=key):
                    self.columns[prefix + key] = row.c[key]
                case RelatedObject(key, lookup, target):
                    related, related_prefix = lookup.table.alias(), f"r{len(self.prefixes)}_"
                    self.prefixes[member] = related_prefix
                    self.joined = self.joined.outerjoin(related, lookup.join(related, row.c[key]))
                    self.columns[f"{related_prefix}id"] = related.c.id
                    self.add(target, related, related_prefix)
                case Constant():
                    pass

    def select(self, *extra: ColumnElement[Any]) -> Select[Any]:
        columns = (column.label(label) for label, column in self.columns.items())
        return select(*extra, *columns).select_from(self.joined)


class _Composer:
    """Composes the text of the rows of a level, and joins the pages within them."""

    def __init__(
        self, builder: StatementBuilder, rows: FromClause, parents: FromClause, prefixes: Mapping[RelatedObject, str]
    ) -> None:
        self.builder = builder
        self.text = builder.text
        self.rows = rows
        self.parents = parents
        self.prefixes = prefixes
        self.joined = rows

    def object(self, tree: JsonObject, source: FromClause, prefix: str) -> Iterator[Piece]:
        yield "{"
        for label, member in label_members(tree.members):
            yield label
            match member:
                case Constant(text):
                    yield quote(text)
                case GlobalId(type_name):
                    yield from ('"', self.text.global_id(type_name, self.rows.c[f"{prefix}id"]), '"')
                case Leaf(column):
                    value = self.rows.c[prefix + column]
                    yield from leaf(self.text, value, is_nullable=not is_never_null(source, column))
                case RelatedObject():
                    yield from self._related_object(member, self.prefixes[member])
                case JsonList():
                    yield self._list(member, prefix + member.key)
        yield "}"

    def _related_object(self, relation: RelatedObject, prefix: str) -> Iterator[Piece]:
        pieces = self.object(relation.target, relation.lookup.table, prefix)
        if relation.is_nullable:
            is_there = self.rows.c[f"{prefix}id"].is_not(None)
            yield sa.case((is_there, concatenate(pieces)), else_=constant("null"))
        else:
            yield from pieces

    def _list(self, tree: JsonList, key: str) -> ColumnElement[str]:
        """Join the pages of a list and return the text of the one for a row."""
        empty = self.builder.empty_page(tree, self.rows.c[key])
        if not has_rows(tree, self.builder.shapes[tree.number]):
            return empty
        column = self.parents.c[key]
        keys = select(column.label("key")).where(column.is_not(None)).distinct().subquery(f"keys_{tree.number}")
        page = self.builder.page(tree, keys).cte(f"page_{tree.number}")
        self.joined = self.joined.outerjoin(page, page.c.page_parent == self.rows.c[key])
        return func.coalesce(page.c.text, empty)

    def page(self, tree: JsonList, order: Sequence[Any]) -> Iterator[PagePart]:
        shape = self.builder.shapes[tree.number]
        yield "{"
        for label, member in label_members(tree.members):
            yield label
            yield from self._page_member(tree, member, shape, order)
        yield "}"

    def _page_member(
        self, tree: JsonList, member: ListMember, shape: QueryShape, order: Sequence[Any]
    ) -> Iterator[PagePart]:
        match member:
            case Constant(text):
                yield quote(text)
            case TotalCount():
                yield count_member(member, shape)
            case Items(item):
                yield from self._array(tree, shape, self.object(item, tree.source, ""), order)
            case Edges():
                yield from self._array(tree, shape, self._edge(tree, member, shape), order)
            case PageInfo(parts):
                yield "{"
                for label, part in label_members(parts):
                    yield label
                    yield quote(part.text) if isinstance(part, Constant) else self._page_part(tree, part, shape)
                yield "}"

    def _array(self, tree: JsonList, shape: QueryShape, item: Iterator[Piece], order: Sequence[Any]) -> Iterator[Piece]:
        only = self._is_on_page(tree) if needs_position(tree, shape) else None
        yield from ("[", func.coalesce(self.text.array(concatenate(item), order, only), constant("")), "]")

    def _edge(self, tree: JsonList, edges: Edges, shape: QueryShape) -> Iterator[Piece]:
        yield "{"
        for label, part in label_members(edges.members):
            yield label
            match part:
                case Constant(text):
                    yield quote(text)
                case CursorMember():
                    yield from ('"', self._cursor(shape), '"')
                case JsonObject():
                    yield from self.object(part, tree.source, "")
        yield "}"

    def _cursor(self, shape: QueryShape) -> ColumnElement[str]:
        return self.text.cursor(shape.order_by, self.rows.c.page_order, self.rows.c.id)

    def _page_part(self, tree: JsonList, part: PageMember, shape: QueryShape) -> Piece:
        """Return a member of `pageInfo`; there is one row more than the page has if another page follows."""
        size = literal_column(size_token(tree.number), sa.Integer())
        match part:
            case PageMember.HAS_NEXT | PageMember.HAS_PREVIOUS:
                return flag(func.count() > size) if is_counted(part, shape) else empty_part(part, shape)
            case PageMember.START | PageMember.END:
                last = sa.case((self.rows.c.page_row_count < size, self.rows.c.page_row_count), else_=size)
                is_first = (part is PageMember.START) is not shape.is_backward
                is_there = self.rows.c.page_position == (literal_column("1", sa.Integer()) if is_first else last)
                quoted = concatenate(['"', self._cursor(shape), '"'])
                return or_null(func.max(sa.case((sa.and_(is_there, self._is_on_page(tree)), quoted))))

    def _is_on_page(self, tree: JsonList) -> ColumnElement[bool]:
        return self.rows.c.page_position <= literal_column(size_token(tree.number), sa.Integer())


def _select_text(text: ColumnElement[Any], *keys: ColumnElement[Any]) -> Select[Any]:
    columns: list[ColumnElement[Any]] = [*keys, text.label(TEXT)]
    return select(*columns)
