"""Parse a schema document of any format into the terms of a contract."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any

import orjson

from tessera_gql.diff import Mode
from tessera_gql.formats import avro, data_contract_specification, ddl, odcs, protobuf
from tessera_gql.formats.parsed_schema import DocumentError, ParsedSchema, check_length
from tessera_gql.formats.storage_faults import find_storage_fault


class SchemaFormat(StrEnum):
    """The format of a schema document. PROTOBUF is a compiled descriptor set in base64."""

    JSON_SCHEMA = "JSON_SCHEMA"
    ODCS = "ODCS"
    DCS = "DCS"
    AVRO = "AVRO"
    PROTOBUF = "PROTOBUF"
    DDL = "DDL"


SCHEMA_KEYWORDS = frozenset(
    ("$schema", "$id", "$ref", "$defs", "definitions", "type", "properties", "allOf", "anyOf", "oneOf", "enum", "const")
)
"""Keywords of which every JSON Schema with a meaning has at least one at its root."""
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
    """The schema and guarantees of a document; guarantees and mode are None if it has none.

    `warnings` say which parts of the document were left out. A format that can't express all guarantees, as SQL, has in
    `guarantee_sections` those that it can; other guarantees of a contract stay.
    """

    schema: Any
    guarantees: dict[str, Any] | None = None
    guarantee_sections: frozenset[str] = frozenset()
    mode: Mode | None = None
    warnings: tuple[str, ...] = ()


def format_from_path(path: PurePath) -> SchemaFormat | None:
    """Return the format of a file by its suffix, or None."""
    return FORMAT_BY_SUFFIX.get(path.suffix.lower())


def format_of_value(value: object) -> SchemaFormat | None:
    """Return the format of a document in JSON or YAML by its members; None if it is not recognized."""
    match value:
        case {"apiVersion": _, "kind": "DataContract"}:
            return SchemaFormat.ODCS
        case {data_contract_specification.VERSION_KEY: _}:
            return SchemaFormat.DCS
        case {"type": "record", "fields": list()}:
            return SchemaFormat.AVRO
        case dict() if "apiVersion" not in value and not SCHEMA_KEYWORDS.isdisjoint(value):
            return SchemaFormat.JSON_SCHEMA
        case _:
            return None


def parse_document(source: SchemaDocument, fqn: str | None = None) -> ParsedContract:
    """Parse a document. Of several tables take `part`, else the one with the fqn's last name. Raises DocumentError."""
    if source.format is SchemaFormat.JSON_SCHEMA:
        return _check_storable(ParsedContract(_parse_json(check_length(source.text, "JSON Schema"))))
    schemas = _parse_schemas(source)
    parsed = schemas[_choose_name([schema.name for schema in schemas], source.part, fqn)]
    if parsed.fault is not None:
        raise DocumentError(parsed.fault)
    sections = ddl.GUARANTEE_SECTIONS if source.format is SchemaFormat.DDL else frozenset[str]()
    return _check_storable(ParsedContract(parsed.schema, parsed.guarantees, sections, parsed.mode, parsed.warnings))


def _parse_schemas(source: SchemaDocument) -> Sequence[ParsedSchema]:
    match source.format:
        case SchemaFormat.AVRO:
            return avro.parse_records(source.text)
        case SchemaFormat.ODCS:
            return odcs.parse_contract(source.text)
        case SchemaFormat.DCS:
            return data_contract_specification.parse_contract(source.text)
        case SchemaFormat.DDL:
            return ddl.parse_tables(source.text, source.dialect)
        case _:
            return protobuf.parse_messages(_decode_base64(source.text))


def _check_storable(contract: ParsedContract) -> ParsedContract:
    if reason := find_storage_fault(contract.schema) or find_storage_fault(contract.guarantees):
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


def _choose_name(names: Sequence[str], part: str | None, fqn: str | None) -> int:
    """Return the index of the schema to read."""
    if part is None and len(names) == 1:
        return 0
    wanted_name = (part or (fqn or "").rpartition(".")[2]).casefold()
    exact_matches = [index for index, name in enumerate(names) if name.casefold() == wanted_name]
    matches = exact_matches or [
        index for index, name in enumerate(names) if name.rpartition(".")[2].casefold() == wanted_name
    ]
    if len(matches) == 1:
        return matches[0]
    listing = ", ".join(names[:20]) + (" and more" if len(names) > 20 else "")
    count = "more than one" if matches else "none"
    problem = f"; {count} of them is {wanted_name!r}" if wanted_name else ""
    raise DocumentError(f"This document describes {listing}{problem}. Say which with `part`.")
