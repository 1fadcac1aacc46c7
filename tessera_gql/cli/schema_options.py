"""Argument and options of a schema file in any supported format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tessera_gql.client.enums import DocumentFormat

if TYPE_CHECKING:
    from tessera_gql.client.requests import Document

SchemaArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="JSON Schema, data contract (.yaml), Avro (.avsc), SQL (.sql) or protobuf descriptor set (.pb); `-` reads"
        " stdin.",
        allow_dash=True,
    ),
]
FormatOption = Annotated[
    DocumentFormat | None,
    typer.Option(
        "--format", "-f", case_sensitive=False, help="Format of the file; by default detected by its extension."
    ),
]
PartOption = Annotated[str | None, typer.Option(help="Table, model or message in the file, if it has several.")]
DialectOption = Annotated[str | None, typer.Option(help="SQL dialect, such as snowflake.")]


def read_schema(
    path: Path, format_: DocumentFormat | None, part: str | None, dialect: str | None
) -> dict[str, Any] | Document:
    """Read a schema for the SDK; one that can't be read ends the command with a message."""
    from tessera_gql.cli.documents import read_schema_file  # noqa: PLC0415 - its formats and the diff engine load slowly

    return read_schema_file(path, format_, part, dialect)
