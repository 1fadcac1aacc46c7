"""Parse a dbt `manifest.json`, schema versions 1 to 12, into tables and exposures.

Ephemeral models are no tables: lineage runs through them. A source and the seed or model that builds the same table
are merged into one table.
"""

import gc
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from tessera_gql.diff import Mode
from tessera_gql.formats import dbt_columns, dbt_nodes, dbt_tests
from tessera_gql.formats.dbt_tests import Check
from tessera_gql.formats.untrusted_json import JsonObject, UntrustedJson, Warnings

_VERSION_PATTERN = re.compile(r"/manifest/v(\d{1,4})\.json$")
_SUPPORTED_VERSIONS = range(1, 13)
_SECTIONS = ("metadata", "nodes", "sources", "exposures", "metrics", "semantic_models", "saved_queries")
_ADAPTERS_WITH_RECORDS = frozenset({"bigquery", "databricks", "spark"})


class ManifestError(ValueError):
    """A document that can't be read as a manifest; `reason` is the message for the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Model:
    """A table: a model, seed, snapshot or source. Its dicts are shared with the parsed document and must not change."""

    unique_id: str
    fqn: str
    """`database.schema.name` in lower case, with the table's name in the warehouse (alias or identifier)."""
    resource_type: str
    name: str
    description: str | None
    owner: str | None
    """The team name from `meta.owner`, `meta.team` or the group."""
    compatibility_mode: Mode | None
    """The mode from `meta.compatibility_mode`."""
    schema: JsonObject
    guarantees: JsonObject | None
    """The guarantees, in the form that the module `dbt_tests` describes."""
    depends_on: tuple[str, ...]
    """The fqns of the upstream tables, sorted."""
    tags: tuple[str, ...]
    meta: JsonObject
    columns: tuple[str, ...]
    """The column names in the order of their declaration."""
    contract_enforced: bool
    version: str | None
    latest_version: str | None
    deprecation_date: str | None
    materialized: str | None
    compiled_code: str | None
    path: str | None
    fingerprint: str
    """A hash of everything that a sync stores. The owner and the query are not part of it."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """A dashboard, notebook or application that reads tables."""

    unique_id: str
    name: str
    type: str | None
    owner: str | None
    url: str | None
    description: str | None
    depends_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The tables and exposures of a dbt project, with warnings about entries that were skipped."""

    schema_version: int
    project: str | None
    dbt_version: str | None
    adapter: str | None
    generated_at: str | None
    models: tuple[Model, ...]
    exposures: tuple[Exposure, ...]
    warnings: tuple[str, ...]


def parse_manifest(document: bytes | str | Mapping[str, Any]) -> Manifest:
    """Parse a manifest. Raises ManifestError; a malformed entry is only skipped, and named in `warnings`."""
    with _pause_garbage_collection():
        return _build_manifest(UntrustedJson(_parse_json(document), "the manifest", Warnings()))


def _build_manifest(root: UntrustedJson) -> Manifest:
    metadata = root.object("metadata")
    schema_version = _read_schema_version(metadata)
    adapter = metadata.text("adapter_type")
    graph = _Graph(root)
    return Manifest(
        schema_version=schema_version,
        project=metadata.text("project_name"),
        dbt_version=metadata.text("dbt_version"),
        adapter=adapter,
        generated_at=metadata.text("generated_at"),
        models=tuple(graph.build_model(fqn, adapter) for fqn in sorted(graph.tables)),
        exposures=tuple(graph.build_exposures()),
        warnings=root.warnings.messages(),
    )


