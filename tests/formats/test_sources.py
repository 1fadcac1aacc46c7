"""The one door for documents: each format by its name, and which part of a document is meant."""

import base64
import json
from pathlib import PurePath

import pytest
from google.protobuf import descriptor_pb2 as pb

from tessera_gql.diff import check
from tessera_gql.formats.foreign import ForeignError
from tessera_gql.formats.sources import Format, Source, named, read

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
        (Source(Format.JSON_SCHEMA, '{"type": "object", "properties": {"id": {}}}'), {"id"}),
        (Source(Format.AVRO, AVRO), {"id"}),
        (Source(Format.ODCS, ODCS), {"id"}),
        (Source(Format.DDL, DDL, part="items"), {"sku"}),
        (Source(Format.DDL, DDL, part="SHOP.ITEMS", dialect="postgres"), {"sku"}),
        (Source(Format.DDL, DDL), {"id"}),
        (Source(Format.PROTOBUF, descriptors("Order")), {"id"}),
        (Source(Format.PROTOBUF, descriptors("Orders", "Item")), {"id"}),
    ],
)
def test_each_format_is_read_and_its_own_part_found(source: Source, columns: set[str]) -> None:
    found = read(source, "analytics.core.orders")
    check(found.schema)
    assert found.schema["properties"].keys() == columns
    assert Source.of(source.as_json()) == source


def test_what_a_format_promises_beside_the_schema_is_read_too() -> None:
    assert read(Source(Format.ODCS, ODCS)).guarantees == {"uniqueness": {"id": "always"}}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Source(Format.DDL, DDL, part="nothing"), "describes shop.orders, shop.items; none of them is 'nothing'"),
        (Source(Format.DDL, "CREATE TABLE a.t (x INT); CREATE TABLE b.t (x INT)", part="t"), "more than one"),
        (Source(Format.PROTOBUF, "not base64!"), "base64"),
        (Source(Format.PROTOBUF, base64.b64encode(b"junk").decode()), "descriptor set"),
        (Source(Format.JSON_SCHEMA, "{"), "not JSON"),
        (Source(Format.AVRO, "[" * 100_000), "Avro"),
        (Source(Format.ODCS, "a: &a [*a, *a]"), "data contract"),
        (Source(Format.DDL, "DROP TABLE orders"), "creates no table"),
        (Source(Format.DDL, "SELECT", dialect="klingon"), "dialect"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(source: Source, said: str) -> None:
    with pytest.raises(ForeignError, match=said):
        read(source, "analytics.core.customers")


def test_a_file_is_of_the_format_of_its_name() -> None:
    names = ("a.json", "a.avsc", "B.YAML", "a.yml", "a.sql", "a.protoset", "a.txt", "json")
    kinds = [Format.JSON_SCHEMA, Format.AVRO, Format.ODCS, Format.ODCS, Format.DDL, Format.PROTOBUF, None, None]
    assert [named(PurePath(name)) for name in names] == kinds
