"""Schema files in any supported format, detected by extension. Unreadable files end the command."""

import base64
from pathlib import Path
from typing import Annotated, Any

import typer

from tessera_gql.cli.api import read_file, read_json
from tessera_gql.cli.terminal import fail
from tessera_gql.client import Document, DocumentFormat
from tessera_gql.formats import schema_documents
from tessera_gql.formats.parsed_schema import DocumentError
from tessera_gql.formats.schema_documents import SchemaDocument, SchemaFormat

SchemaArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="JSON Schema, ODCS (.yaml), Avro (.avsc), SQL (.sql) or protobuf descriptor set (.pb); `-` reads stdin.",
        allow_dash=True,
    ),
]
FormatOption = Annotated[
    DocumentFormat | None,
    typer.Option(
        "--format", "-f", case_sensitive=False, help="Format of the file; by default detected by its extension."
    ),
]
PartOption = Annotated[str | None, typer.Option(help="Table or message in the file, if it has several.")]
DialectOption = Annotated[str | None, typer.Option(help="SQL dialect, such as snowflake.")]


def read_schema(
    path: Path, format_: DocumentFormat | None = None, part: str | None = None, dialect: str | None = None
) -> dict[str, Any] | Document:
    """Read a schema for the SDK. JSON is parsed here, other formats by the server."""
    source_format = _detect_format(path, format_)
    if source_format is SchemaFormat.JSON_SCHEMA:
        return read_json(path)
    return Document(DocumentFormat(source_format), _read_text(path, source_format), part, dialect)


def convert_to_json_schema(path: Path, part: str | None, dialect: str | None) -> Any:
    source_format = _detect_format(path, None)
    try:
        return schema_documents.parse_document(
            SchemaDocument(source_format, _read_text(path, source_format), part, dialect)
        ).schema
    except DocumentError as error:
        raise fail(f"{path}: {error}") from None


def is_json_schema(path: Path) -> bool:
    return schema_documents.format_from_path(path) in {None, SchemaFormat.JSON_SCHEMA}


def _detect_format(path: Path, format_: DocumentFormat | None) -> SchemaFormat:
    return SchemaFormat(format_) if format_ else schema_documents.format_from_path(path) or SchemaFormat.JSON_SCHEMA


def _read_text(path: Path, format_: SchemaFormat) -> str:
    content = read_file(path)
    try:
        return base64.b64encode(content).decode() if format_ is SchemaFormat.PROTOBUF else content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise fail(f"{path} is not text in UTF-8. Give --format protobuf if it is a descriptor set.") from None
