"""Assets: the tables, views, models and topics that contracts are about."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from tessera_gql.diff import Mode
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.events import events_of
from tessera_gql.graphql.fields import AssetField, fields_of
from tessera_gql.graphql.filters import given, kept, optional
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.lineage import stream
from tessera_gql.graphql.lists import ASSETS, CONSUMERS, CONTRACTS, DEPENDENCIES, PROPOSALS, REGISTRATIONS
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation
from tessera_gql.graphql.nouns import computed, named, shown
from tessera_gql.graphql.pages import Connection, pages
from tessera_gql.graphql.refs import AssetRefInput, TeamRefInput, asset_by, team_ref
from tessera_gql.graphql.relations import by_ref, one
from tessera_gql.graphql.rows import from_row
from tessera_gql.graphql.scalars import JSON, text
from tessera_gql.policy.access import Verb, allows
from tessera_gql.policy.words import ResourceType
from tessera_gql.store import tables
from tessera_gql.store.lineage import Direction
from tessera_gql.workflows import assets
from tessera_gql.workflows.assets import AssetDetails


@from_row(metadata="meta")
@strawberry.type(description="A table, view, model, source or topic that somebody owns and others read.")
class Asset(Node):
    row: strawberry.Private[tables.Asset]
    fqn: str = strawberry.field(description="Its fully qualified name, unique whatever the case.")
    resource_type: ResourceType = strawberry.field(description="What kind of thing it is.")
    description: str | None = strawberry.field(description="What it is about.")
    compatibility_mode: Mode = strawberry.field(description="The mode of its next contract, unless it says another.")
    metadata: JSON = strawberry.field(description="Anything else that is worth knowing, as an object.")
    row_version: int = strawberry.field(description="Rises with every change; for `expectedRowVersion`.")
    created_at: datetime = strawberry.field(description="When it was created.")

    owner = one("Team", lambda loaders: loaders.team, "owner_team_id", description="The team that publishes it.")
    current_contract = one(
        "Contract",
        lambda loaders: loaders.active_contract,
        "id",
        nullable=True,
        description="The promise that holds now, if there is one.",
    )
    open_proposal = one(
        "Proposal",
        lambda loaders: loaders.open_proposal,
        "id",
        nullable=True,
        description="The breaking change that waits, if there is one.",
    )
    contracts = pages(CONTRACTS, "asset_id", description="Every version, the latest first.")
    registrations = pages(REGISTRATIONS, "asset_id", description="Who reads it and what, history included.")
    consumers = pages(CONSUMERS, "asset_id", description="The teams that read it now, each once.")
    proposals = pages(PROPOSALS, "asset_id", description="Every breaking change proposed, the latest first.")
    dependencies = pages(DEPENDENCIES, "dependent_asset_id", description="What it depends on, one step away.")
    dependents = pages(DEPENDENCIES, "dependency_asset_id", description="What depends on it, one step away.")
    upstream = stream(Direction.UPSTREAM, description="Everything it is made from, nearest first.")
    downstream = stream(Direction.DOWNSTREAM, description="Everything made from it, nearest first.")
    events = events_of("asset_id", description="What happened to it, oldest first.")

    @computed("One version; null if there is none.", named("Contract") | None)
    async def contract(
        self, info: Info, version: Annotated[str, strawberry.argument(description="The semantic version.")]
    ) -> Any:
        key = (self.row.id, text(version, "version"))
        return shown("Contract", await info.context.loaders.contract_by_version.load(key))

    @computed("The fields that the current contract declares, in its order, with who reads them.")
    async def fields(
        self,
        info: Info,
        paths: Annotated[
            list[str] | None, strawberry.argument(description="Only these; all if left out.")
        ] = strawberry.UNSET,
    ) -> list[AssetField]:
        contract = await info.context.loaders.active_contract.load(self.row.id)
        return await fields_of(info.context, self.row.id, contract, given(paths))

    @computed("Whether the viewer may publish its contracts.")
    def viewer_can_publish(self, info: Info) -> bool:
        return allows(info.context.actor, Verb.PUBLISH_CONTRACT, self.row.owner_team_id)

    @computed("Whether the viewer may change it.")
    def viewer_can_update(self, info: Info) -> bool:
        return allows(info.context.actor, Verb.UPDATE_ASSET, self.row.owner_team_id)


@strawberry.type(description="A page of assets.")
class AssetConnection(Connection[Asset]):
    pass


@strawberry.input(description="A new asset.")
class CreateAssetInput(CreatingInput):
    fqn: str = strawberry.field(description="Two or more names joined by dots, as in analytics.core.orders.")
    owner: TeamRefInput | None = optional("The owning team; the key's own if left out.")
    resource_type: ResourceType | None = optional("What kind of thing it is; TABLE if left out.")
    description: str | None = optional("What it is about.")
    compatibility_mode: Mode | None = optional("The default mode of its contracts; BACKWARD if left out.")
    metadata: JSON | None = optional("Anything else that is worth knowing, as an object.")


@strawberry.type(description="The asset that was created.")
class CreateAssetPayload(Payload):
    asset: Asset | None = strawberry.field(default=None, description="Null if it was refused.")


async def create_asset(call: Call, asked: CreateAssetInput) -> CreateAssetPayload:
    details = AssetDetails(
        owner=team_ref(given(asked.owner), "owner"),
        resource_type=given(asked.resource_type),
        description=given(asked.description),
        compatibility_mode=given(asked.compatibility_mode),
        metadata=given(asked.metadata),
    )
    row = await assets.create(call.session, call.actor, fqn=asked.fqn, details=details)
    return CreateAssetPayload(asset=Asset.of(row))


@strawberry.input(description="What changes about an asset; what is left out stays as it is.")
class UpdateAssetInput(Input):
    asset: AssetRefInput = strawberry.field(description="Which one.")
    owner: TeamRefInput | None = optional("The team that owns it from now on.")
    resource_type: ResourceType | None = optional("What kind of thing it is.")
    description: str | None = optional("What it is about; null removes it.")
    compatibility_mode: Mode | None = optional("The default mode of its contracts.")
    metadata: JSON | None = optional("Replaces what was there.")
    expected_row_version: int | None = optional("Refuses with STALE if the asset was changed since this was read.")


@strawberry.type(description="The asset as it is now.")
class UpdateAssetPayload(Payload):
    asset: Asset | None = strawberry.field(default=None, description="Null if it was refused.")


async def update_asset(call: Call, asked: UpdateAssetInput) -> UpdateAssetPayload:
    details = AssetDetails(
        owner=team_ref(kept(asked.owner, "owner"), "owner"),
        resource_type=kept(asked.resource_type, "resource_type"),
        description="" if asked.description is None else given(asked.description),
        compatibility_mode=kept(asked.compatibility_mode, "compatibility_mode"),
        metadata={} if asked.metadata is None else given(asked.metadata),
    )
    row = await assets.update(
        call.session,
        call.actor,
        asked.asset.local(),
        details=details,
        expected_row_version=given(asked.expected_row_version),
    )
    return UpdateAssetPayload(asset=Asset.of(row))


@strawberry.type
class Mutations:
    create_asset: Any = mutation(
        create_asset, "Creates an asset for the key's team, or for any team with ADMIN.", team="owner"
    )
    update_asset: Any = mutation(update_asset, "Changes what describes an asset. Only its owner may.")


@strawberry.type
class Queries:
    assets = pages(ASSETS, description="All assets.")

    asset = by_ref("Asset", AssetRefInput, asset_by, description="One asset; null if there is none.")
