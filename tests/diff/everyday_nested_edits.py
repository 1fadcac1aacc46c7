"""Everyday edits of nested columns, lists, maps and choices."""

from typing import Any

from tessera_gql.diff import ChangeKind
from tests.diff.edits import (
    ADDITION,
    BREAK,
    FEWER_VALUES,
    MORE_VALUES,
    NO_CHANGE,
    REMOVAL,
    REQUIRED_ADDITION,
    Edit,
    column,
)
from tests.diff.schemas import INTEGER, NUMBER, TEXT, array, obj, table

K = ChangeKind
ADDRESS = table(street=TEXT, city=TEXT)
LINE = table(sku=TEXT, quantity=INTEGER)


def struct(old: Any, new: Any) -> tuple[Any, Any]:
    return column("address", old, new)


def items(old: Any, new: Any) -> tuple[Any, Any]:
    return column("lines", array(items=old), array(items=new))


STRUCTS = (
    Edit(
        "a nested field is added",
        *struct(ADDRESS, table(street=TEXT, city=TEXT, country=TEXT)),
        K.PROPERTY_ADDED,
        ADDITION,
        ("address.country", "added"),
    ),
    Edit(
        "a required nested field is added",
        *struct(ADDRESS, obj(properties={"street": TEXT, "city": TEXT, "country": TEXT}, required=["country"])),
        K.PROPERTY_ADDED,
        REQUIRED_ADDITION,
        ("address.country", "added", "required"),
    ),
    Edit(
        "a nested field is removed",
        *struct(ADDRESS, table(street=TEXT)),
        K.PROPERTY_REMOVED,
        REMOVAL,
        ("address.city", "removed"),
    ),
    Edit(
        "a nested field is renamed",
        *struct(table(zip_code=TEXT), table(zipCode=TEXT)),
        K.PROPERTY_RENAMED,
        BREAK,
        ("address", "zip_code", "zipCode"),
    ),
    Edit(
        "a nested field gets another type",
        *struct(table(number=INTEGER), table(number=TEXT)),
        K.TYPE_CHANGED,
        BREAK,
        ("address.number", "integer", "string"),
    ),
    Edit(
        "a nested field becomes required",
        *struct(ADDRESS, {**ADDRESS, "required": ["city"]}),
        K.REQUIRED_ADDED,
        FEWER_VALUES,
        ("address.city", "required"),
    ),
    Edit(
        "a struct may be null",
        *struct(ADDRESS, {**ADDRESS, "type": ["object", "null"]}),
        K.NULLABLE_ADDED,
        MORE_VALUES,
        ("address", "null"),
    ),
    Edit("a struct becomes a text", *struct(ADDRESS, TEXT), K.TYPE_CHANGED, BREAK, ("address", "object", "string")),
)

ARRAYS = (
    Edit(
        "the items of a list get another type",
        *column("tags", array(items=TEXT), array(items=INTEGER)),
        K.TYPE_CHANGED,
        BREAK,
        ("tags[]", "string", "integer"),
    ),
    Edit(
        "the items of a list may be null",
        *column("tags", array(items=TEXT), array(items={"type": ["string", "null"]})),
        K.NULLABLE_ADDED,
        MORE_VALUES,
        ("tags[]", "null"),
    ),
    Edit(
        "a field is added to the items of a list",
        *items(LINE, table(sku=TEXT, quantity=INTEGER, discount=NUMBER)),
        K.PROPERTY_ADDED,
        ADDITION,
        ("lines[].discount", "added"),
    ),
    Edit(
        "a field is removed from the items of a list",
        *items(LINE, table(sku=TEXT)),
        K.PROPERTY_REMOVED,
        REMOVAL,
        ("lines[].quantity", "removed"),
    ),
    Edit(
        "a field of the items may be a fraction",
        *items(LINE, table(sku=TEXT, quantity=NUMBER)),
        K.TYPE_WIDENED,
        MORE_VALUES,
        ("lines[].quantity", "integer", "number"),
    ),
    Edit(
        "a list becomes a single value",
        *column("lines", array(items=LINE), LINE),
        K.TYPE_CHANGED,
        BREAK,
        ("lines", "array", "object"),
    ),
    Edit(
        "a list must not be empty",
        *column("tags", array(items=TEXT), array(items=TEXT, minItems=1)),
        K.CONSTRAINT_TIGHTENED,
        FEWER_VALUES,
        ("tags", "1"),
    ),
    Edit(
        "a list may have more items",
        *column("tags", array(items=TEXT, maxItems=3), array(items=TEXT, maxItems=9)),
        K.CONSTRAINT_RELAXED,
        MORE_VALUES,
        ("tags", "3", "9"),
    ),
    Edit(
        "the items of a list must differ",
        *column("tags", array(items=TEXT), array(items=TEXT, uniqueItems=True)),
        K.CONSTRAINT_TIGHTENED,
        FEWER_VALUES,
        ("tags",),
    ),
)