@contextmanager
def _pause_garbage_collection() -> Generator[None]:
    """Pause the garbage collector: a large manifest is a million live objects without a cycle, so it frees nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _parse_json(document: bytes | str | Mapping[str, Any]) -> JsonObject:
    """Parse the document. A mapping is copied, so that the result shares no object with the caller."""
    if isinstance(document, Mapping):
        document = _dump_json({section: document.get(section) for section in _SECTIONS})
    try:
        parsed = orjson.loads(document)
    except (ValueError, TypeError) as error:
        raise ManifestError(
            f"This is not a dbt manifest: it is not JSON, or cut short ({error}). "
            "Give the whole target/manifest.json that `dbt parse` or `dbt build` writes."
        ) from error
    if not isinstance(parsed, dict):
        raise ManifestError(
            "This is not a dbt manifest: it is JSON, but no object. Give the target/manifest.json that dbt writes."
        )
    return parsed


def _dump_json(document: JsonObject) -> bytes:
    try:
        return orjson.dumps(document, default=_to_dict)
    except TypeError as error:
        raise ManifestError(
            f"This is not a dbt manifest: it holds values that JSON has not ({error}). "
            "Give the document as it was parsed from target/manifest.json."
        ) from error


def _to_dict(value: object) -> JsonObject:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _read_schema_version(metadata: UntrustedJson) -> int:
    schema_url = metadata.text("dbt_schema_version")
    if schema_url is None:
        raise ManifestError(
            "This is not a dbt manifest: it has no metadata.dbt_schema_version, which dbt writes "
            "since 0.19. Give the target/manifest.json that dbt writes."
        )
    match = _VERSION_PATTERN.search(schema_url)
    if match is None or int(match[1]) not in _SUPPORTED_VERSIONS:
        raise ManifestError(
            f"The schema version {schema_url[:120]} is not one this reader knows: it reads manifests v1 to v12. "
            "Give target/manifest.json, written by a dbt version that writes one of these."
        )
    return int(match[1])


class _Graph:
    """The enabled nodes of a manifest by `unique_id`, and its tables by fqn."""

    def __init__(self, root: UntrustedJson) -> None:
        if not isinstance(root.value.get("nodes"), dict):  # it would read as a project without tables
            raise ManifestError(
                "This manifest has no object `nodes`, so it says nothing of any table. "
                "Give the whole target/manifest.json that dbt writes."
            )
        self.nodes = dict(_iterate_enabled(root, "nodes", "sources"))
        self.fqns = {unique_id: fqn for unique_id, node in self.nodes.items() if (fqn := dbt_nodes.fqn(node))}
        self.tables = _group_by_table(self.nodes, self.fqns)
        self._lineage_nodes = self.nodes | dict(_iterate_enabled(root, "metrics", "semantic_models", "saved_queries"))
        self._exposure_nodes = dict(_iterate_enabled(root, "exposures"))
        self._checks_by_table = dbt_tests.checks_by_table(self.nodes, self.fqns)

    def build_model(self, fqn: str, adapter: str | None) -> Model:
        nodes = self.tables[fqn]
        node = nodes[0]
        config = node.object("config")
        columns = dbt_nodes.columns(nodes)
        is_contract = (node.object("contract").flag("enforced") or config.object("contract").flag("enforced")) is True
        has_records = adapter in _ADAPTERS_WITH_RECORDS
        guarantees = dbt_tests.derive_guarantees(
            self._iterate_checks(nodes, columns), dbt_nodes.freshness(nodes), dbt_nodes.by_lower_case(columns)
        )
        fields: dict[str, Any] = {
            "unique_id": node.name,
            "resource_type": dbt_nodes.resource_type(node),
            "description": next((text for n in nodes if (text := n.text("description"))), None),
            "schema": dbt_columns.build_schema(columns, guarantees, adapter=adapter, has_records=has_records),
            "guarantees": guarantees.guarantees or None,
            "depends_on": tuple(sorted(self._find_upstream_tables(nodes) - {fqn})),
            "tags": tuple(sorted({tag for n in nodes for tag in dbt_nodes.tags(n)})),
            "contract_enforced": is_contract,
            "version": node.label("version"),
            "latest_version": node.label("latest_version"),
            "deprecation_date": node.text("deprecation_date"),
            "path": node.text("original_file_path"),
        }
        mode = next((mode for n in nodes if (mode := dbt_nodes.compatibility_mode(n))), None)
        # Without a mode the fingerprint is as before there were modes, so that a sync recognizes the model.
        synced_fields = fields if mode is None else fields | {"compatibility_mode": mode}
        return Model(
            **fields,
            fqn=fqn,
            name=node.text("name") or fqn,
            owner=next((owner for n in nodes if (owner := dbt_nodes.owner(n))), None),
            compatibility_mode=mode,
            meta=dbt_nodes.meta(node),
            columns=tuple(columns),
            materialized=config.text("materialized"),
            compiled_code=node.text("compiled_code") or node.text("compiled_sql"),
            fingerprint=_compute_fingerprint(synced_fields),
        )

    def build_exposures(self) -> Iterator[Exposure]:
        for unique_id in sorted(self._exposure_nodes):
            node = self._exposure_nodes[unique_id]
            owner = node.object("owner")
            yield Exposure(
                unique_id=unique_id,
                name=node.text("name") or unique_id.rpartition(".")[2],
                type=node.text("type"),
                owner=owner.text("name") or owner.text("email"),
                url=node.text("url"),
                description=node.text("description"),
                depends_on=tuple(sorted(self._find_upstream_tables([node]))),
            )

    def _iterate_checks(self, nodes: list[UntrustedJson], columns: Mapping[str, UntrustedJson]) -> Iterator[Check]:
        for node in nodes:
            yield from self._checks_by_table.get(node.name, ())
            yield from dbt_tests.constraint_checks(node)
        for name, column in columns.items():
            yield from dbt_tests.constraint_checks(column, name)

    def _find_upstream_tables(self, nodes: Iterable[UntrustedJson]) -> set[str]:
        """Return the tables that the nodes read, directly or through ephemeral models and metrics."""
        waiting = list(nodes)
        visited_ids: set[str] = set()
        tables: set[str] = set()
        while waiting:
            node = waiting.pop()
            for unique_id in node.object("depends_on").texts("nodes"):
                if unique_id in self.fqns:
                    tables.add(self.fqns[unique_id])
                elif unique_id in self._lineage_nodes and unique_id not in visited_ids:
                    waiting.append(self._lineage_nodes[unique_id])
                elif unique_id not in self._lineage_nodes and unique_id.split(".")[0] in dbt_nodes.RESOURCE_TYPES:
                    node.warnings.add("These nodes are depended on, but are disabled or missing", unique_id)
                visited_ids.add(unique_id)
        return tables


def _compute_fingerprint(fields: JsonObject) -> str:
    try:
        text = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer of more than 64 bits among accepted values
        text = json.dumps(fields, sort_keys=True).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _iterate_enabled(root: UntrustedJson, *sections: str) -> Iterator[tuple[str, UntrustedJson]]:
    for section in sections:
        for unique_id, node in root.entries(section):
            if node.object("config").flag("enabled") is not False:
                yield unique_id, node


def _group_by_table(nodes: Mapping[str, UntrustedJson], fqns: Mapping[str, str]) -> dict[str, list[UntrustedJson]]:
    """Group the nodes by table, in the order of `RESOURCE_TYPES`. Raises ManifestError if two nodes build one table."""
    tables: dict[str, list[UntrustedJson]] = defaultdict(list)
    for unique_id, fqn in fqns.items():
        tables[fqn].append(nodes[unique_id])
    for fqn, table_nodes in tables.items():
        table_nodes.sort(key=lambda node: (dbt_nodes.RESOURCE_TYPES.index(dbt_nodes.resource_type(node)), node.name))
        builder_names = [node.name for node in table_nodes if dbt_nodes.resource_type(node) != "source"]
        if len(builder_names) > 1:
            raise ManifestError(
                f"{builder_names[0]} and {builder_names[1]} both build {fqn}, and an asset has one name. "
                "Give one of them another alias or schema, or leave it out of this manifest."
            )
        if len(table_nodes) > 1:
            table_nodes[0].warnings.add("These tables are described more than once and were taken as one", fqn)
    return tables
