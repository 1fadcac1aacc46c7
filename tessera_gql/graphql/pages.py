"""Connections: keyset pages of rows, shown as their noun. `totalCount` is counted only when it is selected."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Annotated, Any, Generic, TypeVar, cast
from uuid import UUID

import strawberry
from sqlalchemy import FromClause
from strawberry import UNSET

from tessera_gql.executor import DECLARED, Batch, Bound
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import conditions, given
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.nouns import computed, kind, named
from tessera_gql.graphql.scalars import text
from tessera_gql.graphql.words import OrderDirection, described
from tessera_gql.policy.access import Verb, permit
from tessera_gql.store import page
from tessera_gql.store.page import Page, PageRequest

N = TypeVar("N")

ALL = "all"
"""The key of a list that is nobody's."""

FIRST = "How many from the start, 0 to 100; 20 if neither `first` nor `last` is given."
AFTER = "Start behind this cursor."
LAST = "How many from the end, 0 to 100."
BEFORE = "End before this cursor."

First = Annotated[int | None, strawberry.argument(description=FIRST)]
After = Annotated[str | None, strawberry.argument(description=AFTER)]
Last = Annotated[int | None, strawberry.argument(description=LAST)]
Before = Annotated[str | None, strawberry.argument(description=BEFORE)]


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follows behind `endCursor`.")
    has_previous_page: bool = strawberry.field(description="Whether more lies before `startCursor`.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first item, if there is one.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last item, if there is one.")


@strawberry.type(name="Edge", description="An item of a list and its place there.")
class Edge(Generic[N]):
    cursor: str = strawberry.field(description="The place just behind the item, for `after` and `before`.")
    node: N = strawberry.field(description="The item.")


@strawberry.type(name="Connection", description="One page of a list.")
class Connection(Generic[N]):
    nodes: list[N] = strawberry.field(description="The items of the page.")
    cursor: strawberry.Private[Callable[[int], str]]
    has_next: strawberry.Private[bool]
    has_previous: strawberry.Private[bool]
    counted: strawberry.Private[Callable[[], Awaitable[int]]]

    @computed("The items of the page, each with its cursor.")
    def edges(self) -> list[Edge[N]]:
        return [Edge(cursor=self.cursor(place), node=node) for place, node in enumerate(self.nodes)]

    @computed("Where the page lies in the list.")
    def page_info(self) -> PageInfo:
        return PageInfo(
            has_next_page=self.has_next,
            has_previous_page=self.has_previous,
            start_cursor=self.cursor(0) if self.nodes else None,
            end_cursor=self.cursor(len(self.nodes) - 1) if self.nodes else None,
        )

    @computed("How many items the whole list has, whatever the page.")
    async def total_count(self) -> int:
        return await self.counted()


@dataclass(frozen=True)
class Listing:
    """One kind of list: the rows behind it, the type that shows them, what it can be filtered and ordered by."""

    kind: str
    source: FromClause
    order_by: str
    descending: bool = False
    filter: type | None = None
    order: type | None = None
    connection: str = ""

    @property
    def shown_as(self) -> Any:
        return named(self.connection or f"{self.kind}Connection")


def ordering(kind: str, columns: Mapping[str, tuple[str, str]]) -> type:
    """The `orderBy` input of a list: for each GraphQL name its column and its description."""
    field: Any = cast("Any", StrEnum)(f"{kind}OrderField", [(name, column) for name, (column, _) in columns.items()])
    what = {name: description for name, (_, description) in columns.items()}
    described(field, f"{kind}OrderField", "What the list can be ordered by; ties are broken by age.", **what)
    members = {
        "__module__": __name__,
        "__annotations__": {"field": field, "direction": OrderDirection},
        "field": strawberry.field(description="What to order by."),
        "direction": strawberry.field(default=OrderDirection.ASC, description="Which end comes first."),
    }
    return strawberry.input(type(f"{kind}Order", (), members), description="How to order the list.")


