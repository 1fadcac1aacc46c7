"""A document in any supported format is read, with the part that the caller means."""

import base64
import json
from pathlib import PurePath

import pytest
from google.protobuf import descriptor_pb2 as pb

from tessera_gql.diff import check
from tessera_gql.formats.parsed_schema import DocumentError
from tessera_gql.formats.schema_documents import Format, SchemaDocument, format_from_path, parse_document

AVRO = json.dumps({"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}]})
ODCS = "apiVersion: v3.1.0\nkind: DataContract\nschema:\n- {name: orders, properties: [{name: id, primaryKey: true}]}\n"
DDL = "CREATE TABLE shop.orders (id BIGINT NOT NULL); CREATE TABLE shop.items (sku TEXT)"


def descriptors(*names: str) -> str:
    messages = [
        pb.DescriptorProto(name=name, field=[pb.FieldDescriptorProto(name="id", number=1, type="TYPE_INT32")])
        for name in names
    ]
    file = pb.FileDescriptorProto(name="shop.proto", package="shop", message_type=messages)
    return base64.b64encode(pb.FileDescriptorSet(file=[file]).SerializeToString()).decode()


@pytest.mark.parametrize(
    ("source", "columns"),
    [
        (SchemaDocument(Format.JSON_SCHEMA, '{"type": "object", "properties": {"id": {}}}'), {"id"}),
        (SchemaDocument(Format.AVRO, AVRO), {"id"}),
        (SchemaDocument(Format.ODCS, ODCS), {"id"}),
        (SchemaDocument(Format.DDL, DDL, part="items"), {"sku"}),
        (SchemaDocument(Format.DDL, DDL, part="SHOP.ITEMS", dialect="postgres"), {"sku"}),
        (SchemaDocument(Format.DDL, DDL), {"id"}),
        (SchemaDocument(Format.PROTOBUF, descriptors("Order")), {"id"}),
        (SchemaDocument(Format.PROTOBUF, descriptors("Orders", "Item")), {"id"}),
    ],
)
def test_each_format_is_read_and_its_own_part_found(source: SchemaDocument, columns: set[str]) -> None:
    document = parse_document(source, "analytics.core.orders")
    check(document.schema)
    assert document.schema["properties"].keys() == columns
    assert SchemaDocument.from_json(source.as_json()) == source


def test_guarantees_of_a_format_are_read_with_the_schema() -> None:
    assert parse_document(SchemaDocument(Format.ODCS, ODCS)).guarantees == {"uniqueness": {"id": "always"}}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            SchemaDocument(Format.DDL, DDL, part="nothing"),
            "describes shop.orders, shop.items; none of them is 'nothing'",
        ),
        (SchemaDocument(Format.DDL, "CREATE TABLE a.t (x INT); CREATE TABLE b.t (x INT)", part="t"), "more than one"),
        (SchemaDocument(Format.PROTOBUF, "not base64!"), "base64"),
        (SchemaDocument(Format.PROTOBUF, base64.b64encode(b"junk").decode()), "descriptor set"),
        (SchemaDocument(Format.JSON_SCHEMA, "{"), "not JSON"),
        (SchemaDocument(Format.AVRO, "[" * 100_000), "Avro"),
        (SchemaDocument(Format.ODCS, "a: &a [*a, *a]"), "data contract"),
        (SchemaDocument(Format.DDL, "DROP TABLE orders"), "creates no table"),
        (SchemaDocument(Format.DDL, "SELECT", dialect="klingon"), "dialect"),
    ],
)
def test_an_unreadable_document_is_refused_with_the_reason(source: SchemaDocument, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        parse_document(source, "analytics.core.customers")


def test_a_file_is_of_the_format_of_its_name() -> None:
    names = ("a.json", "a.avsc", "B.YAML", "a.yml", "a.sql", "a.protoset", "a.txt", "json")
    kinds = [Format.JSON_SCHEMA, Format.AVRO, Format.ODCS, Format.ODCS, Format.DDL, Format.PROTOBUF, None, None]
    assert [format_from_path(PurePath(name)) for name in names] == kinds
