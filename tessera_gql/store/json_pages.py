"""What the members of a page depend on: its rows, one row more, or the cursors of the request alone."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, FromClause, Integer, literal_column

from tessera_gql.store.json_text import Piece, quote
from tessera_gql.store.json_trees import Constant, Edges, Items, JsonList, PageMember, TotalCount
from tessera_gql.store.pagination import MAX_COUNT, QueryShape

IS_LONG = "is_long"
"""The column of the results that says whether a whole list has more rows than are counted."""
COUNT_LIMIT = literal_column(str(MAX_COUNT), Integer())
PagePart: TypeAlias = Piece | TotalCount
"""A part of the text of a page; its count is inserted later."""


def is_counted(part: PageMember, shape: QueryShape) -> bool:
    """Whether the rows decide if more follow in this direction; otherwise the cursors of the request do."""
    return (part is PageMember.HAS_PREVIOUS) is shape.is_backward


def empty_part(part: Constant | PageMember, shape: QueryShape) -> str:
    """Return a member of `pageInfo` as far as it does not depend on rows."""
    match part:
        case Constant(text):
            return quote(text)
        case PageMember.START | PageMember.END:
            return "null"
        case _:
            bound = "before" if part is PageMember.HAS_NEXT else "after"
            return "true" if not is_counted(part, shape) and bound in shape.bounds else "false"


def count_member(member: TotalCount, shape: QueryShape) -> str | TotalCount:
    """Return the text of a count that is known, or the member."""
    if not shape.is_long:
        return member
    return str(MAX_COUNT) if member is TotalCount.TOTAL else "false"


def needs_position(tree: JsonList, shape: QueryShape) -> bool:
    """Whether the page must know its first and last row, and whether one more follows."""
    return any(part in {PageMember.START, PageMember.END} or is_counted(part, shape) for part in tree.page_members())


def has_rows(tree: JsonList, shape: QueryShape) -> bool:
    """Whether the page depends on its rows; a group without aggregates would be lost, or be one text for each row."""
    return needs_position(tree, shape) or any(isinstance(member, Items | Edges) for _, member in tree.members)


def have_count(parts: Sequence[PagePart]) -> bool:
    """Whether the text of a page has a count that is not known."""
    return any(isinstance(part, TotalCount) for part in parts)


def is_long(count: ColumnElement[int]) -> ColumnElement[bool]:
    """Build the column that says whether a list has more rows than are counted."""
    return (count > COUNT_LIMIT).label(IS_LONG)


def display_order(rows: FromClause, shape: QueryShape, *, by_position: bool) -> list[Any]:
    """Return the order of the list, also of a page that was read backward."""
    if by_position:
        return [rows.c.page_position.desc() if shape.is_backward else rows.c.page_position.asc()]
    columns = (rows.c.page_order, rows.c.id)
    return [column.desc() if shape.is_descending else column.asc() for column in columns]
