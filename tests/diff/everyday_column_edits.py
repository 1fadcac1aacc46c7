"""Everyday edits of the columns of a flat table: their names, types, null, and which are required."""

from tessera_gql.diff import ChangeKind
from tests.diff.edits import (
    ADDITION,
    BREAK,
    DETAIL,
    FEWER_VALUES,
    MORE_VALUES,
    NO_CHANGE,
    OPENING,
    REMOVAL,
    REQUIRED_ADDITION,
    Edit,
    column,
)
from tests.diff.schemas import INTEGER, NULLABLE_TEXT, NUMBER, TEXT, obj, table

K = ChangeKind
BOOLEAN = {"type": "boolean"}
ORDER = {"order_id": INTEGER, "amount": NUMBER}


def orders(*required: str, **columns: object) -> dict[str, object]:
    return obj(properties=ORDER | columns, required=["order_id", *required])


COLUMNS = (
    Edit("an optional column is added", orders(), orders(coupon=TEXT), K.PROPERTY_ADDED, ADDITION, ("coupon", "added")),
    Edit(
        "a required column is added",
        orders(),
        orders("coupon", coupon=TEXT),
        K.PROPERTY_ADDED,
        REQUIRED_ADDITION,
        ("coupon", "added", "required"),
    ),
    Edit(
        "an optional column is removed",
        orders(coupon=TEXT),
        orders(),
        K.PROPERTY_REMOVED,
        REMOVAL,
        ("coupon", "removed"),
    ),
    Edit(
        "a required column is removed",
        orders("coupon", coupon=TEXT),
        orders(),
        K.PROPERTY_REMOVED,
        BREAK,
        ("coupon", "removed", "required"),
    ),
    Edit(
        "a column is renamed to another case",
        orders(customer_id=TEXT),
        orders(customerId=TEXT),
        K.PROPERTY_RENAMED,
        BREAK,
        ("customer_id", "renamed", "customerId"),
    ),
    Edit(
        "a column is renamed and says so",
        orders(total=NUMBER),
        orders(gross={**NUMBER, "x-renamed-from": "total"}),
        K.PROPERTY_RENAMED,
        BREAK,
        ("total", "renamed", "gross"),
    ),
    Edit(
        "the columns change their order",
        table(a=TEXT, b=INTEGER, c=NUMBER),
        table(c=NUMBER, a=TEXT, b=INTEGER),
        None,
        NO_CHANGE,
    ),
    Edit(
        "an optional column is added to a closed table",
        {**orders(), "additionalProperties": False},
        {**orders(coupon=TEXT), "additionalProperties": False},
        K.PROPERTY_ADDED,
        ADDITION,
        ("coupon", "added"),
    ),
    Edit(
        "an optional column is removed from a closed table",
        {**orders(coupon=TEXT), "additionalProperties": False},
        {**orders(), "additionalProperties": False},
        K.PROPERTY_REMOVED,
        REMOVAL,
        ("coupon", "removed"),
    ),
    Edit(
        "a table is closed", orders(), {**orders(), "additionalProperties": False}, K.CONSTRAINT_TIGHTENED, FEWER_VALUES
    ),
    Edit("a table is opened", {**orders(), "additionalProperties": False}, orders(), K.CONSTRAINT_RELAXED, OPENING),
    Edit(
        "a table is opened explicitly",
        {**orders(), "additionalProperties": False},
        {**orders(), "additionalProperties": True},
        K.CONSTRAINT_RELAXED,
        OPENING,
    ),
)