def request(listing: Listing, arguments: Mapping[str, Any]) -> PageRequest:
    """What was asked for; raises Invalid."""
    wanted = {name: given(value) for name, value in arguments.items()}
    order = wanted.pop("order_by", None)
    where = wanted.pop("where", None)
    for name in ("after", "before"):
        if wanted.get(name) is not None:
            text(wanted[name], name)
    return page.checked(
        PageRequest(
            order_by=order.field.value if order else listing.order_by,
            descending=order.direction is OrderDirection.DESC if order else listing.descending,
            conditions=conditions(where) if where else (),
            **wanted,
        )
    )


async def paged(
    loaders: Loaders, listing: Listing, parent: tuple[str, UUID] | None, asked: PageRequest
) -> Connection[Any]:
    """A page of a parent's rows, the parent given as its column and id."""
    column, key = parent or (None, None)
    found = await loaders.pages(listing.source, column, asked).load(key)
    return _shown(loaders, listing, column, asked)(key, found)


def _shown(
    loaders: Loaders, listing: Listing, column: str | None, asked: PageRequest
) -> Callable[[UUID | None, Page], Connection[Any]]:
    """Makes the connection of a parent's page."""
    of = kind(listing.kind).of
    # What a count depends on, so that different pages of one list share it.
    counted = PageRequest(order_by=listing.order_by, conditions=asked.conditions)

    def show(key: UUID | None, found: Page) -> Connection[Any]:
        return Connection(
            nodes=list(map(of, found.rows)),
            cursor=lambda place: page.cursor(found.rows[place], asked.order_by),
            has_next=found.has_next,
            has_previous=found.has_previous,
            counted=lambda: loaders.counts(listing.source, column, counted).load(key),
        )

    return show


def pages(
    listing: Listing, parent: str | None = None, key: str = "id", *, description: str, verb: Verb | None = None
) -> Any:
    """A connection field: of everything, or of the rows whose `parent` column is `key` of the row shown.

    It raises Forbidden for callers who may not do `verb` for their own team.
    """

    def bind(info: Info, **arguments: Any) -> Bound:
        if verb is not None:
            permit(info.context.actor, verb, info.context.actor.team_id)
        asked, loaders = request(listing, arguments), info.context.loaders
        show = _shown(loaders, listing, parent, asked)
        loader = loaders.pages(listing.source, parent, asked)
        if parent is None:
            return Bound(lambda _: ALL, lambda _: loader.load_many([None]), lambda _, found: show(None, found))
        return Bound(attrgetter(f"row.{key}"), loader.load_many, show)

    batch = Batch(bind, () if parent is None else (f"row.{key}",))

    async def resolve(  # noqa: PLR0913 - the arguments of a connection
        root: Any,
        info: Info,
        *,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        where: Any = UNSET,
        order_by: Any = UNSET,
    ) -> Any:
        arguments = {"first": first, "after": after, "last": last, "before": before}
        return await batch.resolve(root, info, **arguments, where=where, order_by=order_by)

    return connection_field(resolve, listing, description, nested=parent is not None, batch=batch)


def connection_field(
    resolve: Callable[..., Any], listing: Listing, description: str, *, nested: bool, batch: Batch | None = None
) -> Any:
    """The resolver, its `filter` and `orderBy` typed as the listing says; a root can be null, a nested list can't."""
    resolve.__annotations__ |= {
        "where": Annotated[
            listing.filter | None if listing.filter else None,
            strawberry.argument(name="filter", description="Only items that meet all of this."),
        ],
        "order_by": Annotated[
            listing.order | None if listing.order else None, strawberry.argument(description="How to order the list.")
        ],
    }
    shown_as = listing.shown_as if nested else listing.shown_as | None
    metadata = {"listing": listing} | ({DECLARED: batch} if batch else {})
    return strawberry.field(resolver=resolve, graphql_type=shown_as, description=description, metadata=metadata)
