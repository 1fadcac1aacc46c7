"""Schema files in any supported format, detected by extension. Unreadable files end the command."""

import base64
import json
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer

from tessera_gql.cli.api import read_file, read_json
from tessera_gql.cli.terminal import fail
from tessera_gql.client import Document, DocumentFormat
from tessera_gql.formats import dbt, schema_documents, yaml
from tessera_gql.formats.dbt import ManifestError
from tessera_gql.formats.parsed_schema import DocumentError
from tessera_gql.formats.schema_documents import SchemaDocument, SchemaFormat
from tessera_gql.formats.source_lines import SourceLines, find_lines
from tessera_gql.formats.yaml import YamlError

MAX_LISTED = 10
SCHEMA_KEYWORDS = frozenset(
    ("$schema", "$id", "$ref", "$defs", "definitions", "type", "properties", "allOf", "anyOf", "oneOf", "enum", "const")
)
"""Keywords of which every JSON Schema with a meaning has at least one at its root."""

# Without a handler Python prints warnings on stderr, and those of the SQL parser repeat text of the file unescaped.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())

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
PartOption = Annotated[str | None, typer.Option(help="Table, model or message in the file, if it has several.")]
DialectOption = Annotated[str | None, typer.Option(help="SQL dialect, such as snowflake.")]


def read_schema(
    path: Path, format_: DocumentFormat | None = None, part: str | None = None, dialect: str | None = None
) -> dict[str, Any] | Document:
    """Read a schema for the SDK. JSON is parsed here, other formats by the server."""
    source_format = _detect_format(path, format_)
    if source_format is SchemaFormat.JSON_SCHEMA:
        return read_json(path)
    return Document(DocumentFormat(source_format), _read_text(path, source_format), part, dialect)


@dataclass(frozen=True)
class SchemaFile:
    """A schema as JSON Schema, and the document that it was read from; None if its lines mean nothing to people."""

    name: str
    schema: Any
    document: SchemaDocument | None

    @cached_property
    def lines(self) -> SourceLines:
        return SourceLines() if self.document is None else find_lines(self.document)


def parse_schema_file(name: str, content: bytes, part: str | None, dialect: str | None) -> SchemaFile:
    """Parse a file of any format as JSON Schema. An invalid one ends the command with a message."""
    try:
        return _parse_content(name, content, part, dialect)
    except DocumentError as error:
        raise fail(f"{name}: {error}") from None


def _parse_content(name: str, content: bytes, part: str | None, dialect: str | None) -> SchemaFile:
    match _detect_format(Path(name), None):
        case SchemaFormat.JSON_SCHEMA:
            value, text = _parse_json(name, content)
            if _is_manifest(value):
                return SchemaFile(name, _choose_model(content, part), None)
            return SchemaFile(name, value, SchemaDocument(SchemaFormat.JSON_SCHEMA, text))
        case SchemaFormat.ODCS if _is_json_schema(value := _parse_yaml(text := _decode(name, content))):
            return SchemaFile(name, value, SchemaDocument(SchemaFormat.JSON_SCHEMA, text))
        case SchemaFormat.PROTOBUF:
            document = SchemaDocument(SchemaFormat.PROTOBUF, base64.b64encode(content).decode(), part)
        case source_format:
            document = SchemaDocument(source_format, _decode(name, content), part, dialect)
    return SchemaFile(name, schema_documents.parse_document(document).schema, document)


def _parse_json(name: str, content: bytes) -> tuple[Any, str]:
    try:
        value = json.loads(content, object_pairs_hook=_read_object)
        return value, content.decode(json.detect_encoding(content), "surrogatepass")
    except (ValueError, RecursionError) as error:
        reason: object = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise fail(f"{name} is not JSON: {reason if content.strip() else 'it is empty'}.") from None


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object. Raises ValueError for a key that occurs twice, of which readers keep different ones."""
    entries = dict(pairs)
    if len(entries) < len(pairs):
        names = [name for name, _ in pairs]
        name = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has the key {name[:80]!r} twice")
    return entries


def _parse_yaml(text: str) -> Any:
    try:
        return yaml.load(text).value
    except YamlError as error:
        raise DocumentError(f"This YAML can't be read: {error}") from None


def _is_json_schema(value: Any) -> bool:
    """Whether a YAML document is a JSON Schema; any other one is taken for ODCS, whose parser says what is missing."""
    return isinstance(value, dict) and "apiVersion" not in value and not SCHEMA_KEYWORDS.isdisjoint(value)


def _is_manifest(value: Any) -> bool:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return isinstance(metadata, dict) and "dbt_schema_version" in metadata


def _choose_model(content: bytes, part: str | None) -> Any:
    """Return the schema of a dbt model, which `part` gives by fqn, name or unique id."""
    try:
        models = dbt.parse_manifest(content).models
    except ManifestError as error:
        raise DocumentError(error.reason) from None
    matches = [model for model in models if part is None or part in {model.fqn, model.name, model.unique_id}]
    if len(matches) == 1:
        return matches[0].schema
    listing = ", ".join(model.fqn for model in (matches or models)[:MAX_LISTED]) or "nothing"
    unlisted = len(matches or models) - MAX_LISTED
    listing += f" and {unlisted} more" if unlisted > 0 else ""
    problem = f"It has no model {part[:200]!r}. " if part is not None and not matches else ""
    raise DocumentError(f"This manifest describes {listing}. {problem}Give the name of one model with --part.")


def _detect_format(path: Path, format_: DocumentFormat | None) -> SchemaFormat:
    return SchemaFormat(format_) if format_ else schema_documents.format_from_path(path) or SchemaFormat.JSON_SCHEMA


def _read_text(path: Path, format_: SchemaFormat) -> str:
    content = read_file(path)
    return base64.b64encode(content).decode() if format_ is SchemaFormat.PROTOBUF else _decode(str(path), content)


def _decode(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise fail(f"{name} is not text in UTF-8. A protobuf descriptor set has the ending .pb.") from None
