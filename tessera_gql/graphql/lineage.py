"""Lineage: dependencies between assets, and all assets upstream or downstream of one with their distance."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET, argument

from tessera_gql.errors import Invalid
from tessera_gql.graphql.connections import After, Connection, First, PageInfo
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import or_none
from tessera_gql.graphql.ids import Node, global_id
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation, payload_field
from tessera_gql.graphql.refs import AssetRefInput
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.type_registry import computed_field, lazy_list, to_type
from tessera_gql.policy.enums import DependencyType, Evidence
from tessera_gql.store import tables
from tessera_gql.store.lineage import MAX_DEPTH, Direction, ReachableAsset
from tessera_gql.store.pagination import PageRequest, validate_request
from tessera_gql.workflows import dependencies


@from_row(type="dependency_type")
@strawberry.type(description="An edge of the lineage: the `dependent` asset reads the `dependency` or is made from it.")
class AssetDependency(Node):
    row: strawberry.Private[tables.AssetDependency]
    type: DependencyType = strawberry.field(description="The way in which the dependent asset depends on the other.")
    evidence: Evidence = strawberry.field(description="The source of the knowledge about the dependency.")
    created_at: datetime = strawberry.field(description="The time at which the dependency was added.")

    dependent = relation("Asset", "row.dependent_asset_id", "The asset that depends on the other.")
    dependency = relation("Asset", "row.dependency_asset_id", "The asset that the other one depends on.")


@strawberry.type(description="One page of a list of dependencies.")
class AssetDependencyConnection(Connection[AssetDependency]): ...


@strawberry.type(description="An asset upstream or downstream of another, with its distance.")
class LineageEdge:
    asset_id: strawberry.Private[UUID]
    cursor: str = strawberry.field(description="The position just behind the asset; send it as `after`.")
    degree: int = strawberry.field(description="The number of steps on the shortest way to the asset.")

    node = relation("Asset", "asset_id", "The asset at this position.")


@strawberry.type(description="One page of the assets upstream or downstream of another, the nearest first.")
class LineageConnection:
    edges: list[LineageEdge] = strawberry.field(description="The assets of the page with distance and cursor.")
    page_info: PageInfo = strawberry.field(description="The position of the page in the list.")
    total_count: int = strawberry.field(description="The number of assets in the list; 1,000 at most are followed.")

    @computed_field("The assets of the page, without their distance.", lazy_list("Asset"))
    async def nodes(self, info: Info) -> Any:
        rows = await info.context.loaders.asset.load_many([edge.asset_id for edge in self.edges])
        return [to_type("Asset", row) for row in rows]


Depth = Annotated[int, argument("The number of steps to follow, 1 to 10.")]


def lineage_field(direction: Direction, *, description: str) -> Any:
    """Declare a field of all assets in one direction from the parent asset."""

    async def resolve(
        root: Any, info: Info, depth: Depth = MAX_DEPTH, first: First = UNSET, after: After = UNSET
    ) -> LineageConnection:
        if not 1 <= depth <= MAX_DEPTH:
            raise Invalid(f"`depth` is {depth}; lineage is followed 1 to {MAX_DEPTH} steps.", field=("depth",))
        reached = await info.context.loaders.reachable_assets.load((root.row.id, direction, depth))
        return lineage_page(reached, or_none(first), or_none(after))

    return strawberry.field(resolver=resolve, graphql_type=LineageConnection, description=description)


@strawberry.input(description="The dependency to change.")
class DependencyInput(Input):
    dependent: AssetRefInput = strawberry.field(description="The asset that depends on the other.")
    dependency: AssetRefInput = strawberry.field(description="The asset that the other one depends on.")
    type: DependencyType = strawberry.field(
        default=DependencyType.CONSUMES, description="The way in which the dependent asset depends on the other."
    )

    def to_arguments(self) -> dict[str, Any]:
        return {
            "dependent": self.dependent.to_ref("dependent"),
            "dependency": self.dependency.to_ref("dependency"),
            "type_": self.type,
        }


@strawberry.input(description="The dependency to add to the lineage.")
class AddDependencyInput(DependencyInput, CreatingInput): ...


@strawberry.type(description="The result of `addDependency`.")
class AddDependencyPayload(Payload):
    dependency: AssetDependency | None = payload_field("The dependency; null if refused.")


async def add_dependency(call: Call, arguments: AddDependencyInput) -> AddDependencyPayload:
    row = await dependencies.add(call.session, call.actor, **arguments.to_arguments())
    return AddDependencyPayload(dependency=AssetDependency.of(row))


@strawberry.input(description="The dependency to remove from the lineage.")
class RemoveDependencyInput(DependencyInput): ...


@strawberry.type(description="The result of `removeDependency`.")
class RemoveDependencyPayload(Payload):
    dependency: AssetDependency | None = payload_field("The dependency that was removed; null if refused.")


async def remove_dependency(call: Call, arguments: RemoveDependencyInput) -> RemoveDependencyPayload:
    row = await dependencies.remove(call.session, call.actor, **arguments.to_arguments())
    return RemoveDependencyPayload(dependency=AssetDependency.of(row))


@strawberry.type
class Mutations:
    add_dependency: Any = mutation(
        add_dependency, "Add a dependency of one asset on another. Needs a key of the dependent's owner team or ADMIN."
    )
    remove_dependency: Any = mutation(
        remove_dependency,
        "Remove a dependency of one asset on another. Needs a key of the dependent's owner team or ADMIN.",
    )


def lineage_page(reachable: Sequence[ReachableAsset], first: int | None, after: str | None) -> LineageConnection:
    """Build a page of reachable assets. Raise Invalid for a bad size or cursor."""
    cursors = [global_id("Lineage", item.asset_id) for item in reachable]
    window, page_info = slice_page(cursors, first, after)
    edges = [
        LineageEdge(asset_id=item.asset_id, cursor=cursor, degree=item.degree)
        for item, cursor in zip(reachable[window], cursors[window], strict=True)
    ]
    return LineageConnection(edges=edges, page_info=page_info, total_count=len(reachable))


def slice_page(cursors: Sequence[str], first: int | None, after: str | None) -> tuple[slice, PageInfo]:
    """Find the part of a loaded list that a page has. Raise Invalid for a bad size or cursor."""
    size = validate_request(PageRequest(order_by="degree", first=first)).size
    start = 0
    if after is not None:
        if after not in cursors:
            raise Invalid(
                "The cursor in `after` is of another list, or its asset has left this one. Start without it.",
                field=("after",),
            )
        start = cursors.index(after) + 1
    page = cursors[start : start + size]
    page_info = PageInfo(
        has_next_page=start + size < len(cursors),
        has_previous_page=start > 0,
        start_cursor=page[0] if page else None,
        end_cursor=page[-1] if page else None,
    )
    return slice(start, start + size), page_info
