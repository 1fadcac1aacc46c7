"""Builders of small dbt manifests, in the newest version unless a test asks for another."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.formats import dbt

REAL = Path(__file__).resolve().parents[2] / "../shared/data/dbt_manifests"


def real(name: str) -> bytes:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"the shared data folder has no dbt_manifests/{name}")
    return path.read_bytes()


def manifest(
    *nodes: Mapping[str, Any], version: int = 12, adapter: str = "postgres", **sections: Any
) -> dict[str, Any]:
    by_id = {node["unique_id"]: dict(node) for node in nodes}
    return {
        "metadata": {
            "dbt_schema_version": f"https://schemas.getdbt.com/dbt/manifest/v{version}.json",
            "dbt_version": "1.9.0",
            "project_name": "shop",
            "adapter_type": adapter,
            "generated_at": "2026-01-01T00:00:00Z",
        },
        "nodes": {key: node for key, node in by_id.items() if node["resource_type"] != "source"},
        "sources": {key: node for key, node in by_id.items() if node["resource_type"] == "source"},
        **sections,
    }


def table(name: str = "orders", *columns: Mapping[str, Any], kind: str = "model", **fields: Any) -> dict[str, Any]:
    return {
        "unique_id": f"{kind}.shop.{name}",
        "resource_type": kind,
        "database": "Analytics",
        "schema": "core",
        "name": name,
        "package_name": "shop",
        "columns": {column["name"]: dict(column) for column in columns},
        "config": {"materialized": "table"},
        "depends_on": {"nodes": []},
        **fields,
    }


def source(name: str = "raw_orders", *columns: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return table(name, *columns, kind="source", source_name="landing", **fields)


def column(name: str, data_type: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"name": name, "data_type": data_type, **fields}


def check(
    kind: str,
    column_name: str | None = None,
    *,
    on: str = "model.shop.orders",
    config: Mapping[str, Any] | None = None,
    namespace: str | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """A generic test, attached as dbt 1.8 and later do."""
    name = f"{kind}_{on.rpartition('.')[2]}_{column_name}"
    return {
        "unique_id": f"test.shop.{name}",
        "resource_type": "test",
        "name": name,
        "column_name": column_name,
        "attached_node": on,
        "depends_on": {"nodes": [on]},
        "test_metadata": {"name": kind, "namespace": namespace, "kwargs": {"model": "…", **kwargs}},
        "config": dict(config or {"severity": "ERROR"}),
    }


def catalog(**tables: Any) -> dict[str, Any]:
    """A catalog with tables by `unique_id`."""
    metadata = {"dbt_schema_version": "https://schemas.getdbt.com/dbt/catalog/v1.json"}
    return {"metadata": metadata, "nodes": dict(tables), "sources": {}, "errors": None}


def catalog_table(name: str, **types: str) -> dict[str, Any]:
    """A table of a catalog with its columns and their types."""
    return {
        "metadata": {"database": "analytics", "schema": "core", "name": name, "type": "BASE TABLE"},
        "columns": {
            column_name: {"name": column_name, "type": data_type, "index": index}
            for index, (column_name, data_type) in enumerate(types.items(), 1)
        },
    }


def read_one(*nodes: Mapping[str, Any], **options: Any) -> dbt.Model:
    """Read a manifest of one table and return its model."""
    (model,) = dbt.parse_manifest(manifest(*nodes, **options)).models
    return model


def read_column(one: Mapping[str, Any], *checks: Mapping[str, Any], **options: Any) -> Any:
    """The JSON Schema of the only column of `orders`."""
    return read_one(table("orders", one), *checks, **options).schema["properties"][one["name"]]


def fqns(nodes: Sequence[dbt.Model]) -> list[str]:
    return [node.fqn for node in nodes]


def logical(value: Any) -> Any:
    """A schema without physical types, also in its subschemas."""
    if isinstance(value, dict):
        return {key: logical(item) for key, item in value.items() if key != "x-physical-type"}
    return value
