"""Convert an Avro schema to JSON Schema.

A field without a default is required. One with a default is optional, because a reader takes the default for a field
that the writer's schema lacks: https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson

from tessera_gql.diff import Family, PhysicalType
from tessera_gql.formats.avro_names import find_missing_names, is_valid_default, resolve_names
from tessera_gql.formats.parsed_schema import JSON_SCHEMA_DIALECT, DocumentError, ParsedSchema, check_length
from tessera_gql.formats.physical_types import parse_physical_type
from tessera_gql.formats.untrusted_json import Warnings

_PRIMITIVES: dict[str, dict[str, Any]] = {
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "int": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "long": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "string": {"type": "string"},
    "bytes": {"type": "string"},
}
_PHYSICAL_TYPES = {
    "boolean": PhysicalType(Family.BOOLEAN),
    "int": PhysicalType(Family.INTEGER, bits=32),
    "long": PhysicalType(Family.INTEGER, bits=64),
    "float": PhysicalType(Family.FLOAT, bits=32),
    "double": PhysicalType(Family.FLOAT, bits=64),
    "string": PhysicalType(Family.TEXT),
    "bytes": PhysicalType(Family.BINARY),
    # https://avro.apache.org/docs/1.12.0/specification/#logical-types; a timestamp is an instant in UTC
    "date": PhysicalType(Family.DATE),
    "duration": PhysicalType(Family.INTERVAL, precision=3),
    "uuid": PhysicalType(None),
    **{
        f"{prefix}-{unit}": PhysicalType(family, precision=digits, timezone=timezone)
        for prefix, family, timezone in (
            ("time", Family.TIME, "without"),
            ("timestamp", Family.TIMESTAMP, "with"),
            ("local-timestamp", Family.TIMESTAMP, "without"),
        )
        for unit, digits in (("millis", 3), ("micros", 6), ("nanos", 9))
    },
}


def parse_records(text: str) -> list[ParsedSchema]:
    """Parse the Avro schema of a record, or of a union of records. Raises DocumentError."""
    from fastavro.schema import SchemaParseException, UnknownType, parse_schema  # noqa: PLC0415 - only where Avro is read

    document = load_schema(text)
    if missing_names := find_missing_names(document):
        raise DocumentError(
            f"This Avro schema uses {', '.join(sorted(missing_names)[:10])}, which it does not define. Define it there;"
            " the command line also reads the .avsc files of the same folder."
        )
    try:
        # invalid defaults are left out below, each with a warning
        parsed: Any = parse_schema(resolve_names(document), _write_hint=False, _ignore_default_error=True)
    except DocumentError:
        raise
    except (SchemaParseException, UnknownType) as error:
        raise DocumentError(f"This Avro schema can't be read: {type(error).__name__} {error}"[:300]) from error
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise _no_schema(error) from error
    converter = _Converter()
    for member in parsed if isinstance(parsed, list) else [parsed]:
        converter.convert(member)
    records = [item for item in (parsed if isinstance(parsed, list) else [parsed]) if _is_record(item)]
    if not records:
        raise DocumentError("This Avro schema is no record, and a contract is about records. Give the record's schema.")
    return [converter.to_schema(record) for record in records]


def bundle_schema(text: str, other_texts: Iterable[str]) -> str:
    """Return a schema with the definitions that it takes from other files, of which unreadable ones are passed over."""
    document = load_schema(text)
    if not find_missing_names(document):
        return text
    other_documents: list[Any] = []
    for other_text in other_texts:
        with suppress(DocumentError):
            other_documents.append(load_schema(other_text))
    return orjson.dumps(resolve_names(document, other_documents)).decode()


def load_schema(text: str) -> Any:
    """Load the JSON of an Avro schema. Raises DocumentError."""
    try:
        return orjson.loads(check_length(text, "Avro schema"))
    except orjson.JSONDecodeError as error:
        raise DocumentError(f"This Avro schema can't be read: {type(error).__name__} {error}"[:300]) from error


def _no_schema(error: Exception) -> DocumentError:
    return DocumentError(f"This is no Avro schema ({type(error).__name__}). Give the content of an .avsc file.")


def _is_record(avro_type: Any) -> bool:
    return isinstance(avro_type, dict) and avro_type.get("type") in {"record", "error"}


class _Converter:
    """Converts the types of a schema to JSON Schema; the named ones are collected in `defs`."""

    def __init__(self) -> None:
        self.defs: dict[str, Any] = {}
        self.warnings = Warnings()

    def to_schema(self, record: dict[str, Any]) -> ParsedSchema:
        name = record["name"]
        root = self.defs[name]
        schema = {"$schema": JSON_SCHEMA_DIALECT, **root}
        if defs := {key: self.defs[key] for key in _find_references(root, self.defs)}:
            schema["$defs"] = defs
        return ParsedSchema(name, schema, description=record.get("doc"), warnings=self.warnings.messages())

    def convert(self, avro_type: Any) -> dict[str, Any]:
        match avro_type:
            case str() if avro_type in _PRIMITIVES:
                return _PRIMITIVES[avro_type] | _physical_keyword(avro_type)
            case str():
                return {"$ref": f"#/$defs/{avro_type}"}
            case [_, *_]:
                return {"anyOf": [self.convert(member) for member in avro_type]}
            case {"type": "record" | "error" | "enum" | "fixed", "name": str(name)}:
                self._warn_of_aliases(avro_type, name)
                self.defs[name] = self._convert_named(avro_type) | _annotations(avro_type)
                return {"$ref": f"#/$defs/{name}"}
            case {"type": "array", "items": items}:
                return {"type": "array", "items": self.convert(items)}
            case {"type": "map", "values": values}:
                return {"type": "object", "additionalProperties": self.convert(values)}
            case {"type": inner}:
                return self.convert(inner) | _annotations(avro_type)
            case _:
                raise DocumentError("This Avro schema has a type that is none of Avro's.")

    def _convert_named(self, avro_type: dict[str, Any]) -> dict[str, Any]:
        match avro_type["type"]:
            case "enum":
                return {"type": "string", "enum": avro_type["symbols"]}
            case "fixed":
                return {"type": "string", "x-physical-type": {"text": f"fixed({avro_type['size']})"}}
            case _:
                return self._convert_record(avro_type)

    def _convert_record(self, record: dict[str, Any]) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
        for item in record["fields"]:
            name = item["name"]
            self._warn_of_aliases(item, f"{record['name']}.{name}")
            column = self.convert(item["type"]) | ({"description": item["doc"]} if item.get("doc") else {})
            if "default" in item and is_valid_default(item["type"], item["default"]):
                column["default"] = item["default"]
            else:
                schema["required"].append(name)
                if "default" in item:
                    self.warnings.add("`default` is no value of the field's type and was left out", name)
            schema["properties"][name] = column
        return schema

    def _warn_of_aliases(self, avro_type: dict[str, Any], name: str) -> None:
        if avro_type.get("aliases"):
            self.warnings.add("`aliases` are not compared, so that a new name is a removal and an addition", name)


def _annotations(avro_type: dict[str, Any]) -> dict[str, Any]:
    description = {"description": avro_type["doc"]} if avro_type.get("doc") else {}
    match avro_type:
        case {"logicalType": "decimal", "precision": int(precision)}:
            return description | _physical_keyword(f"decimal({precision},{avro_type.get('scale') or 0})")
        case {"logicalType": str(name)} if name in _PHYSICAL_TYPES:
            return description | _physical_keyword(name)
        case _:
            return description


def _physical_keyword(name: str) -> dict[str, Any]:
    """Return the keyword of a type of Avro. Names that Avro defines differ from those of SQL."""
    if name in _PHYSICAL_TYPES:
        return {"x-physical-type": replace(_PHYSICAL_TYPES[name], text=name).as_json()}
    return {"x-physical-type": parse_physical_type(name).as_json()} if name.startswith("decimal") else {}


def _find_references(root: Any, defs: dict[str, Any]) -> list[str]:
    """Return the names of the definitions that a schema refers to, directly or indirectly, in their order."""
    names: dict[str, None] = {}
    waiting = [root]
    while waiting:
        match waiting.pop():
            case {"$ref": str(ref)}:
                name = ref.removeprefix("#/$defs/")
                if name not in names:
                    names[name] = None
                    waiting.append(defs[name])
            case dict() as schema:
                waiting += schema.values()
            case list() as schemas:
                waiting += schemas
            case _:
                pass
    return [name for name in defs if name in names]
