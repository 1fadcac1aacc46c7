"""The declared fields of an asset with their readers. A registration without fields reads all of them."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET, argument

from tessera_gql import diff
from tessera_gql.errors import Invalid
from tessera_gql.executor import BATCH_KEY, Batch, BoundBatch
from tessera_gql.graphql.connections import After, Before, First, Last, PageInfo
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.declared_fields import load_contract_fields
from tessera_gql.graphql.filters import optional, or_none
from tessera_gql.graphql.scalars import check_text
from tessera_gql.graphql.slices import Cursors, SliceRequest, slice_page
from tessera_gql.graphql.type_registry import computed_field, lazy_list, lazy_type, to_type
from tessera_gql.policy.deprecation import find_of_field
from tessera_gql.policy.field_history import FieldHistory
from tessera_gql.store.pagination import MAX_SIZE

HistorySize = Annotated[int, argument("The number of changes, 0 to 100, the latest ones.")]


def _bind_reader_counts(info: Info) -> BoundBatch:
    async def count(keys: list[tuple[UUID, str]]) -> list[int]:
        assets = [*dict.fromkeys(asset for asset, _ in keys)]
        indexes = dict(zip(assets, await info.context.loaders.reader_index.load_many(assets), strict=True))
        return [len(indexes[asset].teams(path)) for asset, path in keys]

    return BoundBatch(attrgetter("asset_id", "path"), count, lambda _, number: number)


_READER_COUNTS = Batch(_bind_reader_counts, ())


async def _resolve_reader_count(root: Any, info: Info) -> Any:
    return await _READER_COUNTS.resolve(root, info)


@strawberry.type(description="A field that the asset's active contract declares.")
class AssetField:
    asset_id: strawberry.Private[UUID]
    path: str = strawberry.field(description="The path, such as `items[].sku`; registrations refer to a field by it.")
    type: str = strawberry.field(description="The type as text, for people.")
    required: bool = strawberry.field(description="Whether every document must have the field.")
    nullable: bool = strawberry.field(description="Whether the value may be null.")
    description: str | None = strawberry.field(description="The description from the schema; null if it has none.")
    deprecated: bool = strawberry.field(description="Whether the schema marks the field as deprecated.")
    sunset: strawberry.Private[str | None] = None
    replacement: strawberry.Private[str | None] = None

    @computed_field(
        "The deprecation that the field falls under: its own, that of an enclosing field, or that of the whole asset;"
        " null if there is none.",
        lazy_type("Deprecation") | None,
    )
    async def deprecation(self, info: Info) -> Any:
        live = await info.context.loaders.deprecations_of_asset.load(self.asset_id)
        return to_type("Deprecation", find_of_field(live, self.path))

    @computed_field("The teams that read the field, each once.", lazy_list("Team"))
    async def readers(self, info: Info) -> Any:
        rows = await info.context.loaders.team.load_many(await self._reader_ids(info))
        return [to_type("Team", row) for row in rows]

    reader_count: Any = strawberry.field(
        resolver=_resolve_reader_count,
        graphql_type=int,
        description="The number of teams that read the field.",
        metadata={BATCH_KEY: _READER_COUNTS},
    )

    @computed_field(
        "The time of the latest read of the field that a usage source has seen, by a principal of any team or of none;"
        " a read of the whole asset counts. Null if none was seen, which proves nothing without `coverage`."
    )
    async def last_read_at(self, info: Info) -> datetime | None:
        return (await info.context.loaders.last_reads.load(self.asset_id)).find(self.path)

    @computed_field(
        "The change that added the field: the latest contract that brought it, or the first one of the asset; null if"
        " it was published before the history of fields began.",
        lazy_type("FieldChange") | None,
    )
    async def added_in(self, info: Info) -> Any:
        return to_type("FieldChange", (await self._load_history(info)).added)

    @computed_field(
        "The latest change of the field, which may be the one that added it; null as for `addedIn`.",
        lazy_type("FieldChange") | None,
    )
    async def last_changed_in(self, info: Info) -> Any:
        return to_type("FieldChange", (await self._load_history(info)).last_change)

    @computed_field(
        "The changes that led to the field, the latest first, those before a rename included.", lazy_list("FieldChange")
    )
    async def history(self, info: Info, first: HistorySize = 20) -> Any:
        if not 0 <= first <= MAX_SIZE:
            raise Invalid(f"`first` is {first}; a history shows 0 to {MAX_SIZE} changes.", field=("first",))
        return [to_type("FieldChange", row) for row in (await self._load_history(info)).changes[:first]]

    async def _load_history(self, info: Info) -> FieldHistory:
        return await info.context.loaders.field_history.load((self.asset_id, self.path))

    async def _reader_ids(self, info: Info) -> list[UUID]:
        return (await info.context.loaders.reader_index.load(self.asset_id)).teams(self.path)


@strawberry.type(description="A field with its position in a list.")
class AssetFieldEdge:
    cursor: str = strawberry.field(description="The position of the field; send it as `after` or `before`.")
    node: AssetField = strawberry.field(description="The field at this position.")


@strawberry.type(description="One page of the fields that an asset declares, in the order of its contract.")
class AssetFieldConnection:
    edges: list[AssetFieldEdge] = strawberry.field(description="The fields of the page, each with its cursor.")
    nodes: list[AssetField] = strawberry.field(description="The fields of the page, without their cursors.")
    page_info: PageInfo = strawberry.field(description="The position of the page in the list.")
    total_count: int = strawberry.field(description="The number of fields in the whole list, whatever the page.")


@strawberry.input(description="Conditions on declared fields; a field must meet all of them.")
class AssetFieldFilter:
    paths: list[str] | None = optional("Accept only the fields at these paths.")
    search: str | None = optional(
        "Accept fields whose path, type or description contains each of these words, ignoring case."
    )
    is_deprecated: bool | None = optional("Accept only fields that fall under a deprecation, or only the others.")


FieldFilterArgument = Annotated[
    AssetFieldFilter | None,
    argument(name="filter", description="The conditions that fields must meet; all fields if left out."),
]


async def _resolve_fields(  # noqa: PLR0913, PLR0917 - the arguments in the schema
    root: Any,
    info: Info,
    first: First = UNSET,
    after: After = UNSET,
    last: Last = UNSET,
    before: Before = UNSET,
    filter_input: FieldFilterArgument = UNSET,
) -> AssetFieldConnection:
    asset_id = root.row.id
    contract = await info.context.loaders.active_contract.load(asset_id)
    declared = await load_contract_fields(info.context, contract) if contract else ()
    if (conditions := or_none(filter_input)) is not None:
        declared = await _select(info, asset_id, declared, conditions)
    cursors = Cursors("field", [field.path for field in declared])
    window, page_info = slice_page(cursors, SliceRequest(first, after, last, before))
    nodes = [AssetField(asset_id=asset_id, **vars(field)) for field in declared[window]]
    edges = [AssetFieldEdge(cursor=cursor, node=node) for cursor, node in zip(cursors[window], nodes, strict=True)]
    return AssetFieldConnection(edges=edges, nodes=nodes, page_info=page_info, total_count=len(declared))


async def _select(
    info: Info, asset_id: UUID, declared: Sequence[diff.Field], conditions: AssetFieldFilter
) -> Sequence[diff.Field]:
    if (paths := or_none(conditions.paths)) is not None:
        path_set = set(paths)
        declared = [field for field in declared if field.path in path_set]
    if (text := or_none(conditions.search)) is not None:
        search_terms = check_text(text, "filter").casefold().split()
        declared = [field for field in declared if _has_terms(field, search_terms)]
    if (is_deprecated := or_none(conditions.is_deprecated)) is not None:
        live = await info.context.loaders.deprecations_of_asset.load(asset_id)
        declared = [field for field in declared if (find_of_field(live, field.path) is not None) is is_deprecated]
    return declared


def _has_terms(field: diff.Field, search_terms: Sequence[str]) -> bool:
    text = " ".join((field.path, field.type, field.description or "")).casefold()
    return all(term in text for term in search_terms)


fields_connection: Any = strawberry.field(
    resolver=_resolve_fields,
    graphql_type=AssetFieldConnection,
    description="The fields that the active contract declares, in its order; empty without a contract.",
)
