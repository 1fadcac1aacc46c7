"""Everyday edits of the values of a column: lists of values, limits, defaults, and texts for people."""

from tessera_gql.diff import ChangeKind
from tests.diff.edits import (
    ADDITION,
    ANNOTATION,
    BREAK,
    DETAIL,
    FEWER_VALUES,
    LOST_DEFAULT,
    MORE_VALUES,
    NO_CHANGE,
    Edit,
    column,
)
from tests.diff.schemas import INTEGER, NULLABLE_TEXT, NUMBER, TEXT

K = ChangeKind
PAID, STATES = {"enum": ["open", "paid"]}, {"enum": ["open", "paid", "refunded"]}
ENUMS = (
    Edit(
        "a value is added to a list",
        *column("state", PAID, STATES),
        K.ENUM_VALUES_ADDED,
        MORE_VALUES,
        ("state", "refunded"),
    ),
    Edit(
        "a value is removed from a list",
        *column("state", STATES, PAID),
        K.ENUM_VALUES_REMOVED,
        FEWER_VALUES,
        ("state", "refunded"),
    ),
    Edit(
        "a value is renamed in a list",
        *column("state", PAID, {"enum": ["open", "settled"]}),
        K.ENUM_VALUES_REMOVED,
        BREAK,
        ("state", "paid"),
    ),
    Edit("a list of values changes its order", *column("state", PAID, {"enum": ["paid", "open"]}), None, NO_CHANGE),
    Edit(
        "a text gets a list of values",
        *column("state", TEXT, {**TEXT, **PAID}),
        K.ENUM_VALUES_REMOVED,
        FEWER_VALUES,
        ("state",),
    ),
    Edit(
        "a text loses its list of values",
        *column("state", {**TEXT, **PAID}, TEXT),
        K.ENUM_VALUES_ADDED,
        MORE_VALUES,
        ("state",),
    ),
    Edit(
        "a constant becomes one of two values",
        *column("currency", {"const": "EUR"}, {"enum": ["EUR", "USD"]}),
        K.ENUM_VALUES_ADDED,
        MORE_VALUES,
        ("currency", "USD"),
    ),
    Edit("a constant is written as a list", *column("currency", {"const": "EUR"}, {"enum": ["EUR"]}), None, NO_CHANGE),
    Edit(
        "a code becomes a number of another list",
        *column("state", {"enum": ["1", "2"]}, {"enum": [1, 2]}),
        K.ENUM_VALUES_REMOVED,
        BREAK,
        ("state",),
    ),
)

