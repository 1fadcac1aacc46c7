"""Operations on lineage, and on the differences between two contracts of an asset."""

from typing import Any

from tessera_gql.client.base_model import build_selection
from tessera_gql.client.enums import CompatibilityMode, LineageDirection
from tessera_gql.client.errors import NotFound
from tessera_gql.client.lineage_models import ContractDiff, LineageAsset, LineageEdge
from tessera_gql.client.models import JsonObject
from tessera_gql.client.operation import (
    AssetRef,
    Operation,
    Page,
    PaginatedQuery,
    RootField,
    build_asset_ref,
    build_variables,
    describe_missing_asset,
    parse_model,
)

PAGE_SIZE = 30
"""Assets of one page: with their ways and columns they stay below the server's limit of objects in a reply."""


def lineage(asset: AssetRef, direction: LineageDirection, *, depth: int = 10) -> PaginatedQuery[LineageEdge]:
    """List the assets upstream or downstream of an asset, the nearest first, with the columns on the way.

    Raises NotFound if there is no such asset, Invalid for a depth below 1.

    Example:
        for edge in tessera.lineage("raw.shop.orders", LineageDirection.DOWNSTREAM, depth=3):
            print(edge.asset.fqn)
    """
    name = direction.value.lower()
    page = f"edges {{ {build_selection(LineageEdge)} }} pageInfo {{ hasNextPage endCursor }}"
    selection = f"{name}(depth: $depth, first: $first, after: $after) {{ {page} }}"
    root = RootField("asset", LineageEdge, {"by": "AssetRef!"})
    document = root.build_document("query", selection, depth="Int!", first="Int", after="String")

    def parse(data: JsonObject) -> Page[LineageEdge]:
        connection: Any = _require(data, "asset", describe_missing_asset(asset))[name]
        items = tuple(parse_model(LineageEdge, edge) for edge in connection["edges"])
        info = connection["pageInfo"]
        return Page(items, info["endCursor"] if info["hasNextPage"] else None)

    variables = {"by": build_asset_ref(asset), "depth": depth, "first": PAGE_SIZE}
    return PaginatedQuery(Operation(document, variables, parse))


def lineage_start(asset: AssetRef) -> Operation[LineageAsset]:
    """Get the asset at which lineage starts, with its owner.

    Raises NotFound if there is no such asset.

    Example:
        assert tessera.lineage_start("raw.shop.orders").owner.name
    """
    root = RootField("asset", LineageAsset, {"by": "AssetRef!"})
    return root.build_get_query({"by": build_asset_ref(asset)}, describe_missing_asset(asset))


def contract_diff(old_id: str, new_id: str, *, mode: CompatibilityMode | None = None) -> Operation[ContractDiff]:
    """Compare two contracts by their ids, under a mode or that of the old one.

    Raises NotFound for an unknown id.

    Example:
        schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
        tessera.create_asset(fqn="analytics.marts.parcels", owner="shop-platform")
        old = tessera.publish_contract(fqn="analytics.marts.parcels", schema_def=schema).contract
        schema["properties"]["weight"] = {"type": "number"}
        new = tessera.publish_contract(fqn="analytics.marts.parcels", schema_def=schema).contract
        assert len(tessera.contract_diff(old.id, new.id).changes) == 1
    """
    root = RootField("contract", ContractDiff, {"id": "ID!"})
    selection = f"diff(to: $to, mode: $mode) {{ {build_selection(ContractDiff)} }}"
    document = root.build_document("query", selection, to="ID!", mode="CompatibilityMode")

    def parse(data: JsonObject) -> ContractDiff:
        return parse_model(ContractDiff, _require(data, "contract", "There is no such contract.")["diff"])

    return Operation(document, build_variables(id=old_id, to=new_id, mode=mode), parse)


def _require(data: JsonObject, name: str, missing: str) -> JsonObject:
    """Return the value of a root field; raise NotFound with the message `missing` if it is null."""
    if data[name] is None:
        raise NotFound(missing)
    value: JsonObject = data[name]
    return value
