"""Everyday edits of definitions and references, compositions and drafts."""

from typing import Any

from tessera_gql.diff import ChangeKind
from tests.diff.edits import ADDITION, ANNOTATION, BREAK, FEWER_VALUES, MORE_VALUES, NO_CHANGE, REMOVAL, Edit, column
from tests.diff.schemas import DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2020, INTEGER, NULL, NUMBER, TEXT, array, obj, table

K = ChangeKind
ADDRESS = table(street=TEXT, city=TEXT)


def customers(addresses: Any, **definitions: Any) -> dict[str, Any]:
    return {**table(**addresses), "$defs": definitions}


REF, OPTIONAL_REF = {"$ref": "#/$defs/Address"}, {"anyOf": [{"$ref": "#/$defs/Address"}, NULL]}
ONE_USE = customers({"billing": REF}, Address=ADDRESS)
TWO_USES = customers({"billing": REF, "shipping": REF}, Address=ADDRESS)
TREE = table(name=TEXT, children=array(items={"$ref": "#"}))
REFERENCES = (
    Edit(
        "a definition is used a second time",
        ONE_USE,
        customers({"billing": REF, "shipping": OPTIONAL_REF}, Address=ADDRESS),
        K.PROPERTY_ADDED,
        ADDITION,
        ("shipping", "added"),
    ),
    Edit("one of two uses is removed", TWO_USES, ONE_USE, K.PROPERTY_REMOVED, REMOVAL, ("shipping", "removed")),
    Edit(
        "a definition is renamed",
        ONE_USE,
        customers({"billing": {"$ref": "#/$defs/Place"}}, Place=ADDRESS),
        None,
        NO_CHANGE,
    ),
    Edit("a definition is written in place", ONE_USE, table(billing=ADDRESS), None, NO_CHANGE),
    Edit(
        "a definition with two uses is written in place",
        TWO_USES,
        table(billing=ADDRESS, shipping=ADDRESS),
        None,
        NO_CHANGE,
    ),
    Edit("a struct becomes a definition", table(billing=ADDRESS), ONE_USE, None, NO_CHANGE),
    Edit(
        "two equal structs become one definition", table(billing=ADDRESS, shipping=ADDRESS), TWO_USES, None, NO_CHANGE
    ),
    Edit(
        "a definition that nobody uses is added",
        ONE_USE,
        customers({"billing": REF}, Address=ADDRESS, Unused=TEXT),
        None,
        NO_CHANGE,
    ),
    Edit(
        "the title of a definition is corrected",
        customers({"billing": REF}, Address={**ADDRESS, "title": "Adress"}),
        customers({"billing": REF}, Address={**ADDRESS, "title": "Address"}),
        K.ANNOTATION_CHANGED,
        ANNOTATION,
        ("title",),
    ),
    Edit(
        "a definition with two uses is described",
        TWO_USES,
        customers({"billing": REF, "shipping": REF}, Address={**ADDRESS, "description": "Where to."}),
        K.ANNOTATION_CHANGED,
        ANNOTATION,
        ("description",),
    ),
    Edit(
        "a recursive schema is described",
        TREE,
        {**TREE, "description": "A tree."},
        K.ANNOTATION_CHANGED,
        ANNOTATION,
        ("description",),
    ),
    Edit(
        "a field of a recursive schema is described",
        TREE,
        table(name={**TEXT, "description": "Its name."}, children=array(items={"$ref": "#"})),
        K.ANNOTATION_CHANGED,
        ANNOTATION,
        ("name", "description"),
    ),
    Edit(
        "a field of a definition gets another type",
        TWO_USES,
        customers({"billing": REF, "shipping": REF}, Address=table(street=TEXT, city=INTEGER)),
        K.TYPE_CHANGED,
        BREAK,
        ("city", "string", "integer"),
    ),
    Edit(
        "a field is added to a definition",
        TWO_USES,
        customers({"billing": REF, "shipping": REF}, Address=table(street=TEXT, city=TEXT, zip=TEXT)),
        K.PROPERTY_ADDED,
        ADDITION,
        ("zip", "added"),
    ),
    Edit(
        "a field is added to a recursive schema",
        TREE,
        table(name=TEXT, size=INTEGER, children=array(items={"$ref": "#"})),
        K.PROPERTY_ADDED,
        ADDITION,
        ("size", "added"),
    ),
    Edit(
        "the schema gets another identifier",
        {"$id": "https://shop.example/v1", **ONE_USE},
        {"$id": "https://shop.example/v2", **ONE_USE},
        None,
        NO_CHANGE,
    ),
)

