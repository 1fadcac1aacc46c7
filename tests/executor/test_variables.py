"""Variables are coerced once for equal values, and never confused with others."""

from typing import Any

import pytest
from graphql import GraphQLError, OperationDefinitionNode, build_schema, parse

from tessera_gql.executor.variables import MAX_CACHED, MAX_LENGTH, VariableCache

SCHEMA = build_schema("type Query { value(number: Int, text: String, flag: Boolean, list: [Int]): Int }")
DOCUMENT = parse(
    "query ($number: Int, $text: String, $flag: Boolean, $list: [Int]) {"
    " value(number: $number, text: $text, flag: $flag, list: $list) }"
)
(OPERATION,) = DOCUMENT.definitions


def coerce(cache: VariableCache, **variables: Any) -> Any:
    assert isinstance(OPERATION, OperationDefinitionNode)
    return cache.coerce(SCHEMA, OPERATION, variables)


def test_equal_values_are_coerced_once() -> None:
    cache = VariableCache()
    first = coerce(cache, number=1, text="a", flag=None)
    assert coerce(cache, number=1, text="a", flag=None) is first
    assert coerce(cache, number=2, text="a", flag=None) is not first
    assert first.values.coerced == {"number": 1, "text": "a", "flag": None}


def test_a_missing_variable_is_not_null() -> None:
    cache = VariableCache()
    assert coerce(cache, number=None).values.coerced == {"number": None}
    assert coerce(cache).values.coerced == {}


@pytest.mark.parametrize(
    ("valid", "invalid"),
    [({"number": 1}, {"number": True}), ({"flag": True}, {"flag": 1}), ({"number": 0}, {"number": False})],
    ids=["an integer", "a boolean", "zero"],
)
def test_values_of_other_types_that_compare_equal_are_still_refused(
    valid: dict[str, Any], invalid: dict[str, Any]
) -> None:
    cache = VariableCache()
    coerce(cache, **valid)
    with pytest.raises(GraphQLError):
        coerce(cache, **invalid)
    coerce(cache, **valid)
    assert len(cache) == 1, "an error is not kept"


def test_few_and_short_values_are_kept() -> None:
    cache = VariableCache()
    for number in range(3 * MAX_CACHED):
        coerce(cache, number=number)
    assert len(cache) == MAX_CACHED
    cache = VariableCache()
    coerce(cache, text="a" * (MAX_LENGTH + 1))
    coerce(cache, list=[1])
    coerce(cache, unknown=2**64)
    coerce(cache, **{f"unknown{number}": 1 for number in range(MAX_CACHED + 1)})
    assert len(cache) == 0


def test_the_latest_values_are_kept() -> None:
    cache = VariableCache()
    first = coerce(cache, number=0)
    for number in range(1, MAX_CACHED):
        coerce(cache, number=number)
    assert coerce(cache, number=0) is first
    coerce(cache, number=MAX_CACHED)
    assert coerce(cache, number=0) is first, "the one that was used least recently is dropped"
