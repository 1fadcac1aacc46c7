"""Laws that hold for every pair of schemas; `TESSERA_FUZZ=long` tries more than twenty thousand pairs."""

import json
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tessera_gql.diff import Certainty, Change, ChangeKind, Mode, SchemaError, check, compare, list_fields
from tests.diff.generators import boundary_documents, law, pairs, schemas, values
from tests.diff.oracle import asks_itself, is_declared, is_valid
from tests.diff.projecting import accepts_visible

KEYWORDS = (
    "$ref",
    "$id",
    "$schema",
    "type",
    "properties",
    "items",
    "enum",
    "allOf",
    "required",
    "pattern",
    "$defs",
    "if",
)


def compare_or_skip(old: Any, new: Any):
    try:
        return compare(old, new)
    except SchemaError:
        assume(False)
        raise


@law(2_000)
@given(schemas)
def test_a_schema_does_not_differ_from_itself(schema):
    assert compare_or_skip(schema, deepcopy(schema)).changes == ()


@law(3_000)
@given(pairs())
def test_backward_compatibility_is_forward_compatibility_of_the_swapped_schemas(pair):
    old, new = pair
    there, back = compare_or_skip(old, new), compare_or_skip(new, old)
    assert there.is_compatible(Mode.BACKWARD) == back.is_compatible(Mode.FORWARD)
    assert there.is_compatible(Mode.FORWARD) == back.is_compatible(Mode.BACKWARD)
    assert there.is_compatible(Mode.FULL) == back.is_compatible(Mode.FULL)


@law(1_000)
@given(pairs())
def test_full_implies_both_and_none_allows_everything(pair):
    diff = compare_or_skip(*pair)
    for change in diff.changes:
        assert Mode.NONE not in change.breaks
        assert Mode.FULL in change.breaks or not change.breaks
    assert diff.is_compatible(Mode.NONE)


@law(12_000, 40)
@given(pairs())
def test_no_document_refutes_a_compatible(pair):
    old, new = pair
    diff = compare_or_skip(old, new)
    for mode, given_by, taken_by in ((Mode.BACKWARD, old, new), (Mode.FORWARD, new, old)):
        if not diff.is_compatible(mode):
            continue
        for document in boundary_documents(old, new):
            if is_valid(given_by, document) and is_valid(taken_by, document) is False:
                assert not is_declared(given_by, given_by, document), (mode, document)


@law(3_000)
@given(pairs())
def test_a_proven_break_carries_a_document_that_shows_it(pair):
    old, new = pair
    for change in compare_or_skip(old, new).changes:
        if change.certainty is Certainty.UNPROVEN:
            continue
        assert change.breaks
        is_backward = Mode.BACKWARD in change.breaks
        accepting, refusing = (old, new) if is_backward else (new, old)
        document = change.counterexample
        assert is_valid(accepting, document) is True
        accepts = is_valid if change.breaks & {Mode.BACKWARD, Mode.FORWARD} else accepts_visible
        if change.kind not in BY_RULE:
            assert accepts(refusing, document) is False


BY_RULE = {
    ChangeKind.PROPERTY_ADDED,
    ChangeKind.PROPERTY_REMOVED,
    ChangeKind.PROPERTY_RENAMED,
    ChangeKind.DEFAULT_ADDED,
    ChangeKind.DEFAULT_REMOVED,
    ChangeKind.DEFAULT_CHANGED,
}


@law(1_000)
@given(pairs())
def test_changes_survive_storing_and_come_in_a_stable_order(pair):
    old, new = pair
    changes = compare_or_skip(old, new).changes
    again = compare_or_skip(_shuffled(old), _shuffled(new)).changes
    assert [change.fingerprint for change in changes] == [change.fingerprint for change in again]
    assert sorted(changes, key=lambda change: (change.pointer, change.kind.value, change.path)) == list(changes)
    for change in changes:
        stored = Change.from_json(json.loads(json.dumps(change.as_json())))
        assert stored == change
        assert stored.as_json() == change.as_json()


def _shuffled(value: Any) -> Any:
    """The same JSON with the keys of every object in reverse order."""
    match value:
        case dict():
            return {key: _shuffled(value[key]) for key in reversed(value)}
        case list():
            return [_shuffled(item) for item in value]
        case _:
            return value


@law(2_000)
@given(schemas, st.integers(0, 6))
def test_rewriting_without_changing_the_meaning_changes_nothing(schema, rewrite_number):
    assume(isinstance(schema, dict) and not asks_itself(schema))
    rewritten = REWRITES[rewrite_number](deepcopy(schema))
    changes = compare_or_skip(schema, rewritten).changes
    assert all(change.kind is ChangeKind.ANNOTATION_CHANGED for change in changes), changes


def _rewrite_subschemas(schema: Any, rewrite: Any) -> Any:
    """Rewrite every subschema but no data."""
    if not isinstance(schema, dict):
        return schema
    rewritten: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in ("properties", "patternProperties", "dependentSchemas", "$defs"):
            rewritten[keyword] = {name: _rewrite_subschemas(subschema, rewrite) for name, subschema in value.items()}
        elif keyword in ("allOf", "anyOf", "oneOf", "prefixItems"):
            rewritten[keyword] = [_rewrite_subschemas(subschema, rewrite) for subschema in value]
        elif keyword in ("items", "contains", "not", "if", "then", "else", "additionalProperties", "propertyNames"):
            rewritten[keyword] = _rewrite_subschemas(value, rewrite)
        else:
            rewritten[keyword] = value
    return rewrite(rewritten)


def _listed_type(schema: Any) -> Any:
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"]]
    return schema


def _free_limits(schema: Any) -> Any:
    for keyword in ("minLength", "minItems", "minProperties"):
        schema.setdefault(keyword, 0)
    return schema


def _const_as_enum(schema: Any) -> Any:
    if "const" in schema and "enum" not in schema:
        schema["enum"] = [schema.pop("const")]
    return schema


def _extracted(schema: Any) -> Any:
    """Move every property into its own definition."""
    defs = schema.get("$defs", {})
    properties = schema.get("properties", {})
    for name, subschema in list(properties.items()):
        defs[f"of_{name}"] = subschema
        properties[name] = {"$ref": f"#/$defs/of_{name}"}
    return {**schema, "$defs": defs}


def _null_as_choice(schema: Any) -> Any:
    kind = schema.get("type")
    if schema.keys() == {"type"} and isinstance(kind, list) and len(kind) == 2 and "null" in kind:
        return {"anyOf": [{"type": next(name for name in kind if name != "null")}, {"type": "null"}]}
    return schema


REWRITES = (
    _shuffled,
    lambda schema: _rewrite_subschemas(schema, _listed_type),
    lambda schema: _rewrite_subschemas(schema, _free_limits),
    lambda schema: _rewrite_subschemas(schema, _const_as_enum),
    _extracted,
    lambda schema: _rewrite_subschemas(schema, _null_as_choice),
    lambda schema: {**schema, "title": "another"},
)


@law(2_000)
@given(values | st.recursive(values, lambda inner: st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=4)))
def test_any_json_value_gets_an_answer_or_a_refusal(value):
    for work in (
        check,
        list_fields,
        lambda schema: compare(schema, {"type": "string"}),
        lambda schema: compare(True, schema),
    ):
        with suppress(SchemaError):
            work(value)


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}, {"anyOf": [{"$ref": "#"}, True]}])
def test_a_schema_that_only_references_itself_is_compared(schema):
    assert compare(schema, {"type": "string"}).changes
    assert not compare(schema, deepcopy(schema)).changes
