"""Avro schemas become valid contract schemas, and other documents are refused with a reason."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given

from tessera_gql.diff import Mode, check, compare, list_fields
from tessera_gql.formats import avro
from tessera_gql.formats.parsed_schema import DocumentError, ParsedSchema
from tests.formats.untrusted_values import VALUES

ORDER: dict[str, Any] = {
    "type": "record",
    "name": "Order",
    "namespace": "shop.events",
    "doc": "One order.",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "note", "type": ["null", "string"], "default": None, "doc": "Free text."},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
        {"name": "before", "type": "State"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "tags", "type": {"type": "map", "values": "string"}},
        {
            "name": "items",
            "type": {
                "type": "array",
                "items": {"type": "record", "name": "Item", "fields": [{"name": "sku", "type": "string"}]},
            },
        },
        {"name": "parent", "type": ["null", "Order"]},
    ],
}


def parse(schema: Any) -> ParsedSchema:
    """Parse the schema of a single record."""
    (parsed,) = avro.parse_records(orjson.dumps(schema).decode())
    check(parsed.schema)
    return parsed


def record(*fields: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"type": "record", "name": "A", "fields": list(fields), **members}


def test_an_avro_record_becomes_an_object_with_all_its_fields() -> None:
    document = parse(ORDER)
    assert (document.name, document.description) == ("shop.events.Order", "One order.")
    names = [avro_field["name"] for avro_field in ORDER["fields"]]
    assert list(document.schema["properties"]) == names
    assert document.schema["required"] == [name for name in names if name != "note"]
    paths = {field.path for field in list_fields(document.schema)}
    assert {"id", "note", "items[].sku", "state"} <= paths
    assert document.schema["properties"]["note"]["anyOf"] == [
        {"type": "null"},
        {"type": "string", "x-physical-type": {"family": "text", "text": "string"}},
    ]


@pytest.mark.parametrize(
    ("avro_type", "physical"),
    [
        ("int", {"family": "integer", "bits": 32, "text": "int"}),
        ("double", {"family": "float", "bits": 64, "text": "double"}),
        ({"type": "int", "logicalType": "date"}, {"family": "date", "text": "date"}),
        (
            {"type": "long", "logicalType": "timestamp-millis"},
            {"family": "timestamp", "precision": 3, "timezone": "with", "text": "timestamp-millis"},
        ),
        (
            {"type": "long", "logicalType": "local-timestamp-micros"},
            {"family": "timestamp", "precision": 6, "timezone": "without", "text": "local-timestamp-micros"},
        ),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
            {"family": "decimal", "precision": 10, "scale": 2, "text": "decimal(10,2)"},
        ),
        ({"type": "string", "logicalType": "uuid"}, {"text": "uuid"}),
        ({"type": "string", "logicalType": "unknown"}, {"family": "text", "text": "string"}),
    ],
)
def test_a_type_of_avro_is_a_physical_type(avro_type: Any, physical: dict[str, Any]) -> None:
    schema = parse(record({"name": "b", "type": avro_type})).schema
    assert schema["properties"]["b"]["x-physical-type"] == physical


@pytest.mark.parametrize(
    "text",
    ["", "{", "7", '"int"', "[]", "{}", '{"type": "record"}', '{"type": "record", "name": "A", "fields": 7}',
     '{"type": "record", "name": "A", "fields": [{"name": "b", "type": "Unknown"}]}',
     '{"type": "array", "items": "int"}', '{"type": "record", "name": "A", "fields": [7]}'],
)  # fmt: skip
def test_a_document_that_is_no_avro_record_is_refused(text: str) -> None:
    with pytest.raises(DocumentError, match=r"[Tt]his (Avro schema|is no Avro)"):
        avro.parse_records(text)


# https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
@pytest.mark.parametrize(
    ("old", "new", "breaking"),
    [
        # a reader takes the default for a field that the writer's schema lacks
        ([], [{"name": "b", "type": "int", "default": 0}], {Mode.FORWARD: False, Mode.BACKWARD: False}),
        ([], [{"name": "b", "type": "int"}], {Mode.BACKWARD: True}),
        ([], [{"name": "b", "type": ["null", "int"]}], {Mode.BACKWARD: True}),
        ([], [{"name": "b", "type": ["null", "int"], "default": None}], {Mode.BACKWARD: False, Mode.CONSUMER: False}),
        # a reader of the old schema has no default for a field that is no longer written
        ([{"name": "b", "type": "int"}], [], {Mode.FORWARD: True}),
        ([{"name": "b", "type": "int", "default": 0}], [], {Mode.BACKWARD: True, Mode.CONSUMER: True}),
        # a reader promotes an int to a long, and not the other way round
        ([{"name": "b", "type": "int"}], [{"name": "b", "type": "long"}], {Mode.BACKWARD: False, Mode.FORWARD: True}),
        ([{"name": "b", "type": "long"}], [{"name": "b", "type": "int"}], {Mode.BACKWARD: True}),
    ],
)
def test_a_default_is_what_a_reader_takes_for_an_absent_field(
    old: list[dict[str, Any]], new: list[dict[str, Any]], breaking: dict[Mode, bool]
) -> None:
    identifier = {"name": "id", "type": "long"}
    changes = compare(parse(record(identifier, *old)).schema, parse(record(identifier, *new)).schema).changes
    for mode, is_breaking in breaking.items():
        if mode is Mode.FORWARD and not is_breaking:
            continue  # an undeclared field is one that FORWARD forbids, whatever its default is
        assert any(mode in change.breaks for change in changes) == is_breaking, mode


def test_a_default_that_is_no_value_of_its_type_is_left_out_with_a_warning() -> None:
    parsed = parse(
        record({"name": "a", "type": "int", "default": "x"}, {"name": "b", "type": ["string", "null"], "default": None})
    )
    assert parsed.schema["required"] == ["a"]
    assert parsed.schema["properties"]["b"]["default"] is None
    assert parsed.warnings == ("`default` is no value of the field's type and was left out: a.",)


def test_aliases_are_named_in_a_warning_and_a_rename_counts_as_two_changes() -> None:
    parsed = parse(record({"name": "b", "type": "int", "aliases": ["a"]}, aliases=["Z"]))
    assert parsed.warnings == ("`aliases` are not compared, so that a new name is a removal and an addition: A, A.b.",)


def test_arrays_maps_and_records_refer_to_named_types_also_to_themselves() -> None:
    tree = parse(
        record(
            {"name": "children", "type": {"type": "array", "items": "A"}},
            {"name": "by_name", "type": {"type": "map", "values": "shop.A"}},
            namespace="shop",
        )
    )
    reference = {"$ref": "#/$defs/shop.A"}
    assert tree.schema["properties"] == {
        "children": {"type": "array", "items": reference},
        "by_name": {"type": "object", "additionalProperties": reference},
    }
    assert tree.schema["$defs"].keys() == {"shop.A"}


STATE = {"type": "enum", "name": "State", "symbols": ["NEW"]}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([{"name": "a", "type": STATE}, {"name": "b", "type": STATE}], id="the same definition twice"),
        pytest.param([{"name": "a", "type": "State"}, {"name": "b", "type": STATE}], id="used before its definition"),
        pytest.param(
            [{"name": "a", "type": STATE}, {"name": "b", "type": {"type": "State"}}], id="an object as a name"
        ),
        pytest.param([{"name": "a", "type": {"type": STATE}}, {"name": "b", "type": "n.State"}], id="a wrapped type"),
    ],
)
def test_a_named_type_may_be_repeated(fields: list[dict[str, Any]]) -> None:
    schema = parse(record(*fields, namespace="n")).schema
    assert schema["properties"] == {"a": {"$ref": "#/$defs/n.State"}, "b": {"$ref": "#/$defs/n.State"}}
    assert schema["$defs"] == {"n.State": {"type": "string", "enum": ["NEW"]}}


def test_a_type_that_is_defined_twice_and_differently_is_refused() -> None:
    other = {**STATE, "symbols": ["OLD"]}
    with pytest.raises(DocumentError, match="defines State twice, and differently"):
        parse(record({"name": "a", "type": STATE}, {"name": "b", "type": other}))


def test_each_record_of_a_union_is_a_schema() -> None:
    union = [STATE, record({"name": "s", "type": "State"}), {**record(), "name": "B"}]
    parsed = avro.parse_records(orjson.dumps(union).decode())
    assert [item.name for item in parsed] == ["A", "B"]
    assert parsed[0].schema["$defs"].keys() == {"State"}


def test_types_of_other_files_are_bundled() -> None:
    order = record({"name": "b", "type": "Item"}, {"name": "s", "type": "o.State"}, namespace="n")
    item = {"type": "record", "name": "Item", "namespace": "n", "fields": [{"name": "of", "type": ["null", "A"]}]}
    state = {**STATE, "namespace": "o"}
    text = orjson.dumps(order).decode()
    with pytest.raises(DocumentError, match=r"uses Item, o\.State, which it does not define"):
        avro.parse_records(text)
    bundle = avro.bundle_schema(text, ["no schema", orjson.dumps(item).decode(), orjson.dumps(state).decode()])
    (parsed,) = avro.parse_records(bundle)
    check(parsed.schema)
    assert parsed.schema["$defs"].keys() == {"n.A", "n.Item", "o.State"}
    assert avro.bundle_schema(bundle, []) == bundle


@given(VALUES, VALUES)
def test_any_value_gives_a_valid_schema_or_an_error(avro_type: Any, default: Any) -> None:
    schema = record({"name": "a", "type": avro_type, "default": default}, {"name": "b", "type": ["null", avro_type]})
    with suppress(DocumentError):
        for parsed in avro.parse_records(orjson.dumps(schema).decode()):
            check(parsed.schema)
