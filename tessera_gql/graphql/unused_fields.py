"""The fields of an asset that nobody is registered for and nobody was seen reading, with the coverage of that claim."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import UNSET, argument

from tessera_gql.errors import Invalid
from tessera_gql.graphql.connections import After, Before, First, Last, PageInfo
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.coverage import Coverage
from tessera_gql.graphql.declared_fields import load_contract_fields
from tessera_gql.graphql.fields import AssetField, AssetFieldEdge
from tessera_gql.graphql.slices import Cursors, SliceRequest, slice_page
from tessera_gql.policy.affected_teams import FieldReaderIndex
from tessera_gql.policy.coverage import LastReadIndex

Since = Annotated[datetime, argument("The time since which nobody was seen reading the fields.")]


@strawberry.type(description="One page of the fields that nobody declares or was seen to read since a time.")
class UnusedFieldConnection:
    edges: list[AssetFieldEdge] = strawberry.field(description="The fields of the page, each with its cursor.")
    nodes: list[AssetField] = strawberry.field(description="The fields of the page, without their cursors.")
    page_info: PageInfo = strawberry.field(description="The position of the page in the list.")
    total_count: int = strawberry.field(description="The number of fields in the whole list, whatever the page.")
    is_complete: bool = strawberry.field(
        description="Whether the sources of the asset cover the whole time since then, up to two days ago, without a"
        " gap. If not, the fields may well be read: `coverage` says what is known."
    )
    coverage: Coverage = strawberry.field(description="On what it rests that nobody reads them.")


async def _resolve(  # noqa: PLR0913, PLR0917 - the arguments in the schema
    root: Any,
    info: Info,
    since: Since,
    first: First = UNSET,
    after: After = UNSET,
    last: Last = UNSET,
    before: Before = UNSET,
) -> UnusedFieldConnection:
    asset_id, now, loaders = root.row.id, info.context.database.clock(), info.context.loaders
    if since >= now:
        raise Invalid("`since` has not passed yet. Give an earlier time.", field=("since",))
    coverage = await loaders.coverage_of_asset.load(asset_id)
    contract = await loaders.active_contract.load(asset_id)
    declared = await load_contract_fields(info.context, contract) if contract else ()
    readers, reads = await loaders.reader_index.load(asset_id), await loaders.last_reads.load(asset_id)
    unused = [field for field in declared if _is_unused(field.path, readers, reads, since)]
    cursors = Cursors("field", [field.path for field in unused])
    window, page_info = slice_page(cursors, SliceRequest(first, after, last, before))
    nodes = [AssetField(asset_id=asset_id, **vars(field)) for field in unused[window]]
    edges = [AssetFieldEdge(cursor=cursor, node=node) for cursor, node in zip(cursors[window], nodes, strict=True)]
    return UnusedFieldConnection(
        edges=edges,
        nodes=nodes,
        page_info=page_info,
        total_count=len(unused),
        is_complete=coverage.window.is_complete(since, now),
        coverage=Coverage.of(coverage),
    )


def _is_unused(path: str, readers: FieldReaderIndex, reads: LastReadIndex, since: datetime) -> bool:
    if readers.has_reader(path):
        return False
    last_read_at = reads.find(path)
    return last_read_at is None or last_read_at < since


unused_fields_connection: Any = strawberry.field(
    resolver=_resolve,
    graphql_type=UnusedFieldConnection,
    description="The declared fields that no team is registered for and nobody was seen reading since a time. What that"
    " rests on is in `isComplete` and `coverage`.",
)
