"""`tessera diff`: compare two schema files, or two revisions of one file, without a server."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from tessera_gql.cli.api import read_file
from tessera_gql.cli.diff_report import Comparison, DiffFormat, render
from tessera_gql.cli.documents import (
    MAX_SIBLING_BYTES,
    FileContent,
    FolderFiles,
    iterate_sibling_files,
    parse_schema_file,
)
from tessera_gql.cli.git_revisions import find_revision_file, iterate_siblings, parse_revision_range, read_revision
from tessera_gql.cli.mode_table import print_mode_table
from tessera_gql.cli.progress import MIN_PROGRESS_BYTES
from tessera_gql.cli.schema_options import DialectOption, PartOption
from tessera_gql.cli.terminal import fail, print_note
from tessera_gql.diff import Mode, SchemaError, compare

STDIN = Path("-")
MAX_FILE_BYTES = 128_000_000
"""Enough for the manifest of a large dbt project."""


def diff(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    old: Annotated[
        Path | None,
        typer.Argument(help="Current schema, or the file for --git; - reads JSON from stdin.", allow_dash=True),
    ] = None,
    new: Annotated[Path | None, typer.Argument(help="New schema; - reads JSON from stdin.", allow_dash=True)] = None,
    mode: Annotated[
        Mode, typer.Option(case_sensitive=False, help="Compatibility mode; --explain describes them.")
    ] = Mode.BACKWARD,
    format: Annotated[DiffFormat, typer.Option(help="Output format.")] = DiffFormat.TEXT,  # noqa: A002 - the option's name
    git: Annotated[
        str | None,
        typer.Option(
            metavar="REVISIONS", help="Compare revisions of one file: OLD..NEW, OLD...NEW (from the merge base) or OLD."
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print what each mode means and what breaks in it, and exit.")
    ] = False,
    part: PartOption = None,
    dialect: DialectOption = None,
) -> None:
    """Compare two schemas: changes, breaking changes and counterexamples. Exit 0 if compatible, 1 if breaking.

    Each file is, by its extension, a JSON Schema (.json, .yaml), a data contract of ODCS v3 or the Data Contract
    Specification (.yaml), Avro (.avsc), SQL (.sql), a protobuf descriptor set (.pb) or a dbt manifest (.json; --part
    gives the model). The formats of the two may differ. Parts of a file that are left out are named on stderr.
    With --git and a single revision, the new schema is the file in the working tree.

    Example: tessera diff --git origin/main...HEAD schemas/orders.json --mode consumer
    """
    if explain:
        return print_mode_table(as_json=format is DiffFormat.JSON)
    contents = _read_files(old, new) if git is None else _read_revisions(git, old, new)
    if (size := sum(len(source.content) for source in contents)) > MIN_PROGRESS_BYTES:
        print_note((f"comparing {size / 1e6:.1f} MB …", "dim"))
    comparison = _compare(contents, part, dialect)
    render(comparison, mode, format)
    raise typer.Exit(0 if comparison.diff.is_compatible(mode) else 1)


def _read_files(old: Path | None, new: Path | None) -> list[FileContent]:
    if old is None or new is None:
        raise fail("Give two files, or one with --git. `tessera diff --help` explains it.")
    if old == new == STDIN:
        raise fail("Only one of the two schemas can come from stdin; give the other as a file.")
    return [_read_working_file(path) for path in (old, new)]


def _read_working_file(path: Path) -> FileContent:
    others = FolderFiles(path).read
    return FileContent(str(path), read_file(path, MAX_FILE_BYTES), iterate_sibling_files(path), others)


def _read_revisions(revisions: str, path: Path | None, second_path: Path | None) -> list[FileContent]:
    if path is None or second_path is not None:
        raise fail("Give one file with --git: its revisions are compared.")
    old, new = parse_revision_range(revisions, path)
    return [
        _read_working_file(path)
        if revision is None
        else FileContent(
            str(path),
            read_revision(revision, path, MAX_FILE_BYTES),
            iterate_siblings(revision, path, MAX_SIBLING_BYTES),
            partial(find_revision_file, revision, path, MAX_SIBLING_BYTES),
        )
        for revision in (old, new)
    ]


def compare_with_revision(revision: str, path: Path, dialect: str | None = None) -> Comparison:
    """Compare a file in the working tree with the same file in a revision."""
    return _compare(_read_revisions(revision, path, None), None, dialect)


def _compare(contents: Sequence[FileContent], part: str | None, dialect: str | None) -> Comparison:
    old, new = (parse_schema_file(source, part, dialect) for source in contents)
    for file in (old, new):
        for warning in file.warnings:
            print_note(f"{file.name}: {warning}")
    try:
        return Comparison(old, new, compare(old.schema, new.schema))
    except SchemaError as error:
        raise fail(str(error)) from None
