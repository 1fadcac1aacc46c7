"""Operations on deprecations: announcements that a field or an asset goes away."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from tessera_gql.client.models import Deprecation
from tessera_gql.client.operation import (
    AssetRef,
    Operation,
    PaginatedQuery,
    RootField,
    build_asset_ref,
    build_variables,
    describe_missing_asset,
)
from tessera_gql.client.result_models import DeclaredDeprecations, DeprecationResult


def deprecate(
    asset: AssetRef,
    *,
    sunset_at: datetime,
    fields: Sequence[str] | None = None,
    replacement: str | None = None,
    reason: str | None = None,
) -> Operation[DeclaredDeprecations]:
    """Announce that fields, or without them the whole asset, go away at `sunset_at`; again changes the terms.

    Returns the deprecations, with `warnings` about readers. Raises Invalid for a sunset that has passed, or an unknown
    field or replacement.

    Example:
        sunset = datetime.now(UTC) + timedelta(days=90)
        result = tessera.deprecate("analytics.marts.refunds", fields=["note"], sunset_at=sunset, reason="Unused.")
        assert result.deprecations[0].path == "note"
    """
    values = build_variables(fields=fields, sunset_at=sunset_at, replacement=replacement, reason=reason)
    root = RootField("deprecate", DeclaredDeprecations)
    return replace(root.build_mutation({"asset": build_asset_ref(asset), **values}), is_idempotent=True)


def end_deprecation(asset: AssetRef, *, fields: Sequence[str] | None = None) -> Operation[DeprecationResult]:
    """Withdraw the deprecations of fields, or without them that of the whole asset.

    Raises NotFound if they are not deprecated.

    Example:
        assert tessera.end_deprecation("analytics.marts.refunds", fields=["note"]).deprecations[0].ended_at
    """
    root = RootField("endDeprecation", DeprecationResult)
    return root.build_mutation({"asset": build_asset_ref(asset), **build_variables(fields=fields)})


def deprecations(asset: AssetRef) -> PaginatedQuery[Deprecation]:
    """List the deprecations of an asset and its fields that hold now.

    Raises NotFound if there is no such asset.

    Example:
        for item in tessera.deprecations("analytics.marts.customers"):
            print(item.path, item.sunset_at, item.replacement)
    """
    root = RootField("asset", Deprecation, {"by": "AssetRef!"})
    missing = describe_missing_asset(asset)
    return root.build_nested_paginated_query("deprecations", {"by": build_asset_ref(asset)}, missing)
