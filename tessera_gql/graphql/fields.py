"""The declared fields of an asset and who reads each: a reader of everything reads every field."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import strawberry

from tessera_gql import diff
from tessera_gql.graphql.context import Context, Info
from tessera_gql.graphql.nouns import computed, many, shown
from tessera_gql.store import tables
from tessera_gql.workflows.comparisons import Same


@strawberry.type(description="A field that the current contract declares.")
class AssetField:
    asset_id: strawberry.Private[UUID]
    path: str = strawberry.field(description="Its path, as in `items[].sku`: what a registration names.")
    type: str = strawberry.field(description="Its type, for people.")
    required: bool = strawberry.field(description="Whether it is always there.")
    nullable: bool = strawberry.field(description="Whether it may be null.")
    description: str | None = strawberry.field(description="What the schema says about it.")
    deprecated: bool = strawberry.field(description="Whether the schema says that it will go.")

    @computed("The teams that read it, each once.", many("Team"))
    async def readers(self, info: Info) -> Any:
        found = await info.context.loaders.team.load_many(await self._readers(info))
        return [shown("Team", row) for row in found]

    @computed("How many teams read it.")
    async def reader_count(self, info: Info) -> int:
        return len(await self._readers(info))

    async def _readers(self, info: Info) -> list[UUID]:
        return (await info.context.loaders.reader_index.load(self.asset_id)).teams(self.path)


async def fields_of(
    context: Context, asset: UUID, contract: tables.Contract | None, paths: Sequence[str] | None
) -> list[AssetField]:
    declared = await _declared(context, contract.schema_def) if contract else ()
    wanted = None if paths is None else set(paths)
    return [AssetField(asset_id=asset, **vars(field)) for field in declared if wanted is None or field.path in wanted]


async def _declared(context: Context, schema: Any) -> Sequence[diff.Field]:
    if diff.weight(schema) is not None:
        return diff.fields(schema)
    return await context.computer.run(diff.fields, schema, key=("fields", Same(schema)))
