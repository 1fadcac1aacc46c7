"""Lineage: dependencies between assets, and all assets upstream or downstream of one with their distance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET, argument

from tessera_gql.errors import Invalid
from tessera_gql.graphql.column_lineage import ColumnLink, find_linked_assets
from tessera_gql.graphql.connections import After, Before, Connection, First, Last, PageInfo
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import EnumFilter, IdFilter, optional, or_none
from tessera_gql.graphql.ids import Node, global_id, local_id
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation, payload_field
from tessera_gql.graphql.refs import AssetRefInput
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import check_text
from tessera_gql.graphql.slices import SliceRequest, slice_page
from tessera_gql.graphql.type_registry import computed_field, lazy_list, lazy_type, to_type
from tessera_gql.policy.enums import DependencyType, Evidence, ResourceType
from tessera_gql.store import tables
from tessera_gql.store.lineage import MAX_DEPTH, Direction, ReachableAsset
from tessera_gql.store.pagination import MAX_SIZE
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


@dataclass(frozen=True)
class LineageStart:
    """The asset that lineage was followed from, and the direction."""

    asset_id: UUID
    direction: Direction


@strawberry.type(description="The last step on a shortest way to an asset: a dependency, and the columns it connects.")
class LineageVia:
    dependency_row: strawberry.Private[tables.AssetDependency]

    @computed_field("The dependency that is the last step.", lazy_type("AssetDependency"))
    def dependency(self) -> Any:
        return AssetDependency.of(self.dependency_row)

    @computed_field("The columns that the dependency connects, 100 at most; empty if lineage of columns is unknown.")
    async def columns(self, info: Info) -> list[ColumnLink]:
        row = self.dependency_row
        links = await info.context.loaders.column_links_to.load(row.dependent_asset_id)
        own = [link for link in links if link.source_asset_id == row.dependency_asset_id]
        own.sort(key=lambda link: (link.source_column, link.target_column, link.kind))
        return [ColumnLink.from_row(link) for link in own[:MAX_SIZE]]


@strawberry.type(description="An asset upstream or downstream of another, with its distance.")
class LineageEdge:
    asset_id: strawberry.Private[UUID]
    start: strawberry.Private[LineageStart]
    nearer_ids: strawberry.Private[frozenset[UUID]]
    """The assets that are one step nearer to the start."""
    cursor: str = strawberry.field(description="The position just behind the asset; send it as `after`.")
    degree: int = strawberry.field(description="The number of steps on the shortest way to the asset.")

    node = relation("Asset", "asset_id", "The asset at this position.")

    @computed_field("The last steps on the shortest ways to the asset: dependencies on assets one step nearer.")
    async def via(self, info: Info) -> list[LineageVia]:
        loaders, is_downstream = info.context.loaders, self.start.direction is Direction.DOWNSTREAM
        loader = loaders.dependencies_of_dependent if is_downstream else loaders.dependencies_of_dependency
        rows = await loader.load(self.asset_id)
        nearer = "dependency_asset_id" if is_downstream else "dependent_asset_id"
        steps = sorted((row for row in rows if getattr(row, nearer) in self.nearer_ids), key=attrgetter("id"))
        return [LineageVia(dependency_row=row) for row in steps]


@strawberry.type(description="One page of the assets upstream or downstream of another, the nearest first.")
class LineageConnection:
    edges: list[LineageEdge] = strawberry.field(description="The assets of the page with distance and cursor.")
    page_info: PageInfo = strawberry.field(description="The position of the page in the list.")
    total_count: int = strawberry.field(description="The number of assets in the list; 1,000 at most are followed.")

    @computed_field("The assets of the page, without their distance.", lazy_list("Asset"))
    async def nodes(self, info: Info) -> Any:
        rows = await info.context.loaders.asset.load_many([edge.asset_id for edge in self.edges])
        return [to_type("Asset", row) for row in rows]


@strawberry.input(description="Conditions on the assets along the lineage; an asset must meet all of them.")
class LineageFilter:
    owner: IdFilter | None = optional("The owner team of the asset.")
    resource_type: EnumFilter[ResourceType] | None = optional("The kind of object that the asset is.")
    column: str | None = optional(
        "A column of the asset where lineage starts: accept only what is made from it, or it is made from, as far as"
        " lineage of columns is known; where it is not, every asset is accepted."
    )


Depth = Annotated[int, argument("The number of steps to follow, 1 to 10.")]
FilterArgument = Annotated[
    LineageFilter | None, argument(name="filter", description="The conditions that assets must meet; all if left out.")
]


def lineage_field(direction: Direction, *, description: str) -> Any:
    """Declare a field of all assets in one direction from the parent asset."""

    async def resolve(  # noqa: PLR0913, PLR0917 - the arguments in the schema
        root: Any,
        info: Info,
        depth: Depth = MAX_DEPTH,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        filter_input: FilterArgument = UNSET,
    ) -> LineageConnection:
        if not 1 <= depth <= MAX_DEPTH:
            raise Invalid(f"`depth` is {depth}; lineage is followed 1 to {MAX_DEPTH} steps.", field=("depth",))
        start = LineageStart(root.row.id, direction)
        reached = await info.context.loaders.reachable_assets.load((start.asset_id, direction, depth))
        selected = await _select(info, start, reached, or_none(filter_input))
        return lineage_page(start, reached, selected, SliceRequest(first, after, last, before))

    return strawberry.field(resolver=resolve, graphql_type=LineageConnection, description=description)


async def _select(
    info: Info, start: LineageStart, reached: Sequence[ReachableAsset], filter_input: LineageFilter | None
) -> Sequence[ReachableAsset]:
    """Return the assets that meet the filter, in their order, with one statement or, by column, one for each step."""
    if filter_input is None:
        return reached
    loaders = info.context.loaders
    if (column := or_none(filter_input.column)) is not None:
        linked = await find_linked_assets(
            loaders,
            start.asset_id,
            is_downstream=start.direction is Direction.DOWNSTREAM,
            reachable_ids={item.asset_id for item in reached},
            column=check_text(column, "filter"),
        )
        reached = [item for item in reached if item.asset_id in linked]
    if filter_input.owner is UNSET and filter_input.resource_type is UNSET:
        return reached
    owners = _accepted_values(filter_input.owner, lambda text: local_id(text, "Team", field=("filter",)))
    kinds = _accepted_values(filter_input.resource_type, lambda kind: kind)
    rows = await loaders.asset.load_many([item.asset_id for item in reached])
    return [
        item
        for item, row in zip(reached, rows, strict=True)
        if row is not None
        and (owners is None or row.owner_team_id in owners)
        and (kinds is None or row.resource_type in kinds)
    ]


def _accepted_values(condition: Any, convert: Callable[[Any], Any]) -> set[Any] | None:
    """Return the values that a condition accepts; None if it accepts all."""
    if or_none(condition) is None:
        return None
    sets = []
    if condition.eq is not UNSET:
        sets.append({convert(condition.eq)})
    if condition.in_ is not UNSET:
        sets.append({convert(value) for value in condition.in_})
    return set.intersection(*sets) if sets else None


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


def lineage_page(
    start: LineageStart, reached: Sequence[ReachableAsset], selected: Sequence[ReachableAsset], request: SliceRequest
) -> LineageConnection:
    """Build a page of the selected ones of the reachable assets. Raise Invalid for a bad size or cursor."""
    cursors = [global_id("Lineage", item.asset_id) for item in selected]
    window, page_info = slice_page(cursors, request)
    ids_by_degree: dict[int, set[UUID]] = {0: {start.asset_id}}
    for item in reached:
        ids_by_degree.setdefault(item.degree, set()).add(item.asset_id)
    nearer = {degree + 1: frozenset(ids) for degree, ids in ids_by_degree.items()}
    edges = [
        LineageEdge(
            asset_id=item.asset_id,
            start=start,
            nearer_ids=nearer.get(item.degree, frozenset()),
            cursor=cursor,
            degree=item.degree,
        )
        for item, cursor in zip(selected[window], cursors[window], strict=True)
    ]
    return LineageConnection(edges=edges, page_info=page_info, total_count=len(selected))
