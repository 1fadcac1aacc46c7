"""Parse a dbt `catalog.json`: the columns that the tables of a project have in the warehouse, with their types."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Any
from unicodedata import normalize

from tessera_gql.formats.dbt_artifacts import Artifact, ArtifactError
from tessera_gql.formats.untrusted_json import UntrustedJson, Warnings
from tessera_gql.garbage_collection import pause_garbage_collection

ColumnTypes = Mapping[str, str | None]
"""The types of columns as text, by name; None for a column without a known type."""


class ColumnBasis(StrEnum):
    """Where the columns of a contract come from: the declarations of a manifest, or the catalog of the warehouse."""

    DECLARED = "DECLARED"
    CATALOG = "CATALOG"


class CatalogError(ArtifactError):
    """A document that can't be read as a catalog."""


_CATALOG = Artifact("catalog", "`dbt docs generate`", ("metadata", "nodes", "sources", "errors"), CatalogError)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The columns of tables in their order in the warehouse, with warnings about entries that were skipped."""

    generated_at: str | None
    invocation_id: str | None
    columns_by_id: Mapping[str, ColumnTypes]
    """By the `unique_id` of a node or source."""
    columns_by_fqn: Mapping[str, ColumnTypes]
    """By `database.schema.name` in lower case."""
    warnings: tuple[str, ...]

    def find_columns(self, unique_ids: Iterable[str], fqn: str) -> ColumnTypes | None:
        """Find the columns of a table by the ids of its nodes, then by its name; None if the catalog lacks it."""
        for unique_id in unique_ids:
            if (columns := self.columns_by_id.get(unique_id)) is not None:
                return columns
        return self.columns_by_fqn.get(fqn)


def parse_catalog(document: bytes | str | Mapping[str, Any]) -> Catalog:
    """Parse a catalog. Raises CatalogError; a malformed entry is only skipped, and named in `warnings`."""
    with pause_garbage_collection():
        root = UntrustedJson(_CATALOG.load(document), "the catalog", Warnings())
        _check_kind(root)
        return _build_catalog(root)


def _check_kind(root: UntrustedJson) -> None:
    advice = "Give the target/catalog.json that `dbt docs generate` writes."
    schema_url = root.object("metadata").text("dbt_schema_version")
    if schema_url is None:
        raise _CATALOG.refuse("it has no metadata.dbt_schema_version, which dbt writes", advice)
    if "/catalog/" not in schema_url:
        raise _CATALOG.refuse(f"its schema version is {schema_url[:120]}", advice)
    if not isinstance(root.value.get("nodes"), dict):
        raise CatalogError(f"This catalog has no object `nodes`, so it has no table. {advice}")
    if not schema_url.endswith("/catalog/v1.json"):
        root.warnings.add("The schema version of the catalog is unknown; it was read like v1", schema_url[:120])


def _build_catalog(root: UntrustedJson) -> Catalog:
    metadata = root.object("metadata")
    columns_by_id: dict[str, ColumnTypes] = {}
    columns_by_fqn: dict[str, ColumnTypes] = {}
    for section in ("nodes", "sources"):
        for unique_id, table in root.entries(section):
            if columns := _read_columns(table):
                columns_by_id[unique_id] = columns
                if fqn := _read_fqn(table.object("metadata")):
                    columns_by_fqn[fqn] = columns
    if root.value.get("errors"):
        root.warnings.add("dbt could not read all tables for this catalog", "see its member `errors`")
    return Catalog(
        generated_at=metadata.text("generated_at"),
        invocation_id=metadata.text("invocation_id"),
        columns_by_id=columns_by_id,
        columns_by_fqn=columns_by_fqn,
        warnings=root.warnings.messages(),
    )


def _read_fqn(metadata: UntrustedJson) -> str | None:
    name = metadata.text("name")
    parts = [part for part in (metadata.text("database"), metadata.text("schema"), name) if part]
    return normalize("NFC", ".".join(parts)).lower() if name else None


def _read_columns(table: UntrustedJson) -> ColumnTypes:
    """Return the columns in the order of their `index`; empty if the table has none that can be read."""
    columns: list[tuple[float, str, str | None]] = []
    for key, column in table.object("columns").value.items():
        if not isinstance(column, dict):
            table.warnings.add("Columns of these tables in the catalog are no objects and were left out", table.name)
            continue
        name, index = column.get("name"), column.get("index")
        name = name if isinstance(name, str) and name else key
        if name.isprintable():
            position = index if isinstance(index, int | float) else len(columns)
            columns.append((position, name, _read_type(column.get("type"))))
        else:
            table.warnings.add("Columns of these tables in the catalog have unprintable names", table.name)
    if not columns:
        table.warnings.add("These tables have no columns in the catalog, so it does not cover them", table.name)
    columns.sort(key=itemgetter(0))
    return {name: text for _, name, text in columns}


def _read_type(value: object) -> str | None:
    return (value.strip() or None) if isinstance(value, str) and "\0" not in value else None
