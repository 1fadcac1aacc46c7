"""`tessera diff OLD NEW`: two schemas, no server. Exits 1 when the change breaks in the mode asked for."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tessera_gql.cli.diff_report import Format, render
from tessera_gql.cli.documents import Dialect, Part, is_foreign, schema
from tessera_gql.cli.terminal import fail
from tessera_gql.diff import Mode, SchemaError, compare

STDIN = Path("-")


def diff(
    old: Annotated[Path, typer.Argument(help="The schema as it is; - reads JSON from stdin.", allow_dash=True)],
    new: Annotated[Path, typer.Argument(help="The schema as it would be; - reads stdin.", allow_dash=True)],
    mode: Annotated[Mode, typer.Option(case_sensitive=False, help="Which way round they must fit.")] = Mode.BACKWARD,
    format: Annotated[Format, typer.Option(help="How to say it.")] = Format.TEXT,  # noqa: A002 - the option's name
    part: Part = None,
    dialect: Dialect = None,
) -> None:
    """Compare two schemas: what changed, what breaks, and a document that shows it.

    JSON Schemas, or by their names ODCS (.yaml), Avro (.avsc), SQL (.sql) and protobuf descriptor sets (.pb).
    """
    if old == new == STDIN:
        raise fail("Only one of the two schemas can come from stdin; give the other as a file.")
    before, after = (schema(one, part, dialect) if is_foreign(one) else _read(one) for one in (old, new))
    try:
        found = compare(before, after)
    except SchemaError as error:
        raise fail(str(error)) from None
    render(found, mode, format, str(new))
    raise typer.Exit(0 if found.is_compatible(mode) else 1)


def _read(path: Path) -> object:
    try:
        return json.loads(sys.stdin.buffer.read() if path == STDIN else path.read_bytes())
    except OSError as error:
        raise fail(f"{path} can't be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:
        why = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise fail(f"{path} is not JSON: {why}.") from None
