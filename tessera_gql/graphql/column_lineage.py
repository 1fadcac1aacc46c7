"""Column lineage in the schema: which columns are made from which, directly."""

from typing import Annotated, Any
from uuid import UUID, uuid5

import strawberry
from strawberry import UNSET, argument

from tessera_gql.graphql.connections import After, First, PageInfo
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import or_none
from tessera_gql.graphql.ids import global_id
from tessera_gql.graphql.lineage import slice_page
from tessera_gql.graphql.relations import relation
from tessera_gql.policy.affected_teams import split_path
from tessera_gql.policy.enums import ColumnEdgeKind
from tessera_gql.store import tables
from tessera_gql.store.lineage import Direction


@strawberry.type(description="A column of one asset that is made from a column of another one.")
class ColumnLink:
    source_id: strawberry.Private[UUID]
    target_id: strawberry.Private[UUID]
    source_column: str | None = strawberry.field(description="The column that is read; null stands for any column.")
    target_column: str | None = strawberry.field(
        description="The column that is made; null stands for every column, as with a filter."
    )
    kind: ColumnEdgeKind = strawberry.field(description="The way in which the one is made from the other.")

    source = relation("Asset", "source_id", "The asset that has the source column.")
    target = relation("Asset", "target_id", "The asset that has the target column.")

    @classmethod
    def from_row(cls, row: tables.ColumnEdge) -> "ColumnLink":
        return cls(
            source_id=row.source_asset_id,
            target_id=row.target_asset_id,
            source_column=row.source_column or None,
            target_column=row.target_column or None,
            kind=row.kind,
        )


@strawberry.type(description="A position in a list of column links.")
class ColumnLinkEdge:
    cursor: str = strawberry.field(description="The position just behind the link; send it as `after`.")
    node: ColumnLink = strawberry.field(description="The link at this position.")


@strawberry.type(description="One page of the column links of an asset, sorted by names and assets.")
class ColumnLinkConnection:
    edges: list[ColumnLinkEdge] = strawberry.field(description="The links of the page with their cursors.")
    nodes: list[ColumnLink] = strawberry.field(description="The links of the page without their cursors.")
    page_info: PageInfo = strawberry.field(description="The position of the page in the list.")
    total_count: int = strawberry.field(description="The number of links in the list.")


Column = Annotated[str | None, argument("The column of this asset whose links are listed; all if left out.")]


async def _resolve(
    root: Any,
    info: Info,
    direction: Annotated[Direction, argument("The direction in which lineage is followed, by one step.")],
    column: Column = UNSET,
    first: First = UNSET,
    after: After = UNSET,
) -> ColumnLinkConnection:
    loaders, is_downstream = info.context.loaders, direction is Direction.DOWNSTREAM
    rows = await (loaders.column_links_from if is_downstream else loaders.column_links_to).load(root.row.id)
    name = or_none(column)
    selected = [row for row in rows if name is None or _is_linked(row, name, is_downstream=is_downstream)]
    links = sorted(selected, key=lambda row: (row.source_column, row.target_column, row.source_asset_id, row.kind))
    cursors = [_to_cursor(row) for row in links]
    window, page_info = slice_page(cursors, or_none(first), or_none(after))
    nodes = [ColumnLink.from_row(row) for row in links[window]]
    edges = [ColumnLinkEdge(cursor=cursor, node=node) for cursor, node in zip(cursors[window], nodes, strict=True)]
    return ColumnLinkConnection(edges=edges, nodes=nodes, page_info=page_info, total_count=len(links))


def _is_linked(row: tables.ColumnEdge, name: str, *, is_downstream: bool) -> bool:
    """Return whether a link concerns a column, or a field inside of it; one without a column concerns all of them."""
    column = row.source_column if is_downstream else row.target_column
    steps = [step.lower() for step in split_path(name)]
    own_steps = [step.lower() for step in split_path(column)]
    length = min(len(steps), len(own_steps))
    return steps[:length] == own_steps[:length]


def _to_cursor(row: tables.ColumnEdge) -> str:
    text = f"{row.source_asset_id} {row.source_column} {row.target_column} {row.kind}"
    return global_id("ColumnLink", uuid5(row.target_asset_id, text))


column_lineage_field: Any = strawberry.field(
    resolver=_resolve,
    graphql_type=ColumnLinkConnection,
    description="The columns that columns of the asset are made from, or that are made from them, one step away."
    " An asset that depends on another one without links has unknown column lineage.",
)