def map_of(value: Any) -> dict[str, Any]:
    return obj(additionalProperties=value)


MAPS = (
    Edit(
        "the values of a map get another type", *column("counts", map_of(INTEGER), map_of(TEXT)), K.TYPE_CHANGED, BREAK
    ),
    Edit(
        "the values of a map may be fractions",
        *column("counts", map_of(INTEGER), map_of(NUMBER)),
        K.TYPE_WIDENED,
        MORE_VALUES,
    ),
    Edit(
        "the values of a map are integers",
        *column("counts", map_of(NUMBER), map_of(INTEGER)),
        K.TYPE_NARROWED,
        FEWER_VALUES,
    ),
    Edit(
        "the keys of a map get a pattern",
        *column("counts", map_of(INTEGER), {**map_of(INTEGER), "propertyNames": {"pattern": "^[a-z]+$"}}),
        K.CONSTRAINT_TIGHTENED,
        FEWER_VALUES,
        ("counts",),
    ),
    Edit(
        "a field is added to the values of a map",
        *column("prices", map_of(table(net=NUMBER)), map_of(table(net=NUMBER, gross=NUMBER))),
        K.PROPERTY_ADDED,
        ADDITION,
        ("prices", "gross", "added"),
    ),
)

CARD = obj(properties={"kind": {"const": "card"}, "number": TEXT}, required=["kind"])
CASH = obj(properties={"kind": {"const": "cash"}}, required=["kind"])
CHOICES = (
    Edit(
        "a choice gets an alternative",
        *column("value", {"anyOf": [TEXT, INTEGER]}, {"anyOf": [TEXT, INTEGER, array()]}),
        K.COMPOSITION_CHANGED,
        MORE_VALUES,
        ("value",),
    ),
    Edit(
        "a choice loses an alternative",
        *column("value", {"anyOf": [TEXT, INTEGER, array()]}, {"anyOf": [TEXT, INTEGER]}),
        K.COMPOSITION_CHANGED,
        FEWER_VALUES,
        ("value",),
    ),
    Edit(
        "a choice changes its order",
        *column("value", {"anyOf": [TEXT, INTEGER]}, {"anyOf": [INTEGER, TEXT]}),
        None,
        NO_CHANGE,
    ),
    Edit(
        "a tagged choice gets a variant",
        *column("payment", {"oneOf": [CARD]}, {"oneOf": [CARD, CASH]}),
        K.COMPOSITION_CHANGED,
        MORE_VALUES,
        ("payment",),
    ),
    Edit(
        "a tagged choice loses a variant without fields of its own",
        *column("payment", {"oneOf": [CARD, CASH]}, {"oneOf": [CARD]}),
        K.COMPOSITION_CHANGED,
        FEWER_VALUES,
        ("payment",),
    ),
    Edit(
        "a tagged choice loses a variant with a field",
        *column("payment", {"oneOf": [CARD, CASH]}, {"oneOf": [CASH]}),
        K.COMPOSITION_CHANGED,
        REMOVAL,
        ("payment",),
    ),
)


NESTED_EDITS = (*STRUCTS, *ARRAYS, *MAPS, *CHOICES)
