"""Build the artifacts of small dbt projects: `manifest.json` as of `dbt compile`, and `catalog.json`."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

DATABASE = "warehouse"
MANIFEST_VERSION = "https://schemas.getdbt.com/dbt/manifest/v12.json"
CATALOG_VERSION = "https://schemas.getdbt.com/dbt/catalog/v1.json"


@dataclass(frozen=True)
class Model:
    """A model with its columns and their types, as declared in YAML and as built."""

    name: str
    columns: Mapping[str, str]
    owner: str | None = None
    """The team in `meta.owner`; without one the project's."""
    reads: tuple[str, ...] = ()
    """The models that the query reads, by name."""
    reads_sources: tuple[str, ...] = ()
    not_null: tuple[str, ...] = ()
    undeclared: tuple[str, ...] = ()
    """Columns that only the catalog shows."""
    alias: str | None = None
    schema: str | None = None
    version: int | None = None
    materialized: str = "table"
    enabled: bool = True

    @property
    def table(self) -> str:
        suffix = f"_v{self.version}" if self.version else ""
        return self.alias or f"{self.name}{suffix}"

    def without(self, column: str) -> "Model":
        return replace(self, columns={name: type_ for name, type_ in self.columns.items() if name != column})


@dataclass(frozen=True)
class Source:
    """A table that the project reads and another one may build."""

    name: str
    schema: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Project:
    """A dbt project whose tables are in one schema, unless a model names another one."""

    name: str
    schema: str
    models: tuple[Model, ...]
    sources: tuple[Source, ...] = ()
    exposures: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """The models that each dashboard reads, by the name of the dashboard."""

    def get(self, name: str) -> Model:
        (model,) = [model for model in self.models if model.name == name]
        return model

    def change(self, model_name: str, /, **fields: Any) -> "Project":
        """Return the project with another version of a model."""
        models = tuple(replace(model, **fields) if model.name == model_name else model for model in self.models)
        return replace(self, models=models)

    def drop_column(self, name: str, column: str) -> "Project":
        return self.change(name, columns=self.get(name).without(column).columns)

    def add_column(self, name: str, column: str, type_: str) -> "Project":
        return self.change(name, columns={**self.get(name).columns, column: type_})

    def delete(self, name: str) -> "Project":
        return replace(self, models=tuple(model for model in self.models if model.name != name))

    def in_schema(self, schema: str) -> "Project":
        """Return the project as built with another target."""
        return replace(self, schema=schema)

    def fqn(self, name: str) -> str:
        model = self.get(name)
        return f"{DATABASE}.{model.schema or self.schema}.{model.table}"

    def write(self, folder: Path, *, is_compiled: bool = True, has_catalog: bool = True) -> Path:
        """Write the artifacts to `target` as one invocation of dbt, and return the path of the manifest.

        Without `is_compiled` the manifest is the one of `dbt parse`. An older catalog is removed.
        """
        target = folder / "target"
        target.mkdir(parents=True, exist_ok=True)
        invocation = str(uuid4())
        (target / "manifest.json").write_text(json.dumps(self.build_manifest(invocation, is_compiled=is_compiled)))
        (target / "catalog.json").unlink(missing_ok=True)
        if has_catalog:
            (target / "catalog.json").write_text(json.dumps(self.build_catalog(invocation)))
        return target / "manifest.json"

    def build_manifest(self, invocation: str, *, is_compiled: bool) -> dict[str, Any]:
        nodes = [self._node(model, is_compiled=is_compiled) for model in self.models if model.enabled]
        nodes += [test for model in self.models if model.enabled for test in self._tests(model)]
        return {
            "metadata": _metadata(MANIFEST_VERSION, invocation) | {"project_name": self.name},
            "nodes": {node["unique_id"]: node for node in nodes},
            "sources": {node["unique_id"]: node for node in map(self._source, self.sources)},
            "exposures": {exposure["unique_id"]: exposure for exposure in self._exposures()},
            "disabled": {self.unique_id(model): [] for model in self.models if not model.enabled},
        }

    def build_catalog(self, invocation: str) -> dict[str, Any]:
        tables = [model for model in self.models if model.enabled and model.materialized != "ephemeral"]
        return {
            "metadata": _metadata(CATALOG_VERSION, invocation),
            "nodes": {
                self.unique_id(model): _catalog_table(model.schema or self.schema, model.table, model.columns)
                for model in tables
            },
            "sources": {
                self._source_id(source): _catalog_table(source.schema, source.name, source.columns)
                for source in self.sources
            },
            "errors": None,
        }

    def unique_id(self, model: Model) -> str:
        suffix = f".v{model.version}" if model.version else ""
        return f"model.{self.name}.{model.name}{suffix}"

    def _source_id(self, source: Source) -> str:
        return f"source.{self.name}.landing.{source.name}"

    def _node(self, model: Model, *, is_compiled: bool) -> dict[str, Any]:
        upstream = [self.unique_id(self.get(name)) for name in model.reads]
        upstream += [self._source_id(source) for source in self.sources if source.name in model.reads_sources]
        return {
            "unique_id": self.unique_id(model),
            "resource_type": "model",
            "database": DATABASE,
            "schema": model.schema or self.schema,
            "name": model.name,
            "alias": model.table,
            "version": model.version,
            "package_name": self.name,
            "original_file_path": f"models/{model.name}.sql",
            "patch_path": f"{self.name}://models/{self.name}.yml",
            "columns": {
                name: {"name": name, "data_type": type_}
                for name, type_ in model.columns.items()
                if name not in model.undeclared
            },
            "config": {"materialized": model.materialized, "meta": {"owner": model.owner} if model.owner else {}},
            "depends_on": {"nodes": upstream},
            "compiled": is_compiled,
            "compiled_code": self._query(model) if is_compiled else None,
        }

    def _query(self, model: Model) -> str:
        """The compiled query of the model; each upstream table has the columns that the model reads of it."""
        sources = [source for source in self.sources if source.name in model.reads_sources]
        relations = [self.fqn(name) for name in model.reads]
        relations += [f"{DATABASE}.{source.schema}.{source.name}" for source in sources]
        if not relations:
            return "select " + ", ".join(f"cast(null as {type_}) as {name}" for name, type_ in model.columns.items())
        return f"select {', '.join(model.columns)} from {relations[0]}"

    def _tests(self, model: Model) -> Iterator[dict[str, Any]]:
        for column in model.not_null:
            name = f"not_null_{model.name}_{column}"
            yield {
                "unique_id": f"test.{self.name}.{name}",
                "resource_type": "test",
                "name": name,
                "column_name": column,
                "attached_node": self.unique_id(model),
                "depends_on": {"nodes": [self.unique_id(model)]},
                "test_metadata": {"name": "not_null", "namespace": None, "kwargs": {"column_name": column}},
                "config": {"severity": "ERROR"},
            }

    def _source(self, source: Source) -> dict[str, Any]:
        return {
            "unique_id": self._source_id(source),
            "resource_type": "source",
            "source_name": "landing",
            "database": DATABASE,
            "schema": source.schema,
            "name": source.name,
            "identifier": source.name,
            "package_name": self.name,
            "columns": {name: {"name": name, "data_type": type_} for name, type_ in source.columns.items()},
            "config": {},
        }

    def _exposures(self) -> Iterator[dict[str, Any]]:
        for name, models in self.exposures.items():
            yield {
                "unique_id": f"exposure.{self.name}.{name}",
                "name": name,
                "type": "dashboard",
                "owner": {"name": self.name},
                "depends_on": {"nodes": [self.unique_id(self.get(model)) for model in models]},
            }


def _metadata(version: str, invocation: str) -> dict[str, Any]:
    return {
        "dbt_schema_version": version,
        "dbt_version": "1.11.0",
        "generated_at": "2026-03-01T08:00:00Z",
        "invocation_id": invocation,
        "adapter_type": "postgres",
    }


def _catalog_table(schema: str, name: str, columns: Mapping[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"type": "BASE TABLE", "database": DATABASE, "schema": schema, "name": name},
        "columns": {
            column: {"name": column, "index": index, "type": type_, "comment": None}
            for index, (column, type_) in enumerate(columns.items(), 1)
        },
        "stats": {},
    }
