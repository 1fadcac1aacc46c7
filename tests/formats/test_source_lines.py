"""The line of a column or keyword is found in the text of its document."""

import json

import pytest

from tessera_gql.formats.schema_documents import SchemaDocument, SchemaFormat
from tessera_gql.formats.source_lines import find_lines

JSON_SCHEMA = """{
\t"type": "object",
  "properties": {
    "id": {"type": "integer"},
    "a/b": {
      "type":
        "string", "description": "\\ud83d\\ude00 \\/"
    },
    "tags": {"type": "array", "items": [
      {"type": "string"},
      {"type": "integer"}
    ]}
  },
  "required": ["id"]
}"""
YAML_SCHEMA = """# a table
type: object
properties:
  id:
    type: integer
  note:
    type:
      - string
      - "null"
"""
ODCS = """apiVersion: v3.0.2
kind: DataContract
schema:
  - name: customers
    properties:
      - name: id
  - name: orders
    properties:
      - logicalType: integer
        name: id
      - name: address
        properties:
          - name: city
"""
AVRO = """{
  "type": "record", "name": "Order",
  "fields": [
    {"name": "id", "type": "long"},
    {"name": "address", "type": {
      "type": "record", "fields": [
        {"name": "city", "type": "string"}
      ], "name": "Address"
    }}
  ]
}"""
DDL = """-- orders
CREATE TABLE shop.orders (
  id BIGINT NOT NULL,
  "Total" NUMERIC(10, 2),
  note TEXT
);
"""


def line(format_: SchemaFormat, text: str, path: str, names: str = "") -> int | None:
    return find_lines(SchemaDocument(format_, text)).find_line(path.split(" "), names.split("."))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("properties id", 4),
        ("properties id type", 4),
        ("properties a/b", 5),
        ("properties a/b type", 6),
        ("properties tags items 1 type", 11),
        ("required", 14),
        ("properties missing", 3),
        ("additionalProperties", 1),
    ],
)
def test_a_keyword_of_a_json_schema_is_at_the_line_of_its_key_or_of_its_nearest_parent(
    path: str, expected: int
) -> None:
    assert line(SchemaFormat.JSON_SCHEMA, JSON_SCHEMA, path) == expected


@pytest.mark.parametrize(("path", "expected"), [("properties id", 4), ("properties note type", 7), ("title", 1)])
def test_a_json_schema_in_yaml_has_lines_too(path: str, expected: int) -> None:
    assert line(SchemaFormat.JSON_SCHEMA, YAML_SCHEMA, path) == (expected if path != "title" else 2)


@pytest.mark.parametrize(
    ("format_", "text", "names", "expected"),
    [
        (SchemaFormat.ODCS, ODCS, "orders.id", 10),
        (SchemaFormat.ODCS, ODCS, "address.city", 13),
        (SchemaFormat.ODCS, ODCS, "address.missing", 11),
        (SchemaFormat.AVRO, AVRO, "id", 4),
        (SchemaFormat.AVRO, AVRO, "address.city", 7),
        (SchemaFormat.DDL, DDL, "id", 3),
        (SchemaFormat.DDL, DDL, "Total", 4),
        (SchemaFormat.DDL, DDL, "note", 5),
        (SchemaFormat.DDL, DDL, "missing", None),
        (SchemaFormat.PROTOBUF, "", "id", None),
    ],
)
def test_a_column_of_another_format_is_found_by_its_name(
    format_: SchemaFormat, text: str, names: str, expected: int | None
) -> None:
    assert line(format_, text, "properties x", names) == expected


def test_what_yaml_can_not_read_ends_the_index_and_earlier_lines_stay() -> None:
    text = json.dumps({"type": "object", "properties": {"a": {"title": "\ud800"}, "b": {}}}, indent=1)
    assert line(SchemaFormat.JSON_SCHEMA, text, "properties a") == 4
    assert line(SchemaFormat.JSON_SCHEMA, text, "properties b") == 3


@pytest.mark.parametrize(
    "text", ["", "{", "[[[[", "a: &a [*a]", "? {a: b}\n: c", "\x00", "- - - x", pytest.param("[" * 99_999, id="deep")]
)
def test_any_text_gives_lines_or_none(text: str) -> None:
    assert line(SchemaFormat.JSON_SCHEMA, text, "properties a") in {None, 1}
    assert line(SchemaFormat.ODCS, text, "properties a", "a") is None
