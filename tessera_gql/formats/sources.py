"""Documents of any format that describe one table, topic or message: the door through which all of them come in."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any

import orjson

from tessera_gql.formats import avro, ddl, odcs, protobuf
from tessera_gql.formats.foreign import ForeignError, bounded
from tessera_gql.formats.storable import storable


class Format(StrEnum):
    """PROTOBUF is a compiled descriptor set, in base64."""

    JSON_SCHEMA = "JSON_SCHEMA"
    ODCS = "ODCS"
    AVRO = "AVRO"
    PROTOBUF = "PROTOBUF"
    DDL = "DDL"


SUFFIXES = {
    ".json": Format.JSON_SCHEMA,
    ".yaml": Format.ODCS,
    ".yml": Format.ODCS,
    ".avsc": Format.AVRO,
    ".pb": Format.PROTOBUF,
    ".desc": Format.PROTOBUF,
    ".binpb": Format.PROTOBUF,
    ".protoset": Format.PROTOBUF,
    ".sql": Format.DDL,
    ".ddl": Format.DDL,
}


@dataclass(frozen=True)
class Source:
    """`part` names one of several tables or messages; `dialect` is that of the SQL."""

    format: Format
    text: str
    part: str | None = None
    dialect: str | None = None

    def as_json(self) -> dict[str, str]:
        found = {"format": self.format, "text": self.text, "part": self.part, "dialect": self.dialect}
        return {name: str(value) for name, value in found.items() if value is not None}

    @classmethod
    def of(cls, kept: Mapping[str, str]) -> "Source":
        return cls(Format(kept["format"]), kept["text"], kept.get("part"), kept.get("dialect"))


@dataclass(frozen=True)
class Promised:
    """`guarantees` are None where the format has none."""

    schema: Any
    guarantees: dict[str, Any] | None = None


def named(path: PurePath) -> Format | None:
    """The format that files with such a name are of."""
    return SUFFIXES.get(path.suffix.lower())


def read(source: Source, fqn: str | None = None) -> Promised:
    """Of several tables the one named `part`, else the one whose name is the fqn's last. Raises ForeignError."""
    match source.format:
        case Format.JSON_SCHEMA:
            return _storable(Promised(_json(bounded(source.text, "JSON Schema"))))
        case Format.AVRO:
            found = [avro.read(source.text)]
        case Format.ODCS:
            found = odcs.read(source.text)
        case Format.DDL:
            found = ddl.read(source.text, source.dialect)
        case Format.PROTOBUF:
            found = protobuf.read(_binary(source.text))
    by_name = {one.name: one for one in found}
    one = by_name[_chosen(list(by_name), source.part, fqn)]
    return _storable(Promised(one.schema, one.guarantees))


def _storable(contract: Promised) -> Promised:
    if fault := storable(contract.schema):
        raise ForeignError(f"The document can't be a contract: {fault}.")
    return contract


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError as error:
        raise ForeignError(f"This is not JSON: {error}.") from error


def _binary(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ForeignError("A protobuf descriptor set is sent in base64, and this is none.") from error


def _chosen(names: Sequence[str], part: str | None, fqn: str | None) -> str:
    if part is None and len(names) == 1:
        return names[0]
    wanted = (part or (fqn or "").rpartition(".")[2]).casefold()
    exact = [name for name in names if name.casefold() == wanted]
    near = exact or [name for name in names if name.rpartition(".")[2].casefold() == wanted]
    if len(near) == 1:
        return near[0]
    listed = ", ".join(names[:20]) + (" and more" if len(names) > 20 else "")
    raise ForeignError(
        f"This document describes {listed}; {'none' if not near else 'more than one'} of them is {wanted!r}."
        " Say which with `part`."
    )
