"""Everyday edits of pydantic models, Avro records and ODCS contracts, compared as the JSON Schema made from them."""

import json
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal, Optional

from pydantic import ConfigDict, Field, create_model

from tessera_gql.diff import ChangeKind
from tessera_gql.formats import avro, odcs, yaml
from tests.diff.edits import (
    ADDITION,
    ANNOTATION,
    BREAK,
    DETAIL,
    FEWER_VALUES,
    MORE_VALUES,
    NO_CHANGE,
    REMOVAL,
    REQUIRED_ADDITION,
    WIDER_STORAGE,
    Edit,
)

K = ChangeKind


def model(**fields: Any) -> dict[str, Any]:
    """The JSON Schema of a pydantic model of orders with these fields: a type and a default, or `...` if required."""
    return create_model("Order", order_id=(int, ...), **fields).model_json_schema()


def closed_model() -> dict[str, Any]:
    return create_model("Order", __config__=ConfigDict(extra="forbid"), order_id=(int, ...)).model_json_schema()


Address = create_model("Address", street=(str, ...))
LongAddress = create_model("Address", street=(str, ...), country=(str | None, None))
Place = create_model("Place", street=(str, ...))
Line = create_model("Line", sku=(str, ...), quantity=(int, 1))
BareLine = create_model("Line", sku=(str, ...))
State = StrEnum("State", ["OPEN", "PAID"])
MoreStates = StrEnum("State", ["OPEN", "PAID", "REFUNDED"])
Card = create_model("Card", kind=(Literal["card"], ...), number=(str, ...))
Cash = create_model("Cash", kind=(Literal["cash"], ...))
Payment = Field(discriminator="kind")

MODELS = (
    Edit(
        "a field of a model may be None",
        model(note=(str, ...)),
        model(note=(str | None, ...)),
        K.NULLABLE_ADDED,
        MORE_VALUES,
        ("note", "null"),
    ),
    Edit(
        "an optional field is added to a model",
        model(),
        model(note=(str | None, None)),
        K.PROPERTY_ADDED,
        ADDITION,
        ("note", "added"),
    ),
    Edit(
        "a required field is added to a model",
        model(),
        model(note=(str, ...)),
        K.PROPERTY_ADDED,
        REQUIRED_ADDITION,
        ("note", "added", "required"),
    ),
    Edit(
        "an optional field is removed from a model",
        model(note=(str, "")),
        model(),
        K.PROPERTY_REMOVED,
        REMOVAL,
        ("note", "removed"),
    ),
    Edit(
        "a field of a model gets a default and is optional",
        model(note=(str, ...)),
        model(note=(str, "none")),
        K.REQUIRED_REMOVED,
        MORE_VALUES,
        ("note", "optional"),
    ),
    Edit(
        "a default of a model becomes another one",
        model(page=(int, 1)),
        model(page=(int, 2)),
        K.DEFAULT_CHANGED,
        DETAIL,
        ("page", "1", "2"),
    ),
    Edit(
        "an int of a model becomes a float",
        model(amount=(int, ...)),
        model(amount=(float, ...)),
        K.TYPE_WIDENED,
        MORE_VALUES,
        ("amount", "integer", "number"),
    ),
    Edit(
        "a literal of a model gets a value",
        model(state=(Literal["open", "paid"], ...)),
        model(state=(Literal["open", "paid", "refunded"], ...)),
        K.ENUM_VALUES_ADDED,
        MORE_VALUES,
        ("state", "refunded"),
    ),
    Edit(
        "an enum class of a model gets a member",
        model(state=(State, ...)),
        model(state=(MoreStates, ...)),
        K.ENUM_VALUES_ADDED,
        MORE_VALUES,
        ("state", "refunded"),
    ),
    Edit(
        "a field of a model gets a maximal length",
        model(name=(str, Field(max_length=80))),
        model(name=(str, Field(max_length=20))),
        K.CONSTRAINT_TIGHTENED,
        FEWER_VALUES,
        ("name", "80", "20"),
    ),
    Edit(
        "a field of a model is described",
        model(name=(str, ...)),
        model(name=(str, Field(description="Who bought."))),
        K.ANNOTATION_CHANGED,
        ANNOTATION,
        ("name", "description"),
    ),
    Edit(
        "a model is used a second time",
        model(billing=(Address, ...)),
        model(billing=(Address, ...), shipping=(Optional[Address], None)),  # noqa: UP045 - mypy needs it for a variable
        K.PROPERTY_ADDED,
        ADDITION,
        ("shipping", "added"),
    ),
    Edit(
        "a nested model gets an optional field",
        model(billing=(Address, ...)),
        model(billing=(LongAddress, ...)),
        K.PROPERTY_ADDED,
        ADDITION,
        ("billing.country", "added"),
    ),
    Edit(
        "a nested model is renamed",
        model(billing=(Address, ...)),
        model(billing=(Place, ...)),
        K.ANNOTATION_CHANGED,
        ANNOTATION,
        ("title",),
    ),
    Edit(
        "a model in a list loses a field",
        model(lines=(list[Line], ...)),
        model(lines=(list[BareLine], ...)),
        K.PROPERTY_REMOVED,
        REMOVAL,
        ("lines[].quantity", "removed"),
    ),
    Edit(
        "a datetime of a model becomes a date",
        model(day=(datetime, ...)),
        model(day=(date, ...)),
        K.FORMAT_CHANGED,
        DETAIL,
        ("day", "date-time", "date"),
    ),
    Edit(
        "a discriminated union of a model gets a member",
        model(payment=(Card, ...)),
        model(payment=(Card | Cash, Payment)),
        K.COMPOSITION_CHANGED,
        MORE_VALUES,
        ("payment",),
    ),
    Edit("a model forbids unknown fields", model(), closed_model(), K.CONSTRAINT_TIGHTENED, FEWER_VALUES),
)


