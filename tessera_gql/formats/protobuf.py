"""Convert the messages of a compiled protobuf descriptor set to JSON Schemas of their JSON mapping.

`protoc --descriptor_set_out=FILE --include_imports` writes the set. proto3 omits default values, so that none
of its fields is required.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tessera_gql.diff import Family, PhysicalType
from tessera_gql.formats.parsed_schema import JSON_SCHEMA_DIALECT, MAX_LENGTH, DocumentError, ParsedSchema

if TYPE_CHECKING:
    from google.protobuf import descriptor_pb2 as pb

_FLOAT = {"type": ["number", "string"]}  # "NaN" and "Infinity" are texts
_INTEGER_64 = {"type": ["string", "integer"]}  # a JSON number doesn't hold 64 bits everywhere
_PHYSICAL_TYPES: dict[str, tuple[dict[str, Any], PhysicalType]] = {
    "DOUBLE": (_FLOAT, PhysicalType(Family.FLOAT, bits=64)),
    "FLOAT": (_FLOAT, PhysicalType(Family.FLOAT, bits=32)),
    "BOOL": ({"type": "boolean"}, PhysicalType(Family.BOOLEAN)),
    "STRING": ({"type": "string"}, PhysicalType(Family.TEXT)),
    "BYTES": ({"type": "string", "contentEncoding": "base64"}, PhysicalType(Family.BINARY)),
    **dict.fromkeys(("INT32", "SINT32", "SFIXED32"), ({"type": "integer"}, PhysicalType(Family.INTEGER, bits=32))),
    **dict.fromkeys(("UINT32", "FIXED32"), ({"type": "integer"}, PhysicalType(Family.INTEGER, bits=32, unsigned=True))),
    **dict.fromkeys(("INT64", "SINT64", "SFIXED64"), (_INTEGER_64, PhysicalType(Family.INTEGER, bits=64))),
    **dict.fromkeys(("UINT64", "FIXED64"), (_INTEGER_64, PhysicalType(Family.INTEGER, bits=64, unsigned=True))),
}
_SCALARS = {
    name: {**schema, "x-physical-type": replace(physical, text=name.lower()).as_json()}
    for name, (schema, physical) in _PHYSICAL_TYPES.items()
}
_WELL_KNOWN_TYPES: dict[str, dict[str, Any]] = {
    ".google.protobuf.Timestamp": {
        "type": "string",
        "format": "date-time",
        "x-physical-type": PhysicalType(Family.TIMESTAMP, "timestamp", precision=9, timezone="with").as_json(),
    },
    ".google.protobuf.Duration": {
        "type": "string",
        "x-physical-type": PhysicalType(Family.INTERVAL, "duration", precision=9).as_json(),
    },
    ".google.protobuf.Struct": {"type": "object"},
    ".google.protobuf.Value": {},
    ".google.protobuf.ListValue": {"type": "array"},
}


def parse_messages(document: bytes) -> list[ParsedSchema]:
    """Parse all top-level messages outside `google.protobuf`. Raises DocumentError."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet  # noqa: PLC0415 - only where descriptors are read
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    if len(document) > MAX_LENGTH:
        raise DocumentError(f"This descriptor set has more than {MAX_LENGTH:,} bytes. Split it.")
    try:
        files: pb.FileDescriptorSet = FileDescriptorSet.FromString(document)
    except DecodeError as error:
        raise DocumentError("This is no descriptor set. Write one with `protoc --descriptor_set_out`.") from error
    defs = dict(_iterate_definitions(files))
    schemas = [
        ParsedSchema(name, {"$schema": JSON_SCHEMA_DIALECT, **defs[name], "$defs": _find_references(name, defs)})
        for name in (_qualify(file.package, message.name) for file in files.file for message in file.message_type)
        if not name.startswith("google.protobuf.")
    ]
    if not schemas:
        raise DocumentError("This descriptor set holds no message. Give the one of the files that define them.")
    return schemas


def _qualify(package: str, name: str) -> str:
    return f"{package}.{name}" if package else name


def _iterate_definitions(files: "pb.FileDescriptorSet") -> Iterator[tuple[str, dict[str, Any]]]:
    for file in files.file:
        waiting = [(file.package, message) for message in file.message_type]
        enums = [(file.package, enum) for enum in file.enum_type]
        while waiting:
            package, message = waiting.pop()
            name = _qualify(package, message.name)
            waiting += [(name, inner) for inner in message.nested_type]
            enums += [(name, enum) for enum in message.enum_type]
            yield name, _convert_message(name, message)
        for package, enum in enums:
            yield _qualify(package, enum.name), {"type": "string", "enum": [value.name for value in enum.value]}


def _convert_message(name: str, message: "pb.DescriptorProto") -> dict[str, Any]:
    maps = {f".{name}.{entry.name}": entry for entry in message.nested_type if entry.options.map_entry}
    properties = {field.json_name or field.name: _convert_field(field, maps) for field in message.field}
    required = [field.json_name or field.name for field in message.field if field.label == field.LABEL_REQUIRED]
    return {"type": "object", "properties": properties, "required": required}


def _convert_field(field: "pb.FieldDescriptorProto", maps: "dict[str, pb.DescriptorProto]") -> dict[str, Any]:
    if field.type_name in maps:
        value = next(entry_field for entry_field in maps[field.type_name].field if entry_field.name == "value")
        return {"type": "object", "additionalProperties": _convert_single(value)}
    item_schema = _convert_single(field)
    return {"type": "array", "items": item_schema} if field.label == field.LABEL_REPEATED else item_schema


def _convert_single(field: "pb.FieldDescriptorProto") -> dict[str, Any]:
    if field.type_name:
        well_known = _WELL_KNOWN_TYPES.get(field.type_name)
        return {"$ref": f"#/$defs/{field.type_name.removeprefix('.')}"} if well_known is None else well_known
    scalar = field.Type.Name(field.type).removeprefix("TYPE_")
    return _SCALARS.get(scalar, {})


def _find_references(name: str, defs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the definitions that a message references, directly or indirectly."""
    definitions: dict[str, Any] = {}
    waiting: list[Any] = [defs[name]]
    while waiting:
        match waiting.pop():
            case {"$ref": str(ref)}:
                target = ref.removeprefix("#/$defs/")
                if target not in defs:
                    raise DocumentError(f"{name} refers to {target}, which is not in the set. Use `--include_imports`.")
                if target not in definitions:
                    definitions[target] = defs[target]
                    waiting.append(defs[target])
            case dict() as inner:
                waiting += inner.values()
            case _:
                pass
    return definitions
