"""A dbt `manifest.json`, schema versions 1 to 12, in our words: only a table becomes an asset.

Ephemeral models are no tables: lineage runs through them. A table described twice, as a source and as the seed
or model that builds it, is one.
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

from tessera_gql.formats import dbt_columns, dbt_nodes, dbt_tests
from tessera_gql.formats.dbt_tests import Check
from tessera_gql.formats.document import Document, JsonObject, Notes

_VERSION = re.compile(r"/manifest/v(\d{1,4})\.json$")
_VERSIONS = range(1, 13)
_SECTIONS = ("metadata", "nodes", "sources", "exposures", "metrics", "semantic_models", "saved_queries")
_RECORD_ADAPTERS = frozenset({"bigquery", "databricks", "spark"})
_BUILT = frozenset({"table", "incremental"})


class ManifestError(ValueError):
    """A document that cannot be read as a manifest; `reason` says what, why and what to do."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Model:
    """A table: a model, seed, snapshot or source. Nobody may change its dicts: they are what was parsed."""

    unique_id: str
    fqn: str
    """`database.schema.name` in lower case, the name as the warehouse has it (alias, identifier)."""
    resource_type: str
    name: str
    description: str | None
    owner: str | None
    """A team's name: from `meta.owner`, `meta.team` or the group."""
    schema: JsonObject
    guarantees: JsonObject | None
    """See `dbt_tests`."""
    depends_on: tuple[str, ...]
    """fqns, sorted."""
    tags: tuple[str, ...]
    meta: JsonObject
    columns: tuple[str, ...]
    """As declared, in that order."""
    contract_enforced: bool
    version: str | None
    latest_version: str | None
    deprecation_date: str | None
    materialized: str | None
    compiled_code: str | None
    path: str | None
    fingerprint: str
    """Equal where everything is that a sync keeps; neither the owner nor the query is part of it."""


@dataclass(frozen=True, slots=True)
class Exposure:
    unique_id: str
    name: str
    type: str | None
    owner: str | None
    url: str | None
    description: str | None
    depends_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    schema_version: int
    project: str | None
    dbt_version: str | None
    adapter: str | None
    generated_at: str | None
    models: tuple[Model, ...]
    exposures: tuple[Exposure, ...]
    warnings: tuple[str, ...]


def read(document: bytes | str | Mapping[str, Any]) -> Manifest:
    """Raises ManifestError. What is odd but leaves the rest readable is passed over and named in `warnings`."""
    with _collector_paused():
        return _read(Document(_parsed(document), "the manifest", Notes()))


def _read(top: Document) -> Manifest:
    metadata = top.object("metadata")
    version = _schema_version(metadata)
    adapter = metadata.text("adapter_type")
    graph = _graph(top)
    models = tuple(graph.model(fqn, has_records=adapter in _RECORD_ADAPTERS) for fqn in sorted(graph.tables))
    exposures = tuple(graph.exposures())
    return Manifest(
        schema_version=version,
        project=metadata.text("project_name"),
        dbt_version=metadata.text("dbt_version"),
        adapter=adapter,
        generated_at=metadata.text("generated_at"),
        models=models,
        exposures=exposures,
        warnings=top.notes.sentences(),
    )