TYPES = (
    Edit(
        "an integer becomes a text",
        *column("amount", INTEGER, TEXT),
        K.TYPE_CHANGED,
        BREAK,
        ("amount", "integer", "string"),
    ),
    Edit(
        "a text becomes an integer",
        *column("amount", TEXT, INTEGER),
        K.TYPE_CHANGED,
        BREAK,
        ("amount", "string", "integer"),
    ),
    Edit(
        "a boolean becomes a text",
        *column("is_paid", BOOLEAN, TEXT),
        K.TYPE_CHANGED,
        BREAK,
        ("is_paid", "boolean", "string"),
    ),
    Edit(
        "an integer may be a fraction",
        *column("amount", INTEGER, NUMBER),
        K.TYPE_WIDENED,
        MORE_VALUES,
        ("amount", "integer", "number"),
    ),
    Edit(
        "a fraction becomes an integer",
        *column("amount", NUMBER, INTEGER),
        K.TYPE_NARROWED,
        FEWER_VALUES,
        ("amount", "number", "integer"),
    ),
    Edit(
        "an integer may be a text as well",
        *column("amount", INTEGER, {"type": ["integer", "string"]}),
        K.TYPE_WIDENED,
        MORE_VALUES,
        ("amount", "integer", "string"),
    ),
    Edit(
        "one of two types is dropped",
        *column("amount", {"type": ["integer", "string"]}, INTEGER),
        K.TYPE_NARROWED,
        FEWER_VALUES,
        ("amount", "string", "integer"),
    ),
    Edit("a text may be anything", *column("note", TEXT, {}), K.TYPE_WIDENED, MORE_VALUES, ("note", "string")),
    Edit("anything becomes a text", *column("note", {}, TEXT), K.TYPE_NARROWED, FEWER_VALUES, ("note", "string")),
    Edit("a type is written as a list", *column("note", TEXT, {"type": ["string"]}), None, NO_CHANGE),
    Edit(
        "a text becomes a list of texts",
        *column("tags", TEXT, {"type": "array", "items": TEXT}),
        K.TYPE_CHANGED,
        BREAK,
        ("tags", "string", "array"),
    ),
    Edit(
        "a text becomes a date",
        *column("day", TEXT, {**TEXT, "format": "date"}),
        K.FORMAT_CHANGED,
        DETAIL,
        ("day", "date"),
    ),
    Edit(
        "a date becomes a time stamp",
        *column("day", {**TEXT, "format": "date"}, {**TEXT, "format": "date-time"}),
        K.FORMAT_CHANGED,
        DETAIL,
        ("day", "date", "date-time"),
    ),
)

NULLABILITY = (
    Edit("a column may be null", *column("note", TEXT, NULLABLE_TEXT), K.NULLABLE_ADDED, MORE_VALUES, ("note", "null")),
    Edit(
        "a column is never null",
        *column("note", NULLABLE_TEXT, TEXT),
        K.NULLABLE_REMOVED,
        FEWER_VALUES,
        ("note", "null"),
    ),
    Edit(
        "a column may be null, written as a choice",
        *column("note", TEXT, {"anyOf": [TEXT, {"type": "null"}]}),
        K.NULLABLE_ADDED,
        MORE_VALUES,
        ("note", "null"),
    ),
    Edit(
        "null is written as a choice instead of a type",
        *column("note", NULLABLE_TEXT, {"oneOf": [{"type": "null"}, TEXT]}),
        None,
        NO_CHANGE,
    ),
    Edit(
        "a listed value may be null",
        *column("size", {"enum": ["S", "M"]}, {"enum": ["S", "M", None]}),
        K.NULLABLE_ADDED,
        MORE_VALUES,
        ("size", "null"),
    ),
)

REQUIRED = (
    Edit(
        "a known column becomes required",
        orders(note=TEXT),
        orders("note", note=TEXT),
        K.REQUIRED_ADDED,
        FEWER_VALUES,
        ("note", "required"),
    ),
    Edit(
        "a column is no longer required",
        orders("note", note=TEXT),
        orders(note=TEXT),
        K.REQUIRED_REMOVED,
        MORE_VALUES,
        ("note", "optional"),
    ),
    Edit(
        "the list of required columns changes its order",
        obj(properties=ORDER, required=["order_id", "amount"]),
        obj(properties=ORDER, required=["amount", "order_id"]),
        None,
        NO_CHANGE,
    ),
    Edit(
        "an empty list of required columns is written",
        table(**ORDER),
        obj(properties=ORDER, required=[]),
        None,
        NO_CHANGE,
    ),
)

COLUMN_EDITS = (*COLUMNS, *TYPES, *NULLABILITY, *REQUIRED)
