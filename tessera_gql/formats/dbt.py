"""Parse a dbt `manifest.json`, with the `catalog.json` of its project if there is one, into tables and exposures.

Schema versions 1 to 12 are known, and that of dbt Fusion; others are read as far as their members agree. Where a
catalog covers a table, its columns are the schema; elsewhere the declared columns are. Ephemeral models are no tables:
lineage runs through them. A source and the seed or model that builds the same table are merged into one table.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import orjson

from tessera_gql.diff import Mode
from tessera_gql.formats import dbt_consumers, dbt_known_columns, dbt_nodes, dbt_tests
from tessera_gql.formats.dbt_artifacts import Artifact, ArtifactError
from tessera_gql.formats.dbt_catalog import Catalog, ColumnBasis, ColumnTypes
from tessera_gql.formats.dbt_columns import ColumnDetails, build_schema
from tessera_gql.formats.dbt_consumers import Exposure
from tessera_gql.formats.dbt_known_columns import KnownColumns
from tessera_gql.formats.dbt_tests import Check, TableGuarantees
from tessera_gql.formats.untrusted_json import JsonObject, UntrustedJson, Warnings
from tessera_gql.formats.warehouse_types import parse_type
from tessera_gql.garbage_collection import pause_garbage_collection

__all__ = [
    "Exposure",
    "Manifest",
    "ManifestError",
    "Model",
    "apply_known_columns",
    "find_undocumented",
    "parse_manifest",
]

_VERSION_PATTERN = re.compile(r"/manifest/v(\d{1,4})\.json$")
_FUSION_VERSION = 20  # dbt Fusion writes the members of version 12 under this number
_KNOWN_VERSIONS = frozenset({*range(1, 13), _FUSION_VERSION})
_SECTIONS = ("metadata", "nodes", "sources", "exposures", "metrics", "semantic_models", "saved_queries", "disabled")


class ManifestError(ArtifactError):
    """A document that can't be read as a manifest."""


_ADVICE = "Give the target/manifest.json that dbt writes."
_MANIFEST = Artifact("manifest", "`dbt compile` or `dbt build`", _SECTIONS, ManifestError)


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
    tier: str | None
    """The tier from `meta.tier`, in upper case; it need not be a known one."""
    schema: JsonObject
    guarantees: JsonObject | None
    """The guarantees, in the form that the module `dbt_tests` describes."""
    depends_on: tuple[str, ...]
    """The fqns of the upstream tables, sorted."""
    tags: tuple[str, ...]
    labels: tuple[str, ...]
    """The tags, and the labels of `meta.tessera.labels`."""
    meta: JsonObject
    columns: tuple[str, ...]
    """The column names, in the order of the catalog or of their declaration."""
    declared_types: ColumnTypes
    """The columns that the manifest declares, with their `data_type`."""
    observed_types: ColumnTypes | None
    """The columns of the catalog with their types; None if no catalog covers the table."""
    known_columns: KnownColumns
    """The columns with their declared and observed types, in the form that the module `dbt_known_columns` describes."""
    details: ColumnDetails = field(repr=False, compare=False)
    access: str | None
    group: str | None
    contract_enforced: bool
    version: str | None
    latest_version: str | None
    deprecation_date: str | None
    materialized: str | None
    compiled_code: str | None
    path: str | None
    fingerprint: str
    """A hash of everything that a sync stores. The owner and the query are not part of it."""
    deprecations: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict[str, Mapping[str, str | None]])
    """What goes away by column, with `sunset` and `replacement`; the whole table has an empty name."""

    @property
    def basis(self) -> ColumnBasis:
        return ColumnBasis.DECLARED if self.observed_types is None else ColumnBasis.CATALOG

    @property
    def has_compiled_code(self) -> bool:
        """Whether the manifest has compiled SQL. `dbt parse` writes none, and a build of some models none of the rest.

        Without it nothing is known of what the model reads now: what an earlier manifest showed stays valid.
        """
        return self.compiled_code is not None

    @property
    def missing_columns(self) -> tuple[str, ...]:
        """The declared columns that the table does not have, by this or an earlier catalog."""
        return tuple(name for name, entry in self.known_columns.items() if "missing" in entry)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The tables and exposures of a dbt project, with warnings about entries that were skipped.

    `semantic_consumers` are the semantic models and metrics, as exposures with the columns that they read.
    """

    schema_version: int
    project: str | None
    dbt_version: str | None
    adapter: str | None
    generated_at: str | None
    models: tuple[Model, ...]
    exposures: tuple[Exposure, ...]
    semantic_consumers: tuple[Exposure, ...]
    warnings: tuple[str, ...]
    absent: Mapping[str, str] = field(default_factory=dict[str, str])
    """Why nodes of these ids build no table, as the end of a sentence: they are disabled or ephemeral."""
    conflicts: Mapping[str, str] = field(default_factory=dict[str, str])
    """Why the tables of these fqns can't be synced: several nodes build them. The first node describes the table."""


