"""Assets: the tables, views, models and topics that contracts are about."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import argument

from tessera_gql.diff import Mode
from tessera_gql.graphql.column_lineage import column_lineage_field
from tessera_gql.graphql.connections import Connection, connection
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.coverage import asset_coverage_field
from tessera_gql.graphql.events import events_connection
from tessera_gql.graphql.field_history import FIELD_CHANGES
from tessera_gql.graphql.fields import fields_connection
from tessera_gql.graphql.filters import optional, or_keep, or_none
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.labels import AssetLabel
from tessera_gql.graphql.lineage import lineage_field
from tessera_gql.graphql.listings import (
    ASSETS,
    CONSUMERS,
    CONTRACTS,
    DEBTS,
    DEPENDENCIES,
    DEPRECATIONS,
    OBSERVATIONS,
    PROPOSALS,
    REGISTRATIONS,
)
from tessera_gql.graphql.mutations import Call, CreatingInput, Payload, VersionedInput, mutation, payload_field
from tessera_gql.graphql.refs import AssetRefInput, TeamRefInput, asset_loader, asset_ref, team_ref
from tessera_gql.graphql.relations import relation, root_by_ref
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import JSON, check_text
from tessera_gql.graphql.type_registry import computed_field, lazy_type, to_type
from tessera_gql.graphql.unused_fields import unused_fields_connection
from tessera_gql.policy.access import Action, is_allowed_on_asset
from tessera_gql.policy.deprecation import WHOLE
from tessera_gql.policy.enums import AssetTier, ResourceType
from tessera_gql.store import tables
from tessera_gql.store.lineage import Direction
from tessera_gql.workflows import assets, labels
from tessera_gql.workflows.assets import NO_SUCCESSOR, AssetDetails


@from_row(metadata="meta")
@strawberry.type(description="A table, view, model, topic or other data set, with an owner team and contracts.")
class Asset(Node):
    row: strawberry.Private[tables.Asset]
    fqn: str = strawberry.field(description="The fully qualified name, as in `core.orders`; unique, ignoring case.")
    resource_type: ResourceType = strawberry.field(description="The kind of object that the asset is.")
    description: str | None = strawberry.field(description="The description in plain text; null if there is none.")
    compatibility_mode: Mode = strawberry.field(
        description="The mode that a contract gets while none is active; the active contract has a mode of its own."
    )
    metadata: JSON = strawberry.field(description="Free data of your own about the asset, as a JSON object.")
    row_version: int = strawberry.field(description="A number that rises with every change; for `expectedRowVersion`.")
    tier: AssetTier = strawberry.field(description="The importance of the asset, as far as `isTierConfirmed` says.")
    is_tier_confirmed: bool = strawberry.field(
        description="Whether an administrator has set the tier; otherwise it is a suggestion without effect."
    )
    created_at: datetime = strawberry.field(description="The time at which the asset was created.")
    updated_at: datetime = strawberry.field(description="The time of the latest change of the asset itself.")
    archived_at: datetime | None = strawberry.field(
        description="The time at which the asset was archived; null while it can be published and read."
    )

    owner = relation("Team", "row.owner_team_id", "The team that owns the asset and publishes its contracts.")
    current_contract = relation(
        "Contract",
        "row.id",
        "The active contract; null if there is none.",
        loader=lambda loaders: loaders.active_contract,
        nullable=True,
    )
    open_proposal = relation(
        "Proposal",
        "row.id",
        "The open proposal of a breaking change; null if there is none.",
        loader=lambda loaders: loaders.open_proposal,
        nullable=True,
    )
    contracts = connection(CONTRACTS, "asset_id", description="All contracts of the asset, the latest first.")
    registrations = connection(REGISTRATIONS, "asset_id", description="The registrations of consumers, ended ones too.")
    consumers = connection(CONSUMERS, "asset_id", description="The teams that read the asset now, each once.")
    proposals = connection(
        PROPOSALS, "asset_id", description="All proposals of breaking changes, open or ended, the latest first."
    )
    debts = connection(
        DEBTS,
        "asset_id",
        description="What publishes of the asset left undone for teams that read it, until it is settled.",
    )
    deprecations = connection(
        DEPRECATIONS,
        "asset_id",
        description="The deprecations of the asset and its fields that hold now, the oldest first.",
    )
    superseded_by = relation(
        "Asset",
        "row.superseded_by_id",
        "The asset that replaces this one, such as the latest version of a dbt model; null if there is none.",
        nullable=True,
    )
    observations = connection(
        OBSERVATIONS, "asset_id", description="The reads that usage sources have seen, the latest first."
    )
    dependencies = connection(
        DEPENDENCIES,
        "dependent_asset_id",
        description="The assets that this one directly depends on, as edges of the lineage.",
    )
    dependents = connection(
        DEPENDENCIES,
        "dependency_asset_id",
        description="The assets that directly depend on this one, as edges of the lineage.",
    )
    upstream = lineage_field(
        Direction.UPSTREAM,
        description="All assets that this one is made from, directly or indirectly, the nearest first.",
    )
    downstream = lineage_field(
        Direction.DOWNSTREAM, description="All assets made from this one, directly or indirectly, the nearest first."
    )
    column_lineage = column_lineage_field
    fields = fields_connection
    unused_fields = unused_fields_connection
    coverage = asset_coverage_field
    field_changes = connection(
        FIELD_CHANGES,
        "asset_id",
        description="What the contracts of the asset changed in its fields, the latest first; those of removed fields"
        " too.",
    )
    events = events_connection("asset_id", description="The events about the asset, the oldest first.")
    history = events_connection(
        "asset_id",
        is_latest_first=True,
        description="The timeline of the asset: what was published, proposed, answered, commented, transferred, renamed"
        " and deprecated, the latest first; the filter `kind` selects some of it.",
    )

    @computed_field("The contract with this version; null if there is none.", lazy_type("Contract") | None)
    async def contract(
        self, info: Info, version: Annotated[str, argument("The semantic version, such as `1.2.0`.")]
    ) -> Any:
        key = (self.row.id, check_text(version, "version"))
        return to_type("Contract", await info.context.loaders.contract_by_version.load(key))

    @computed_field("The labels of the asset, sorted.")
    async def labels(self, info: Info) -> list[AssetLabel]:
        return [AssetLabel.of(row) for row in await info.context.loaders.labels_of_asset.load(self.row.id)]

    @computed_field("Whether the asset is deprecated as a whole.")
    async def is_deprecated(self, info: Info) -> bool:
        live = await info.context.loaders.deprecations_of_asset.load(self.row.id)
        return any(item.path == WHOLE for item in live)

    @computed_field("Whether the caller may publish contracts of the asset.")
    def viewer_can_publish(self, info: Info) -> bool:
        return self._is_allowed(info, Action.PUBLISH_CONTRACT)

    @computed_field("Whether the caller may update the asset.")
    def viewer_can_update(self, info: Info) -> bool:
        return self._is_allowed(info, Action.UPDATE_ASSET)

    def _is_allowed(self, info: Info, action: Action) -> bool:
        return is_allowed_on_asset(info.context.actor, action, self.row.fqn, self.row.owner_team_id)


@strawberry.type(description="One page of a list of assets.")
class AssetConnection(Connection[Asset]): ...


@strawberry.input(description="The data of a new asset.")
class CreateAssetInput(CreatingInput):
    fqn: str = strawberry.field(
        description="The fully qualified name: two or more names joined by dots, as in `analytics.core.orders`."
    )
    owner: TeamRefInput | None = optional("The owner team; the team of the API key if left out.")
    resource_type: ResourceType | None = optional("The kind of object that the asset is; TABLE if left out.")
    description: str | None = optional("The description for readers, in plain text.")
    compatibility_mode: Mode | None = optional(
        "The mode of the asset's first contract; DEFAULT_COMPATIBILITY_MODE or BACKWARD if left out."
    )
    tier: AssetTier | None = optional("The suggested tier, without effect until an administrator sets it.")
    metadata: JSON | None = optional("Free data of your own about the asset, as a JSON object.")


@strawberry.type(description="The result of `createAsset`.")
class CreateAssetPayload(Payload):
    asset: Asset | None = payload_field("The asset; null if refused.")


async def create_asset(call: Call, arguments: CreateAssetInput) -> CreateAssetPayload:
    details = AssetDetails(
        owner=team_ref(arguments.owner, "owner"),
        resource_type=or_none(arguments.resource_type),
        description=or_none(arguments.description),
        compatibility_mode=or_none(arguments.compatibility_mode) or call.default_mode,
        metadata=or_none(arguments.metadata),
        tier=or_none(arguments.tier),
    )
    row = await assets.create(call.session, call.actor, fqn=arguments.fqn, details=details)
    return CreateAssetPayload(asset=Asset.of(row))


@strawberry.input(description="The changes to an asset; fields that are left out keep their value.")
class UpdateAssetInput(VersionedInput):
    asset: AssetRefInput = strawberry.field(description="The asset to update, by id or fqn.")
    owner: TeamRefInput | None = optional("The team that becomes the owner of the asset.")
    resource_type: ResourceType | None = optional("The kind of object that the asset is.")
    description: str | None = optional("The new description for readers; null removes it.")
    compatibility_mode: Mode | None = optional(
        "The mode of the next contract while none is active; `publishContract` changes that of an active contract."
    )
    tier: AssetTier | None = optional(
        "The suggested tier, without effect until an administrator sets it; refused once one has."
    )
    metadata: JSON | None = optional("The new metadata, which replaces the old object as a whole; null empties it.")
    superseded_by: AssetRefInput | None = optional("The asset that replaces this one; null removes it.")


@strawberry.type(description="The result of `updateAsset`.")
class UpdateAssetPayload(Payload):
    asset: Asset | None = payload_field("The asset; null if refused.")


async def update_asset(call: Call, arguments: UpdateAssetInput) -> UpdateAssetPayload:
    details = AssetDetails(
        owner=team_ref(or_keep(arguments.owner, "owner"), "owner"),
        resource_type=or_keep(arguments.resource_type, "resource_type"),
        description="" if arguments.description is None else or_none(arguments.description),
        compatibility_mode=or_keep(arguments.compatibility_mode, "compatibility_mode"),
        metadata={} if arguments.metadata is None else or_none(arguments.metadata),
        tier=or_keep(arguments.tier, "tier"),
        superseded_by=NO_SUCCESSOR
        if arguments.superseded_by is None
        else asset_ref(or_none(arguments.superseded_by), "superseded_by"),
    )
    row = await assets.update(
        call.session,
        call.actor,
        arguments.asset.to_ref(),
        details=details,
        expected_row_version=or_none(arguments.expected_row_version),
    )
    return UpdateAssetPayload(asset=Asset.of(row))


@strawberry.input(description="The asset to rename, and its new name.")
class RenameAssetInput(VersionedInput):
    asset: AssetRefInput = strawberry.field(description="The asset to rename, by id or its present fqn.")
    fqn: str = strawberry.field(description="The new fully qualified name, which no asset has in any case.")


@strawberry.type(description="The result of `renameAsset`.")
class RenameAssetPayload(Payload):
    asset: Asset | None = payload_field("The asset with its new name; null if refused.")


async def rename_asset(call: Call, arguments: RenameAssetInput) -> RenameAssetPayload:
    ref, version = arguments.asset.to_ref(), or_none(arguments.expected_row_version)
    row = await assets.rename(call.session, call.actor, ref, arguments.fqn, expected_row_version=version)
    return RenameAssetPayload(asset=Asset.of(row))


@strawberry.input(description="The tier that an administrator gives an asset.")
class SetAssetTierInput(VersionedInput):
    asset: AssetRefInput = strawberry.field(description="The asset, by id or fqn.")
    tier: AssetTier = strawberry.field(description="The tier, which is confirmed by this.")


@strawberry.type(description="The result of `setAssetTier`.")
class SetAssetTierPayload(Payload):
    asset: Asset | None = payload_field("The asset; null if refused.")


async def set_asset_tier(call: Call, arguments: SetAssetTierInput) -> SetAssetTierPayload:
    ref, version = arguments.asset.to_ref(), or_none(arguments.expected_row_version)
    row = await assets.set_tier(call.session, call.actor, ref, arguments.tier, expected_row_version=version)
    return SetAssetTierPayload(asset=Asset.of(row))


@strawberry.input(description="The labels that the owner team gives an asset.")
class SetLabelsInput(VersionedInput):
    asset: AssetRefInput = strawberry.field(description="The asset to label, by id or fqn.")
    labels: list[str] = strawberry.field(
        description="All labels that the team gives, 50 at most, such as `pii` or `domain:sales`; those that are left"
        " out are removed, but for those of a manifest."
    )


@strawberry.type(description="The result of `setLabels`.")
class SetLabelsPayload(Payload):
    asset: Asset | None = payload_field("The asset with its labels; null if refused.")


async def set_labels(call: Call, arguments: SetLabelsInput) -> SetLabelsPayload:
    ref, version = arguments.asset.to_ref(), or_none(arguments.expected_row_version)
    row = await labels.set_labels(call.session, call.actor, ref, arguments.labels, expected_row_version=version)
    return SetLabelsPayload(asset=Asset.of(row))


@strawberry.type
class Mutations:
    create_asset: Any = mutation(
        create_asset, "Create an asset for the key's own team, or for any team with the scope ADMIN.", team="owner"
    )
    update_asset: Any = mutation(update_asset, "Update an asset. Needs a key of the owner team or the scope ADMIN.")
    rename_asset: Any = mutation(
        rename_asset,
        "Give an asset another fqn; its contracts, registrations and events stay with it. Needs a key of the owner team"
        " or the scope ADMIN.",
    )
    set_asset_tier: Any = mutation(
        set_asset_tier, "Set the tier of an asset, which decides the policy of later asks. Needs the scope ADMIN."
    )
    set_labels: Any = mutation(
        set_labels,
        "Replace the labels that the owner team gives an asset; those of a dbt manifest stay. Needs a key of the owner"
        " team or the scope ADMIN.",
    )


@strawberry.type
class Queries:
    assets = connection(ASSETS, description="All assets of the catalog, sorted by fqn.")

    asset = root_by_ref(
        "Asset", AssetRefInput, asset_loader, description="The asset with this id or fqn; null if there is none."
    )
