"""Operations on assets and their lineage edges."""

from typing import Any, TypedDict

from typing_extensions import Unpack

from tessera_gql.client.enums import AssetTier, CompatibilityMode, DependencyType, ResourceType
from tessera_gql.client.models import Asset, Dependency, JsonObject
from tessera_gql.client.operation import (
    AssetRef,
    Operation,
    PaginatedQuery,
    RootField,
    TeamRef,
    build_archive_filter,
    build_asset_ref,
    build_filter,
    build_nullable_variables,
    build_team_ref,
    build_variables,
    describe_missing_asset,
)

ASSET = RootField("asset", Asset, {"by": "AssetRef!"})


class AssetDetails(TypedDict, total=False):
    """Optional attributes of an asset. `compatibility_mode` is the default of its contracts, `tier` a suggestion."""

    description: str | None
    resource_type: ResourceType
    compatibility_mode: CompatibilityMode
    tier: AssetTier
    metadata: JsonObject | None


class NewAssetDetails(AssetDetails, total=False):
    """Optional attributes of a new asset, and the key with which the call can be repeated."""

    idempotency_key: str | None


def create_asset(
    *, fqn: str, owner_team_id: str | None = None, owner: TeamRef | None = None, **details: Unpack[NewAssetDetails]
) -> Operation[Asset]:
    """Create an asset, and return it; the owner defaults to the team of the key.

    Raises Conflict if the fqn is taken, Invalid if it is no name with at least two parts, NotFound for an unknown
    owner.

    Example:
        asset = tessera.create_asset(fqn="analytics.marts.refunds", owner="shop-platform", tier=AssetTier.HIGH)
        assert asset.current_contract is None
    """
    owner_ref = {"id": owner_team_id} if owner_team_id else build_team_ref(owner)
    input_ = build_variables(fqn=fqn, owner=owner_ref, **details)
    return RootField("createAsset", Asset).build_idempotent_mutation(input_, payload_field="asset")


class AssetChanges(AssetDetails, total=False):
    """Attributes to change; None removes a description, metadata or the successor.

    Raises Stale if `expected_row_version` is old.
    """

    owner: TeamRef
    superseded_by: AssetRef | None
    expected_row_version: int


def update_asset(asset: AssetRef, **changes: Unpack[AssetChanges]) -> Operation[Asset]:
    """Change the given attributes of an asset, and return it.

    Raises Stale for an old `expected_row_version`, Forbidden for an asset of another team.

    Example:
        asset = tessera.update_asset("analytics.marts.refunds", description="Refunds, one row each.")
        assert asset.description
    """
    values: dict[str, Any] = {**changes}
    if "owner" in changes:
        values["owner"] = build_team_ref(changes["owner"])
    if (successor := changes.get("superseded_by")) is not None:
        values["superseded_by"] = build_asset_ref(successor)
    input_ = {"asset": build_asset_ref(asset), **build_nullable_variables(values)}
    return RootField("updateAsset", Asset).build_mutation(input_, payload_field="asset")


def get_asset(asset: AssetRef) -> Operation[Asset]:
    """Get an asset with its current contract and its open proposal.

    Raises NotFound if there is no such asset; `find_asset` returns None instead.

    Example:
        orders = tessera.get_asset("analytics.marts.orders")
        print(orders.owner.name, orders.current_contract and orders.current_contract.version)
    """
    missing = describe_missing_asset(asset)
    return ASSET.build_get_query({"by": build_asset_ref(asset)}, missing)


def find_asset(asset: AssetRef) -> Operation[Asset | None]:
    """Get an asset, or None if it does not exist.

    Raises Unavailable if the server can't be reached, as all methods do.

    Example:
        assert tessera.find_asset("no.such.asset") is None
    """
    return ASSET.build_find_query({"by": build_asset_ref(asset)})


def archive_asset(asset: AssetRef) -> Operation[Asset]:
    """Archive an asset that nothing uses any more: lists leave it out, and its history stays.

    Raises Conflict with all that still uses it.

    Example:
        assert tessera.archive_asset("analytics.marts.coupons").archived_at
    """
    return RootField("archiveAsset", Asset).build_mutation({"asset": build_asset_ref(asset)}, payload_field="asset")


def unarchive_asset(asset: AssetRef) -> Operation[Asset]:
    """Restore an archived asset, with its last contract.

    Raises NotFound if there is no such asset.

    Example:
        assert tessera.unarchive_asset("analytics.marts.coupons").archived_at is None
    """
    return RootField("unarchiveAsset", Asset).build_mutation({"asset": build_asset_ref(asset)}, payload_field="asset")


def rename_asset(asset: AssetRef, fqn: str) -> Operation[Asset]:
    """Give an asset another fqn; its history, contracts and readers stay with it.

    Raises Conflict if the fqn is taken, Invalid if it is no fqn.

    Example:
        tessera.create_asset(fqn="analytics.marts.vouchers", owner="shop-platform")
        assert tessera.rename_asset("analytics.marts.vouchers", "analytics.marts.coupons").fqn.endswith("coupons")
    """
    input_ = {"asset": build_asset_ref(asset), "fqn": fqn}
    return RootField("renameAsset", Asset).build_mutation(input_, payload_field="asset")


def set_asset_tier(asset: AssetRef, tier: AssetTier) -> Operation[Asset]:
    """Set and confirm the tier of an asset, which decides the policy of later asks. Needs the scope ADMIN.

    Raises NotFound if there is no such asset, Forbidden without the scope.

    Example:
        asset = tessera.set_asset_tier("analytics.marts.refunds", AssetTier.CRITICAL)
        assert asset.is_tier_confirmed
    """
    input_ = {"asset": build_asset_ref(asset), "tier": tier}
    return RootField("setAssetTier", Asset).build_mutation(input_, payload_field="asset")


def assets(
    *,
    fqn_contains: str | None = None,
    owner_team_id: str | None = None,
    tier: AssetTier | None = None,
    is_archived: bool = False,
) -> PaginatedQuery[Asset]:
    """List the assets that match all of the filters; archived ones only with `is_archived`.

    Pages are loaded while you iterate. Raises Invalid for a text that is too long.

    Example:
        for asset in tessera.assets(fqn_contains="orders"):
            print(asset.fqn, asset.owner.name)
    """
    filter_ = build_filter(fqn=("contains", fqn_contains), owner=("eq", owner_team_id), tier=("eq", tier))
    filter_ = build_archive_filter(filter_, is_archived=is_archived)
    return RootField("assets", Asset, {"filter": "AssetFilter"}).build_paginated_query(filter=filter_)


def add_dependency(
    dependent: AssetRef,
    dependency: AssetRef,
    *,
    type: DependencyType | None = None,  # noqa: A002 - the name in the schema
    idempotency_key: str | None = None,
) -> Operation[Dependency]:
    """Add a lineage edge: `dependent` is made from, or reads, `dependency`.

    Raises NotFound for an unknown asset, Conflict if the edge is there, Invalid for an asset that would depend on
    itself.

    Example:
        edge = tessera.add_dependency("analytics.marts.refunds", "raw.shop.payments")
        assert edge.dependency.fqn == "raw.shop.payments"
    """
    refs = {"dependent": build_asset_ref(dependent), "dependency": build_asset_ref(dependency)}
    input_ = build_variables(**refs, type=type, idempotency_key=idempotency_key)
    return RootField("addDependency", Dependency).build_idempotent_mutation(input_, payload_field="dependency")
