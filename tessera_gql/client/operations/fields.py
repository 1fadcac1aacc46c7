"""Operations on the fields and the labels of assets."""

from collections.abc import Sequence

from tessera_gql.client.field_models import AssetField, LabeledAsset
from tessera_gql.client.operation import (
    AssetRef,
    Operation,
    PaginatedQuery,
    RootField,
    build_asset_ref,
    describe_missing_asset,
)


def fields(asset: AssetRef) -> PaginatedQuery[AssetField]:
    """List the declared fields of an asset with the contract and proposal that added or changed each of them.

    Raises NotFound if there is no such asset.

    Example:
        for field in tessera.fields("analytics.marts.orders"):
            print(field.path, field.type, field.added_in and field.added_in.contract.version)
    """
    missing = describe_missing_asset(asset)
    root = RootField("asset", AssetField, {"by": "AssetRef!"})
    return root.build_nested_paginated_query("fields", {"by": build_asset_ref(asset)}, missing)


def set_labels(asset: AssetRef, labels: Sequence[str]) -> Operation[LabeledAsset]:
    """Replace the labels that the owner team gives an asset; those of a dbt manifest stay.

    Raises Invalid for a label that is too long or has invisible characters.

    Example:
        asset = tessera.set_labels("analytics.marts.refunds", ["pii", "domain:sales"])
        assert {label.name for label in asset.labels} >= {"pii", "domain:sales"}
    """
    input_ = {"asset": build_asset_ref(asset), "labels": [*labels]}
    return RootField("setLabels", LabeledAsset).build_mutation(input_, payload_field="asset")
