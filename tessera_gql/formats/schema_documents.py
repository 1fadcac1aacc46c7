"""Parse a schema document of any format into the terms of a contract."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any

import orjson

from tessera_gql.formats import avro, ddl, odcs, protobuf
from tessera_gql.formats.parsed_schema import DocumentError, check_length
from tessera_gql.formats.storage_faults import find_storage_fault


class SchemaFormat(StrEnum):
    """The format of a schema document. PROTOBUF is a compiled descriptor set in base64."""

    JSON_SCHEMA = "JSON_SCHEMA"
    ODCS = "ODCS"
    AVRO = "AVRO"
    PROTOBUF = "PROTOBUF"
    DDL = "DDL"


FORMAT_BY_SUFFIX = {
    ".json": SchemaFormat.JSON_SCHEMA,
    **dict.fromkeys((".yaml", ".yml"), SchemaFormat.ODCS),
    ".avsc": SchemaFormat.AVRO,
    **dict.fromkeys((".pb", ".desc", ".binpb", ".protoset"), SchemaFormat.PROTOBUF),
    **dict.fromkeys((".sql", ".ddl"), SchemaFormat.DDL),
}


@dataclass(frozen=True)
class SchemaDocument:
    """A schema document. `part` selects one of several tables or messages; `dialect` is the SQL dialect of DDL."""

    format: SchemaFormat
    text: str
    part: str | None = None
    dialect: str | None = None

    def as_json(self) -> dict[str, str]:
        fields = {"format": self.format, "text": self.text, "part": self.part, "dialect": self.dialect}
        return {name: str(value) for name, value in fields.items() if value is not None}

    @classmethod
    def from_json(cls, fields: Mapping[str, str]) -> "SchemaDocument":
        return cls(SchemaFormat(fields["format"]), fields["text"], fields.get("part"), fields.get("dialect"))


@dataclass(frozen=True)
class ParsedContract:
    """The schema and guarantees of a document; guarantees are None if the format has none."""

    schema: Any
    guarantees: dict[str, Any] | None = None


def format_from_path(path: PurePath) -> SchemaFormat | None:
    """Return the format of a file by its suffix, or None."""
    return FORMAT_BY_SUFFIX.get(path.suffix.lower())


def parse_document(source: SchemaDocument, fqn: str | None = None) -> ParsedContract:
    """Parse a document. Of several tables take `part`, else the one with the fqn's last name. Raises DocumentError."""
    match source.format:
        case SchemaFormat.JSON_SCHEMA:
            return _check_storable(ParsedContract(_parse_json(check_length(source.text, "JSON Schema"))))
        case SchemaFormat.AVRO:
            schemas = [avro.parse_record(source.text)]
        case SchemaFormat.ODCS:
            schemas = odcs.parse_contract(source.text)
        case SchemaFormat.DDL:
            schemas = ddl.parse_tables(source.text, source.dialect)
        case SchemaFormat.PROTOBUF:
            schemas = protobuf.parse_messages(_decode_base64(source.text))
    by_name = {parsed.name: parsed for parsed in schemas}
    parsed = by_name[_choose_name(list(by_name), source.part, fqn)]
    return _check_storable(ParsedContract(parsed.schema, parsed.guarantees))


def _check_storable(contract: ParsedContract) -> ParsedContract:
    if reason := find_storage_fault(contract.schema):
        raise DocumentError(f"The document can't be a contract: {reason}.")
    return contract


def _parse_json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError as error:
        raise DocumentError(f"This is not JSON: {error}.") from error


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DocumentError("A protobuf descriptor set is sent in base64, and this is none.") from error


def _choose_name(names: Sequence[str], part: str | None, fqn: str | None) -> str:
    if part is None and len(names) == 1:
        return names[0]
    wanted_name = (part or (fqn or "").rpartition(".")[2]).casefold()
    exact_matches = [name for name in names if name.casefold() == wanted_name]
    matches = exact_matches or [name for name in names if name.rpartition(".")[2].casefold() == wanted_name]
    if len(matches) == 1:
        return matches[0]
    listing = ", ".join(names[:20]) + (" and more" if len(names) > 20 else "")
    count = "more than one" if matches else "none"
    problem = f"; {count} of them is {wanted_name!r}" if wanted_name else ""
    raise DocumentError(f"This document describes {listing}{problem}. Say which with `part`.")
