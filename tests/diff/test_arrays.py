"""Arrays: the plainest one that meets every demand, or the proof that there is none."""

import pytest

from tessera_gql.diff import Mode, compare
from tessera_gql.diff.prove.constraints import NoWitness, Witness
from tests.diff.oracle import is_valid
from tests.diff.test_change_messages import NUMBER, TEXT, WHOLE, array
from tests.diff.test_solver import refuted

BOOL = {"type": "boolean"}
UNREAD = {"type": "string", "pattern": "(?=a)a"}


@pytest.mark.parametrize(
    ("old", "new", "document"),
    [
        (array(), {"enum": [[]]}, [None]),
        (array(maxItems=1), {"enum": [[]]}, [None]),
        (array(items=WHOLE, minItems=1), {"enum": [[0]]}, [0, 0]),
        (array(prefixItems=[TEXT] * 3, maxItems=2), array(prefixItems=[{}], items=WHOLE), ["", ""]),
        (array(prefixItems=[TEXT, WHOLE], items=TEXT), array(prefixItems=[{}, {}], items=WHOLE), ["", 0, ""]),
        (array(prefixItems=[TEXT, WHOLE, TEXT]), array(prefixItems=[{}], items=WHOLE), ["", 0, ""]),
        (array(items={"enum": [1, 2]}, minItems=2, uniqueItems=True), array(maxItems=1), [1, 2]),
        (array(items={"enum": [1, 2, 3]}, minItems=3, uniqueItems=True), False, [1, 2, 3]),
        (array(items=BOOL, minItems=2, uniqueItems=True), False, [False, True]),
        (array(items={"type": ["null", "boolean"]}, minItems=3, uniqueItems=True), False, [None, True, False]),
        (array(items=TEXT, minItems=3, uniqueItems=True), False, ["", "a", "aa"]),
        (array(items=WHOLE, minItems=3, uniqueItems=True), False, [0, 1, 2]),
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
        (array(contains=WHOLE, minContains=2, uniqueItems=True), False, [0, 1]),
        (array(contains=WHOLE, maxContains=2, items=WHOLE, minItems=2), False, [0, 0]),
        (array(contains=WHOLE, maxContains=1, prefixItems=[WHOLE, WHOLE], minItems=1), False, [0]),
        (array(contains=WHOLE, maxContains=2, prefixItems=[WHOLE, TEXT], items=WHOLE, minItems=3), False, [0, "", 0]),
        (array(contains=WHOLE, minContains=2, maxItems=2), False, [0, 0]),
        (array(contains=WHOLE, minContains=2, prefixItems=[TEXT], maxItems=3), False, ["", 0, 0]),
        (array(contains=WHOLE, minContains=2, prefixItems=[WHOLE, WHOLE], items=TEXT), False, [0, 0]),
        (array(contains=WHOLE, minContains=0), False, []),
        (array(contains=WHOLE, minContains=200), array(maxItems=199), [0] * 200),
        (array(minItems=200), False, [None] * 200),
        (array(items=TEXT), array(contains=WHOLE), []),
        (array(items=WHOLE), array(contains=WHOLE), []),
        (array(items=WHOLE, minItems=1), array(contains=WHOLE, minContains=2), [0]),
        (array(contains=WHOLE, minContains=1), array(contains=NUMBER, minContains=2), [0]),
        (array(contains=NUMBER, maxContains=2), array(contains=WHOLE, minContains=0, maxContains=1), [0, 0]),
        (array(items=TEXT, maxItems=3), array(contains=TEXT, minContains=0, maxContains=2), ["", "", ""]),
        (array(prefixItems=[WHOLE, WHOLE], items=TEXT), array(contains=WHOLE, minContains=0, maxContains=1), [0, 0]),
        (array(minItems=2), array(minItems=3), [None, None]),
        (array(maxItems=3), array(maxItems=2), [None, None, None]),
        (array(minItems=2, maxItems=2), False, [None, None]),
        (array(prefixItems=[WHOLE] * 400), array(maxItems=1), [0, 0]),
        (
            array(prefixItems=[WHOLE, WHOLE]),
            {"anyOf": [array(prefixItems=[TEXT]), array(prefixItems=[{}, TEXT])]},
            [0, 0],
        ),
        (array(items=WHOLE), {"anyOf": [array(items=TEXT), array(maxItems=2)]}, [0, 0, 0]),
        (array(contains=WHOLE, maxContains=1, prefixItems=[TEXT], items=WHOLE, minItems=2), False, ["", 0]),
        (array(items={"const": 1}, minItems=1), {"enum": [[1]]}, [1, 1]),
        (array(items=TEXT, minItems=2, maxItems=2), array(contains=TEXT, minContains=0, maxContains=1), ["", ""]),
        (array(contains=WHOLE, minContains=2, maxItems=3), array(contains=NUMBER, minContains=3), [0, 0]),
        (array(contains=WHOLE, minContains=2, prefixItems=[WHOLE, TEXT], maxItems=3), False, [0, "", 0]),
        (array(contains=WHOLE, minContains=3, prefixItems=[WHOLE, TEXT], maxItems=4), False, [0, "", 0, 0]),
        (array(items={"enum": [1, 2]}, uniqueItems=True, maxItems=1), array(maxItems=0), [1]),
        (array(items={"type": ["string", "integer"]}, minItems=1), array(contains=WHOLE), [""]),
        (
            array(items={"enum": [1, 2]}, contains={"const": 1}, minContains=3),
            array(prefixItems=[{}, {"const": 1}]),
            [1, 2, 1, 1],
        ),
    ],
)
def test_an_array_that_meets_every_demand_is_found(old, new, document):
    assert refuted(old, new) == Witness(document)
    assert is_valid(old, document)
    assert not is_valid(new, document)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (array(prefixItems=[TEXT] * 3, maxItems=1), array(prefixItems=[{}], items=WHOLE)),
        (array(prefixItems=[TEXT, WHOLE], items=False), array(prefixItems=[{}], items=WHOLE)),
        (array(items={"enum": [1, 2]}, minItems=3, uniqueItems=True), False),
        (array(items=BOOL, minItems=3, uniqueItems=True), False),
        (array(items={"type": "null"}, minItems=2, uniqueItems=True), False),
        (array(items={"type": ["null", "boolean"]}, minItems=4, uniqueItems=True), False),
        (array(items=TEXT, maxItems=1), array(uniqueItems=True)),
        (array(prefixItems=[{"const": 1}, {"const": 2}], items=False), array(uniqueItems=True)),
        (array(prefixItems=[{"const": 1}, {"const": 2}], items={"const": 3}, maxItems=3), array(uniqueItems=True)),
        (array(prefixItems=[{"const": 1}, {"const": 2}, {"const": 1}], maxItems=2), array(uniqueItems=True)),
        (array(contains=WHOLE, maxContains=1, items=WHOLE, minItems=2), False),
        (array(contains=WHOLE, maxContains=2, items=WHOLE, minItems=3), False),
        (array(contains=WHOLE, maxContains=1, prefixItems=[WHOLE, WHOLE], minItems=2), False),
        (array(contains=WHOLE, maxContains=2, prefixItems=[WHOLE, WHOLE], items=WHOLE, minItems=3), False),
        (array(contains=WHOLE, maxItems=0), False),
        (array(contains=WHOLE, minContains=2, maxItems=1), False),
        (array(contains=WHOLE, minContains=2, prefixItems=[TEXT], maxItems=2), False),
        (array(contains=WHOLE, minContains=3, prefixItems=[WHOLE, WHOLE], items=TEXT), False),
        (array(contains=False), False),
        (array(items=WHOLE, minItems=1), array(contains=WHOLE)),
        (array(items=WHOLE, minItems=2), array(contains=WHOLE, minContains=2)),
        (array(contains=WHOLE, minContains=2), array(contains=NUMBER, minContains=2)),
        (array(contains=WHOLE, minContains=3), array(contains=NUMBER, minContains=2)),
        (array(contains=NUMBER, maxContains=1), array(contains=WHOLE, minContains=0, maxContains=1)),
        (array(contains=NUMBER, maxContains=1), array(contains=WHOLE, minContains=0, maxContains=2)),
        (array(items=TEXT), array(contains=WHOLE, minContains=0, maxContains=0)),
        (array(items=TEXT, maxItems=2), array(contains=TEXT, minContains=0, maxContains=2)),
        (array(prefixItems=[WHOLE, WHOLE], items=TEXT), array(contains=WHOLE, minContains=0, maxContains=2)),
        (array(minItems=3, maxItems=2), False),
        (array(prefixItems=[TEXT, False]), array(maxItems=1)),
        (array(prefixItems=[TEXT, False, TEXT]), array(maxItems=1)),
        (array(prefixItems=[TEXT, False], minItems=2), False),
        (array(items=False, minItems=1), False),
        (array(contains=WHOLE, maxContains=2, items=WHOLE, minItems=4), False),
        (array(contains=WHOLE, maxContains=1, prefixItems=[TEXT], items=WHOLE, minItems=3), False),
        (array(prefixItems=[UNREAD], maxItems=1), array(uniqueItems=True)),
        (array(items=TEXT, maxItems=1), array(contains=TEXT, minContains=0, maxContains=1)),
        (array(contains=WHOLE, minContains=2, prefixItems=[WHOLE, TEXT], maxItems=2), False),
        (array(contains=WHOLE, minContains=3, prefixItems=[WHOLE, TEXT], maxItems=3), False),
        (array(items={"enum": [1, 2]}, uniqueItems=True, maxItems=3), array(maxItems=2)),
        (array(contains=WHOLE, minContains=0, maxContains=0, items=WHOLE), array(maxItems=0)),
        (array(allOf=[{"contains": NUMBER, "maxContains": 1}]), array(contains=WHOLE, minContains=0, maxContains=1)),
        (array(prefixItems=[WHOLE, WHOLE, TEXT, TEXT], items=WHOLE, minItems=2, contains=WHOLE, maxContains=1), False),
    ],
)
def test_an_array_that_cannot_be_is_proven_absent(old, new):
    assert refuted(old, new) is NoWitness.EMPTY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (array(items=WHOLE, minItems=1, maxItems=2), {"enum": [[0], [0, 0]]}),
        (array(minItems=201), False),
        (array(prefixItems=[WHOLE] * 401), array(maxItems=1)),
        (
            array(prefixItems=[{"enum": [1, 2, 3]}]),
            {"anyOf": [array(prefixItems=[{"const": 1}]), array(prefixItems=[{"const": 2}])]},
        ),
        (array(prefixItems=[UNREAD], minItems=1), False),
        (array(items=UNREAD), array(uniqueItems=True)),
        (array(prefixItems=[WHOLE, UNREAD], maxItems=2), array(prefixItems=[WHOLE, WHOLE])),
        (array(items={"const": 1}, minItems=1, maxItems=1), {"enum": [[1]]}),
    ],
)
def test_an_array_that_was_not_found_is_not_proven_absent(old, new):
    assert refuted(old, new) is NoWitness.UNKNOWN


@pytest.mark.parametrize("least", [0, 1, 3])
def test_an_item_of_every_list_that_is_not_empty_is_contained(least):
    every = {"type": "array", "items": {"type": "string"}, "minItems": least}
    found = compare(every, {**every, "contains": {"type": "string"}})
    assert found.is_compatible(Mode.BACKWARD) is (least > 0)
    assert [change.counterexample for change in found.breaking_changes(Mode.BACKWARD)] == ([] if least else [[]])
