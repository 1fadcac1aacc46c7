"""JSON Schemas as pydantic and Snowplow write them are read, and their everyday changes are judged."""

from typing import Any, Literal

import orjson
import pytest
from pydantic import BaseModel, ConfigDict, Field

from tessera_gql.diff import ChangeKind, Mode, check, compare, list_fields
from tessera_gql.formats.schema_documents import SchemaDocument, SchemaFormat, parse_document

PYDANTIC_1 = {
    "title": "Order",
    "type": "object",
    "properties": {
        "id": {"title": "Id", "exclusiveMinimum": 0, "type": "integer"},
        "customer": {"title": "Customer", "allOf": [{"$ref": "#/definitions/Customer"}]},
        "size": {
            "title": "Size",
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "items": [{"type": "integer"}, {"type": "string"}],
        },
        "pet": {
            "title": "Pet",
            "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/definitions/Cat"}},
            "oneOf": [{"$ref": "#/definitions/Cat"}],
        },
    },
    "required": ["id", "customer"],
    "definitions": {
        "Customer": {
            "title": "Customer",
            "type": "object",
            "properties": {"email": {"title": "Email", "type": "string", "format": "email"}},
            "required": ["email"],
        },
        "Cat": {"title": "Cat", "type": "object", "properties": {"kind": {"enum": ["cat"], "type": "string"}}},
    },
}


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int | None = None


class Dog(BaseModel):
    kind: Literal["dog"]


class Bird(BaseModel):
    kind: Literal["bird"]


class Owner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    pet: Cat | Dog = Field(discriminator="kind")
    friends: "list[Owner]" = []
    note: str | None = None


class OwnerOfBirds(BaseModel):
    model_config = ConfigDict(extra="forbid", title="Owner")

    name: str
    pet: Cat | Dog | Bird = Field(discriminator="kind")
    friends: list[Owner] = []
    note: str | None = None


CLICK: dict[str, Any] = {
    "$schema": "http://iglucentral.com/schemas/com.snowplowanalytics.self-desc/schema/jsonschema/1-0-0#",
    "description": "A click on a button.",
    "self": {"vendor": "com.acme", "name": "click", "format": "jsonschema", "version": "1-0-0"},
    "type": "object",
    "properties": {
        "button": {"type": ["string", "null"], "maxLength": 255},
        "seconds": {"type": "number", "minimum": 0, "maximum": 60},
    },
    "required": ["button"],
    "additionalProperties": False,
}


def read(schema: Any) -> Any:
    parsed = parse_document(SchemaDocument(SchemaFormat.JSON_SCHEMA, orjson.dumps(schema).decode())).schema
    check(parsed)
    return parsed


@pytest.mark.parametrize(
    "schema", [PYDANTIC_1, Owner.model_json_schema(), CLICK], ids=["pydantic 1", "pydantic 2", "iglu"]
)
def test_a_generated_schema_is_read_and_equal_to_itself(schema: Any) -> None:
    assert read(schema) == schema
    assert compare(schema, schema).changes == ()


def test_definitions_and_unions_of_pydantic_have_fields() -> None:
    assert "customer.email" in {field.path for field in list_fields(PYDANTIC_1)}
    paths = {field.path for field in list_fields(Owner.model_json_schema())}
    assert {"name", "pet.kind", "note", "friends[].name"} <= paths


def test_another_alternative_of_a_discriminated_union_breaks_consumers_only() -> None:
    changes = compare(read(Owner.model_json_schema()), read(OwnerOfBirds.model_json_schema())).changes
    breaks = {mode for change in changes for mode in change.breaks}
    assert Mode.BACKWARD not in breaks
    assert Mode.CONSUMER in breaks


def test_an_optional_field_of_pydantic_that_becomes_required_breaks_backward() -> None:
    old = Owner.model_json_schema()
    new = orjson.loads(orjson.dumps(old))
    new["$defs"]["Owner"]["properties"]["note"] = {"title": "Note", "type": "string"}
    new["$defs"]["Owner"]["required"].append("note")
    kinds = {change.kind for change in compare(read(old), read(new)).changes if Mode.BACKWARD in change.breaks}
    assert ChangeKind.REQUIRED_ADDED in kinds


def test_a_new_version_of_an_event_of_snowplow_is_compatible_if_it_adds_a_property() -> None:
    new = {
        **CLICK,
        "self": {**CLICK["self"], "version": "1-0-1"},
        "properties": {**CLICK["properties"], "page": {"type": "string"}},
    }
    changes = compare(read(CLICK), read(new)).changes
    assert {change.kind for change in changes} == {ChangeKind.PROPERTY_ADDED, ChangeKind.ANNOTATION_CHANGED}
    assert not any(Mode.BACKWARD in change.breaks for change in changes)


def test_bounds_of_an_event_of_snowplow_are_those_of_draft_4() -> None:
    bounds = {"type": "number", "minimum": 0, "exclusiveMinimum": True}
    new = {**CLICK, "properties": {**CLICK["properties"], "seconds": bounds}}
    breaking = [change for change in compare(read(CLICK), read(new)).changes if Mode.BACKWARD in change.breaks]
    assert [change.path for change in breaking] == ["seconds"]
