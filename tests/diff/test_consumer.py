"""CONSUMER: who reads the fields of the old schema by name keeps working under the new one."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.diff import Certainty, ChangeKind, Mode, compare
from tests.diff.generators import boundary_documents, law, pairs
from tests.diff.oracle import asks_itself, is_declared, is_valid
from tests.diff.projecting import accepts_visible
from tests.diff.schemas import DRAFT_7, INTEGER, NULLABLE_TEXT, NUMBER, TEXT, array, obj, table
from tests.diff.test_laws import compare_or_skip

NEGATING = ("not", "if", "oneOf", "maxContains")
UNCHANGED_COLUMNS = {
    "options that overlap": {"oneOf": [table(a=TEXT), {**table(b=TEXT), "additionalProperties": False}]},
    "a negated table": {"not": {**table(a=TEXT), "maxProperties": 1}},
    "a listed object": {"enum": [{"n": 1}, [1]]},
    "a table with a minimum": {**table(a=TEXT), "minProperties": 1},
    "different tables": array(items=table(a=TEXT), uniqueItems=True),
}
LOST = {ChangeKind.PROPERTY_REMOVED, ChangeKind.PROPERTY_RENAMED}


def closed(**columns: Any) -> dict[str, Any]:
    return {**table(**columns), "additionalProperties": False}


def sealed(*parts: Any, **columns: Any) -> dict[str, Any]:
    return {**table(**columns), "allOf": [*parts], "unevaluatedProperties": False}


def negates(schema: Any) -> bool:
    """Whether a schema may accept less when a reader sees less."""
    return any(f'"{keyword}"' in json.dumps(schema) for keyword in NEGATING)


def keeps_a_negation(old: Any, new: Any) -> bool:
    """Whether a property with a negation stays as it is: readers see in it what they always did."""
    if not negates(old):
        return False
    columns = [{(name, json.dumps(column)) for name, column in iterate_columns(schema)} for schema in (old, new)]
    return any("$ref" in column or negates(json.loads(column)) for _, column in columns[0] & columns[1])


def iterate_columns(schema: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(schema, dict):
        columns = schema.get("properties")
        yield from columns.items() if isinstance(columns, dict) else ()
    inside = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for part in inside:
        yield from iterate_columns(part)


def is_consumer_compatible(old: Any, new: Any) -> bool:
    return compare(old, new).is_compatible(Mode.CONSUMER)


SELF = {"$ref": "#"}
X, XY = closed(x=TEXT), closed(x=TEXT, y=INTEGER)
MAP = obj(additionalProperties=TEXT, minProperties=1)
UNION = {"oneOf": [closed(kind={"const": "a"}, a=TEXT), closed(kind={"const": "b"}, b=TEXT)]}
EITHER = {"oneOf": [{"required": ["x"]}, X]}
UNION["oneOf"] = [{**option, "required": ["kind"]} for option in UNION["oneOf"]]


def with_note(option: Any) -> dict[str, Any]:
    return {**option, "properties": {**option["properties"], "note": TEXT}}


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        # columns
        (X, XY, True),
        (X, {**XY, "required": ["y"]}, True),
        (XY, X, False),
        (table(x=TEXT), table(x=TEXT, y=TEXT), True),
        (closed(customer_id=TEXT), closed(customerId=TEXT), False),
        (closed(a=X), closed(a=XY), True),
        (closed(a=array(items=X)), closed(a=array(items=XY)), True),
        (closed(a=X), closed(a=closed(x=INTEGER, y=INTEGER)), False),
        (closed(), closed(x=TEXT), True),
        (sealed(table(x=TEXT)), sealed(table(x=TEXT), y=TEXT), True),
        (sealed(table(x=TEXT)), sealed(table(x=INTEGER), y=TEXT), False),
        # values
        (closed(x=INTEGER), closed(x=NUMBER, y=TEXT), False),
        (closed(x=NUMBER), closed(x=INTEGER, y=TEXT), True),
        (closed(x=TEXT), closed(x=NULLABLE_TEXT, y=TEXT), False),
        (closed(x=NULLABLE_TEXT), closed(x=TEXT, y=TEXT), True),
        ({**X, "required": ["x"]}, XY, False),
        (X, {**XY, "required": ["x"]}, True),
        (closed(x={"enum": ["a"]}), closed(x={"enum": ["a", "b"]}, y=TEXT), False),
        (closed(x={"enum": ["a", "b"]}), closed(x={"enum": ["a"]}, y=TEXT), True),
        (closed(x=TEXT), closed(x={**TEXT, "default": "d"}, y=TEXT), True),
        (closed(x={**TEXT, "default": "d"}), closed(x=TEXT, y=TEXT), True),
        # open and closed objects
        (X, table(x=TEXT), True),
        (table(x=TEXT), X, True),
        (X, {**table(x=TEXT), "additionalProperties": True}, True),
        ({**X, "propertyNames": {"maxLength": 1}}, closed(x=TEXT, long=TEXT), True),
        (obj(patternProperties={"^x": TEXT}, additionalProperties=False), obj(patternProperties={"^x": NUMBER}), False),
        ({**table(x=TEXT), "additionalProperties": TEXT}, {**table(x=TEXT, y=INTEGER)}, False),
        # names that another branch of the old schema declares are read
        ({"anyOf": [X, closed(y=TEXT)]}, table(x=TEXT, y=TEXT), False),
        ({"anyOf": [X, closed(y=TEXT)]}, {"anyOf": [closed(x=TEXT, z=TEXT), closed(y=TEXT, z=TEXT)]}, True),
        # counts
        ({**X, "maxProperties": 1}, {**XY, "maxProperties": 2}, True),
        (obj(properties={"x": TEXT, "y": TEXT}, maxProperties=1), table(x=TEXT, y=TEXT), False),
        ({**X, "minProperties": 2}, {**XY, "minProperties": 1}, False),
        ({**X, "minProperties": 1, "required": ["x"]}, {**XY, "required": ["x"]}, True),
        (closed(a=MAP), closed(a=MAP, b=TEXT), True),
        # unions, conditions and negations
        (closed(payload=UNION), closed(payload=UNION, note=TEXT), True),
        (UNION, {"oneOf": [with_note(option) for option in UNION["oneOf"]]}, True),
        ({"not": X}, {"not": X, "type": "object"}, False),
        ({"not": X}, {"not": X, "title": "t"}, True),
        # forward compatible, but what is read of {"y": ""} and {"x": "", "y": ""} is refused
        (obj(properties={"x": TEXT}, **{"not": X}), obj(properties={"x": TEXT, "y": TEXT}, required=["y"]), False),
        ({**table(x=TEXT), **EITHER}, {**table(x=TEXT, y=TEXT), "required": ["x", "y"]}, False),
        ({"if": X, "then": {"required": ["x"]}}, obj(properties={"x": TEXT}, required=["x"]), True),
        # lists and values that are compared whole
        (closed(a=array(items=X, uniqueItems=True)), closed(a=array(items=XY)), False),
        (closed(a=array(items=TEXT, uniqueItems=True)), closed(a=array(items=TEXT, uniqueItems=True), b=TEXT), True),
        (closed(a=array(contains=X)), closed(a=array(contains=XY)), True),
        (closed(a=array(contains=X, maxContains=1)), closed(a=array(contains=XY, maxContains=1)), False),
        (closed(a={"const": {"n": 1}}), closed(a={"enum": [{"n": 1}, {"n": 2}]}, b=TEXT), False),
        (closed(a={"const": {"n": 1}}), closed(a={"const": {"n": 1}}, b=TEXT), True),
        (closed(a={"const": "n"}), closed(a={"const": "n"}, b=TEXT), True),
        # recursion
        (closed(x=TEXT, next=SELF), closed(x=TEXT, y=TEXT, next=SELF), True),
        (closed(x=TEXT, next=SELF), closed(x=INTEGER, y=TEXT, next=SELF), False),
    ],
)
def test_readers_of_the_old_fields_keep_working(old, new, holds):
    assert is_consumer_compatible(old, new) == holds, compare(old, new).changes


@pytest.mark.parametrize("make_table", [table, closed], ids=["open", "closed"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda rows: {**rows, "minProperties": 1},
        lambda rows: array(items=rows, uniqueItems=True),
        lambda rows: {**DRAFT_7, **array(items={"$ref": "#/r", "type": "string"}), "uniqueItems": True, "r": rows},
    ],
    ids=["minProperties", "uniqueItems", "a type that its draft ignores"],
)
def test_an_unchanged_rule_about_whole_values_lets_columns_be_added(make_table, wrap):
    assert is_consumer_compatible(wrap(make_table(x=TEXT)), wrap(make_table(x=TEXT, y=INTEGER)))


@pytest.mark.parametrize("make_table", [table, closed], ids=["open", "closed"])
@pytest.mark.parametrize("column", UNCHANGED_COLUMNS.values(), ids=UNCHANGED_COLUMNS)
def test_columns_may_be_added_beside_any_unchanged_column(make_table, column):
    definitions, reference = {"$defs": {"c": column}}, {"$ref": "#/$defs/c"}
    assert is_consumer_compatible(make_table(a=column), make_table(a=column, b=TEXT))
    old, new = make_table(a=reference), make_table(a=reference, b=TEXT)
    assert is_consumer_compatible({**definitions, **old}, {**definitions, **new})


def test_the_counterexample_of_a_consumer_break_shows_in_the_fields_that_are_read():
    old = {"anyOf": [X, closed(y=TEXT)]}
    new = {"anyOf": [XY, closed(y=TEXT)]}
    for change in compare(old, new).breaking_changes(Mode.CONSUMER):
        if change.certainty is Certainty.PROVEN:
            assert accepts_visible(old, change.counterexample) is False


@law(3_000, 40)
@given(pairs())
def test_forward_compatible_schemas_without_a_lost_field_or_a_negation_are_consumer_compatible(pair):
    diff = compare_or_skip(*pair)
    lost = [change for change in diff.changes if change.kind in LOST]
    if diff.is_compatible(Mode.FORWARD) and not lost and not negates(pair[0]):
        assert diff.is_compatible(Mode.CONSUMER)
    assert not lost or not diff.is_compatible(Mode.CONSUMER)


@law(12_000, 60)
@given(pairs(), st.booleans())
def test_no_document_refutes_a_consumer_compatible_pair(pair, is_closed):
    old, new = (_closed(schema) for schema in pair) if is_closed else pair
    diff = compare_or_skip(old, new)
    if not any(change.breaks for change in diff.changes) or keeps_a_negation(old, new):
        return
    if not diff.is_compatible(Mode.CONSUMER) or asks_itself(old) or asks_itself(new):
        return
    for document in boundary_documents(old, new):
        if is_valid(new, document) and is_declared(new, new, document):
            assert accepts_visible(old, document), document


def _closed(schema: Any) -> Any:
    """The schema with every object that has properties closed."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _closed(value) for key, value in schema.items()}
    is_schema = isinstance(result.get("properties"), dict) and "additionalProperties" not in result
    return {**result, "additionalProperties": False} if is_schema else result


@law(2_000, 40)
@given(pairs())
def test_a_column_of_both_sides_changes_no_verdict_about_another(pair):
    old, new = pair
    alone = [table(first=schema) for schema in pair]
    both = [table(first=schema, second=closed(x=TEXT)) for schema in deepcopy(pair)]
    for schemas in (alone, both):
        for schema, part in zip(schemas, pair, strict=True):
            if isinstance(part, dict) and "$defs" in part:
                schema["$defs"] = part["$defs"]
    verdicts = [compare_or_skip(*schemas).is_compatible(Mode.CONSUMER) for schemas in (alone, both)]
    assert verdicts[0] == verdicts[1], (old, new)
