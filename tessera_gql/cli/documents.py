"""Schema files in any supported format, detected by extension. Unreadable files end the command."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, cast

from tessera_gql.cli.api import read_file
from tessera_gql.cli.terminal import fail
from tessera_gql.client.enums import DocumentFormat
from tessera_gql.client.requests import Document
from tessera_gql.formats import avro, dbt, schema_documents, yaml
from tessera_gql.formats.dbt import ManifestError
from tessera_gql.formats.json_schema_bundle import bundle_schema
from tessera_gql.formats.parsed_schema import DocumentError
from tessera_gql.formats.schema_documents import SchemaDocument, SchemaFormat
from tessera_gql.formats.source_lines import SourceLines, find_lines
from tessera_gql.formats.yaml import YamlError

MAX_LISTED = 10
MAX_SIBLINGS = 1_000
MAX_SIBLING_BYTES = 2_000_000
YAML_SUFFIXES = frozenset({".yaml", ".yml"})
# Without a handler Python prints warnings on stderr, and those of the SQL parser repeat text of the file unescaped.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())


def read_schema_file(
    path: Path, format_: DocumentFormat | None = None, part: str | None = None, dialect: str | None = None
) -> dict[str, Any] | Document:
    """Read a schema for the SDK. JSON Schema is parsed here, other formats by the server."""
    content = read_file(path)
    try:
        source_format, value = _detect_format(path, content, SchemaFormat(format_) if format_ else None)
        if source_format is SchemaFormat.JSON_SCHEMA:
            if part or dialect:
                option = f"--part {part}" if part else f"--dialect {dialect}"
                raise fail(f"{path} is a JSON Schema, to which {option} does not apply. Leave it out.")
            return _require_object(path, bundle_schema(value, _parse_others(FolderFiles(path).read)))
        source = FileContent(str(path), content, iterate_sibling_files(path))
        text = _read_text(source, source_format)
    except DocumentError as error:
        raise fail(f"{path}: {error}") from None
    return Document(DocumentFormat(source_format), text, part, dialect)


def _require_object(path: Path, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise fail(f'{path} holds no schema: it must be a JSON object, such as {{"type": "object"}}.')
    return cast("dict[str, Any]", value)


ReadFile = Callable[[str], bytes | None]
"""Reads another file by its path relative to a file's folder; None if there is none."""


@dataclass(frozen=True)
class FileContent:
    """The content of a file, and of the other files of its folder that have its suffix, read when they are needed.

    `read_other` reads the files that it refers to.
    """

    name: str
    content: bytes
    siblings: Iterable[bytes] = ()
    read_other: ReadFile = lambda _: None


class FolderFiles:
    """The files that a schema may refer to: those in its folder and below, and in the working directory."""

    def __init__(self, path: Path) -> None:
        self._folder = path.parent.resolve()
        self._roots = (self._folder, Path.cwd().resolve())

    def read(self, relative_path: str) -> bytes | None:
        try:
            file = (self._folder / relative_path).resolve()
            is_inside = any(file.is_relative_to(root) for root in self._roots)
            if not is_inside or not file.is_file() or file.stat().st_size > MAX_SIBLING_BYTES:
                return None
            return file.read_bytes()
        except (OSError, ValueError):
            return None


def _parse_others(read: ReadFile) -> Callable[[str], object]:
    """Return a function that parses the other files of a schema; one that is no JSON or YAML is left out."""

    def load(relative_path: str) -> object:
        if (content := read(relative_path)) is None:
            return None
        try:
            if Path(relative_path).suffix.lower() in YAML_SUFFIXES:
                return yaml.load(content.decode("utf-8-sig")).value
            return json.loads(content, object_pairs_hook=_read_object)
        except (ValueError, RecursionError, YamlError):
            return None

    return load