BASE, EXTENSION = table(a=TEXT), table(b=INTEGER)
COMPOSITIONS = (
    Edit(
        "a table is split into a base and an extension",
        table(a=TEXT, b=INTEGER),
        obj(allOf=[BASE, EXTENSION]),
        None,
        NO_CHANGE,
    ),
    Edit(
        "the base requires its column",
        obj(allOf=[BASE, EXTENSION]),
        obj(allOf=[{**BASE, "required": ["a"]}, EXTENSION]),
        K.REQUIRED_ADDED,
        FEWER_VALUES,
        ("a", "required"),
    ),
    Edit(
        "a column is added to the extension",
        obj(allOf=[BASE, EXTENSION]),
        obj(allOf=[BASE, table(b=INTEGER, c=TEXT)]),
        K.PROPERTY_ADDED,
        ADDITION,
        ("c", "added"),
    ),
    Edit(
        "a value is excluded",
        *column("state", TEXT, {**TEXT, "not": {"const": "none"}}),
        K.COMPOSITION_CHANGED,
        FEWER_VALUES,
        ("state",),
    ),
    Edit(
        "a condition becomes stricter",
        *column(
            "code",
            {**TEXT, "if": {"pattern": "^A"}, "then": {"maxLength": 9}},
            {**TEXT, "if": {"pattern": "^A"}, "then": {"maxLength": 5}},
        ),
        K.COMPOSITION_CHANGED,
        FEWER_VALUES,
        ("code",),
    ),
    Edit(
        "a column requires another one",
        table(a=TEXT, b=TEXT),
        {**table(a=TEXT, b=TEXT), "dependentRequired": {"a": ["b"]}},
        K.CONSTRAINT_TIGHTENED,
        FEWER_VALUES,
    ),
)

DRAFTS = (
    Edit(
        "definitions move with the draft",
        {**DRAFT_7, **table(billing={"$ref": "#/definitions/Address"}), "definitions": {"Address": ADDRESS}},
        {**DRAFT_2020, **ONE_USE},
        None,
        NO_CHANGE,
    ),
    Edit(
        "a tuple is written as in the newest draft",
        {**DRAFT_7, **table(point=array(items=[NUMBER, NUMBER]))},
        {**DRAFT_2020, **table(point=array(prefixItems=[NUMBER, NUMBER]))},
        None,
        NO_CHANGE,
    ),
    Edit(
        "a flag of draft 4 becomes a limit",
        {**DRAFT_4, **table(a={**NUMBER, "minimum": 0, "exclusiveMinimum": True})},
        {**DRAFT_6, **table(a={**NUMBER, "exclusiveMinimum": 0})},
        None,
        NO_CHANGE,
    ),
    Edit(
        "dependencies are split by the draft",
        {**DRAFT_7, **table(a=TEXT, b=TEXT), "dependencies": {"a": ["b"]}},
        {**DRAFT_2020, **table(a=TEXT, b=TEXT), "dependentRequired": {"a": ["b"]}},
        None,
        NO_CHANGE,
    ),
    Edit("the draft is named", table(a=TEXT), {**DRAFT_2020, **table(a=TEXT)}, None, NO_CHANGE),
    Edit(
        "the draft is named without the trailing sign",
        {**DRAFT_7, **table(a=TEXT)},
        {"$schema": "http://json-schema.org/draft-07/schema", **table(a=TEXT)},
        None,
        NO_CHANGE,
    ),
    Edit(
        "the draft is named by https",
        {**DRAFT_7, **table(a=TEXT)},
        {"$schema": "https://json-schema.org/draft-07/schema#", **table(a=TEXT)},
        None,
        NO_CHANGE,
    ),
    Edit(
        "a keyword of OpenAPI is added without a named draft",
        *column("note", TEXT, {**TEXT, "nullable": True}),
        K.NULLABLE_ADDED,
        MORE_VALUES,
        ("note", "null"),
    ),
    Edit(
        "a keyword of OpenAPI is added to a schema of a draft that doesn't have it",
        *({**DRAFT_2020, **schema} for schema in column("note", TEXT, {**TEXT, "nullable": True})),
        K.ANNOTATION_CHANGED,
        ANNOTATION,
        ("note", "nullable"),
    ),
    Edit(
        "a tuple without a named draft gets another item",
        table(point=array(items=[NUMBER, NUMBER])),
        table(point=array(items=[NUMBER, TEXT])),
        K.TYPE_CHANGED,
        BREAK,
        ("point", "number", "string"),
    ),
)

REFERENCE_EDITS = (*REFERENCES, *COMPOSITIONS, *DRAFTS)
