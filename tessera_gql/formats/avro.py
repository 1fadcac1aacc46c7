"""Convert an Avro schema to JSON Schema. Every field of an Avro record is present, so all are required."""

from typing import Any

import orjson

from tessera_gql.formats.parsed_schema import JSON_SCHEMA_DIALECT, DocumentError, ParsedSchema, check_length

_PRIMITIVES: dict[str, dict[str, Any]] = {
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "int": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "long": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "string": {"type": "string"},
    "bytes": {"type": "string", "x-avro-type": "bytes"},
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
            return dict(_PRIMITIVES[avro_type])
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
            return {"type": "string", "x-avro-type": f"fixed({avro_type['size']})"}
        case _:
            return _convert_record(avro_type["fields"], defs)


def _convert_record(fields: list[dict[str, Any]], defs: dict[str, Any]) -> dict[str, Any]:
    properties = {
        item["name"]: _convert(item["type"], defs) | ({"description": item["doc"]} if item.get("doc") else {})
        for item in fields
    }
    return {"type": "object", "properties": properties, "required": [item["name"] for item in fields]}


def _annotations(avro_type: dict[str, Any]) -> dict[str, Any]:
    annotations = {"description": avro_type.get("doc"), "x-avro-logical-type": avro_type.get("logicalType")}
    return {key: value for key, value in annotations.items() if value}


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
