"""Connection fields: keyset pages of rows as edges and nodes. `totalCount` is counted only if it is selected."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Annotated, Any, Generic, TypeVar, cast
from uuid import UUID

import strawberry
from strawberry import UNSET, argument

from tessera_gql.executor import BATCH_KEY, Batch, BoundBatch
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.enums import OrderDirection, describe_enum
from tessera_gql.graphql.filters import or_none, to_conditions
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.scalars import check_text
from tessera_gql.graphql.type_registry import computed_field, lazy_type, load_type
from tessera_gql.policy.access import Action, authorize_for_own_teams
from tessera_gql.store import pagination
from tessera_gql.store.cursors import encode_cursor
from tessera_gql.store.pagination import MAX_COUNT, Page, PageRequest
from tessera_gql.store.rows import TableLike

N = TypeVar("N")

ROOT_KEY = "all"
"""The loader key of a list that has no parent."""

FIRST = "The number of items from the start of the list, 0 to 100; 20 if neither `first` nor `last` is given."
AFTER = "The cursor behind which the page starts."
LAST = "The number of items from the end of the list, 0 to 100."
BEFORE = "The cursor before which the page ends."

First = Annotated[int | None, argument(FIRST)]
After = Annotated[str | None, argument(AFTER)]
Last = Annotated[int | None, argument(LAST)]
Before = Annotated[str | None, argument(BEFORE)]


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are more items behind `endCursor`.")
    has_previous_page: bool = strawberry.field(description="Whether there are more items before `startCursor`.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first item; null if the page is empty.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last item; null if the page is empty.")


@strawberry.type(name="Edge", description="An item of a list with its cursor.")
class Edge(Generic[N]):
    cursor: str = strawberry.field(description="The position of the item; send it as `after` or `before`.")
    node: N = strawberry.field(description="The item at this position.")


@strawberry.type(name="Connection", description="One page of a list.")
class Connection(Generic[N]):
    nodes: list[N] = strawberry.field(description="The items of the page, without their cursors.")
    cursor: strawberry.Private[Callable[[int], str]]
    has_next: strawberry.Private[bool]
    has_previous: strawberry.Private[bool]
    load_count: strawberry.Private[Callable[[], Awaitable[int]]]
    """Loads the number of items; more than MAX_COUNT stands for any larger number."""

    @computed_field("The items of the page, each with its cursor.")
    def edges(self) -> list[Edge[N]]:
        return [Edge(cursor=self.cursor(index), node=node) for index, node in enumerate(self.nodes)]

    @computed_field("The position of the page in the list.")
    def page_info(self) -> PageInfo:
        return PageInfo(
            has_next_page=self.has_next,
            has_previous_page=self.has_previous,
            start_cursor=self.cursor(0) if self.nodes else None,
            end_cursor=self.cursor(len(self.nodes) - 1) if self.nodes else None,
        )

    @computed_field(
        f"The number of items in the whole list, whatever the page: exact up to {MAX_COUNT:,}, and {MAX_COUNT:,} for"
        " every longer list, as `isTotalCountExact` says."
    )
    async def total_count(self) -> int:
        return min(await self.load_count(), MAX_COUNT)

    @computed_field("Whether `totalCount` is the exact number of items; if false, the list has more items.")
    async def is_total_count_exact(self) -> bool:
        return await self.load_count() <= MAX_COUNT


@dataclass(frozen=True)
class Listing:
    """Definition of a list: its type, source of rows, default order, and the inputs that filter and order it."""

    type_name: str
    source: TableLike
    order_by: str
    descending: bool
    filter: type
    order: type


@dataclass(frozen=True)
class ConnectionDeclaration:
    """The declaration of a connection field of all rows, or of those whose `parent` column is `key` of the parent."""

    listing: Listing
    parent: str | None
    key: str


def define_listing(
    name: str, source: TableLike, filter_input: type, orders: Mapping[str, tuple[str, str]], *, descending: bool = False
) -> Listing:
    """Define a list. `orders` maps each value of `orderBy` to its column and its description, the default one first."""
    default_order, _ = next(iter(orders.values()))
    return Listing(name, source, default_order, descending, filter_input, _order_input(name, orders))


def _order_input(type_name: str, orders: Mapping[str, tuple[str, str]]) -> type:
    columns = [(name, column) for name, (column, _) in orders.items()]
    field: Any = cast("Any", StrEnum)(f"{type_name}OrderField", columns)
    descriptions = {name: description for name, (_, description) in orders.items()}
    describe_enum(field, "The values by which the list can be sorted; equal ones are sorted by age.", **descriptions)
    members = {
        "__module__": __name__,
        "__annotations__": {"field": field, "direction": OrderDirection},
        "field": strawberry.field(description="The value by which to sort."),
        "direction": strawberry.field(default=OrderDirection.ASC, description="The direction in which to sort."),
    }
    return strawberry.input(type(f"{type_name}Order", (), members), description="The order of a list.")


def parse_page_request(listing: Listing, arguments: Mapping[str, Any]) -> PageRequest:
    """Convert the arguments of a connection field into a page request. Raise Invalid for bad ones."""
    values = {name: or_none(value) for name, value in arguments.items()}
    order = values.pop("order_by", None)
    filter_input = values.pop("filter_input", None)
    for name in ("after", "before"):
        if values.get(name) is not None:
            check_text(values[name], name)
    return pagination.validate_request(
        PageRequest(
            order_by=order.field.value if order else listing.order_by,
            is_descending=order.direction is OrderDirection.DESC if order else listing.descending,
            conditions=to_conditions(filter_input or listing.filter()),
            **values,
        )
    )


async def load_connection(
    loaders: Loaders, listing: Listing, parent: tuple[str, UUID] | None, page_request: PageRequest
) -> Connection[Any]:
    """Load a page of the rows whose parent column has this id, or of all rows without a parent."""
    column, key = parent or (None, None)
    result = await loaders.pages(listing.source, column, page_request).load(key)
    return _connection_builder(loaders, listing, column, page_request)(key, result)


def _connection_builder(
    loaders: Loaders, listing: Listing, parent_column: str | None, page_request: PageRequest
) -> Callable[[UUID | None, Page], Connection[Any]]:
    """Return a function that builds the connection from a parent's key and page of rows."""
    to_node = load_type(listing.type_name).of
    # Without cursors and sizes, so that different pages of one list share their count.
    count_request = PageRequest(order_by=listing.order_by, conditions=page_request.conditions)

    def build(key: UUID | None, result: Page) -> Connection[Any]:
        return Connection(
            nodes=list(map(to_node, result.rows)),
            cursor=lambda index: encode_cursor(result.rows[index], page_request.order_by),
            has_next=result.has_next,
            has_previous=result.has_previous,
            load_count=lambda: loaders.counts(listing.source, parent_column, count_request).load(key),
        )

    return build


