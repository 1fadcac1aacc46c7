"""Every proven break has a counterexample where the change is, found with bounded effort."""

import json

import pytest

from tessera_gql.diff import Certainty, Change, ChangeKind, Mode, compare
from tessera_gql.diff.changes import FINGERPRINT_VERSION
from tests.diff.schemas import INTEGER, TEXT


def compare_for_kind(old, new, kind):
    (change,) = [change for change in compare(old, new).changes if change.kind is kind]
    return change


@pytest.mark.parametrize(
    ("old", "new", "document"),
    [
        ({"properties": {"a": TEXT}}, {"properties": {"a": INTEGER}}, {"a": ""}),
        ({"items": {"items": {"maximum": 5}}}, {"items": {"items": {"maximum": 4}}}, [[5]]),
        ({"prefixItems": [{}, {"const": 1}]}, {"prefixItems": [{}, {"const": 2}]}, [None, 1]),
        ({"additionalProperties": TEXT}, {"additionalProperties": INTEGER}, {"other": ""}),
        ({"patternProperties": {"^x$": TEXT}}, {"patternProperties": {"^x$": INTEGER}}, {"x": ""}),
        ({"propertyNames": {"enum": ["a", "b"]}}, {"propertyNames": {"enum": ["a"]}}, {"b": None}),
        ({"minimum": 1}, {"exclusiveMinimum": 1}, 1),
        ({"exclusiveMaximum": 1}, {"maximum": 0}, 0.5),
        ({"multipleOf": 2, **INTEGER}, {"multipleOf": 4, **INTEGER}, 2),
        ({"pattern": "^a"}, {"pattern": "^ab"}, "a"),
        ({"pattern": "^a"}, {"pattern": "^b"}, "a"),
        ({**TEXT, "minLength": 1}, {**TEXT, "minLength": 2}, "a"),
        ({"maxItems": 2, "minItems": 2}, {"maxItems": 1}, [None, None]),
        ({"type": "array"}, {"type": "array", "uniqueItems": True}, [None, None]),
        ({"type": ["string", "null"]}, TEXT, None),
        ({"enum": [1, 2]}, {"enum": [1]}, 2),
        (
            {"type": "object", "properties": {"a": {}}},
            {"type": "object", "required": ["a"], "properties": {"a": {}}},
            {},
        ),
        ({"anyOf": [TEXT, {"const": 1}]}, {"anyOf": [TEXT]}, 1),
        (
            {"type": "array", "contains": {**INTEGER, "maximum": 5}},
            {"type": "array", "contains": {**INTEGER, "maximum": 4}},
            [5],
        ),
        ({"items": {"properties": {"x": TEXT}}}, {"items": {}}, [{"x": ""}]),
        ({"items": {"properties": {"x": TEXT}}}, {}, [{"x": ""}]),
    ],
)
def test_the_document_is_small_and_to_the_point(old, new, document):
    change = compare(old, new).breaking_changes(Mode.BACKWARD)[0]
    assert change.certainty is Certainty.PROVEN
    assert change.counterexample == document
    assert type(change.counterexample) is type(document)


@pytest.mark.parametrize(
    ("old", "new", "documents"),
    [
        (
            {"type": "array"},
            {"type": "array", "uniqueItems": True, "minItems": 1, "maxItems": 2},
            {"minItems": [], "maxItems": [None] * 3, "uniqueItems": [None, None]},
        ),
        (
            {"type": "object", "properties": {"a": {}}},
            {"type": "object", "properties": {"a": {}}, "additionalProperties": False, "minProperties": 1},
            {"additionalProperties": {"other": None}, "minProperties": {}},
        ),
        (
            {"type": "object"},
            {"type": "object", "minProperties": 1, "maxProperties": 2},
            {"minProperties": {}, "maxProperties": {"other": None, "other1": None, "other2": None}},
        ),
        (TEXT, {**TEXT, "minLength": 1, "maxLength": 2}, {"minLength": "", "maxLength": "aaa"}),
        (TEXT, {**TEXT, "maxLength": 2, "pattern": "^a*$"}, {"maxLength": "aaa", "pattern": "A"}),
        ({"enum": [1, 2]}, {"enum": [1], "minimum": 2}, {"minimum": 1, "enum": 2}),
        ({"type": ["string", "integer"]}, {**TEXT, "minLength": 1}, {"type": 0, "minLength": ""}),
        (
            {"type": "number"},
            {"type": "number", "multipleOf": 3, "exclusiveMinimum": 2.5, "exclusiveMaximum": 9},
            {"multipleOf": 1, "exclusiveMinimum": 2, "exclusiveMaximum": 9},
        ),
        (
            INTEGER,
            {**INTEGER, "multipleOf": 3, "minimum": 3, "maximum": 9},
            {"multipleOf": 1, "minimum": 2, "maximum": 10},
        ),
    ],
)
def test_each_counterexample_is_refused_by_the_changed_keyword(old, new, documents):
    found = {change.pointer.removeprefix("/"): change.counterexample for change in compare(old, new).changes}
    assert found == documents


