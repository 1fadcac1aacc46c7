"""The program that checks verdicts with other validators detects wrong verdicts, and accepts right ones."""

from random import Random
from typing import Any

import pytest
from jsonschema import validators as jsonschema_validators

from bench._produced_documents import Ambiguous, DeclaredProperties
from bench._schema_edits import edit_schema
from bench._schema_grammar import DRAFTS, DocumentGrammar, SchemaGrammar
from bench._validators import ExternalValidator, find_jsonschema
from bench.second_validators import Pair, Results, check_batch, generate_pairs, meets_defect_of_ajv, run
from tessera_gql.diff import Certainty, Change, ChangeKind, Mode, SchemaDiff, check, compare
from tessera_gql.diff.changes import ChangeEvidence
from tests.diff.schemas import INTEGER, NUMBER, TEXT, array, obj, table

NEWEST = DRAFTS[-1]


@pytest.fixture(scope="module")
def validator() -> ExternalValidator:
    return find_jsonschema()


@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: f"draft {draft.number}")
def test_generated_schemas_and_their_edits_are_valid_and_within_the_limits(draft) -> None:
    for seed in range(60):
        random = Random(seed)
        grammar = SchemaGrammar(random, draft)
        schema = grammar.root()
        edited = edit_schema(random, grammar, schema)
        for generated in (schema, edited):
            jsonschema_validators.validator_for(generated).check_schema(generated)
            check(generated)


def test_generated_documents_often_satisfy_their_schema() -> None:
    valid = 0
    for seed in range(100):
        random = Random(seed)
        schema = SchemaGrammar(random, NEWEST).root()
        document = DocumentGrammar(random, schema).document()
        valid += jsonschema_validators.Draft202012Validator(schema).is_valid(document)
    assert valid >= 30


def test_the_same_seed_generates_the_same_schemas_and_documents() -> None:
    first, second = ([*generate_pairs(7, 30, Results())] for _ in range(2))
    assert [(pair.old, pair.new, pair.samples) for pair in first] == [
        (pair.old, pair.new, pair.samples) for pair in second
    ]


def test_the_verdicts_of_the_engine_pass(validator: ExternalValidator) -> None:
    results = run(1, 100, [validator])
    assert results.examples == []
    assert results.counts["confirmed by jsonschema"] == results.counts["counterexamples"] > 50


def checked(old: Any, new: Any, diff: SchemaDiff, validator: ExternalValidator, *documents: Any) -> Results:
    """Check a verdict that may be wrong, with documents that a producer of both schemas writes."""
    indexes = [*range(len(documents))]
    produced = {Mode.BACKWARD: indexes, Mode.FORWARD: indexes}
    pair = Pair(NEWEST, old, new, diff, [*documents], {index: index for index in indexes}, produced)
    results = Results()
    check_batch([pair], [validator], results)
    return results


def test_a_document_that_refutes_a_compatible_is_a_failure(validator: ExternalValidator) -> None:
    results = checked(table(a=INTEGER), table(a=NUMBER), SchemaDiff(()), validator, {"a": 0.5})
    assert {label for label in results.counts if label.startswith("FAILED")} == {
        "FAILED: a document refutes FORWARD",
        "FAILED: a document refutes CONSUMER",
    }


def test_no_document_refutes_a_verdict_of_incompatible(validator: ExternalValidator) -> None:
    old, new = table(a=TEXT), table(a=INTEGER)
    assert not checked(old, new, compare(old, new), validator, {"a": 1}, {"a": "x"}).has_failed


def test_a_declared_field_that_disappears_is_a_failure(validator: ExternalValidator) -> None:
    old, new = table(lines=array(items=table(sku=TEXT, price=NUMBER))), table(lines=array(items=table(sku=TEXT)))
    assert [*checked(old, new, SchemaDiff(()), validator).counts].count(
        "FAILED: a declared field refutes CONSUMER"
    ) == 1


def test_a_counterexample_that_both_schemas_accept_is_a_failure(validator: ExternalValidator) -> None:
    old, new = table(a=INTEGER), table(a=NUMBER)
    evidence = ChangeEvidence(Certainty.PROVEN, {"a": 1})
    breaks = frozenset({Mode.FORWARD, Mode.FULL, Mode.CONSUMER})
    change = Change(ChangeKind.TYPE_WIDENED, "", "a", ("a",), None, None, breaks, "", lambda: evidence)
    results = checked(old, new, SchemaDiff((change,)), validator)
    assert results.counts["FAILED: jsonschema doesn't confirm a counterexample"] == 1


ADDRESS = table(street=TEXT)
DECLARED = DeclaredProperties(
    table(address={"$ref": "#/$defs/Address"}, lines=array(items=table(sku=TEXT))) | {"$defs": {"Address": ADDRESS}},
    NEWEST,
)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"address": {"street": "a"}}, True),
        ({"address": {"street": "a", "zip": "1"}}, False),
        ({"lines": [{"sku": "a"}, {}]}, True),
        ({"lines": [{"sku": "a"}, {"price": 1}]}, False),
        ({"note": 1}, False),
        (1, True),
    ],
)
def test_a_producer_writes_only_declared_properties(document: Any, expected: bool) -> None:
    assert DECLARED.is_produced(document) is expected


def test_a_reader_sees_only_declared_properties() -> None:
    document = {"address": {"street": "a", "zip": "1"}, "lines": [{"sku": "a", "price": 1}], "note": 1}
    assert DECLARED.project(document) == {"address": {"street": "a"}, "lines": [{"sku": "a"}]}


@pytest.mark.parametrize(
    "schema",
    [
        {**table(a=TEXT), "additionalProperties": TEXT},
        {**table(a=TEXT), "patternProperties": {"^b": TEXT}},
        {**table(a=TEXT), "required": ["b"]},
        {**table(a=TEXT), "minProperties": 2},
        obj(additionalProperties=False),
        obj(propertyNames={"maxLength": 1}),
    ],
)
def test_a_rule_for_undeclared_properties_makes_the_view_of_a_reader_ambiguous(schema: Any) -> None:
    with pytest.raises(Ambiguous):
        DeclaredProperties(schema, NEWEST).project({"a": "x", "b": "y"})


@pytest.mark.parametrize("rule", [{"uniqueItems": True}, {"enum": [[{"a": "x"}]]}, {"not": {"minItems": 2}}])
def test_a_rule_for_whole_values_makes_the_view_of_a_reader_ambiguous(rule: Any) -> None:
    declared = DeclaredProperties({**array(items=table(a=TEXT)), **rule}, NEWEST)
    assert declared.project([{"a": "x"}]) == [{"a": "x"}]
    with pytest.raises(Ambiguous):
        declared.project([{"a": "x", "b": "y"}])


@pytest.mark.parametrize("schema", [obj(), obj(additionalProperties=TEXT)])
def test_a_reader_of_a_map_sees_all_its_keys(schema: Any) -> None:
    assert DeclaredProperties(schema, NEWEST).project({"a": "x"}) == {"a": "x"}


@pytest.mark.parametrize(
    ("number", "document", "expected"), [(4, {"a": [1.0]}, True), (4, 1.5, False), (7, 1.0, False)]
)
def test_a_document_that_javascript_reads_as_another_one_is_not_shown_to_ajv(number, document, expected) -> None:
    draft = next(draft for draft in DRAFTS if draft.number == number)
    assert meets_defect_of_ajv(Pair(draft, {}, {}, SchemaDiff(())), document) is expected
