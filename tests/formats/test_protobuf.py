"""Protobuf descriptor sets become JSON Schemas of the JSON form of their messages."""

import pytest
from google.protobuf import descriptor_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

from tessera_gql.diff import check, list_fields
from tessera_gql.formats import protobuf
from tessera_gql.formats.parsed_schema import DocumentError
from tests.formats.manifests import logical


def described(*, imports: bool = True) -> bytes:
    file = descriptor_pb2.FileDescriptorProto(name="order.proto", package="shop")
    order = file.message_type.add(name="Order")
    order.field.add(name="id", json_name="id", type=Field.TYPE_INT64, label=Field.LABEL_OPTIONAL)
    order.field.add(name="paid", json_name="paid", type=Field.TYPE_BOOL, label=Field.LABEL_REQUIRED)
    order.field.add(
        name="placed_at", json_name="placedAt", type=Field.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp"
    )
    order.field.add(
        name="lines",
        json_name="lines",
        type=Field.TYPE_MESSAGE,
        type_name=".shop.Order.Line",
        label=Field.LABEL_REPEATED,
    )
    order.field.add(
        name="labels",
        json_name="labels",
        type=Field.TYPE_MESSAGE,
        type_name=".shop.Order.LabelsEntry",
        label=Field.LABEL_REPEATED,
    )
    order.field.add(name="parent", json_name="parent", type=Field.TYPE_MESSAGE, type_name=".shop.Order")
    order.field.add(name="state", json_name="state", type=Field.TYPE_ENUM, type_name=".shop.State")
    order.nested_type.add(name="Line").field.add(name="sku", json_name="sku", type=Field.TYPE_STRING)
    entry = order.nested_type.add(name="LabelsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", type=Field.TYPE_STRING)
    entry.field.add(name="value", type=Field.TYPE_STRING)
    if imports:
        file.enum_type.add(name="State").value.add(name="NEW", number=0)
    file_set = descriptor_pb2.FileDescriptorSet(file=[file])
    timestamp_pb2.DESCRIPTOR.CopyToProto(file_set.file.add())
    return file_set.SerializeToString()


def test_a_message_becomes_an_object_under_its_json_names() -> None:
    (order,) = protobuf.parse_messages(described())
    check(order.schema)
    assert order.name == "shop.Order"
    assert order.schema["required"] == ["paid"]
    assert order.schema["properties"]["id"]["x-physical-type"] == {"family": "integer", "bits": 64, "text": "int64"}
    properties = logical(order.schema["properties"])
    assert properties["placedAt"] == {"type": "string", "format": "date-time"}
    assert properties["labels"] == {"type": "object", "additionalProperties": {"type": "string"}}
    assert set(order.schema["$defs"]) == {"shop.Order", "shop.Order.Line", "shop.State"}
    assert {"id", "lines[].sku", "state"} <= {field.path for field in list_fields(order.schema)}


@pytest.mark.parametrize("document", [b"", b"no descriptor", b"\xff" * 50, described(imports=False)])
def test_an_incomplete_descriptor_set_is_refused(document: bytes) -> None:
    with pytest.raises(DocumentError):
        protobuf.parse_messages(document)