def parse_manifest(document: bytes | str | Mapping[str, Any], catalog: Catalog | None = None) -> Manifest:
    """Parse a manifest. Raises ManifestError; a malformed entry is only skipped, and named in `warnings`."""
    with pause_garbage_collection():
        return _build_manifest(UntrustedJson(_MANIFEST.load(document), "the manifest", Warnings()), catalog)


def apply_known_columns(
    model: Model, known_columns: KnownColumns | None, contract_columns: Collection[str] = ()
) -> Model:
    """Return the model with the schema to publish on top of a contract with these columns, and what is known of them.

    Without a catalog, columns that only an earlier catalog showed stay, and so do observed types. The spelling of a
    column stays as well, because registrations name it.
    """
    combined = dbt_known_columns.combine_columns(
        model.declared_types, model.observed_types, known_columns or {}, contract_columns
    )
    if combined == model.known_columns:
        return model
    types = dbt_known_columns.list_column_types(combined)
    return replace(
        model,
        known_columns=combined,
        columns=tuple(types),
        schema=build_schema(types, model.details),
        guarantees=model.guarantees and dbt_known_columns.respell_guarantees(model.guarantees, combined),
    )


def find_undocumented(known_columns: KnownColumns | None, model: Model) -> tuple[str, ...]:
    """Find the columns that are no longer declared, while no catalog decides whether they were dropped."""
    if model.observed_types is not None:
        return ()
    declared_keys = {name.lower() for name in model.declared_types}
    return tuple(
        name
        for name, entry in (known_columns or {}).items()
        if "declared" in entry and "missing" not in entry and name.lower() not in declared_keys
    )


def _build_manifest(root: UntrustedJson, catalog: Catalog | None) -> Manifest:
    metadata = root.object("metadata")
    schema_version = _read_schema_version(metadata)
    adapter = metadata.text("adapter_type")
    graph = _Graph(root, catalog)
    models = tuple(graph.build_model(fqn, adapter) for fqn in sorted(graph.tables))
    columns = {model.fqn: model.columns for model in models}
    if catalog is not None:
        _warn_about_catalog(metadata, catalog, models)
    return Manifest(
        schema_version=schema_version,
        project=metadata.text("project_name"),
        dbt_version=metadata.text("dbt_version"),
        adapter=adapter,
        generated_at=metadata.text("generated_at"),
        models=models,
        exposures=tuple(dbt_consumers.build_exposures(graph.exposures, graph.find_upstream_tables)),
        semantic_consumers=tuple(
            dbt_consumers.build_semantic_consumers(graph.semantic_nodes, graph.find_upstream_tables, columns)
        ),
        warnings=(*root.warnings.messages(), *(catalog.warnings if catalog else ())),
        absent=dict(dbt_nodes.describe_absent(root, graph.nodes)),
        conflicts=graph.conflicts,
    )


