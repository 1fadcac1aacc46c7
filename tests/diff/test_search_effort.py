"""The effort of a search is measured in fuel, and a search without fuel proves nothing."""

import cProfile
import pstats

import pytest

from tessera_gql.diff import Certainty, Mode, compare
from tessera_gql.diff.budget import Budget
from tessera_gql.diff.prove.constraints import Literal, NoWitness, Witness
from tessera_gql.diff.prove.solver import Solver
from tessera_gql.diff.read.documents import read
from tessera_gql.diff.read.guard import Identities
from tessera_gql.diff.read.schema import NodeCache
from tests.diff.engine import find_witness
from tests.diff.generators import IS_LONG
from tests.diff.hostile import PAIRS
from tests.diff.oracle import is_valid
from tests.diff.schemas import INTEGER, NUMBER, TEXT


def parse_literals(old, new):
    identities, nodes = Identities(), NodeCache()
    left, right = (nodes.root(read(raw, identities)) for raw in (old, new))
    return [Literal(left, holds=True), Literal(right, holds=False)]


MAX_CALLS = 10_000_000
"""Calls of functions in the comparison and the evidence of a hostile pair; about a second."""
HOSTILE = [*PAIRS] if IS_LONG else [*PAIRS][::4]
"""All hostile pairs with TESSERA_FUZZ=long, which `make prove` sets, and a quarter of them otherwise."""
BETWEEN = {"minLength": 1, "maxLength": 5}
CASES = [
    (False, TEXT, 0, NoWitness.EMPTY),
    (TEXT, True, 0, NoWitness.EMPTY),
    (TEXT, {"title": "any"}, 1, NoWitness.EMPTY),
    (TEXT, TEXT, 0, NoWitness.EMPTY),
    ({**TEXT, "title": "one"}, {**TEXT, "title": "other"}, 0, NoWitness.EMPTY),
    ({"$ref": "#/$defs/a", "$defs": {"a": TEXT}}, TEXT, 0, NoWitness.EMPTY),
    (INTEGER, NUMBER, 1, NoWitness.EMPTY),
    ({**TEXT, "minLength": 1}, TEXT, 1, NoWitness.EMPTY),
    (TEXT, {**TEXT, "minLength": 0}, 2, NoWitness.EMPTY),
    (TEXT, {"pattern": "^a"}, 3, Witness("")),
    ({"oneOf": [TEXT, INTEGER]}, {"type": ["string", "number"]}, 3, NoWitness.EMPTY),
    ({"type": "array", "items": INTEGER}, {"items": NUMBER}, 6, NoWitness.EMPTY),
    ({"type": "array", "items": INTEGER}, {"items": {**NUMBER, "minimum": 0}}, 8, Witness([-1])),
    ({"type": "object", "properties": {"a": INTEGER}}, {"properties": {"a": TEXT}}, 5, Witness({"a": 0})),
    ({"anyOf": [TEXT, INTEGER]}, {"anyOf": [TEXT, NUMBER]}, 8, NoWitness.EMPTY),
    ({**TEXT, "dependentRequired": {"a": ["b"]}}, {"minLength": 1}, 3, Witness("")),
    ({**TEXT, "minLength": 3, "anyOf": [{"maxLength": 4}, {"maxLength": 5}]}, BETWEEN, 5, NoWitness.EMPTY),
    ({**TEXT, "minLength": 3}, {"anyOf": [BETWEEN, {"minLength": 2, "maxLength": 6}]}, 5, Witness("aaaaaaa")),
    ({"type": "array", "items": INTEGER}, {"maxItems": 2, "items": NUMBER}, 5, Witness([0, 0, 0])),
    ({"type": "array", "items": INTEGER}, {"anyOf": [{"items": NUMBER}, {"items": TEXT}]}, 8, NoWitness.EMPTY),
    (
        {"type": "object", "properties": {"a": INTEGER, "b": INTEGER}},
        {"allOf": [{"properties": {"a": TEXT}}], "properties": {"b": NUMBER}},
        7,
        Witness({"a": 0}),
    ),
]


@pytest.mark.parametrize(("old", "new", "cost", "answer"), CASES)
def test_each_query_and_each_branch_costs_one_unit_of_fuel(old, new, cost, answer):
    assert [Solver(Budget(fuel)).find(parse_literals(old, new)) for fuel in range(cost)] == [NoWitness.UNKNOWN] * cost
    assert Solver(Budget(cost)).find(parse_literals(old, new)) == answer


@pytest.mark.parametrize(("old", "new", "cost", "answer"), CASES)
def test_a_query_abandoned_without_fuel_is_searched_again_with_more(old, new, cost, answer):
    for fuel in range(cost):
        solver, question = Solver(Budget(fuel)), parse_literals(old, new)
        assert solver.find(question) is NoWitness.UNKNOWN
        solver.budget.fuel = 20
        assert solver.find(question) == answer