SHORT, LONG = {**TEXT, "maxLength": 20}, {**TEXT, "maxLength": 80}
CENTS = {**INTEGER, "multipleOf": 5}
CONSTRAINTS = (
    Edit("a text may be longer", *column("name", SHORT, LONG), K.CONSTRAINT_RELAXED, MORE_VALUES, ("name", "20", "80")),
    Edit(
        "a text must be shorter",
        *column("name", LONG, SHORT),
        K.CONSTRAINT_TIGHTENED,
        FEWER_VALUES,
        ("name", "80", "20"),
    ),
    Edit(
        "a text gets a maximal length",
        *column("name", TEXT, SHORT),
        K.CONSTRAINT_TIGHTENED,
        FEWER_VALUES,
        ("name", "20"),
    ),
    Edit(
        "a text loses its maximal length",
        *column("name", SHORT, TEXT),
        K.CONSTRAINT_RELAXED,
        MORE_VALUES,
        ("name", "20"),
    ),
    Edit("a minimal length of 0 is written", *column("name", TEXT, {**TEXT, "minLength": 0}), None, NO_CHANGE),
    Edit(
        "a text must not be empty",
        *column("name", TEXT, {**TEXT, "minLength": 1}),
        K.CONSTRAINT_TIGHTENED,
        FEWER_VALUES,
        ("name", "1"),
    ),
    Edit(
        "an amount may be negative",
        *column("amount", {**NUMBER, "minimum": 0}, NUMBER),
        K.CONSTRAINT_RELAXED,
        MORE_VALUES,
        ("amount", "0"),
    ),
    Edit(
        "an amount must not be zero",
        *column("amount", {**NUMBER, "minimum": 0}, {**NUMBER, "exclusiveMinimum": 0}),
        K.CONSTRAINT_TIGHTENED,
        FEWER_VALUES,
        ("amount", "0"),
    ),
    Edit(
        "a maximum is raised",
        *column("percent", {**NUMBER, "maximum": 100}, {**NUMBER, "maximum": 250}),
        K.CONSTRAINT_RELAXED,
        MORE_VALUES,
        ("percent", "100", "250"),
    ),
    Edit(
        "a maximum is lowered",
        *column("percent", {**NUMBER, "maximum": 250}, {**NUMBER, "maximum": 100}),
        K.CONSTRAINT_TIGHTENED,
        FEWER_VALUES,
        ("percent", "250", "100"),
    ),
    Edit(
        "a step becomes coarser",
        *column("price", CENTS, {**INTEGER, "multipleOf": 10}),
        K.CONSTRAINT_TIGHTENED,
        FEWER_VALUES,
        ("price", "5", "10"),
    ),
    Edit(
        "a step becomes another one",
        *column("price", CENTS, {**INTEGER, "multipleOf": 3}),
        K.CONSTRAINT_CHANGED,
        BREAK,
        ("price", "5", "3"),
    ),
    Edit(
        "a pattern becomes another one",
        *column("sku", {**TEXT, "pattern": "^A"}, {**TEXT, "pattern": "^B"}),
        K.CONSTRAINT_CHANGED,
        BREAK,
        ("sku", "^A", "^B"),
    ),
    Edit(
        "a pattern becomes stricter",
        *column("sku", {**TEXT, "pattern": "^[A-Z]+$"}, {**TEXT, "pattern": "^[A-Z]{3}$"}),
        K.CONSTRAINT_TIGHTENED,
        FEWER_VALUES,
        ("sku", "^[A-Z]+$", "^[A-Z]{3}$"),
    ),
    Edit(
        "a pattern is dropped",
        *column("sku", {**TEXT, "pattern": "^[A-Z]+$"}, TEXT),
        K.CONSTRAINT_RELAXED,
        MORE_VALUES,
        ("sku", "^[A-Z]+$"),
    ),
    Edit(
        "a pattern is written in another way",
        *column("sku", {**TEXT, "pattern": "^(?:a|b)$"}, {**TEXT, "pattern": "^[ab]$"}),
        None,
        NO_CHANGE,
    ),
)

DRAFTED = {**TEXT, "default": "draft"}
DEFAULTS = (
    Edit("a default is added", *column("state", TEXT, DRAFTED), K.DEFAULT_ADDED, ADDITION, ("state", "draft")),
    Edit("a default is removed", *column("state", DRAFTED, TEXT), K.DEFAULT_REMOVED, LOST_DEFAULT, ("state", "draft")),
    Edit(
        "a default becomes another one",
        *column("state", DRAFTED, {**TEXT, "default": "open"}),
        K.DEFAULT_CHANGED,
        DETAIL,
        ("state", "draft", "open"),
    ),
    Edit(
        "null is the default now",
        *column("note", NULLABLE_TEXT, {**NULLABLE_TEXT, "default": None}),
        K.DEFAULT_ADDED,
        ADDITION,
        ("note", "null"),
    ),
)


def annotated(**annotations: object) -> tuple[object, object]:
    return column("note", TEXT, TEXT | annotations)


ANNOTATIONS = (
    Edit("a title is added", *annotated(title="Note"), K.ANNOTATION_CHANGED, ANNOTATION, ("note", "title")),
    Edit(
        "a description is corrected",
        *column("note", {**TEXT, "description": "A nite."}, {**TEXT, "description": "A note."}),
        K.ANNOTATION_CHANGED,
        ANNOTATION,
        ("note", "description"),
    ),
    Edit(
        "an example is added", *annotated(examples=["fragile"]), K.ANNOTATION_CHANGED, ANNOTATION, ("note", "examples")
    ),
    Edit(
        "a comment is added", *annotated(**{"$comment": "Why?"}), K.ANNOTATION_CHANGED, ANNOTATION, ("note", "$comment")
    ),
    Edit(
        "an owner is noted", *annotated(**{"x-owner": "sales"}), K.ANNOTATION_CHANGED, ANNOTATION, ("note", "x-owner")
    ),
    Edit(
        "a column is deprecated", *annotated(deprecated=True), K.DEPRECATED_CHANGED, ANNOTATION, ("note", "deprecated")
    ),
    Edit(
        "a column is no longer deprecated",
        *reversed(annotated(deprecated=True)),
        K.DEPRECATED_CHANGED,
        ANNOTATION,
        ("note", "deprecated"),
    ),
)

VALUE_EDITS = (*ENUMS, *CONSTRAINTS, *DEFAULTS, *ANNOTATIONS)
