"""Column lineage in the schema: which columns are made from which, directly."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any
from uuid import UUID, uuid5

import strawberry
from strawberry import UNSET, argument

from tessera_gql.graphql.connections import After, Before, First, Last, PageInfo
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import or_none
from tessera_gql.graphql.ids import global_id
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.slices import SliceRequest, slice_page
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


async def _resolve(  # noqa: PLR0913, PLR0917 - the arguments in the schema
    root: Any,
    info: Info,
    direction: Annotated[Direction, argument("The direction in which lineage is followed, by one step.")],
    column: Column = UNSET,
    first: First = UNSET,
    after: After = UNSET,
    last: Last = UNSET,
    before: Before = UNSET,
) -> ColumnLinkConnection:
    loaders, is_downstream = info.context.loaders, direction is Direction.DOWNSTREAM
    rows = await (loaders.column_links_from if is_downstream else loaders.column_links_to).load(root.row.id)
    name = or_none(column)
    selected = [row for row in rows if name is None or _is_linked(row, name, is_downstream=is_downstream)]
    links = sorted(selected, key=lambda row: (row.source_column, row.target_column, row.source_asset_id, row.kind))
    cursors = [_to_cursor(row) for row in links]
    window, page_info = slice_page(cursors, SliceRequest(first, after, last, before))
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


MAX_STEPS = 10
ColumnsByAsset = dict[UUID, frozenset[str] | None]
"""The columns that a column reaches in each asset; None stands for all of them."""


async def find_linked_assets(
    loaders: Loaders, start_id: UUID, *, is_downstream: bool, reachable_ids: Collection[UUID], column: str
) -> set[UUID]:
    """Find the reachable assets that a column travels to, with two statements for each step.

    Two assets with a dependency but without links have unknown lineage: every column travels there.
    """
    columns: ColumnsByAsset = {start_id: frozenset({column})}
    frontier = [start_id]
    links = loaders.column_links_from if is_downstream else loaders.column_links_to
    dependencies = loaders.dependencies_of_dependency if is_downstream else loaders.dependencies_of_dependent
    end = "dependent_asset_id" if is_downstream else "dependency_asset_id"
    for _ in range(MAX_STEPS):
        rows, edges = await links.load_many(frontier), await dependencies.load_many(frontier)
        changed: set[UUID] = set()
        for asset, asset_rows, asset_edges in zip(frontier, rows, edges, strict=True):
            for next_id in {getattr(edge, end) for edge in asset_edges}.intersection(reachable_ids):
                reached = _travel(columns[asset], next_id, asset_rows, is_downstream=is_downstream)
                if _add(columns, next_id, reached):
                    changed.add(next_id)
        if not (frontier := sorted(changed)):
            break
    return columns.keys() - {start_id}


def _travel(
    names: frozenset[str] | None, next_id: UUID, rows: Sequence[tables.ColumnEdge], *, is_downstream: bool
) -> frozenset[str] | None:
    """Return the columns of the next asset that these columns reach; None stands for all."""
    links = [row for row in rows if (row.target_asset_id if is_downstream else row.source_asset_id) == next_id]
    reached = {
        row.target_column if is_downstream else row.source_column
        for row in links
        if names is None or any(_is_linked(row, name, is_downstream=is_downstream) for name in names)
    }
    return None if not links or "" in reached else frozenset(reached)


def _add(columns: ColumnsByAsset, asset: UUID, reached: frozenset[str] | None) -> bool:
    """Add columns of an asset; return whether there are new ones."""
    before = columns.get(asset, frozenset())
    if before is None or (reached is not None and reached <= before):
        return False
    columns[asset] = None if reached is None else before | reached
    return True


def _to_cursor(row: tables.ColumnEdge) -> str:
    text = f"{row.source_asset_id} {row.source_column} {row.target_column} {row.kind}"
    return global_id("ColumnLink", uuid5(row.target_asset_id, text))


column_lineage_field: Any = strawberry.field(
    resolver=_resolve,
    graphql_type=ColumnLinkConnection,
    description="The columns that columns of the asset are made from, or that are made from them, one step away."
    " An asset that depends on another one without links has unknown column lineage.",
)
