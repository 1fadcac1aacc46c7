"""Readers of a change who are not asked about it, with the reason and the way to what they read."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import strawberry

from tessera_gql.graphql.connections import PageInfo
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.enums import describe_enum
from tessera_gql.graphql.ids import global_id
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.slices import SliceRequest, slice_page
from tessera_gql.graphql.type_registry import computed_field, lazy_list, to_type
from tessera_gql.policy import unasked_readers
from tessera_gql.policy.enums import UnaskedReason

describe_enum(
    UnaskedReason,
    "The reason why a reader is not asked about a change.",
    RELEASED="It no longer reads what breaks, as a proof shows.",
    OTHER_FIELDS="It reads fields of the asset that the breaking changes don't touch.",
    DOWNSTREAM="It owns or reads a table that is made from the asset, for which no change makes it answer.",
)


@strawberry.type(description="A team that reads what changes, or a table made from it, and is not asked.")
class UnaskedReader:
    team_id: strawberry.Private[UUID]
    way: strawberry.Private[Sequence[UUID]]
    reason: UnaskedReason = strawberry.field(description="The reason why the team is not asked.")
    fields: list[str] | None = strawberry.field(
        description="The fields of the asset that the team reads: null for all, empty if it reads none."
    )
    is_informed: bool = strawberry.field(
        description="Whether the team is informed of the change, though it is not asked."
    )

    team = relation("Team", "team_id", "The team that is not asked.")

    @computed_field(
        "The shortest way from the asset to the table that the team owns or reads, both included; empty if it reads the"
        " asset itself.",
        lazy_list("Asset"),
    )
    async def path(self, info: Info) -> Any:
        rows = await info.context.loaders.asset.load_many([*self.way])
        return [to_type("Asset", row) for row in rows if row is not None]


@strawberry.type(description="A reader who is not asked, with its position in a list.")
class UnaskedReaderEdge:
    cursor: str = strawberry.field(description="The position just behind the reader; send it as `after`.")
    node: UnaskedReader = strawberry.field(description="The reader at this position.")


@strawberry.type(description="One page of the readers who are not asked, those that were released first.")
class UnaskedReaderConnection:
    edges: list[UnaskedReaderEdge] = strawberry.field(description="The readers of the page with their cursors.")
    nodes: list[UnaskedReader] = strawberry.field(description="The readers of the page without their cursors.")
    page_info: PageInfo = strawberry.field(description="The position of the page in the list.")
    total_count: int = strawberry.field(description="The number of all readers who are not asked.")


def unasked_page(readers: Sequence[unasked_readers.UnaskedReader], request: SliceRequest) -> UnaskedReaderConnection:
    """Build a page of readers who are not asked. Raise Invalid for a bad size or cursor."""
    cursors = [global_id("UnaskedReader", reader.team_id) for reader in readers]
    window, page_info = slice_page(cursors, request)
    nodes = [
        UnaskedReader(
            team_id=reader.team_id,
            way=reader.way,
            reason=reader.reason,
            fields=None if reader.fields is None else list(reader.fields),
            is_informed=reader.is_informed,
        )
        for reader in readers[window]
    ]
    edges = [UnaskedReaderEdge(cursor=cursor, node=node) for cursor, node in zip(cursors[window], nodes, strict=True)]
    return UnaskedReaderConnection(edges=edges, nodes=nodes, page_info=page_info, total_count=len(readers))
