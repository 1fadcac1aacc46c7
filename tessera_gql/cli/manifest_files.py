"""Read the manifest and the catalog of a dbt project, and find the files of the models in a report."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tessera_gql.cli.gate import GateResult
from tessera_gql.cli.model_files import ModelFiles
from tessera_gql.cli.terminal import fail
from tessera_gql.client.enums import TableState
from tessera_gql.client.errors import Invalid
from tessera_gql.client.manifest_files import read_manifest

DEFAULT_MANIFEST = Path("target/manifest.json")


def read_manifest_file(manifest: Path) -> bytes:
    """Read a manifest; anything but a JSON object ends the command with a message before it is sent."""
    try:
        content = manifest.read_bytes()
    except OSError as error:
        hint = " Run `dbt compile` first, or give its path." if isinstance(error, FileNotFoundError) else ""
        raise fail(f"{manifest} can't be read: {error.strerror}.{hint}") from None
    try:
        return read_manifest(content)
    except Invalid as error:
        raise fail(f"{manifest}: {error.message}") from None


def read_catalog_file(manifest: Path, catalog: Path | None, *, no_catalog: bool) -> bytes | None:
    """Read the catalog that is given, else the one beside the manifest; None without one."""
    file = catalog or manifest.with_name("catalog.json")
    if no_catalog or (catalog is None and not file.is_file()):
        return None
    try:
        return read_manifest(file.read_bytes(), "catalog")
    except OSError as error:
        hint = " Run `dbt docs generate` first, or give its path." if isinstance(error, FileNotFoundError) else ""
        raise fail(f"{file} can't be read: {error.strerror}.{hint}") from None
    except Invalid as error:
        raise fail(f"{file}: {error.message} Without it: --no-catalog.") from None


def locate_models(result: GateResult, content: bytes, manifest: Path) -> GateResult:
    """Add the files and lines of the models that are reported."""
    files = ModelFiles.of_manifest(json.loads(content), manifest)
    tables = [
        replace(table, location=files.find(table.impact.unique_id, (change.path for change in table.impact.changes)))
        if table.state is not TableState.UNCHANGED
        else table
        for table in result.tables
    ]
    nodes = {table.fqn: table.impact.unique_id for table in result.tables}
    reads = [
        replace(verdict, location=files.find(nodes.get(verdict.read.fqn), ())) for verdict in result.deprecated_reads
    ]
    return replace(result, tables=tuple(tables), deprecated_reads=tuple(reads))


def select_models(result: GateResult, content: bytes, manifest: Path, files: Iterable[Path]) -> GateResult:
    """Leave out the models of other files. What the manifest no longer has stays, because it has no file."""
    models = ModelFiles.of_manifest(json.loads(content), manifest).find_models(files)
    tables = [table for table in result.tables if table.impact.removed or table.impact.unique_id in models]
    names = {table.fqn for table in tables}
    reads = [verdict for verdict in result.deprecated_reads if verdict.read.fqn in names]
    return replace(result, tables=tuple(tables), deprecated_reads=tuple(reads))
