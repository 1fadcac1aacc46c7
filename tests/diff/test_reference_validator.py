"""`jsonschema` confirms documents in bounded time, and gives no verdict if it fails or might not end."""

import asyncio

import pytest

from tessera_gql.diff import Certainty, Mode, compare
from tessera_gql.diff.report.reference_validator import ReferenceValidator
from tests.diff.engine import parse_schema
from tests.diff.schemas import INTEGER, NULL, TEXT, array, obj, table

STALLING = "^(a+)+$"


def accepts(schema, value):
    return ReferenceValidator(parse_schema(schema)).accepts(value)


@pytest.mark.parametrize(
    ("schema", "accepted", "refused"),
    [
        (TEXT, "a", 1),
        ({**TEXT, "nullable": True}, None, 1),
        ({"type": ["string"], "nullable": True}, None, 1),
        ({"type": ["string", "null"], "nullable": True}, None, 1),
        ({"anyOf": [{**TEXT, "nullable": True}]}, None, 1),
        ({**TEXT, "nullable": False}, "a", None),
        ({"nullable": True, "enum": ["a"]}, "a", None),
        (obj(properties={"a": {**TEXT, "nullable": True}}), {"a": None}, {"a": 1}),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "maximum": 1, "exclusiveMaximum": True}, 0, 1),
        ({"maximum": 1, "exclusiveMaximum": True, "not": {"const": 5}}, 0, 1),
        (
            {
                "items": [TEXT, INTEGER],
                "additionalItems": False,
                "contains": {"const": 5},
                "not": {"prefixItems": [NULL]},
            },
            ["a", 5],
            ["a", 5, 5],
        ),
        (
            {**obj(properties={"const": {**TEXT, "nullable": True}}), "required": ["const"]},
            {"const": None},
            {"const": 1},
        ),
        (
            {"const": {"type": "a", "nullable": True, "items": [1]}, "not": {**TEXT, "nullable": True}},
            {"type": "a", "nullable": True, "items": [1]},
            {"type": ["a", "null"], "nullable": True, "prefixItems": [1], "items": True},
        ),
        ({"$ref": "#/components/a", "components": {"a": {**TEXT, "nullable": True}}}, None, 1),
        (True, 1, "none refused"),
        (False, "none accepted", 1),
    ],
)
def test_documents_are_validated_by_the_draft_and_nullable_as_a_type(schema, accepted, refused):
    assert accepts(schema, accepted) is (schema is not False)
    assert accepts(schema, refused) is (schema is True)


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": STALLING},
        {"allOf": [{"pattern": STALLING}]},
        {"patternProperties": {STALLING: False}},
        {"patternProperties": {"^b*$": True, "^(c+)+$": True}, "additionalProperties": False},
        {"pattern": "^(" + "(a)|" * 30 + ")*b$"},
        {"pattern": "^(a?){400}a{400}0$"},
    ],
)
def test_a_pattern_that_makes_a_backtracking_matcher_stall_is_matched_or_left_unanswered(schema):
    text = "a" * 10_000 + "!"
    assert accepts(schema, text) in (False, None, True)
    assert accepts(schema, {text: 1}) in (False, None, True)


@pytest.mark.parametrize(
    ("pattern", "accepted", "refused"),
    [
        ("^(a+)+$", "a" * 10_000, "a" * 10_000 + "!"),
        ("^\\u0061$", "a", "u0061"),
        ("^\\\\u0061$", "\\u0061", "a"),
        ("^a$", "a", "a\n"),
        ("^[^/]+\\/v\\d$", "a/v1", "a/v"),
    ],
)
def test_patterns_are_matched_as_the_specification_says(pattern, accepted, refused):
    assert accepts({"pattern": pattern}, accepted) is True
    assert accepts({"pattern": pattern}, refused) is False


def test_patterns_that_the_linear_engine_cannot_read_are_not_confirmed():
    assert accepts({"pattern": "(?=a)"}, "a") is None
    assert accepts({"pattern": "(a)\\1"}, "aa") is None
    assert accepts({"pattern": "(a{1000}){1000}"}, "aa") is None


def test_names_are_matched_by_the_linear_engine_too():
    schema = {"properties": {"a": TEXT}, "patternProperties": {"^x-": TEXT}, "additionalProperties": False}
    assert accepts(schema, {"a": "", "x-b": ""}) is True
    assert accepts(schema, {"x-b": 1}) is False
    assert accepts(schema, {"b": ""}) is False
    assert accepts({**schema, "unevaluatedProperties": False}, {"a": ""}) is None


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_references_that_double_sixty_times_get_no_verdict(keyword):
    steps = {f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
    schema = {"$ref": "#/$defs/d0", "$defs": {**steps, "d60": {"type": "string", "minLength": 1}}}
    assert accepts(schema, 1 if keyword == "anyOf" else "") in (None, False)
    assert accepts(schema, "a") in (None, True, False)


@pytest.mark.parametrize("value", [float("inf"), [float("nan")], {"a": [1, float("-inf")]}])
def test_infinity_and_nan_are_never_counterexamples(value):
    assert accepts(True, value) is None


def test_a_self_referential_schema_gets_no_verdict():
    assert accepts({"anyOf": [{"$ref": "#"}, TEXT]}, "a") is None
    assert accepts(array(items={"$ref": "#"}), [[]]) is True


class Broken:
    def __init__(self, error):
        self.error = error

    def is_valid(self, _):
        raise self.error


def test_a_failing_validator_gives_no_verdict_and_interrupts_are_raised():
    judge = ReferenceValidator(parse_schema(TEXT))
    for error in (ValueError(), RecursionError(), type("PanicException", (BaseException,), {})()):
        judge.validator = Broken(error)
        assert judge.accepts("a") is None
    for interrupt in (KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit):
        judge.validator = Broken(interrupt())
        with pytest.raises(interrupt):
            judge.accepts("a")


@pytest.mark.parametrize("old", [{**TEXT, "nullable": True}, {"type": ["string"], "nullable": True}])
def test_null_that_is_no_longer_allowed_is_shown(old):
    (change,) = compare(old, TEXT).changes
    assert (change.certainty, change.counterexample) == (Certainty.PROVEN, None)
    (widened,) = compare(TEXT, old).breaking_changes(Mode.FORWARD)
    assert (widened.certainty, widened.counterexample) == (Certainty.PROVEN, None)
    assert compare(old, {"anyOf": [TEXT, NULL]}).changes == ()
    assert not compare(old, INTEGER).is_compatible(Mode.BACKWARD)


def test_confirming_a_document_spends_the_budget_of_the_comparison():
    validator = ReferenceValidator(parse_schema(array(items=table(a=TEXT, b=INTEGER))))
    budget = validator.root.cache.budget
    fuel = budget.fuel
    assert validator.accepts([{"a": "x", "b": 1}] * 500)
    assert budget.fuel < fuel