def test_the_counterexample_of_a_forward_break_is_valid_under_the_new_schema():
    change = compare_for_kind({"enum": [1]}, {"enum": [1, 2]}, ChangeKind.ENUM_VALUES_ADDED)
    assert change.counterexample == 2


def test_a_closed_schema_is_refuted_by_an_undeclared_property():
    change = compare_for_kind(
        {"properties": {"a": {}}, "type": "object"},
        {"properties": {"a": {}}, "additionalProperties": False, "type": "object"},
        ChangeKind.CONSTRAINT_TIGHTENED,
    )
    assert set(change.counterexample) - {"a"}


def test_a_break_without_a_counterexample_is_unproven():
    change = compare_for_kind({"format": "date"}, {"format": "time"}, ChangeKind.FORMAT_CHANGED)
    assert (change.certainty, change.counterexample) == (Certainty.UNPROVEN, None)
    assert "counterexample" not in change.as_json()


def test_a_null_counterexample_is_not_stored_as_missing():
    change = compare({"type": ["string", "null"]}, TEXT).changes[0]
    record = json.loads(json.dumps(change.as_json()))
    assert record["counterexample"] is None
    assert Change.from_json(record).certainty is Certainty.PROVEN


def test_a_pattern_beyond_us_is_undecided_and_breaks():
    change = compare_for_kind(
        {"pattern": "(?=a)a"}, {"not": {"not": {"pattern": "(?=a)b"}}}, ChangeKind.CONSTRAINT_RELAXED
    )
    assert change.certainty is Certainty.UNPROVEN
    assert not compare({"pattern": "(?=a)a"}, {"pattern": "(?=a)b"}).is_compatible(Mode.BACKWARD)


def test_a_self_referential_schema_is_never_passed_to_the_validator():
    loop = {"anyOf": [{"$ref": "#"}, TEXT]}
    assert all(change.certainty is Certainty.UNPROVEN for change in compare(loop, {"type": "integer"}).changes)


def test_a_pattern_that_would_stall_a_backtracking_matcher_is_proven():
    old, new = {"enum": ["a" * 40 + "!"]}, {"type": "string", "pattern": "^(a+)+$"}
    assert all(change.certainty is Certainty.PROVEN for change in compare(old, new).breaking_changes(Mode.BACKWARD))


def test_a_thousand_breaks_cost_a_bounded_effort():
    def wide(kind):
        return {"type": "object", "properties": {f"c{n}": {"type": kind} for n in range(1_000)}}

    changes = compare(wide("string"), wide("integer")).changes
    assert len(changes) == 1_000
    proven = [change for change in changes if change.certainty is Certainty.PROVEN]
    assert 0 < len(proven) < 1_000
    assert len(json.dumps([change.as_json() for change in changes])) < 1_000_000


def test_a_counterexample_that_is_too_long_is_omitted():
    change = compare({"type": "string"}, {"type": "string", "maxLength": 30_000}).changes[0]
    assert change.certainty is Certainty.UNPROVEN


def test_equality_and_repr_of_changes_ignore_their_evidence():
    one, other = (compare({"enum": [1, 2]}, {"enum": [1]}) for _ in range(2))
    assert one == other
    assert "evidence" not in repr(one)


def test_json_records_contain_every_attribute():
    change = compare({"properties": {"a": {"enum": [1, 2]}}}, {"properties": {"a": {"enum": [1]}}}).changes[0]
    assert change.as_json() == {
        "kind": "ENUM_VALUES_REMOVED",
        "pointer": "/properties/a/enum",
        "path": "a",
        "fields": ["a"],
        "before": [2],
        "after": None,
        "breaks": ["BACKWARD", "FULL"],
        "certainty": "PROVEN",
        "message": "a: value was removed: 2.",
        "hint": "Keep 2 in the enum.",
        "hint_modes": ["BACKWARD", "FULL"],
        "fingerprint": change.fingerprint,
        "counterexample": {"a": 2},
    }
    version, _, digest = change.fingerprint.partition(":")
    assert (int(version), len(digest)) == (FINGERPRINT_VERSION, 16)