def _warn_about_catalog(metadata: UntrustedJson, catalog: Catalog, models: Iterable[Model]) -> None:
    invocation_id = metadata.text("invocation_id")
    if invocation_id and catalog.invocation_id and invocation_id != catalog.invocation_id:
        problem = "Manifest and catalog are of different runs of dbt, so the catalog may have older or newer columns"
        metadata.warnings.add(problem, f"the catalog is of {catalog.generated_at or 'unknown time'}")
    models = list(models)
    if models and all(model.observed_types is None for model in models):
        problem = "The catalog covers no table of this manifest, and declared columns count; is it of another project?"
        metadata.warnings.add(problem, f"the first table is {models[0].fqn}")
    for model in models:
        for column in model.missing_columns:
            metadata.warnings.add("Declared, but not in the table", f"{model.fqn}.{column}")


def _read_schema_version(metadata: UntrustedJson) -> int:
    schema_url = metadata.text("dbt_schema_version")
    if schema_url is None:
        raise _MANIFEST.refuse("it has no metadata.dbt_schema_version, which dbt writes since 0.19", _ADVICE)
    match = _VERSION_PATTERN.search(schema_url)
    if match is None:
        raise _MANIFEST.refuse(f"its schema version is {schema_url[:120]}", _ADVICE)
    if (version := int(match[1])) not in _KNOWN_VERSIONS:
        metadata.warnings.add("The schema version of the manifest is unknown; it was read like v12", f"v{version}")
    return version


class _Graph:
    """The enabled nodes of a manifest by `unique_id`, and its tables by fqn."""

    def __init__(self, root: UntrustedJson, catalog: Catalog | None) -> None:
        if not isinstance(root.value.get("nodes"), dict):  # it would read as a project without tables
            raise ManifestError(
                "This manifest has no object `nodes`, so it says nothing of any table. "
                "Give the whole target/manifest.json that dbt writes."
            )
        self.nodes = dict(_iterate_enabled(root, "nodes", "sources"))
        self.fqns = {unique_id: fqn for unique_id, node in self.nodes.items() if (fqn := dbt_nodes.fqn(node))}
        self.tables = _group_by_table(self.nodes, self.fqns)
        self.conflicts = dict(_keep_first_builders(self.tables))
        self.semantic_nodes = dict(_iterate_enabled(root, "semantic_models", "metrics", "saved_queries"))
        self.exposures = dict(_iterate_enabled(root, "exposures"))
        self._lineage_nodes = self.nodes | self.semantic_nodes
        self._checks_by_table = dbt_tests.checks_by_table(self.nodes, self.fqns)
        self._catalog = catalog

    def build_model(self, fqn: str, adapter: str | None) -> Model:
        nodes = self.tables[fqn]
        node = nodes[0]
        config = node.object("config")
        columns = dbt_nodes.columns(nodes)
        declared_types = {name: column.text("data_type") for name, column in columns.items()}
        observed_types = self._find_observed_types(nodes, fqn)
        known_columns = dbt_known_columns.combine_columns(declared_types, observed_types, {})
        types = dbt_known_columns.list_column_types(known_columns)
        guarantees = dbt_tests.derive_guarantees(
            self._iterate_checks(nodes, columns), dbt_nodes.freshness(nodes), dbt_nodes.by_lower_case(known_columns)
        )
        details = _read_details(columns, guarantees, adapter)
        fields: dict[str, Any] = {
            "unique_id": node.name,
            "resource_type": dbt_nodes.resource_type(node),
            "description": next((text for n in nodes if (text := n.text("description"))), None),
            "schema": build_schema(types, details, partial(_warn_about_type, node)),
            "guarantees": guarantees.guarantees or None,
            "depends_on": tuple(sorted(self.find_upstream_tables(nodes) - {fqn})),
            "tags": tuple(sorted({tag for n in nodes for tag in dbt_nodes.tags(n)})),
            "access": dbt_nodes.access(node),
            "group": dbt_nodes.group(node),
            "contract_enforced": dbt_nodes.is_contract_enforced(node),
            "version": node.label("version"),
            "latest_version": node.label("latest_version"),
            "deprecation_date": node.text("deprecation_date"),
            "path": node.text("original_file_path"),
        }
        labels = tuple(sorted({label for n in nodes for label in dbt_nodes.labels(n)}))
        mode = next((mode for n in nodes if (mode := dbt_nodes.compatibility_mode(n))), None)
        tier = next((tier for n in nodes if (tier := dbt_nodes.tier(n))), None)
        deprecations = dbt_nodes.deprecations(node, columns)
        synced_fields = fields | ({"tier": tier} if tier else {})
        synced_fields |= {"labels": labels} if labels else {}
        synced_fields |= {"deprecations": deprecations} if deprecations else {}
        synced_fields |= {"compatibility_mode": mode, "known_columns": observed_types and known_columns}
        return Model(
            **fields,
            fqn=fqn,
            name=node.text("name") or fqn,
            owner=next((owner for n in nodes if (owner := dbt_nodes.owner(n))), None),
            compatibility_mode=mode,
            tier=tier,
            labels=(*fields["tags"], *labels),
            meta=dbt_nodes.meta(node),
            columns=tuple(types),
            declared_types=declared_types,
            observed_types=observed_types,
            known_columns=known_columns,
            details=details,
            materialized=config.text("materialized"),
            compiled_code=node.text("compiled_code") or node.text("compiled_sql"),
            fingerprint=_compute_fingerprint(synced_fields),
            deprecations=deprecations,
        )

    def _find_observed_types(self, nodes: list[UntrustedJson], fqn: str) -> ColumnTypes | None:
        return self._catalog.find_columns((node.name for node in nodes), fqn) if self._catalog else None

    def _iterate_checks(self, nodes: list[UntrustedJson], columns: Mapping[str, UntrustedJson]) -> Iterator[Check]:
        for node in nodes:
            yield from self._checks_by_table.get(node.name, ())
            yield from dbt_tests.constraint_checks(node)
        if dbt_nodes.is_contract_enforced(nodes[0]):
            yield Check("enforced contract", "dbt contract")
        for name, column in columns.items():
            yield from dbt_tests.constraint_checks(column, name)

    def find_upstream_tables(self, nodes: Iterable[UntrustedJson]) -> set[str]:
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


