"""Consecutive releases of public dbt packages, what really broke between them, and what a judgement finds.

What really broke is read from the raw files, so that it does not depend on the parsers and the judgement under test.
"""

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from tessera_gql.diff import Change, ChangeKind, Mode
from tessera_gql.formats import dbt
from tessera_gql.formats.dbt_catalog import parse_catalog
from tessera_gql.policy.compatibility import Terms, judge

RELEASES = Path(__file__).resolve().parents[1] / "../shared/data/dbt_catalogs"
REMOVALS = frozenset({ChangeKind.PROPERTY_REMOVED, ChangeKind.PROPERTY_RENAMED})
TYPE_CHANGES = frozenset(
    {
        ChangeKind.TYPE_CHANGED,
        ChangeKind.TYPE_WIDENED,
        ChangeKind.TYPE_NARROWED,
        ChangeKind.FORMAT_CHANGED,
        ChangeKind.ANNOTATION_CHANGED,  # another spelling of the same type
    }
)
FAMILIES: Mapping[str, str] = {
    **dict.fromkeys(("integer", "bigint", "int64"), "integer"),
    **dict.fromkeys(("text", "string", "character varying"), "text"),
    **dict.fromkeys(("timestamp without time zone", "datetime"), "local timestamp"),
    **dict.fromkeys(("timestamp with time zone", "timestamp"), "timestamp"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    **dict.fromkeys(("double precision", "float64"), "float"),
}
"""Types that hold the same kind of values; a type that is not listed is a family of its own."""

Table = tuple[str, str]
"""The schema after the rewriting, and the name in lower case."""
Column = tuple[Table, str]


@dataclass(frozen=True)
class Release:
    """Manifest and catalog of one commit, as they were written but for the names of databases and schemas."""

    name: str
    manifest: dict[str, Any]
    catalog: dict[str, Any]

    @property
    def adapter(self) -> str | None:
        return self.manifest["metadata"].get("adapter_type")

    def list_columns(self) -> dict[Table, dict[str, str]]:
        """Return the columns that the tables have by the catalog, with their types."""
        tables: dict[Table, dict[str, str]] = {}
        for unique_id, node in _iterate_tables(self.manifest):
            listed = self.catalog["nodes"].get(unique_id) or self.catalog["sources"].get(unique_id)
            if listed and listed["columns"]:
                columns = {column["name"].lower(): column["type"].lower() for column in listed["columns"].values()}
                tables[node["schema"], _read_name(node)] = columns
        return tables

    def parse(self, *, with_catalog: bool) -> dict[Table, dbt.Model]:
        catalog = parse_catalog(self.catalog) if with_catalog else None
        models = dbt.parse_manifest(self.manifest, catalog).models
        return {(model.fqn.split(".")[1], model.fqn.split(".", 2)[2]): model for model in models}


@dataclass(frozen=True)
class Facts:
    """What really changed between two releases, in tables that both catalogs have."""

    tables: int
    dropped: frozenset[Column]
    retyped: frozenset[Column]
    """Columns whose type is of another family. Empty between two adapters, which name every type differently."""
    respelled: frozenset[Column] | None
    """Columns whose type differs in any way, also within its family; None between two adapters."""


@dataclass(frozen=True)
class Findings:
    """The columns that a judgement calls dropped or retyped; `breaking` are the retyped ones that ask readers."""

    dropped: frozenset[Column]
    retyped: frozenset[Column]
    breaking: frozenset[Column]


@dataclass(frozen=True)
class Result:
    """A pair of releases with its facts and the findings with catalogs and with manifests alone."""

    name: str
    facts: Facts
    with_catalogs: Findings
    manifests_alone: Findings
    first_catalog: Findings


def load_releases() -> dict[str, list[Release]]:
    """Load the releases by package, in their order."""
    packages: dict[str, list[Release]] = {}
    for path in sorted(RELEASES.glob("*.manifest.json.gz")):
        name = path.name.removesuffix(".manifest.json.gz")
        catalog = path.with_name(f"{name}.catalog.json.gz")
        manifest, listed = (orjson.loads(gzip.decompress(file.read_bytes())) for file in (path, catalog))
        package = name.rsplit("_", 2)[0]
        packages.setdefault(package, []).append(Release(name, _rewrite_names(manifest), listed))
    return packages


def iterate_pairs() -> Iterator[tuple[Release, Release]]:
    for releases in load_releases().values():
        yield from pairwise(releases)


def evaluate(before: Release, after: Release) -> Result:
    facts = find_facts(before, after)
    old, new = before.parse(with_catalog=True), after.parse(with_catalog=True)
    old_declared, new_declared = before.parse(with_catalog=False), after.parse(with_catalog=False)
    return Result(
        f"{before.name} to {after.name.rsplit('_', 2)[1]}",
        facts,
        find_changes(old, new),
        find_changes(old_declared, new_declared),
        find_changes(new_declared, new),
    )


def find_facts(before: Release, after: Release) -> Facts:
    old, new = before.list_columns(), after.list_columns()
    common = sorted(old.keys() & new.keys())
    pairs = [(table, name) for table in common for name in old[table].keys() & new[table].keys()]
    has_same_adapter = before.adapter == after.adapter
    respelled = [(table, name) for table, name in pairs if has_same_adapter and old[table][name] != new[table][name]]
    return Facts(
        len(common),
        frozenset((table, name) for table in common for name in old[table].keys() - new[table].keys()),
        frozenset((table, name) for table, name in respelled if _family(old[table][name]) != _family(new[table][name])),
        frozenset(respelled) if has_same_adapter else None,
    )


def find_changes(old: Mapping[Table, dbt.Model], new: Mapping[Table, dbt.Model]) -> Findings:
    """Judge each table of both as a sync does, and collect the columns of the changes."""
    dropped: set[Column] = set()
    retyped: set[Column] = set()
    breaking: set[Column] = set()
    for table in old.keys() & new.keys():
        before = old[table]
        after = dbt.apply_known_columns(new[table], before.known_columns)
        judgement = judge(_to_terms(before), _to_terms(after))
        removed = {field for change in judgement.breaking if change.kind in REMOVALS for field in change.fields}
        remaining = {name.lower() for name in after.columns}
        dropped |= {(table, field.lower()) for field in removed if field.lower() not in remaining}
        retyped |= {(table, field) for field in _list_retyped(judgement.changes)}
        breaking |= {(table, field) for field in _list_retyped(judgement.breaking)}
    return Findings(frozenset(dropped), frozenset(retyped), frozenset(breaking))


def _list_retyped(changes: tuple[Change, ...]) -> set[str]:
    return {
        field.lower() for change in changes if change.kind in TYPE_CHANGES for field in change.fields if change.path
    }


def _to_terms(model: dbt.Model) -> Terms:
    return Terms(model.schema, model.guarantees, Mode.CONSUMER, known_columns=model.known_columns)


def _rewrite_names(manifest: dict[str, Any]) -> dict[str, Any]:
    """Give databases and schemas fixed names, because every release was built in a schema of its author."""
    for _, node in _iterate_tables(manifest):
        group = node.get("source_name") or node["package_name"]
        node["database"], node["schema"] = "warehouse", f"{node['resource_type']}_{group}"
    return manifest


def _iterate_tables(manifest: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for unique_id, node in (manifest["nodes"] | manifest["sources"]).items():
        if node["resource_type"] in {"model", "seed", "snapshot", "source"}:
            yield unique_id, node


def _read_name(node: dict[str, Any]) -> str:
    return str(node.get("alias") or node.get("identifier") or node["name"]).lower()


def _family(text: str) -> str:
    name = text.partition("(")[0].strip()
    return FAMILIES.get(name, name)
