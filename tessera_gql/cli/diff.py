"""`tessera diff`: compare two schema files without a server."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tessera_gql.cli.api import read_file
from tessera_gql.cli.diff_report import DiffFormat, render
from tessera_gql.cli.documents import DialectOption, PartOption, convert_to_json_schema, is_json_schema
from tessera_gql.cli.terminal import fail
from tessera_gql.diff import Mode, SchemaError, compare

STDIN = Path("-")


def diff(
    old: Annotated[Path, typer.Argument(help="Current schema; - reads JSON from stdin.", allow_dash=True)],
    new: Annotated[Path, typer.Argument(help="New schema; - reads JSON from stdin.", allow_dash=True)],
    mode: Annotated[Mode, typer.Option(case_sensitive=False, help="Compatibility mode.")] = Mode.BACKWARD,
    format: Annotated[DiffFormat, typer.Option(help="Output format.")] = DiffFormat.TEXT,  # noqa: A002 - the option's name
    part: PartOption = None,
    dialect: DialectOption = None,
) -> None:
    """Compare two schemas: changes, breaking changes and counterexamples. Exit 0 if compatible, 1 if breaking.

    The files are JSON Schemas, or, by extension, ODCS (.yaml), Avro (.avsc), SQL (.sql) or protobuf descriptor sets
    (.pb).
    """
    if old == new == STDIN:
        raise fail("Only one of the two schemas can come from stdin; give the other as a file.")
    old_schema, new_schema = (
        _read_json(path) if is_json_schema(path) else convert_to_json_schema(path, part, dialect) for path in (old, new)
    )
    try:
        comparison = compare(old_schema, new_schema)
    except SchemaError as error:
        raise fail(str(error)) from None
    render(comparison, mode, format, str(new))
    raise typer.Exit(0 if comparison.is_compatible(mode) else 1)


def _read_json(path: Path) -> object:
    try:
        return json.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise fail(f"{path} is not JSON: {reason}.") from None
