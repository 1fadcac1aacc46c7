"""Trees of the JSON that one statement can build: which columns, related rows and lists an object has.

A tree names no caller and holds no values. It can't read tables whose rows depend on the caller.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias, cast

import sqlalchemy as sa
from sqlalchemy import FromClause
from sqlalchemy.sql import visitors

from tessera_gql.store.lookups import RowLookup
from tessera_gql.store.tables import UTCDateTime
from tessera_gql.store.visibility import VISIBILITY_CONDITIONS

MAX_LISTS = 12
"""Maximum lists in a tree, each of which is a part of the statement."""
MAX_RELATIONS = 24
"""Maximum related objects in a tree, each of which is a join."""
MAX_RELATION_DEPTH = 5
"""Maximum related objects within each other, whose expressions are nested: the parser of SQLite has a small stack."""
MAX_MEMBERS = 200


class NotPushable(Exception):  # noqa: N818 - a refusal: the loaders read it
    """The database can't build this part of a reply; the message says why."""


@dataclass(frozen=True)
class Constant:
    """A text that is the same for all objects."""

    text: str


@dataclass(frozen=True)
class Leaf:
    """The value of a column."""

    column: str


@dataclass(frozen=True)
class GlobalId:
    """The id of the row as a global id of the type."""

    type_name: str


class CursorMember(StrEnum):
    """The cursor of an item of a list."""

    CURSOR = "cursor"


class PageMember(StrEnum):
    """The members of the position of a page in its list."""

    HAS_NEXT = "has_next_page"
    HAS_PREVIOUS = "has_previous_page"
    START = "start_cursor"
    END = "end_cursor"


@dataclass(frozen=True, eq=False)
class RelatedObject:
    """The object of the row that the lookup finds by the value of the column `key`; null if there is none."""

    key: str
    lookup: RowLookup
    target: "JsonObject"
    is_nullable: bool


@dataclass(frozen=True)
class Items:
    """The rows of a page, each as an object."""

    item: "JsonObject"


@dataclass(frozen=True)
class Edges:
    """The rows of a page, each as an object with its cursor and the item."""

    members: "tuple[tuple[str, Constant | CursorMember | JsonObject], ...]"


@dataclass(frozen=True)
class PageInfo:
    members: tuple[tuple[str, Constant | PageMember], ...]


class TotalCount(StrEnum):
    """The number of rows in the whole list as far as they are counted, or whether these are all."""

    TOTAL = "total"
    IS_EXACT = "is_exact"


ListMember: TypeAlias = Constant | Items | Edges | PageInfo | TotalCount


@dataclass(frozen=True, eq=False)
class JsonList:
    """A page of the rows whose `parent` column has the value of `key` of the parent row, or of all rows."""

    number: int
    """The index of the list among those of the tree."""
    source: FromClause
    parent: str | None
    key: str
    members: tuple[tuple[str, ListMember], ...]

    def objects(self) -> Iterator["JsonObject"]:
        """Yield the objects that are built of each row."""
        for _, member in self.members:
            match member:
                case Items(item):
                    yield item
                case Edges(members):
                    yield from (part for _, part in members if isinstance(part, JsonObject))
                case _:
                    pass

    def columns(self, order_by: str) -> set[str]:
        """Return the columns of its rows that the list needs in an order."""
        return {"id", order_by, *(column for item in self.objects() for column in item.columns())}

    def reads_rows(self) -> bool:
        """Return whether a member depends on the rows; what precedes a page is known by its arguments."""
        has_rows = any(not isinstance(member, Constant | PageInfo) for _, member in self.members)
        return has_rows or not self.page_members() <= {PageMember.HAS_PREVIOUS}

    def page_members(self) -> set[PageMember]:
        infos = (member for _, member in self.members if isinstance(member, PageInfo))
        return {part for info in infos for _, part in info.members if isinstance(part, PageMember)}


ObjectMember: TypeAlias = Constant | Leaf | GlobalId | RelatedObject | JsonList


@dataclass(frozen=True, eq=False)
class JsonObject:
    """An object of a row, with its members in the order of the reply."""

    members: tuple[tuple[str, ObjectMember], ...]

    def columns(self) -> Iterator[str]:
        """Yield the columns of the row itself that the object needs."""
        for _, member in self.members:
            match member:
                case Leaf(column):
                    yield column
                case RelatedObject(key=key) | JsonList(key=key):
                    yield key
                case Constant() | GlobalId():
                    pass

    def has_lists(self) -> bool:
        return any(
            isinstance(member, JsonList) or (isinstance(member, RelatedObject) and member.target.has_lists())
            for _, member in self.members
        )

    def relation_depth(self) -> int:
        return max(
            (1 + item.target.relation_depth() for _, item in self.members if isinstance(item, RelatedObject)), default=0
        )


def check_source(source: FromClause) -> None:
    """Raise NotPushable if rows of the source are private."""
    if any(table in VISIBILITY_CONDITIONS for table in visitors.iterate(source) if isinstance(table, sa.Table)):
        raise NotPushable("private rows")


def plain_type(source: FromClause, name: str) -> type | None:
    """Return the type of the values of a column whose text is the same in all databases; None for another column."""
    match source.c[name].type:
        case sa.Enum(enum_class=enum):
            return enum
        case UTCDateTime():
            return datetime
        case sa.Text() | sa.Boolean() as type_:
            return cast("type", type_.python_type)
        case type_:
            return int if type(type_) is sa.Integer else None


def is_never_null(source: FromClause, name: str) -> bool:
    """Whether a column of a table, or of a view that joins tables without outer joins, has a value in each row."""
    column = source.c[name]
    if isinstance(source, sa.Subquery):
        inner: Any = source.element
        if not isinstance(inner, sa.Select) or not all(map(_is_plain, inner.get_final_froms())):
            return False
        column = next(iter(cast("Any", column.base_columns)))
    return isinstance(column, sa.Column) and not column.nullable


def _is_plain(source: Any) -> bool:
    if isinstance(source, sa.Join):
        return not (source.isouter or source.full) and _is_plain(source.left) and _is_plain(source.right)
    return isinstance(source, sa.Table | sa.Subquery)
