"""Generate the artifacts of a large dbt project. A third of the columns is declared, half of these with a type."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

TYPES = ("bigint", "text", "numeric(12,2)", "timestamp without time zone", "boolean", "date", "double precision")
DATABASE, SCHEMA, PROJECT = "warehouse", "analytics", "shop"


@dataclass(frozen=True)
class Table:
    """A model with the types of its columns by name, and the numbers of the models that it reads."""

    number: int
    columns: dict[str, str]
    upstream: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"table_{self.number:05d}"

    @property
    def fqn(self) -> str:
        return f"{DATABASE}.{SCHEMA}.{self.name}"

    @property
    def unique_id(self) -> str:
        return f"model.{PROJECT}.{self.name}"


def generate_tables(models: int, columns: int) -> list[Table]:
    """Generate models with so many columns in total; each reads up to two models before it."""
    generator = random.Random(7)
    per_model = columns // models
    tables: list[Table] = []
    for number in range(models):
        count = per_model + generator.randint(-per_model // 2, per_model // 2)
        types = {f"column_{index:02d}": generator.choice(TYPES) for index in range(max(count, 2))}
        upstream = {generator.randrange(number) for _ in range(2)} if number else set[int]()
        tables.append(Table(number, types, tuple(sorted(upstream))))
    return tables


def drop_last_column(tables: Sequence[Table], count: int) -> list[Table]:
    """Return the tables without the last column of `count` of them."""
    step = len(tables) // count
    broken = {table.number for table in tables[::step][:count]}
    return [
        Table(table.number, dict(list(table.columns.items())[:-1]), table.upstream) if table.number in broken else table
        for table in tables
    ]


def write_artifacts(folder: Path, tables: Sequence[Table]) -> Path:
    """Write both artifacts, and return the path of the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {
        "metadata": _metadata("manifest/v12") | {"project_name": PROJECT},
        "nodes": {node["unique_id"]: node for table in tables for node in _nodes(table, tables)},
        "sources": {},
        "exposures": {},
    }
    catalog = {
        "metadata": _metadata("catalog/v1"),
        "nodes": {table.unique_id: _catalog_entry(table) for table in tables},
        "sources": {},
        "errors": None,
    }
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest))
    (folder / "catalog.json").write_bytes(orjson.dumps(catalog))
    return folder / "manifest.json"


def _metadata(kind: str) -> dict[str, Any]:
    return {
        "dbt_schema_version": f"https://schemas.getdbt.com/dbt/{kind}.json",
        "dbt_version": "1.11.0",
        "generated_at": "2026-03-01T08:00:00Z",
        "invocation_id": "6f1c7d7e-54b7-4d6e-9d54-1d8f2f6c0a11",
        "adapter_type": "postgres",
    }


def _nodes(table: Table, tables: Sequence[Table]) -> Iterator[dict[str, Any]]:
    declared = list(table.columns)[::3]
    yield {
        "unique_id": table.unique_id,
        "resource_type": "model",
        "database": DATABASE,
        "schema": SCHEMA,
        "name": table.name,
        "package_name": PROJECT,
        "description": f"The table number {table.number}.",
        "original_file_path": f"models/{table.name}.sql",
        "columns": {
            name: {
                "name": name,
                "data_type": table.columns[name] if index % 2 else None,
                "description": f"About {name}.",
            }
            for index, name in enumerate(declared)
        },
        "config": {"materialized": "table"},
        "depends_on": {"nodes": [tables[number].unique_id for number in table.upstream]},
        "compiled": True,
        "compiled_code": _query(table, tables),
    }
    for kind in ("not_null", "unique"):
        name = f"{kind}_{table.name}"
        yield {
            "unique_id": f"test.{PROJECT}.{name}",
            "resource_type": "test",
            "name": name,
            "column_name": "column_00",
            "attached_node": table.unique_id,
            "depends_on": {"nodes": [table.unique_id]},
            "test_metadata": {"name": kind, "namespace": None, "kwargs": {"column_name": "column_00"}},
            "config": {"severity": "ERROR"},
        }


def _query(table: Table, tables: Sequence[Table]) -> str:
    sources = [f'"{DATABASE}"."{SCHEMA}"."{tables[number].name}" as source_{number}' for number in table.upstream]
    columns = ", ".join(f"cast(null as {type_}) as {name}" for name, type_ in table.columns.items())
    joins = (
        " inner join ".join([sources[0], *(f"{source} using (column_00)" for source in sources[1:])]) if sources else ""
    )
    return f"select {columns}" + (f" from {joins}" if joins else "")


def _catalog_entry(table: Table) -> dict[str, Any]:
    return {
        "unique_id": table.unique_id,
        "metadata": {"type": "BASE TABLE", "database": DATABASE, "schema": SCHEMA, "name": table.name},
        "columns": {
            name: {"name": name, "index": index, "type": type_, "comment": None}
            for index, (name, type_) in enumerate(table.columns.items(), 1)
        },
        "stats": {},
    }
