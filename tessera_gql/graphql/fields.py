"""The declared fields of an asset with their readers. A registration without fields reads all of them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import strawberry

from tessera_gql import diff
from tessera_gql.graphql.context import Context, Info
from tessera_gql.graphql.type_registry import computed_field, lazy_list, lazy_type, to_type
from tessera_gql.policy.deprecation import find_of_field
from tessera_gql.store import tables
from tessera_gql.workflows.comparisons import IdentityKey


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

    @computed_field("The number of teams that read the field.")
    async def reader_count(self, info: Info) -> int:
        return len(await self._reader_ids(info))

    async def _reader_ids(self, info: Info) -> list[UUID]:
        return (await info.context.loaders.reader_index.load(self.asset_id)).teams(self.path)


async def load_fields(
    context: Context, asset_id: UUID, contract: tables.Contract | None, paths: Sequence[str] | None
) -> list[AssetField]:
    declared = await _declared_fields(context, contract.schema_def) if contract else ()
    path_set = None if paths is None else set(paths)
    return [
        AssetField(asset_id=asset_id, **vars(field)) for field in declared if path_set is None or field.path in path_set
    ]


async def _declared_fields(context: Context, schema: Any) -> Sequence[diff.Field]:
    if diff.small_schema_size(schema) is not None:
        return diff.list_fields(schema)
    return await context.computer.run(diff.list_fields, schema, key=("fields", IdentityKey(schema)))