def connection(
    listing: Listing, parent: str | None = None, key: str = "id", *, description: str, action: Action | None = None
) -> Any:
    """Declare a connection field of all rows, or of those whose `parent` column equals `key` of the parent row.

    It raises Forbidden for callers that lack the right `action` on their own teams.
    """

    def bind(info: Info, **arguments: Any) -> BoundBatch:
        if action is not None:
            authorize_for_own_teams(info.context.actor, action)
        page_request, loaders = parse_page_request(listing, arguments), info.context.loaders
        build = _connection_builder(loaders, listing, parent, page_request)
        loader = loaders.pages(listing.source, parent, page_request)
        if parent is None:
            return BoundBatch(
                lambda _: ROOT_KEY, lambda _: loader.load_many([None]), lambda _, result: build(None, result)
            )
        return BoundBatch(attrgetter(f"row.{key}"), loader.load_many, build)

    declaration = ConnectionDeclaration(listing, parent, key) if action is None else None
    batch = Batch(bind, () if parent is None else (f"row.{key}",), declaration)
    return connection_field(batch.resolve, listing, description, nested=parent is not None, batch=batch)


def connection_field(
    load: Callable[..., Awaitable[Any]], listing: Listing, description: str, *, nested: bool, batch: Batch | None = None
) -> Any:
    """Declare a connection field that `load` resolves from the parent, the info and the arguments as keywords.

    A root field is nullable, so that its error leaves the remaining data; a nested one is not.
    """

    async def resolve(  # noqa: PLR0913 - the arguments of a connection
        root: Any,
        info: Info,
        *,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        filter_input: Any = UNSET,
        order_by: Any = UNSET,
    ) -> Any:
        arguments = {"first": first, "after": after, "last": last, "before": before}
        return await load(root, info, **arguments, filter_input=filter_input, order_by=order_by)

    resolve.__annotations__ |= {
        "filter_input": Annotated[
            listing.filter | None,
            argument(name="filter", description="The conditions that items must meet; all items if left out."),
        ],
        "order_by": Annotated[
            listing.order | None, argument("The order of the list; its own default order if left out.")
        ],
    }
    connection_type = lazy_type(f"{listing.type_name}Connection")
    metadata = {"listing": listing} | ({BATCH_KEY: batch} if batch else {})
    return strawberry.field(
        resolver=resolve,
        graphql_type=connection_type if nested else connection_type | None,
        description=description,
        metadata=metadata,
    )