@pytest.mark.parametrize(("old", "new", "cost", "answer"), CASES)
def test_a_repeated_query_costs_no_fuel(old, new, cost, answer):
    solver, question = Solver(Budget(cost)), parse_literals(old, new)
    assert solver.find(question) == answer
    assert solver.budget.fuel == 0
    assert solver.find(question) == answer
    assert solver.find(reversed(question)) == answer


def test_a_proof_about_a_part_is_kept_although_the_whole_is_refuted():
    old, new = ({"properties": {"a": first, "b": second}} for first, second in ((INTEGER, INTEGER), (NUMBER, TEXT)))
    (accepting, refusing), solver = parse_literals({"type": "object", **old}, new), Solver(Budget(20))
    assert isinstance(solver.find([accepting, refusing]), Witness)
    left = solver.budget.fuel
    inside = accepting.node.property_schema("a"), refusing.node.property_schema("a")
    assert solver.find([Literal(inside[0], holds=True), Literal(inside[1], holds=False)]) is NoWitness.EMPTY
    assert solver.budget.fuel == left


def nested_alternatives(many):
    return {**TEXT, "allOf": [{"anyOf": [{"minLength": 2 * n + 1}, {"maxLength": n}]} for n in range(many)]}


def test_a_witness_is_found_behind_35_alternatives():
    witness = find_witness(nested_alternatives(35), False)
    assert isinstance(witness, Witness)
    assert is_valid(nested_alternatives(35), witness.value)
    assert find_witness(nested_alternatives(36), False) is NoWitness.UNKNOWN


@pytest.mark.parametrize("schema", [TEXT, {"type": ["null", "number"]}])
def test_the_producer_of_a_value_without_properties_does_not_matter(schema):
    (accepting, refusing), solver = parse_literals(schema, {"const": 1}), Solver(Budget(20))
    witness = solver.find([accepting, refusing])
    left = solver.budget.fuel
    assert solver.find([accepting._replace(is_produced=True), refusing]) == witness
    assert solver.budget.fuel == left


@pytest.mark.parametrize("schema", [{"type": "array"}, {"type": "object"}, {"properties": {"a": TEXT}}])
def test_the_producer_of_a_value_matters_if_it_may_have_properties(schema):
    (accepting, refusing), solver = parse_literals(schema, {"const": 1}), Solver(Budget(20))
    witness = solver.find([accepting, refusing])
    left = solver.budget.fuel
    assert solver.find([accepting._replace(is_produced=True), refusing]) == witness
    assert solver.budget.fuel < left


def doubling_alternatives(levels, spare):
    """A schema with two alternatives for each level, so that the number of combinations doubles with each."""
    alternatives = [{"anyOf": [{"minLength": 2 * n + 2}, {"minLength": 2 * n + 3}]} for n in range(levels)]
    return {**TEXT, "allOf": alternatives, "$defs": {f"d{n}": {} for n in range(spare)}}


def count_fuel(old, new):
    budget = Budget(1_000_000)
    compare(old, new, budget)
    return 1_000_000 - budget.fuel


@pytest.mark.parametrize("spare", [0, 400])
def test_a_comparison_has_three_thousand_units_and_one_for_each_list_and_object(spare):
    containers = 3 + 4 * 14 + spare + 1
    old = doubling_alternatives(14, spare)
    assert not compare(old, {**TEXT, "minLength": 1}).is_compatible(Mode.BACKWARD)
    assert count_fuel(old, {**TEXT, "minLength": 1}) == 3_000 + containers + containers // 8


def test_more_fuel_decides_more():
    assert compare(doubling_alternatives(11, 1_500), {**TEXT, "minLength": 1}).is_compatible(Mode.BACKWARD)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_comparison_and_its_evidence_make_a_bounded_number_of_calls(name):
    profile = cProfile.Profile()
    with profile:
        changes = compare(*PAIRS[name]).changes
        evidence = [(change.certainty, change.hint) for change in changes]
    assert len(evidence) == len(changes)
    assert pstats.Stats(profile).total_calls < MAX_CALLS


@pytest.mark.parametrize(
    ("name", "path"), [("a ladder of dependent schemas", ""), ("many exponential patterns", "c98")]
)
def test_the_part_that_is_too_much_breaks_unproven(name, path):
    breaking = [change for change in compare(*PAIRS[name]).breaking_changes(Mode.BACKWARD) if change.path == path]
    assert breaking
    assert {change.certainty for change in breaking} == {Certainty.UNPROVEN}


@pytest.mark.parametrize("name", HOSTILE)
def test_equal_input_spends_equal_fuel(name):
    assert count_fuel(*PAIRS[name]) == count_fuel(*PAIRS[name])
