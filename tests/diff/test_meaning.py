"""Schemas that differ in annotations, names of definitions or the order of keys have the same meaning."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tessera_gql.diff import Mode, SchemaError, compare
from tessera_gql.diff.read import refinement
from tessera_gql.diff.read.documents import read
from tessera_gql.diff.read.guard import Identities
from tessera_gql.diff.read.schema import NodeCache, Schema
from tests.diff.generators import law, schemas
from tests.diff.schemas import DRAFT_4, DRAFT_7, DRAFT_2019, DRAFT_2020, INTEGER, NUMBER, TEXT, array, obj, table

LABELLED = {"title": "t", "description": "d", "$comment": "c", "examples": [1], "x-owner": "me", "readOnly": True}


def parse_both(old: Any, new: Any) -> tuple[Schema, Schema]:
    identities = Identities()
    left, right = (read(schema, identities) for schema in (old, new))
    nodes = NodeCache(left, right)
    return nodes.root(left), nodes.root(right)


def means_the_same(old: Any, new: Any) -> bool:
    left, right = parse_both(old, new)
    return left.key == right.key


def linked(*definitions: Any, **keywords: Any) -> Any:
    """A schema whose definitions are called d0, d1 and so on, with a reference to the first."""
    return {"$ref": "#/$defs/d0", "$defs": {f"d{n}": schema for n, schema in enumerate(definitions)}, **keywords}


def link(number: int) -> Any:
    return {"$ref": f"#/$defs/d{number}"}


def cycle(length: int, **last: Any) -> Any:
    """Lists in lists in a cycle of definitions; `last` are keywords of the last one."""
    lists = [array(items=link((number + 1) % length)) for number in range(length)]
    return linked(*lists[:-1], {**lists[-1], **last})


ONE_OF_REFERENCES = obj(properties={"a": {"oneOf": [link(1), link(2)]}})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TEXT, {**TEXT, **LABELLED}),
        (table(a=TEXT), {"properties": {"a": {**TEXT, **LABELLED}}, "type": "object", "title": "t"}),
        ({"anyOf": [TEXT, INTEGER]}, {"anyOf": [{**INTEGER, "title": "t"}, TEXT]}),
        ({"oneOf": [TEXT, INTEGER]}, {"oneOf": [INTEGER, {**TEXT, "default": "x"}]}),
        ({"allOf": [TEXT, {"minLength": 1}]}, {"allOf": [{"minLength": 1}, TEXT, TEXT]}),
        ({"enum": [1, "a"]}, {"enum": ["a", 1.0]}),
        ({"const": 1}, {"enum": [1]}),
        ({"type": ["string", "null"]}, {"type": ["null", "string"]}),
        ({"type": ["number", "integer"]}, NUMBER),
        (obj(required=["a", "b"]), obj(required=["b", "a"])),
        (linked(TEXT), TEXT),
        (linked(TEXT), {"$ref": "#/$defs/other", "$defs": {"other": TEXT, "unused": INTEGER}}),
        (linked(TEXT), {"$id": "urn:example:one", "$anchor": "a", **linked(TEXT)}),
        ({"allOf": [link(0)], "$defs": {"d0": TEXT}}, TEXT),
        (linked(ONE_OF_REFERENCES, TEXT, INTEGER), linked(ONE_OF_REFERENCES, TEXT, {**INTEGER, "title": "t"})),
        (linked(table(next=link(0))), linked(table(next={**link(0), "title": "t"}))),
        (cycle(1), cycle(3)),
        (cycle(2), linked(array(items=array(items=link(1))), array(items=link(0)))),
        ({**DRAFT_7, **TEXT}, {**DRAFT_2020, **TEXT}),
        ({**DRAFT_7, "items": [TEXT], "additionalItems": False}, {**DRAFT_2020, "prefixItems": [TEXT], "items": False}),
        ({**DRAFT_7, "dependencies": {"a": ["b"]}}, {**DRAFT_2020, "dependentRequired": {"a": ["b"]}}),
        ({**DRAFT_7, "$ref": "#/definitions/a", "maxLength": 1, "definitions": {"a": TEXT}}, TEXT),
        ({"$ref": "#", "title": "t"}, {"$ref": "#", "title": "u"}),
    ],
)
def test_schemas_mean_the_same(old, new):
    assert means_the_same(old, new)
    assert all(compare(old, new).is_compatible(mode) for mode in Mode if "default" not in str(new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TEXT, INTEGER),
        (table(a=True), table(a={}, b={})),
        (table(a=True), obj()),
        ({"enum": [1]}, {"enum": [True]}),
        ({"enum": ["1"]}, {"enum": [1]}),
        ({"oneOf": [TEXT]}, {"oneOf": [TEXT, TEXT]}),
        (array(prefixItems=[TEXT, INTEGER]), array(prefixItems=[INTEGER, TEXT])),
        (table(a=TEXT, b=INTEGER), table(a=INTEGER, b=TEXT)),
        ({"if": TEXT, "then": INTEGER}, {"if": TEXT, "else": INTEGER}),
        (cycle(2), cycle(2, maxItems=1)),
        (cycle(2, maxItems=1), cycle(3, maxItems=1)),
        (linked(table(a=link(1)), table(a=link(0))), linked(table(a=link(1)), table(b=link(0)))),
        ({**DRAFT_4, **INTEGER}, {**DRAFT_7, **INTEGER}),
        ({**DRAFT_4, "exclusiveMinimum": True, "minimum": 1}, {**DRAFT_7, "exclusiveMinimum": 1, "minimum": 1}),
        ({**DRAFT_2019, "contains": TEXT, "unevaluatedItems": False}, {"contains": TEXT, "unevaluatedItems": False}),
        ({**TEXT, "nullable": True}, TEXT),
    ],
)
def test_schemas_differ_in_meaning(old, new):
    assert not means_the_same(old, new)


def test_a_reference_with_a_dynamic_target_equals_nothing():
    definitions = {name: {"$id": name, "$dynamicAnchor": "a", **TEXT} for name in ("x", "y")}
    dynamic = {"items": {"$dynamicRef": "x#a"}, "$defs": definitions}
    left, right = parse_both(dynamic, {**dynamic, "minItems": 0})
    items = (left.child("items"), right.child("items"))
    assert left.key != right.key
    assert items[0] is not None
    assert items[1] is not None
    assert items[0].key != items[1].key


@pytest.mark.parametrize(
    ("edit", "holds"),
    [
        ({"title": "t", "x-owner": "me"}, True),
        ({"items": {"$dynamicRef": "x#a", "title": "t"}}, True),
        ({"additionalProperties": {"type": "integer", "title": "t"}}, True),
        ({"additionalProperties": {"type": "number"}}, False),
        ({"items": {"$dynamicRef": "y#a"}}, False),
        ({"minItems": 1}, False),
        ({"prefixItems": [{"title": "t"}]}, False),
    ],
)
def test_documents_with_dynamic_references_are_equal_if_annotations_alone_differ(edit, holds):
    definitions = {name: {"$id": name, "$dynamicAnchor": "a", **TEXT} for name in ("x", "y")}
    dynamic = {"items": {"$dynamicRef": "x#a"}, "additionalProperties": INTEGER, "$defs": definitions}
    new = {**dynamic, **edit}
    assert means_the_same(dynamic, new) == holds
    assert compare(dynamic, new).is_compatible(Mode.BACKWARD) == holds


@pytest.mark.parametrize(
    ("keyword", "pointer", "wrap"),
    [
        ("x-types", "#/x-types/a", lambda schema: {"a": schema}),
        ("examples", "#/examples/0", lambda schema: [schema]),
        ("default", "#/default", lambda schema: schema),
    ],
)
def test_documents_with_dynamic_references_differ_if_the_target_in_an_annotation_does(keyword, pointer, wrap):
    definitions = {name: {"$id": name, "$dynamicAnchor": "a", **TEXT} for name in ("x", "y")}
    dynamic = {"properties": {"d": {"$dynamicRef": "x#a"}, "e": {"$ref": pointer}}, "$defs": definitions}
    old, new = ({**dynamic, keyword: wrap(schema)} for schema in (TEXT, INTEGER))
    assert not means_the_same(old, new)
    assert not compare(old, new).is_compatible(Mode.BACKWARD)
    assert means_the_same(old, {**dynamic, keyword: wrap({**TEXT, "title": "t"})})


def test_a_refinement_without_effort_leaves_every_schema_on_a_cycle_unequal(monkeypatch):
    monkeypatch.setattr(refinement, "MAX_EFFORT", 3)
    assert not means_the_same(cycle(3), {**cycle(3), "title": "t"})


def test_an_annotation_in_an_alternative_of_the_same_meaning_is_listed():
    def schema(title):
        return {**linked({"anyOf": [link(1), INTEGER]}, {**table(a=TEXT), "title": title})}

    (change,) = compare(schema("one"), schema("two")).changes
    assert (change.pointer, change.before, change.after, change.breaks) == ("/$defs/d1/title", "one", "two", set())


def test_alternatives_that_differ_in_annotations_alone_are_compared_in_order():
    old = {"anyOf": [{**TEXT, "format": "date"}, {**TEXT, "format": "time"}]}
    assert compare(old, {**old, "$id": "urn:example:new"}).changes == ()


def test_an_annotation_of_the_alternative_null_is_no_other_change():
    old = {"anyOf": [{**INTEGER, "format": "int32"}, {"type": "null"}]}
    changes = compare(old, {"anyOf": [old["anyOf"][0], {"type": "null", "description": "absent"}]}).changes
    assert not [change for change in changes if change.breaks]


@st.composite
def annotated(draw: st.DrawFn, schema: Any) -> Any:
    """The schema with annotations at random subschemas, keys in another order, and other identifiers."""
    if not isinstance(schema, dict):
        return schema
    result: dict[str, Any] = {}
    for keyword in draw(st.permutations(sorted(schema))):
        value = schema[keyword]
        if keyword in ("properties", "patternProperties", "dependentSchemas", "$defs"):
            result[keyword] = {name: draw(annotated(value[name])) for name in draw(st.permutations(sorted(value)))}
        elif keyword in ("allOf", "anyOf", "oneOf", "prefixItems"):
            result[keyword] = [draw(annotated(item)) for item in value]
        elif isinstance(value, dict) and keyword != "const" and not keyword.startswith("dependent"):
            result[keyword] = draw(annotated(value))
        else:
            result[keyword] = value
    label = draw(st.sampled_from(sorted(LABELLED)))
    return {label: LABELLED[label], **result} if draw(st.booleans()) else result


def renamed(schema: Any) -> Any:
    """The schema with another name for its definition."""
    if isinstance(schema, list):
        return [renamed(item) for item in schema]
    if not isinstance(schema, dict):
        return "#/$defs/common" if schema == "#/$defs/shared" else schema
    return {"common" if key == "shared" else key: renamed(item) for key, item in schema.items()}


@law(3_000, 60)
@given(st.data(), schemas)
def test_annotations_key_order_identifiers_and_names_of_definitions_never_break(data, schema):
    assume(isinstance(schema, dict))
    new = {**renamed(deepcopy(data.draw(annotated(schema)))), "$id": "urn:example:new"}
    try:
        diff = compare(schema, new)
    except SchemaError:
        assume(False)
        raise
    assert not [change for change in diff.changes if change.breaks]
    assert means_the_same(schema, new)
