"""What is made from what: edges one step long, and everything up or down the stream with its distance."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET

from tessera_gql.errors import Invalid
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import given
from tessera_gql.graphql.ids import Node, global_id
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation
from tessera_gql.graphql.nouns import computed, many, named, shown
from tessera_gql.graphql.pages import After, Connection, First, PageInfo
from tessera_gql.graphql.refs import AssetRefInput
from tessera_gql.graphql.relations import one
from tessera_gql.graphql.rows import from_row
from tessera_gql.policy.words import DependencyType, Evidence
from tessera_gql.store import tables
from tessera_gql.store.lineage import MAX_DEPTH, Direction, Reached
from tessera_gql.store.page import PageRequest, checked
from tessera_gql.workflows import dependencies


@from_row(type="dependency_type")
@strawberry.type(description="An edge of the lineage: the dependent asset is made from, or reads, the dependency.")
class AssetDependency(Node):
    row: strawberry.Private[tables.AssetDependency]
    type: DependencyType = strawberry.field(description="What the one does with the other.")
    evidence: Evidence = strawberry.field(description="How it is known.")
    created_at: datetime = strawberry.field(description="When it was added.")

    dependent = one("Asset", lambda loaders: loaders.asset, "dependent_asset_id", description="The asset that depends.")
    dependency = one(
        "Asset", lambda loaders: loaders.asset, "dependency_asset_id", description="The asset that it depends on."
    )


@strawberry.type(description="A page of dependencies.")
class AssetDependencyConnection(Connection[AssetDependency]):
    pass


@strawberry.type(description="An asset up or down the stream.")
class LineageEdge:
    asset_id: strawberry.Private[UUID]
    cursor: str = strawberry.field(description="The place just behind it, for `after`.")
    degree: int = strawberry.field(description="How many steps away it is, by the shortest way.")

    @computed("The asset.", named("Asset"))
    async def node(self, info: Info) -> Any:
        return shown("Asset", await info.context.loaders.asset.load(self.asset_id))


@strawberry.type(description="A page of the assets up or down the stream, nearest first.")
class LineageConnection:
    edges: list[LineageEdge] = strawberry.field(description="The assets of the page, each with its distance.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")
    total_count: int = strawberry.field(description="How many assets there are in all; 1,000 are looked at at most.")

    @computed("The assets of the page.", many("Asset"))
    async def nodes(self, info: Info) -> Any:
        found = await info.context.loaders.asset.load_many([edge.asset_id for edge in self.edges])
        return [shown("Asset", row) for row in found]


Depth = Annotated[int, strawberry.argument(description="How many steps to go, 1 to 10.")]


def stream(direction: Direction, *, description: str) -> Any:
    """Everything in one direction from the asset shown."""

    async def resolve(
        root: Any, info: Info, depth: Depth = MAX_DEPTH, first: First = UNSET, after: After = UNSET
    ) -> LineageConnection:
        if not 1 <= depth <= MAX_DEPTH:
            raise Invalid(f"`depth` is {depth}; lineage is followed 1 to {MAX_DEPTH} steps.", field=("depth",))
        reached = await info.context.loaders.reached.load((root.row.id, direction, depth))
        return lineage_page(reached, given(first), given(after))

    return strawberry.field(resolver=resolve, graphql_type=LineageConnection, description=description)


@strawberry.input(description="An edge to add.")
class AddDependencyInput(CreatingInput):
    dependent: AssetRefInput = strawberry.field(description="The asset that depends.")
    dependency: AssetRefInput = strawberry.field(description="The asset that it depends on.")
    type: DependencyType = strawberry.field(
        default=DependencyType.CONSUMES, description="What the one does with the other."
    )


@strawberry.type(description="The edge that was added.")
class AddDependencyPayload(Payload):
    dependency: AssetDependency | None = strawberry.field(default=None, description="Null if it was refused.")


async def add_dependency(call: Call, asked: AddDependencyInput) -> AddDependencyPayload:
    row = await dependencies.add(
        call.session,
        call.actor,
        dependent=asked.dependent.local("dependent"),
        dependency=asked.dependency.local("dependency"),
        kind=asked.type,
    )
    return AddDependencyPayload(dependency=AssetDependency.of(row))


@strawberry.input(description="An edge to remove.")
class RemoveDependencyInput(Input):
    dependent: AssetRefInput = strawberry.field(description="The asset that depends.")
    dependency: AssetRefInput = strawberry.field(description="The asset that it depends on.")
    type: DependencyType = strawberry.field(
        default=DependencyType.CONSUMES, description="What the one does with the other."
    )


@strawberry.type(description="The edge that was removed.")
class RemoveDependencyPayload(Payload):
    dependency: AssetDependency | None = strawberry.field(
        default=None, description="As it was; null if it was refused."
    )


async def remove_dependency(call: Call, asked: RemoveDependencyInput) -> RemoveDependencyPayload:
    row = await dependencies.remove(
        call.session,
        call.actor,
        dependent=asked.dependent.local("dependent"),
        dependency=asked.dependency.local("dependency"),
        kind=asked.type,
    )
    return RemoveDependencyPayload(dependency=AssetDependency.of(row))


@strawberry.type
class Mutations:
    add_dependency: Any = mutation(add_dependency, "Says that one asset depends on another.")
    remove_dependency: Any = mutation(remove_dependency, "Says that one asset no longer depends on another.")


def lineage_page(reached: Sequence[Reached], first: int | None, after: str | None) -> LineageConnection:
    """A page of what was reached; raises Invalid for sizes and cursors that make no sense."""
    size = checked(PageRequest(order_by="degree", first=first)).size
    places = [global_id("Lineage", one.asset_id) for one in reached]
    start = 0
    if after is not None:
        if after not in places:
            raise Invalid(
                "The cursor in `after` is of another list, or its asset has left this one. Start without it.",
                field=("after",),
            )
        start = places.index(strawberry.ID(after)) + 1
    shown_now = slice(start, start + size)
    edges = [
        LineageEdge(asset_id=one.asset_id, cursor=place, degree=one.degree)
        for one, place in zip(reached[shown_now], places[shown_now], strict=True)
    ]
    return LineageConnection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=start + size < len(reached),
            has_previous_page=start > 0,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        total_count=len(reached),
    )
