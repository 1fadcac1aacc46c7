"""A witness that the search returns is valid, and the search finds one where it should."""

import pytest
from hypothesis import assume, given

from tessera_gql.diff import SchemaError
from tessera_gql.diff.budget import Budget
from tessera_gql.diff.prove.constraints import Literal, NoWitness, Witness
from tessera_gql.diff.prove.solver import Solver
from tessera_gql.diff.read.documents import read
from tessera_gql.diff.read.guard import Identities
from tessera_gql.diff.read.schema import NodeCache
from tests.diff.engine import find_witness
from tests.diff.generators import boundary_documents, law, pairs
from tests.diff.oracle import asks_itself, is_valid
from tests.diff.schemas import INTEGER, TEXT


@law(3_000, 60)
@given(pairs())
def test_a_witness_satisfies_both_schemas_and_empty_means_that_no_document_does(pair):
    old, new = pair
    assume(not asks_itself(old) and not asks_itself(new))
    try:
        witness = find_witness(old, new)
    except SchemaError:
        assume(False)
        raise
    if isinstance(witness, Witness):
        assert is_valid(old, witness.value)
        assert not is_valid(new, witness.value)
    elif witness is NoWitness.EMPTY:
        for document in boundary_documents(old, new)[::3]:
            assert not is_valid(old, document) or is_valid(new, document), document


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"minimum": 0.1, "maximum": 0.9, "type": "number"}, INTEGER, 0.5),
        ({"minimum": 3, **INTEGER}, {"multipleOf": 3}, 4),
        ({"maximum": -3, **INTEGER}, {"multipleOf": 3}, -4),
        ({"minimum": -2, "maximum": 2, **INTEGER}, {"enum": [0, 1, -1, 2]}, -2),
        ({"minimum": -2, "maximum": 2, **INTEGER}, False, 0),
        ({"exclusiveMinimum": 0, **INTEGER}, False, 1),
        ({"exclusiveMaximum": 0, **INTEGER}, False, -1),
        ({"multipleOf": 0.5, "exclusiveMinimum": 0, "type": "number"}, INTEGER, 0.5),
        ({"type": "array", "minItems": 2, "items": {"enum": [1, 2]}, "uniqueItems": True}, False, [1, 2]),
        ({"type": "array", "prefixItems": [INTEGER], "minItems": 2, "items": TEXT}, False, [0, ""]),
        ({"type": "array", "contains": {"const": 5}}, False, [5]),
        ({"type": "array", "contains": {"const": 5}, "minContains": 2}, False, [5, 5]),
        ({"type": "array", "maxItems": 1}, {"maxItems": 0}, [None]),
        ({"type": "array", "items": INTEGER}, {"uniqueItems": True}, [0, 0]),
        ({"type": "array", "items": INTEGER}, {"contains": INTEGER, "maxContains": 1, "minContains": 0}, [0, 0]),
        ({"type": "array", "prefixItems": [TEXT, INTEGER]}, {"prefixItems": [TEXT, TEXT]}, ["", 0]),
        ({"type": "object", "minProperties": 2}, False, {"other": None, "other1": None}),
        ({"type": "object", "minProperties": 1, "properties": {"a": INTEGER}}, False, {"a": 0}),
        ({"type": "object"}, {"maxProperties": 1}, {"other": None, "other1": None}),
        ({"type": "object"}, {"propertyNames": {"minLength": 1}}, {"": None}),
        ({"type": "object"}, {"additionalProperties": TEXT}, {"other": None}),
        ({"type": "object"}, {"patternProperties": {"^x": TEXT}}, {"x": None}),
        ({"type": "object", "required": ["a"]}, {"dependentRequired": {"a": ["b"]}}, {"a": None}),
        ({"type": "object"}, {"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": None}),
        ({"type": "object", "maxProperties": 1, "required": ["a"]}, {"properties": {"a": TEXT}}, {"a": None}),
    ],
)
def test_the_simplest_document_is_found(old, new, expected):
    assert find_witness(old, new) == Witness(expected)


def test_without_fuel_nothing_is_proven():
    identities, space = Identities(), NodeCache()
    left, right = (space.root(read(raw, identities)) for raw in (INTEGER, {"type": "number"}))
    asked = [Literal(left, holds=True), Literal(right, holds=False)]
    assert Solver(Budget(0)).find(asked) is NoWitness.UNKNOWN
    assert Solver(Budget(100)).find(asked) is NoWitness.EMPTY
