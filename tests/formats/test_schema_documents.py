"""A document in any supported format is read, with the part that the caller means."""

import base64
import json
from pathlib import PurePath

import pytest
from google.protobuf import descriptor_pb2 as pb

from tessera_gql.diff import check
from tessera_gql.formats.parsed_schema import DocumentError
from tessera_gql.formats.schema_documents import (
    SchemaDocument,
    SchemaFormat,
    format_from_path,
    format_of_value,
    parse_document,
)

AVRO = json.dumps({"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}]})
ODCS = "apiVersion: v3.1.0\nkind: DataContract\nschema:\n- {name: orders, properties: [{name: id, primaryKey: true}]}\n"
DCS = "dataContractSpecification: 1.1.0\nmodels: {orders: {fields: {id: {type: long, required: true}}}}\n"
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
        (SchemaDocument(SchemaFormat.JSON_SCHEMA, '{"type": "object", "properties": {"id": {}}}'), {"id"}),
        (SchemaDocument(SchemaFormat.AVRO, AVRO), {"id"}),
        (SchemaDocument(SchemaFormat.ODCS, ODCS), {"id"}),
        (SchemaDocument(SchemaFormat.DCS, DCS), {"id"}),
        (SchemaDocument(SchemaFormat.DDL, DDL, part="items"), {"sku"}),
        (SchemaDocument(SchemaFormat.DDL, DDL, part="SHOP.ITEMS", dialect="postgres"), {"sku"}),
        (SchemaDocument(SchemaFormat.DDL, DDL), {"id"}),
        (SchemaDocument(SchemaFormat.PROTOBUF, descriptors("Order")), {"id"}),
        (SchemaDocument(SchemaFormat.PROTOBUF, descriptors("Orders", "Item")), {"id"}),
    ],
)
def test_each_format_is_read_and_its_own_part_found(source: SchemaDocument, columns: set[str]) -> None:
    document = parse_document(source, "analytics.core.orders")
    check(document.schema)
    assert document.schema["properties"].keys() == columns
    assert SchemaDocument.from_json(source.as_json()) == source


def test_guarantees_of_a_format_are_read_with_the_schema() -> None:
    assert parse_document(SchemaDocument(SchemaFormat.ODCS, ODCS)).guarantees == {"uniqueness": {"id": "always"}}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            SchemaDocument(SchemaFormat.DDL, DDL, part="nothing"),
            "describes shop.orders, shop.items; none of them is 'nothing'",
        ),
        (SchemaDocument(SchemaFormat.DDL, f"{DDL}; CREATE TABLE shop.customers AS SELECT 1"), "lists no columns"),
        (
            SchemaDocument(SchemaFormat.DDL, "CREATE TABLE a.t (x INT); CREATE TABLE b.t (x INT)", part="t"),
            "more than one",
        ),
        (SchemaDocument(SchemaFormat.PROTOBUF, "not base64!"), "base64"),
        (SchemaDocument(SchemaFormat.PROTOBUF, base64.b64encode(b"junk").decode()), "descriptor set"),
        (SchemaDocument(SchemaFormat.JSON_SCHEMA, "{"), "not JSON"),
        (SchemaDocument(SchemaFormat.AVRO, "[" * 100_000), "Avro"),
        (SchemaDocument(SchemaFormat.ODCS, "a: &a [*a, *a]"), "data contract"),
        (SchemaDocument(SchemaFormat.DDL, "DROP TABLE orders"), "creates no table"),
        (SchemaDocument(SchemaFormat.DDL, "SELECT", dialect="klingon"), "dialect"),
    ],
)
def test_an_unreadable_document_is_refused_with_the_reason(source: SchemaDocument, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        parse_document(source, "analytics.core.customers")


@pytest.mark.parametrize(
    ("value", "source_format"),
    [
        ({"apiVersion": "v3.1.0", "kind": "DataContract"}, SchemaFormat.ODCS),
        ({"dataContractSpecification": "1.1.0"}, SchemaFormat.DCS),
        ({"type": "record", "fields": []}, SchemaFormat.AVRO),
        ({"type": "object"}, SchemaFormat.JSON_SCHEMA),
        ({"$ref": "#/definitions/A", "definitions": {}}, SchemaFormat.JSON_SCHEMA),
        ({"apiVersion": "v1", "type": "object"}, None),
        ({"a": 1}, None),
        ([], None),
    ],
)
def test_a_document_is_recognized_by_its_members(value: object, source_format: SchemaFormat | None) -> None:
    assert format_of_value(value) is source_format


def test_a_file_is_of_the_format_of_its_name() -> None:
    names = ("a.json", "a.avsc", "B.YAML", "a.yml", "a.sql", "a.protoset", "a.txt", "json")
    kinds = [
        SchemaFormat.JSON_SCHEMA,
        SchemaFormat.AVRO,
        SchemaFormat.ODCS,
        SchemaFormat.ODCS,
        SchemaFormat.DDL,
        SchemaFormat.PROTOBUF,
        None,
        None,
    ]
    assert [format_from_path(PurePath(name)) for name in names] == kinds
