"""Convert an Avro schema to JSON Schema. Every field of an Avro record is present, so all are required."""

from dataclasses import replace
from typing import Any

import orjson

from tessera_gql.diff import Family, PhysicalType
from tessera_gql.formats.parsed_schema import JSON_SCHEMA_DIALECT, DocumentError, ParsedSchema, check_length
from tessera_gql.formats.physical_types import parse_physical_type

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


def parse_record(text: str) -> ParsedSchema:
    """Parse the Avro schema of a record. Raises DocumentError."""
    from fastavro.schema import SchemaParseException, UnknownType, parse_schema  # noqa: PLC0415 - only where Avro is read

    try:
        document = orjson.loads(check_length(text, "Avro schema"))
        parsed: Any = parse_schema(document, _write_hint=False)
    except (orjson.JSONDecodeError, SchemaParseException, UnknownType) as error:
        raise DocumentError(f"This Avro schema can't be read: {type(error).__name__} {error}"[:300]) from error
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise DocumentError(
            f"This is no Avro schema ({type(error).__name__}). Give the content of an .avsc file."
        ) from error
    if not isinstance(parsed, dict) or parsed.get("type") not in {"record", "error"}:
        raise DocumentError("This Avro schema is no record, and a contract is about records. Give the record's schema.")
    defs: dict[str, Any] = {}
    _convert(parsed, defs)
    root = defs.pop(parsed["name"])
    schema = {"$schema": JSON_SCHEMA_DIALECT, **root, **({"$defs": defs} if defs else {})}
    if _references(schema, f"#/$defs/{parsed['name']}"):
        schema["$defs"] = defs | {parsed["name"]: root}
    return ParsedSchema(parsed["name"], schema, description=parsed.get("doc"))


def _convert(avro_type: Any, defs: dict[str, Any]) -> dict[str, Any]:
    match avro_type:
        case str() if avro_type in _PRIMITIVES:
            return _PRIMITIVES[avro_type] | _physical_keyword(avro_type)
        case str():
            return {"$ref": f"#/$defs/{avro_type}"}
        case list():
            return {"anyOf": [_convert(member, defs) for member in avro_type]}
        case {"type": "record" | "error" | "enum" | "fixed", "name": str(name)}:
            defs[name] = _convert_named(avro_type, defs) | _annotations(avro_type)
            return {"$ref": f"#/$defs/{name}"}
        case {"type": "array", "items": items}:
            return {"type": "array", "items": _convert(items, defs)}
        case {"type": "map", "values": values}:
            return {"type": "object", "additionalProperties": _convert(values, defs)}
        case {"type": inner}:
            return _convert(inner, defs) | _annotations(avro_type)
        case _:
            raise DocumentError("This Avro schema has a type that is none of Avro's.")


def _convert_named(avro_type: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    match avro_type["type"]:
        case "enum":
            return {"type": "string", "enum": avro_type["symbols"]}
        case "fixed":
            return {"type": "string", "x-physical-type": {"text": f"fixed({avro_type['size']})"}}
        case _:
            return _convert_record(avro_type["fields"], defs)


def _convert_record(fields: list[dict[str, Any]], defs: dict[str, Any]) -> dict[str, Any]:
    properties = {
        item["name"]: _convert(item["type"], defs) | ({"description": item["doc"]} if item.get("doc") else {})
        for item in fields
    }
    return {"type": "object", "properties": properties, "required": [item["name"] for item in fields]}


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


def _references(value: Any, target: str) -> bool:
    match value:
        case {"$ref": str(ref)} if ref == target:
            return True
        case dict():
            return any(_references(item, target) for item in value.values())
        case list():
            return any(_references(item, target) for item in value)
        case _:
            return False
