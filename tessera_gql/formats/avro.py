"""An Avro schema as a JSON Schema of the same data; every field of a record is there, so all are required."""

from typing import Any

import orjson

from tessera_gql.formats.foreign import Described, ForeignError, bounded

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN: dict[str, dict[str, Any]] = {
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "int": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "long": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "string": {"type": "string"},
    "bytes": {"type": "string", "x-avro-type": "bytes"},
}


def read(text: str) -> Described:
    """Raises ForeignError."""
    from fastavro.schema import SchemaParseException, UnknownType, parse_schema  # noqa: PLC0415 - only where Avro is read

    try:
        document = orjson.loads(bounded(text, "Avro schema"))
        parsed: Any = parse_schema(document, _write_hint=False)
    except (orjson.JSONDecodeError, SchemaParseException, UnknownType) as error:
        raise ForeignError(f"This Avro schema can't be read: {type(error).__name__} {error}"[:300]) from error
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ForeignError(
            f"This is no Avro schema ({type(error).__name__}). Give the content of an .avsc file."
        ) from error
    if not isinstance(parsed, dict) or parsed.get("type") not in {"record", "error"}:
        raise ForeignError("This Avro schema is no record, and a contract is about records. Give the record's schema.")
    defs: dict[str, Any] = {}
    _schema(parsed, defs)
    root = defs.pop(parsed["name"])
    schema = {"$schema": _DIALECT, **root, **({"$defs": defs} if defs else {})}
    if _refers(schema, f"#/$defs/{parsed['name']}"):
        schema["$defs"] = defs | {parsed["name"]: root}
    return Described(parsed["name"], schema, {"format": "avro", "text": text}, description=parsed.get("doc"))


def _schema(said: Any, defs: dict[str, Any]) -> dict[str, Any]:
    match said:
        case str() if said in _PLAIN:
            return dict(_PLAIN[said])
        case str():
            return {"$ref": f"#/$defs/{said}"}
        case list():
            return {"anyOf": [_schema(one, defs) for one in said]}
        case {"type": "record" | "error" | "enum" | "fixed", "name": str(name)}:
            defs[name] = _named(said, defs) | _about(said)
            return {"$ref": f"#/$defs/{name}"}
        case {"type": "array", "items": items}:
            return {"type": "array", "items": _schema(items, defs)}
        case {"type": "map", "values": values}:
            return {"type": "object", "additionalProperties": _schema(values, defs)}
        case {"type": inner}:
            return _schema(inner, defs) | _about(said)
        case _:
            raise ForeignError("This Avro schema has a type that is none of Avro's.")


def _named(said: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    match said["type"]:
        case "enum":
            return {"type": "string", "enum": said["symbols"]}
        case "fixed":
            return {"type": "string", "x-avro-type": f"fixed({said['size']})"}
        case _:
            return _record(said["fields"], defs)


def _record(fields: list[dict[str, Any]], defs: dict[str, Any]) -> dict[str, Any]:
    properties = {
        one["name"]: _schema(one["type"], defs) | ({"description": one["doc"]} if one.get("doc") else {})
        for one in fields
    }
    return {"type": "object", "properties": properties, "required": [one["name"] for one in fields]}


def _about(said: dict[str, Any]) -> dict[str, Any]:
    found = {"description": said.get("doc"), "x-avro-logical-type": said.get("logicalType")}
    return {key: value for key, value in found.items() if value}


def _refers(value: Any, target: str) -> bool:
    match value:
        case {"$ref": str(ref)} if ref == target:
            return True
        case dict():
            return any(_refers(one, target) for one in value.values())
        case list():
            return any(_refers(one, target) for one in value)
        case _:
            return False
