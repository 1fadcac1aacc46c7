"""`tessera hook`: check changed files, as the hooks of `.pre-commit-hooks.yaml` do before a commit or a push."""

from pathlib import Path
from typing import Annotated

import typer

from tessera_gql.cli import gate, gate_report
from tessera_gql.cli.api import connect
from tessera_gql.cli.diff import compare_with_revision
from tessera_gql.cli.diff_report import DiffFormat, render
from tessera_gql.cli.gate import FailOn
from tessera_gql.cli.git_revisions import has_file
from tessera_gql.cli.manifest_files import (
    DEFAULT_MANIFEST,
    locate_models,
    read_catalog_file,
    read_manifest_file,
    select_models,
)
from tessera_gql.cli.schema_options import DialectOption
from tessera_gql.cli.terminal import print_line, print_note
from tessera_gql.diff import Mode

app = typer.Typer(help="Check changed files before a commit, as hooks of pre-commit.", no_args_is_help=True)

FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE", help="Changed files.", show_default=False)]


@app.command()
def diff(
    files: FilesArgument,
    base: Annotated[str, typer.Option(help="Revision that the files are compared with.")] = "HEAD",
    mode: Annotated[
        Mode, typer.Option(case_sensitive=False, help="Compatibility mode; `tessera diff --explain` describes them.")
    ] = Mode.BACKWARD,
    dialect: DialectOption = None,
) -> None:
    """Compare changed schema files with the last commit, without a server. Exit 1 if one of them breaks.

    A file that the revision doesn't have is new, and breaks nothing.

    Example: tessera hook diff schemas/orders.json --mode consumer
    """
    breaking = 0
    for file in files:
        if not has_file(base, file):
            print_line(f"{file} is new.")
            continue
        comparison = compare_with_revision(base, file, dialect)
        print_line((f"{file}:", "bold"))
        render(comparison, mode, DiffFormat.TEXT)
        breaking += not comparison.diff.is_compatible(mode)
    if breaking:
        raise typer.Exit(1)


@app.command()
def impact(
    files: FilesArgument,
    manifest: Annotated[Path, typer.Option(help="Path of dbt's manifest.json.")] = DEFAULT_MANIFEST,
    catalog: Annotated[
        Path | None, typer.Option(help="Path of catalog.json; by default the one beside the manifest.")
    ] = None,
    no_catalog: Annotated[bool, typer.Option("--no-catalog", help="Ignore the catalog.")] = False,
) -> None:
    """Show what the models in changed files would break and which teams must answer. Nothing is written.

    The manifest must be as new as the files: run `dbt compile` or `dbt parse` first. Exit codes are those of
    `tessera dbt impact`; other models of the manifest are left out.

    Example: tessera hook impact models/orders.sql models/schema.yml
    """
    content = read_manifest_file(manifest)
    _note_newer_files(manifest, files)
    columns = read_catalog_file(manifest, catalog, no_catalog=no_catalog)
    with connect(manifest=manifest) as client:
        answer = client.dbt_impact(content, catalog=columns)
    result = select_models(gate.evaluate(answer), content, manifest, files)
    for line in gate_report.render_text(locate_models(result, content, manifest)):
        print_line(line)
    if code := result.exit_code(FailOn.CONSUMERS):
        raise typer.Exit(code)


def _note_newer_files(manifest: Path, files: list[Path]) -> None:
    """Name the changed files that the manifest may not have yet."""
    written_at = manifest.stat().st_mtime
    newer = [str(file) for file in files if file.is_file() and file.stat().st_mtime > written_at]
    if newer:
        verb = "is" if len(newer) == 1 else "are"
        print_note(f"{', '.join(newer)} {verb} newer than {manifest}. Run `dbt compile` to check the present models.")