@dataclass(frozen=True)
class SchemaFile:
    """A schema as JSON Schema, and the document that it was read from; None if its lines mean nothing to people.

    `warnings` say which parts of the document were left out.
    """

    name: str
    schema: Any
    document: SchemaDocument | None
    warnings: tuple[str, ...] = ()

    @cached_property
    def lines(self) -> SourceLines:
        return SourceLines() if self.document is None else find_lines(self.document)


def parse_schema_file(source: FileContent, part: str | None, dialect: str | None) -> SchemaFile:
    """Parse a file of any format as JSON Schema. An invalid one ends the command with a message."""
    try:
        return _parse_content(source, part, dialect)
    except DocumentError as error:
        raise fail(f"{source.name}: {error}") from None


def _parse_content(source: FileContent, part: str | None, dialect: str | None) -> SchemaFile:
    name, content = source.name, source.content
    source_format, value = _detect_format(Path(name), content, None)
    if source_format is SchemaFormat.JSON_SCHEMA:
        if _is_manifest(value):
            return SchemaFile(name, _choose_model(content, part), None)
        text = content.decode(json.detect_encoding(content), "surrogatepass")
        value = bundle_schema(value, _parse_others(source.read_other))
        return SchemaFile(name, value, SchemaDocument(SchemaFormat.JSON_SCHEMA, text))
    text = _read_text(source, source_format)
    contract = schema_documents.parse_document(SchemaDocument(source_format, text, part, dialect))
    original = text if source_format is SchemaFormat.PROTOBUF else _decode(name, content)
    document = SchemaDocument(source_format, original, part, dialect)
    return SchemaFile(name, contract.schema, document, contract.warnings)


def _detect_format(path: Path, content: bytes, given_format: SchemaFormat | None) -> tuple[SchemaFormat, Any]:
    """Return the format of a file by its suffix and its members, and its value if it is a JSON Schema."""
    source_format = given_format or schema_documents.format_from_path(path) or SchemaFormat.JSON_SCHEMA
    if source_format is SchemaFormat.ODCS:
        value = _parse_yaml(_decode(str(path), content))
    elif source_format is SchemaFormat.JSON_SCHEMA:
        is_yaml = path.suffix.lower() in YAML_SUFFIXES
        value = _parse_yaml(_decode(str(path), content)) if is_yaml else _parse_json(str(path), content)
    else:
        return source_format, None
    return given_format or schema_documents.format_of_value(value) or source_format, value


def _parse_json(name: str, content: bytes) -> Any:
    try:
        return json.loads(content, object_pairs_hook=_read_object)
    except (ValueError, RecursionError) as error:
        reason: object = "it is nested too deep" if isinstance(error, RecursionError) else error
        problem = reason if content.strip() else "it is empty"
        raise fail(f"{name} is not JSON: {problem}. Correct the file, or give that of a schema.") from None


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
        raise DocumentError(f"This YAML can't be read: {error}. Correct the file.") from None


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


def _read_text(source: FileContent, format_: SchemaFormat) -> str:
    """Return the text of a document: of Avro, with the types that are defined in files beside it."""
    match format_:
        case SchemaFormat.PROTOBUF:
            return base64.b64encode(source.content).decode()
        case SchemaFormat.AVRO:
            texts = (content.decode("utf-8-sig", "replace") for content in islice(source.siblings, MAX_SIBLINGS))
            return avro.bundle_schema(_decode(source.name, source.content), texts)
        case _:
            return _decode(source.name, source.content)


def iterate_sibling_files(path: Path) -> Iterator[bytes]:
    """Yield the contents of the other files of a folder that have the suffix of a file."""
    for sibling in sorted(path.parent.glob(f"*{path.suffix}")) if path.suffix else ():
        if sibling != path and sibling.is_file() and sibling.stat().st_size <= MAX_SIBLING_BYTES:
            yield sibling.read_bytes()


def _decode(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise fail(f"{name} is not text in UTF-8. A protobuf descriptor set has the ending .pb.") from None