def record(*fields: dict[str, Any]) -> Any:
    """The JSON Schema of an Avro record of orders."""
    first_field = {"name": "order_id", "type": "long"}
    document = {"type": "record", "name": "Order", "fields": [first_field, *fields]}
    return avro.parse_records(json.dumps(document))[0].schema


def field(avro_type: Any, **attributes: Any) -> dict[str, Any]:
    return {"name": "value", "type": avro_type, **attributes}


def state(*symbols: str) -> dict[str, Any]:
    return field({"type": "enum", "name": "State", "symbols": [*symbols]})


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return field({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})


def address(name: str) -> dict[str, Any]:
    return field({"type": "record", "name": name, "fields": [{"name": "street", "type": "string"}]})


AVRO = (
    Edit(
        "Avro: a field is added",
        record(),
        record(field("string")),
        K.PROPERTY_ADDED,
        REQUIRED_ADDITION,
        ("value", "added"),
    ),
    Edit(
        "Avro: a field is removed", record(field("string")), record(), K.PROPERTY_REMOVED, BREAK, ("value", "removed")
    ),
    Edit(
        "Avro: a field may be null",
        record(field("string")),
        record(field(["null", "string"])),
        K.NULLABLE_ADDED,
        MORE_VALUES,
        ("value", "null"),
    ),
    Edit(
        "Avro: a field is never null",
        record(field(["null", "string"])),
        record(field("string")),
        K.NULLABLE_REMOVED,
        FEWER_VALUES,
        ("value", "null"),
    ),
    Edit(
        "Avro: an int becomes a long",
        record(field("int")),
        record(field("long")),
        K.CONSTRAINT_RELAXED,
        MORE_VALUES,
        ("value", str(2**31 - 1), str(2**63 - 1)),
    ),
    Edit(
        "Avro: a long becomes a string",
        record(field("long")),
        record(field("string")),
        K.TYPE_CHANGED,
        BREAK,
        ("value", "long", "string"),
    ),
    Edit(
        "Avro: a string becomes bytes",
        record(field("string")),
        record(field("bytes")),
        K.TYPE_CHANGED,
        BREAK,
        ("value", "bytes"),
    ),
    Edit(
        "Avro: a decimal gets more digits",
        record(decimal(10, 2)),
        record(decimal(12, 2)),
        K.TYPE_WIDENED,
        WIDER_STORAGE,
    ),
    Edit("Avro: a decimal gets another scale", record(decimal(10, 2)), record(decimal(10, 4)), K.TYPE_CHANGED, BREAK),
    Edit(
        "Avro: an enum gets a symbol",
        record(state("OPEN")),
        record(state("OPEN", "PAID")),
        K.ENUM_VALUES_ADDED,
        MORE_VALUES,
        ("value", "PAID"),
    ),
    Edit(
        "Avro: an enum loses a symbol",
        record(state("OPEN", "PAID")),
        record(state("OPEN")),
        K.ENUM_VALUES_REMOVED,
        FEWER_VALUES,
        ("value", "PAID"),
    ),
    Edit(
        "Avro: a field is described",
        record(field("string")),
        record(field("string", doc="A value.")),
        K.ANNOTATION_CHANGED,
        ANNOTATION,
        ("value", "description"),
    ),
    Edit("Avro: a nested record is renamed", record(address("Address")), record(address("Place")), None, NO_CHANGE),
)


