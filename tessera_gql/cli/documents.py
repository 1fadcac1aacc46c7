"""Files that describe data, in the format that their name or the user says; what can't be read ends the program."""

import base64
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tessera_gql.cli.remote import read_json
from tessera_gql.cli.terminal import fail
from tessera_gql.client import Document, DocumentFormat
from tessera_gql.formats import sources
from tessera_gql.formats.foreign import ForeignError
from tessera_gql.formats.sources import Format, Source

STDIN = Path("-")

SchemaFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="JSON Schema, or ODCS (.yaml), Avro (.avsc), SQL (.sql), a protobuf descriptor set (.pb); `-` is stdin.",
        allow_dash=True,
    ),
]
Written = Annotated[
    DocumentFormat | None,
    typer.Option("--format", "-f", case_sensitive=False, help="What the file is, whatever its name."),
]
Part = Annotated[str | None, typer.Option(help="Which of the tables or messages in the file.")]
Dialect = Annotated[str | None, typer.Option(help="The dialect of the SQL, such as snowflake.")]


def offered(
    path: Path, written: DocumentFormat | None = None, part: str | None = None, dialect: str | None = None
) -> dict[str, Any] | Document:
    """As the SDK takes it; only JSON is looked into."""
    kind = _format(path, written)
    if kind is Format.JSON_SCHEMA:
        return read_json(path)
    return Document(DocumentFormat(kind), _text(path, kind), part, dialect)


def schema(path: Path, part: str | None, dialect: str | None) -> Any:
    """The JSON Schema of a file that is in another format."""
    kind = _format(path, None)
    try:
        return sources.read(Source(kind, _text(path, kind), part, dialect)).schema
    except ForeignError as error:
        raise fail(f"{path}: {error}") from None


def is_foreign(path: Path) -> bool:
    return sources.named(path) not in {None, Format.JSON_SCHEMA}


def _format(path: Path, written: DocumentFormat | None) -> Format:
    return Format(written) if written else sources.named(path) or Format.JSON_SCHEMA


def _text(path: Path, kind: Format) -> str:
    try:
        content = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
        return base64.b64encode(content).decode() if kind is Format.PROTOBUF else content.decode("utf-8-sig")
    except OSError as error:
        raise fail(f"{path} can't be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise fail(f"{path} is not text in UTF-8. Give --format protobuf if it is a descriptor set.") from None