def _read_details(
    columns: Mapping[str, UntrustedJson], guarantees: TableGuarantees, adapter: str | None
) -> ColumnDetails:
    """A declared `not null` holds whatever the type in the warehouse is, because a catalog does not show it."""
    texts = {name.lower(): column.text("data_type") for name, column in columns.items()}
    not_null = {key for key, text in texts.items() if text and parse_type(text, adapter).is_required}
    return ColumnDetails(
        adapter,
        {name.lower(): text for name, column in columns.items() if (text := column.text("description"))},
        guarantees.never_null | not_null,
        guarantees.accepted_values,
    )


def _warn_about_type(node: UntrustedJson, column: str, type_name: str) -> None:
    node.warnings.add(f"Columns of the unknown type `{type_name}` may hold any value", f"{node.name}.{column}")


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
    """Group the nodes by table, in the order of `RESOURCE_TYPES`."""
    tables: dict[str, list[UntrustedJson]] = defaultdict(list)
    for unique_id, fqn in fqns.items():
        tables[fqn].append(nodes[unique_id])
    for table_nodes in tables.values():
        table_nodes.sort(key=lambda node: (dbt_nodes.RESOURCE_TYPES.index(dbt_nodes.resource_type(node)), node.name))
    return tables


def _keep_first_builders(tables: Mapping[str, list[UntrustedJson]]) -> Iterator[tuple[str, str]]:
    """Leave one node that builds each table, and yield the tables that had several, with the reason of the conflict."""
    for fqn, table_nodes in tables.items():
        builders = [node for node in table_nodes if dbt_nodes.resource_type(node) != "source"]
        if len(builders) > 1:
            names = " and ".join(node.name for node in builders)
            advice = "Give one of them another alias or schema, or leave it out of this manifest."
            yield fqn, f"{names} build it, and an asset has one name. {advice}"
            table_nodes[:] = [node for node in table_nodes if node not in builders[1:]]
        if len(table_nodes) > 1:
            table_nodes[0].warnings.add("These tables are described more than once and were taken as one", fqn)