def contract(**attributes: Any) -> Any:
    """The JSON Schema of an ODCS contract with the columns `order_id` and `value`."""
    columns = [{"name": "order_id", "logicalType": "integer", "required": True}]
    columns += [{"name": "value", **attributes}] if attributes else []
    document = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "orders",
        "version": "1.0.0",
        "status": "active",
        "schema": [{"name": "orders", "logicalType": "object", "properties": columns}],
    }
    return odcs.parse_contract(yaml.dump(document))[0].schema


def text(**attributes: Any) -> Any:
    return contract(logicalType="string", **attributes)


def physical(physical_type: str) -> Any:
    return text(physicalType=physical_type)


CITY = {"name": "city", "logicalType": "string"}
STREET = {"name": "street", "logicalType": "string"}
ODCS = (
    Edit("ODCS: a column is added", contract(), text(), K.PROPERTY_ADDED, ADDITION, ("value", "added")),
    Edit("ODCS: a column is removed", text(), contract(), K.PROPERTY_REMOVED, REMOVAL, ("value", "removed")),
    Edit(
        "ODCS: a column becomes required",
        text(),
        text(required=True),
        K.REQUIRED_ADDED,
        FEWER_VALUES,
        ("value", "required"),
    ),
    Edit(
        "ODCS: a column is no longer required",
        text(required=True),
        text(),
        K.REQUIRED_REMOVED,
        MORE_VALUES,
        ("value", "optional"),
    ),
    Edit(
        "ODCS: a column gets another logical type",
        contract(logicalType="integer"),
        text(),
        K.TYPE_CHANGED,
        BREAK,
        ("value", "integer", "string"),
    ),
    Edit(
        "ODCS: a column gets a longer physical type",
        physical("varchar(10)"),
        physical("varchar(100)"),
        K.TYPE_WIDENED,
        WIDER_STORAGE,
        ("value", "varchar(10)", "varchar(100)"),
    ),
    Edit(
        "ODCS: a column is stored as a date",
        physical("varchar(10)"),
        physical("date"),
        K.TYPE_CHANGED,
        BREAK,
        ("value", "varchar(10)", "date"),
    ),
    Edit(
        "ODCS: a column must be shorter",
        text(logicalTypeOptions={"maxLength": 80}),
        text(logicalTypeOptions={"maxLength": 20}),
        K.CONSTRAINT_TIGHTENED,
        FEWER_VALUES,
        ("value", "80", "20"),
    ),
    Edit(
        "ODCS: a column is described",
        text(),
        text(description="A value."),
        K.ANNOTATION_CHANGED,
        ANNOTATION,
        ("value", "description"),
    ),
    Edit(
        "ODCS: a struct gets a field",
        contract(logicalType="object", properties=[CITY]),
        contract(logicalType="object", properties=[CITY, STREET]),
        K.PROPERTY_ADDED,
        ADDITION,
        ("value.street", "added"),
    ),
)

DOCUMENT_EDITS = (*MODELS, *AVRO, *ODCS)
