"""The solver finds the simplest array that meets all constraints, or proves that there is none."""

import pytest

from tessera_gql.diff import Mode, compare
from tessera_gql.diff.prove.constraints import NoWitness, Witness
from tests.diff.engine import find_witness
from tests.diff.oracle import is_valid
from tests.diff.schemas import INTEGER, NUMBER, TEXT, array

BOOL = {"type": "boolean"}
UNREADABLE = {"type": "string", "pattern": "(?=a)a"}


@pytest.mark.parametrize(
    ("old", "new", "document"),
    [
        (array(), {"enum": [[]]}, [None]),
        (array(maxItems=1), {"enum": [[]]}, [None]),
        (array(items=INTEGER, minItems=1), {"enum": [[0]]}, [0, 0]),
        (array(prefixItems=[TEXT] * 3, maxItems=2), array(prefixItems=[{}], items=INTEGER), ["", ""]),
        (array(prefixItems=[TEXT, INTEGER], items=TEXT), array(prefixItems=[{}, {}], items=INTEGER), ["", 0, ""]),
        (array(prefixItems=[TEXT, INTEGER, TEXT]), array(prefixItems=[{}], items=INTEGER), ["", 0, ""]),
        (array(items={"enum": [1, 2]}, minItems=2, uniqueItems=True), array(maxItems=1), [1, 2]),
        (array(items={"enum": [1, 2, 3]}, minItems=3, uniqueItems=True), False, [1, 2, 3]),
        (array(items=BOOL, minItems=2, uniqueItems=True), False, [False, True]),
        (array(items={"type": ["null", "boolean"]}, minItems=3, uniqueItems=True), False, [None, True, False]),
        (array(items=TEXT, minItems=3, uniqueItems=True), False, ["", "a", "aa"]),
        (array(items=INTEGER, minItems=3, uniqueItems=True), False, [0, 1, 2]),
        (array(items={"minimum": 0.5, **NUMBER}, minItems=3, uniqueItems=True), False, [1, 2, 3]),
        (array(items={"enum": [1, 2]}, uniqueItems=True), array(maxItems=1), [1, 2]),
        (array(items=TEXT), array(uniqueItems=True), ["", ""]),
        (array(items=TEXT, maxItems=2), array(uniqueItems=True), ["", ""]),
        (array(prefixItems=[{"const": 1}, {"const": 2}], items={"const": 2}), array(uniqueItems=True), [1, 2, 2]),
        (array(prefixItems=[{"const": 1}, {"const": 2}], items={"const": 3}), array(uniqueItems=True), [1, 2, 3, 3]),
        (
            array(prefixItems=[{"const": 1}, {"const": 2}, {"const": 1}], items=False),
            array(uniqueItems=True),
            [1, 2, 1],
        ),
        (array(contains=INTEGER, minContains=2, uniqueItems=True), False, [0, 1]),
        (array(contains=INTEGER, maxContains=2, items=INTEGER, minItems=2), False, [0, 0]),
        (array(contains=INTEGER, maxContains=1, prefixItems=[INTEGER, INTEGER], minItems=1), False, [0]),
        (
            array(contains=INTEGER, maxContains=2, prefixItems=[INTEGER, TEXT], items=INTEGER, minItems=3),
            False,
            [0, "", 0],
        ),
        (array(contains=INTEGER, minContains=2, maxItems=2), False, [0, 0]),
        (array(contains=INTEGER, minContains=2, prefixItems=[TEXT], maxItems=3), False, ["", 0, 0]),
        (array(contains=INTEGER, minContains=2, prefixItems=[INTEGER, INTEGER], items=TEXT), False, [0, 0]),
        (array(contains=INTEGER, minContains=0), False, []),
        (array(contains=INTEGER, minContains=200), array(maxItems=199), [0] * 200),
        (array(minItems=200), False, [None] * 200),
        (array(items=TEXT), array(contains=INTEGER), []),
        (array(items=INTEGER), array(contains=INTEGER), []),
        (array(items=INTEGER, minItems=1), array(contains=INTEGER, minContains=2), [0]),
        (array(contains=INTEGER, minContains=1), array(contains=NUMBER, minContains=2), [0]),
        (array(contains=NUMBER, maxContains=2), array(contains=INTEGER, minContains=0, maxContains=1), [0, 0]),
        (array(items=TEXT, maxItems=3), array(contains=TEXT, minContains=0, maxContains=2), ["", "", ""]),
        (
            array(prefixItems=[INTEGER, INTEGER], items=TEXT),
            array(contains=INTEGER, minContains=0, maxContains=1),
            [0, 0],
        ),
        (array(minItems=2), array(minItems=3), [None, None]),
        (array(maxItems=3), array(maxItems=2), [None, None, None]),
        (array(minItems=2, maxItems=2), False, [None, None]),
        (array(prefixItems=[INTEGER] * 400), array(maxItems=1), [0, 0]),
        (
            array(prefixItems=[INTEGER, INTEGER]),
            {"anyOf": [array(prefixItems=[TEXT]), array(prefixItems=[{}, TEXT])]},
            [0, 0],
        ),
        (array(items=INTEGER), {"anyOf": [array(items=TEXT), array(maxItems=2)]}, [0, 0, 0]),
        (array(contains=INTEGER, maxContains=1, prefixItems=[TEXT], items=INTEGER, minItems=2), False, ["", 0]),
        (array(items={"const": 1}, minItems=1), {"enum": [[1]]}, [1, 1]),
        (array(items=TEXT, minItems=2, maxItems=2), array(contains=TEXT, minContains=0, maxContains=1), ["", ""]),
        (array(contains=INTEGER, minContains=2, maxItems=3), array(contains=NUMBER, minContains=3), [0, 0]),
        (array(contains=INTEGER, minContains=2, prefixItems=[INTEGER, TEXT], maxItems=3), False, [0, "", 0]),
        (array(contains=INTEGER, minContains=3, prefixItems=[INTEGER, TEXT], maxItems=4), False, [0, "", 0, 0]),
        (array(items={"enum": [1, 2]}, uniqueItems=True, maxItems=1), array(maxItems=0), [1]),
        (array(items={"type": ["string", "integer"]}, minItems=1), array(contains=INTEGER), [""]),
        (
            array(items={"enum": [1, 2]}, contains={"const": 1}, minContains=3),
            array(prefixItems=[{}, {"const": 1}]),
            [1, 2, 1, 1],
        ),
    ],
)
def test_an_array_that_meets_every_demand_is_found(old, new, document):
    assert find_witness(old, new) == Witness(document)
    assert is_valid(old, document)
    assert not is_valid(new, document)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (array(prefixItems=[TEXT] * 3, maxItems=1), array(prefixItems=[{}], items=INTEGER)),
        (array(prefixItems=[TEXT, INTEGER], items=False), array(prefixItems=[{}], items=INTEGER)),
        (array(items={"enum": [1, 2]}, minItems=3, uniqueItems=True), False),
        (array(items=BOOL, minItems=3, uniqueItems=True), False),
        (array(items={"type": "null"}, minItems=2, uniqueItems=True), False),
        (array(items={"type": ["null", "boolean"]}, minItems=4, uniqueItems=True), False),
        (array(items=TEXT, maxItems=1), array(uniqueItems=True)),
        (array(prefixItems=[{"const": 1}, {"const": 2}], items=False), array(uniqueItems=True)),
        (array(prefixItems=[{"const": 1}, {"const": 2}], items={"const": 3}, maxItems=3), array(uniqueItems=True)),
        (array(prefixItems=[{"const": 1}, {"const": 2}, {"const": 1}], maxItems=2), array(uniqueItems=True)),
        (array(contains=INTEGER, maxContains=1, items=INTEGER, minItems=2), False),
        (array(contains=INTEGER, maxContains=2, items=INTEGER, minItems=3), False),
        (array(contains=INTEGER, maxContains=1, prefixItems=[INTEGER, INTEGER], minItems=2), False),
        (array(contains=INTEGER, maxContains=2, prefixItems=[INTEGER, INTEGER], items=INTEGER, minItems=3), False),
        (array(contains=INTEGER, maxItems=0), False),
        (array(contains=INTEGER, minContains=2, maxItems=1), False),
        (array(contains=INTEGER, minContains=2, prefixItems=[TEXT], maxItems=2), False),
        (array(contains=INTEGER, minContains=3, prefixItems=[INTEGER, INTEGER], items=TEXT), False),
        (array(contains=False), False),
        (array(items=INTEGER, minItems=1), array(contains=INTEGER)),
        (array(items=INTEGER, minItems=2), array(contains=INTEGER, minContains=2)),
        (array(contains=INTEGER, minContains=2), array(contains=NUMBER, minContains=2)),
        (array(contains=INTEGER, minContains=3), array(contains=NUMBER, minContains=2)),
        (array(contains=NUMBER, maxContains=1), array(contains=INTEGER, minContains=0, maxContains=1)),
        (array(contains=NUMBER, maxContains=1), array(contains=INTEGER, minContains=0, maxContains=2)),
        (array(items=TEXT), array(contains=INTEGER, minContains=0, maxContains=0)),
        (array(items=TEXT, maxItems=2), array(contains=TEXT, minContains=0, maxContains=2)),
        (array(prefixItems=[INTEGER, INTEGER], items=TEXT), array(contains=INTEGER, minContains=0, maxContains=2)),
        (array(minItems=3, maxItems=2), False),
        (array(prefixItems=[TEXT, False]), array(maxItems=1)),
        (array(prefixItems=[TEXT, False, TEXT]), array(maxItems=1)),
        (array(prefixItems=[TEXT, False], minItems=2), False),
        (array(items=False, minItems=1), False),
        (array(contains=INTEGER, maxContains=2, items=INTEGER, minItems=4), False),
        (array(contains=INTEGER, maxContains=1, prefixItems=[TEXT], items=INTEGER, minItems=3), False),
        (array(prefixItems=[UNREADABLE], maxItems=1), array(uniqueItems=True)),
        (array(items=TEXT, maxItems=1), array(contains=TEXT, minContains=0, maxContains=1)),
        (array(contains=INTEGER, minContains=2, prefixItems=[INTEGER, TEXT], maxItems=2), False),
        (array(contains=INTEGER, minContains=3, prefixItems=[INTEGER, TEXT], maxItems=3), False),
        (array(items={"enum": [1, 2]}, uniqueItems=True, maxItems=3), array(maxItems=2)),
        (array(contains=INTEGER, minContains=0, maxContains=0, items=INTEGER), array(maxItems=0)),
        (array(allOf=[{"contains": NUMBER, "maxContains": 1}]), array(contains=INTEGER, minContains=0, maxContains=1)),
        (
            array(
                prefixItems=[INTEGER, INTEGER, TEXT, TEXT], items=INTEGER, minItems=2, contains=INTEGER, maxContains=1
            ),
            False,
        ),
    ],
)
def test_an_array_that_cannot_be_is_proven_absent(old, new):
    assert find_witness(old, new) is NoWitness.EMPTY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (array(items=INTEGER, minItems=1, maxItems=2), {"enum": [[0], [0, 0]]}),
        (array(minItems=201), False),
        (array(prefixItems=[INTEGER] * 401), array(maxItems=1)),
        (
            array(prefixItems=[{"enum": [1, 2, 3]}]),
            {"anyOf": [array(prefixItems=[{"const": 1}]), array(prefixItems=[{"const": 2}])]},
        ),
        (array(prefixItems=[UNREADABLE], minItems=1), False),
        (array(items=UNREADABLE), array(uniqueItems=True)),
        (array(prefixItems=[INTEGER, UNREADABLE], maxItems=2), array(prefixItems=[INTEGER, INTEGER])),
        (array(items={"const": 1}, minItems=1, maxItems=1), {"enum": [[1]]}),
    ],
)
def test_an_array_that_was_not_found_is_not_proven_absent(old, new):
    assert find_witness(old, new) is NoWitness.UNKNOWN


@pytest.mark.parametrize("min_items", [0, 1, 3])
def test_an_item_of_every_list_that_is_not_empty_is_contained(min_items):
    every = {"type": "array", "items": {"type": "string"}, "minItems": min_items}
    diff = compare(every, {**every, "contains": {"type": "string"}})
    assert diff.is_compatible(Mode.BACKWARD) is (min_items > 0)
    assert [change.counterexample for change in diff.breaking_changes(Mode.BACKWARD)] == ([] if min_items else [[]])