@contextmanager
def _collector_paused() -> Generator[None]:
    """A big manifest is a million live objects without a cycle: collecting among them frees nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _parsed(document: bytes | str | Mapping[str, Any]) -> JsonObject:
    """The parsed document; of a mapping a copy, so that what is read shares nothing with the caller."""
    if isinstance(document, Mapping):
        document = _dumped({section: document.get(section) for section in _SECTIONS})
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


def _graph(top: Document) -> "_Graph":
    """Without its nodes a manifest would read as a project whose every table is gone."""
    if not isinstance(top.value.get("nodes"), dict):
        raise ManifestError(
            "This manifest has no object `nodes`, so it says nothing of any table. "
            "Give the whole target/manifest.json that dbt writes."
        )
    return _Graph(top)


def _dumped(document: JsonObject) -> bytes:
    try:
        return orjson.dumps(document, default=_plain)
    except TypeError as error:
        raise ManifestError(
            f"This is not a dbt manifest: it holds values that JSON has not ({error}). "
            "Give the document as it was parsed from target/manifest.json."
        ) from error


def _plain(value: object) -> JsonObject:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _schema_version(metadata: Document) -> int:
    named = metadata.text("dbt_schema_version")
    if named is None:
        raise ManifestError(
            "This is not a dbt manifest: it has no metadata.dbt_schema_version, which dbt writes "
            "since 0.19. Give the target/manifest.json that dbt writes."
        )
    match = _VERSION.search(named)
    if match is None or int(match[1]) not in _VERSIONS:
        raise ManifestError(
            f"The schema version {named[:120]} is not one this reader knows: it reads manifests v1 to v12. "
            "Give target/manifest.json, written by a dbt version that writes one of these."
        )
    return int(match[1])


class _Graph:
    """The enabled nodes of a manifest by unique_id, and the tables among them by fqn."""

    def __init__(self, top: Document) -> None:
        self.nodes = dict(_enabled(top, "nodes", "sources"))
        self.fqns = {unique_id: fqn for unique_id, node in self.nodes.items() if (fqn := dbt_nodes.fqn(node))}
        self.tables = _tables(self.nodes, self.fqns)
        self._between = self.nodes | dict(_enabled(top, "metrics", "semantic_models", "saved_queries"))
        self._exposures = dict(_enabled(top, "exposures"))
        self._checks = dbt_tests.by_table(self.nodes, self.fqns)

    def model(self, fqn: str, *, has_records: bool) -> Model:
        nodes = self.tables[fqn]
        node = nodes[0]
        config = node.object("config")
        columns = dbt_nodes.columns(nodes)
        is_contract = (node.object("contract").flag("enforced") or config.object("contract").flag("enforced")) is True
        materialized = config.text("materialized")
        promised = dbt_tests.promises(
            self._promised(nodes, columns), dbt_nodes.freshness(nodes), dbt_nodes.spelled(columns)
        )
        kept: dict[str, Any] = {
            "unique_id": node.name,
            "resource_type": dbt_nodes.kind(node),
            "description": next((text for n in nodes if (text := n.text("description"))), None),
            "schema": dbt_columns.schema(
                columns, promised, is_sized=is_contract and materialized in _BUILT, has_records=has_records
            ),
            "guarantees": promised.guarantees or None,
            "depends_on": tuple(sorted(self._upstream(nodes) - {fqn})),
            "tags": tuple(sorted({tag for n in nodes for tag in dbt_nodes.tags(n)})),
            "contract_enforced": is_contract,
            "version": node.label("version"),
            "latest_version": node.label("latest_version"),
            "deprecation_date": node.text("deprecation_date"),
            "path": node.text("original_file_path"),
        }
        return Model(
            **kept,
            fqn=fqn,
            name=node.text("name") or fqn,
            owner=next((owner for n in nodes if (owner := dbt_nodes.owner(n))), None),
            meta=dbt_nodes.meta(node),
            columns=tuple(columns),
            materialized=materialized,
            compiled_code=node.text("compiled_code") or node.text("compiled_sql"),
            fingerprint=_fingerprint(kept),
        )

    def exposures(self) -> Iterator[Exposure]:
        for unique_id in sorted(self._exposures):
            node = self._exposures[unique_id]
            owner = node.object("owner")
            yield Exposure(
                unique_id=unique_id,
                name=node.text("name") or unique_id.rpartition(".")[2],
                type=node.text("type"),
                owner=owner.text("name") or owner.text("email"),
                url=node.text("url"),
                description=node.text("description"),
                depends_on=tuple(sorted(self._upstream([node]))),
            )

    def _promised(self, nodes: list[Document], columns: Mapping[str, Document]) -> Iterator[Check]:
        for node in nodes:
            yield from self._checks.get(node.name, ())
            yield from dbt_tests.constraints(node)
        for name, column in columns.items():
            yield from dbt_tests.constraints(column, name)

    def _upstream(self, nodes: Iterable[Document]) -> set[str]:
        """The tables these nodes read, through whatever is no table itself: ephemeral models, metrics."""
        waiting = list(nodes)
        seen: set[str] = set()
        found: set[str] = set()
        while waiting:
            node = waiting.pop()
            for unique_id in node.object("depends_on").texts("nodes"):
                if unique_id in self.fqns:
                    found.add(self.fqns[unique_id])
                elif unique_id in self._between and unique_id not in seen:
                    waiting.append(self._between[unique_id])
                elif unique_id not in self._between and unique_id.split(".")[0] in dbt_nodes.KINDS:
                    node.notes.add("These nodes are depended on, but are disabled or missing", unique_id)
                seen.add(unique_id)
        return found


def _fingerprint(kept: JsonObject) -> str:
    try:
        text = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer of more than 64 bits among accepted values
        text = json.dumps(kept, sort_keys=True).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _enabled(top: Document, *sections: str) -> Iterator[tuple[str, Document]]:
    for section in sections:
        for unique_id, node in top.entries(section):
            if node.object("config").flag("enabled") is not False:
                yield unique_id, node


def _tables(nodes: Mapping[str, Document], fqns: Mapping[str, str]) -> dict[str, list[Document]]:
    """The nodes that describe each table, the most telling first. Only a source may share its table."""
    tables: dict[str, list[Document]] = defaultdict(list)
    for unique_id, fqn in fqns.items():
        tables[fqn].append(nodes[unique_id])
    for fqn, described in tables.items():
        described.sort(key=lambda node: (dbt_nodes.KINDS.index(dbt_nodes.kind(node)), node.name))
        built = [node.name for node in described if dbt_nodes.kind(node) != "source"]
        if len(built) > 1:
            raise ManifestError(
                f"{built[0]} and {built[1]} both build {fqn}, and an asset has one name. "
                "Give one of them another alias or schema, or leave it out of this manifest."
            )
        if len(described) > 1:
            described[0].notes.add("These tables are described more than once and were taken as one", fqn)
    return tables
