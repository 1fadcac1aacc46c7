"""Messages of a compiled protobuf descriptor set as JSON Schemas of their JSON form: proto3 leaves defaults out.

The set is what `protoc --descriptor_set_out=FILE --include_imports` writes; `.proto` text needs its compiler.
"""

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tessera_gql.formats.foreign import LONGEST, Described, ForeignError

if TYPE_CHECKING:
    from google.protobuf import descriptor_pb2 as pb

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT_INTEGER = {"type": ["string", "integer"]}  # 64 bits do not fit into a JSON number everywhere
_PLAIN: dict[str, dict[str, Any]] = {
    "DOUBLE": {"type": ["number", "string"]},  # "NaN" and "Infinity" are texts
    "FLOAT": {"type": ["number", "string"]},
    "BOOL": {"type": "boolean"},
    "STRING": {"type": "string"},
    "BYTES": {"type": "string", "contentEncoding": "base64"},
    **{name: {"type": "integer"} for name in ("INT32", "UINT32", "SINT32", "FIXED32", "SFIXED32")},
    **dict.fromkeys(("INT64", "UINT64", "SINT64", "FIXED64", "SFIXED64"), _TEXT_INTEGER),
}
_WELL_KNOWN: dict[str, dict[str, Any]] = {
    ".google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    ".google.protobuf.Duration": {"type": "string"},
    ".google.protobuf.Struct": {"type": "object"},
    ".google.protobuf.Value": {},
    ".google.protobuf.ListValue": {"type": "array"},
}


def read(document: bytes) -> list[Described]:
    """Every message that stands by itself in a file outside google.protobuf. Raises ForeignError."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet  # noqa: PLC0415 - only where descriptors are read
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    if len(document) > LONGEST:
        raise ForeignError(f"This descriptor set has more than {LONGEST:,} bytes. Split it.")
    try:
        files: pb.FileDescriptorSet = FileDescriptorSet.FromString(document)
    except DecodeError as error:
        raise ForeignError("This is no descriptor set. Write one with `protoc --descriptor_set_out`.") from error
    defs = dict(_definitions(files))
    original = {"format": "protobuf", "base64": base64.b64encode(document).decode()}
    found = [
        Described(name, {"$schema": _DIALECT, **defs[name], "$defs": _needed(name, defs)}, original)
        for name in (_full(file.package, one.name) for file in files.file for one in file.message_type)
        if not name.startswith("google.protobuf.")
    ]
    if not found:
        raise ForeignError("This descriptor set holds no message. Give the one of the files that define them.")
    return found


def _full(package: str, name: str) -> str:
    return f"{package}.{name}" if package else name


def _definitions(files: "pb.FileDescriptorSet") -> Iterator[tuple[str, dict[str, Any]]]:
    for file in files.file:
        waiting = [(file.package, message) for message in file.message_type]
        enums = [(file.package, enum) for enum in file.enum_type]
        while waiting:
            package, message = waiting.pop()
            name = _full(package, message.name)
            waiting += [(name, inner) for inner in message.nested_type]
            enums += [(name, enum) for enum in message.enum_type]
            yield name, _message(name, message)
        for package, enum in enums:
            yield _full(package, enum.name), {"type": "string", "enum": [value.name for value in enum.value]}


def _message(name: str, message: "pb.DescriptorProto") -> dict[str, Any]:
    maps = {f".{name}.{one.name}": one for one in message.nested_type if one.options.map_entry}
    properties = {one.json_name or one.name: _field(one, maps) for one in message.field}
    required = [one.json_name or one.name for one in message.field if one.label == one.LABEL_REQUIRED]
    return {"type": "object", "properties": properties, "required": required}


def _field(field: "pb.FieldDescriptorProto", maps: "dict[str, pb.DescriptorProto]") -> dict[str, Any]:
    if field.type_name in maps:
        value = next(one for one in maps[field.type_name].field if one.name == "value")
        return {"type": "object", "additionalProperties": _single(value)}
    single = _single(field)
    return {"type": "array", "items": single} if field.label == field.LABEL_REPEATED else single


def _single(field: "pb.FieldDescriptorProto") -> dict[str, Any]:
    if field.type_name:
        known = _WELL_KNOWN.get(field.type_name)
        return {"$ref": f"#/$defs/{field.type_name.removeprefix('.')}"} if known is None else known
    kind = field.Type.Name(field.type).removeprefix("TYPE_")
    return _PLAIN.get(kind, {})


def _needed(name: str, defs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The definitions that a message refers to, however indirectly."""
    found: dict[str, Any] = {}
    waiting: list[Any] = [defs[name]]
    while waiting:
        match waiting.pop():
            case {"$ref": str(ref)}:
                target = ref.removeprefix("#/$defs/")
                if target not in defs:
                    raise ForeignError(f"{name} refers to {target}, which is not in the set. Use `--include_imports`.")
                if target not in found:
                    found[target] = defs[target]
                    waiting.append(defs[target])
            case dict() as inner:
                waiting += inner.values()
            case _:
                pass
    return found
