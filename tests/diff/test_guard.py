"""Values are checked for valid JSON and size before they are read, and equal values are numbered alike."""

import itertools
import time

import pytest

from tessera_gql.diff import SchemaError, canonical_json, check, compare
from tessera_gql.diff.read.guard import MAX_DEPTH, Identities, guard
from tessera_gql.diff.values.json import is_equal, json_pointer

NAN, INFINITY = float("nan"), float("inf")


def check_error(schema):
    with pytest.raises(SchemaError) as caught:
        check(schema)
    return caught.value


@pytest.mark.parametrize(
    ("schema", "pointer", "message"),
    [
        (NAN, "", "not finite"),
        (1 << 4_096, "", "4,096 bits"),
        (-(1 << 4_096), "", "4,096 bits"),
        ((), "", "tuple is not a JSON value"),
        ({1}, "", "set is not a JSON value"),
        ({"maximum": -INFINITY}, "", "not finite"),
        ({"examples": [INFINITY]}, "/examples", "not finite"),
        ({"examples": [1 << 4_096]}, "/examples", "4,096 bits"),
        ({"examples": [{"a": b""}]}, "/examples/0", "bytes is not a JSON value"),
        ({"examples": [[], {"a": [{}, object()]}]}, "/examples/1/a", "object is not a JSON value"),
        ({"a~b/c": {None: 1}}, "/a~0b~1c", "a key that is not text"),
        ({True: 1}, "", "a key that is not text"),
    ],
)
def test_a_value_that_is_no_json_is_refused_with_its_pointer(schema, pointer, message):
    error = check_error(schema)
    assert error.pointer == pointer
    assert message in error.reason


def test_json_values_are_accepted():
    check({"minimum": (1 << 4_096) - 1, "default": [None, True, 1.5, "x", [], {}, {"": None}], "const": None})
    check({"enum": [*range(10_000)]})
    check({"properties": {"enum": {"title": "x"}}, "examples": [*range(10_001)]})


@pytest.mark.parametrize(
    ("schema", "limit"),
    [
        ({"examples": [["x" * 8_000_000] + [0] * 249_997]}, 8_000_000),
        ({"examples": [{"x" * (8_000_001 - len("examples")): 0}]}, 8_000_000),
        ({"examples": [{"x" * 4_000_000: "x" * (4_000_001 - len("examples"))}]}, 8_000_000),
        ({"examples": [[0] * 125_000, [0] * 124_998]}, 250_000),
    ],
)
def test_the_limit_that_was_passed_is_named(schema, limit):
    assert check_error(schema).limit == limit


def test_values_at_a_limit_are_accepted():
    check({"examples": [{"x" * 4_000_000: "x" * (4_000_000 - len("examples"))}]})


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ([1], [1.0], True),
        ([1], [True], False),
        ([0], [False], False),
        ([True], [False], False),
        ([None], [False], False),
        ([1, 2.5], [1.0, 2.5], True),
        ([1, 2.5, "a"], [1.0, 2.5, "a"], True),
        ([1], ["[1]"], False),
        ([1], ["1"], False),
        (["numbers", "[1]"], [1], False),
        ([2**61 - 1], [0], False),
        ([-1], [-2], False),
        ([], [[]], False),
        (["1"], [1], False),
        ([1, 2], [2, 1], False),
        ([], {}, False),
        ([[]], [{}], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        ({"a": [1, {"b": None}]}, {"a": [1.0, {"b": None}]}, True),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": 0}]}, False),
        (["ab"], ["a", "b"], False),
        ({f"n{n}": n for n in range(30)}, {f"n{n}": n for n in reversed(range(30))}, True),
    ],
)
def test_two_values_share_a_number_exactly_if_they_are_equal(one, other, equal):
    identities = Identities()
    left, right = guard(one, identities)[id(one)], guard(other, identities)[id(other)]
    assert (left == right) == is_equal(one, other) == (canonical_json(one) == canonical_json(other)) == equal


@pytest.mark.parametrize(
    ("value", "bound"),
    [
        ({"$ref": "#"}, True),
        ({"a": {"$ref": "#"}}, True),
        ([[{"$anchor": "a"}]], True),
        ({"id": "x"}, True),
        ({"ref": "#"}, False),
        (["$ref"], False),
        ({"a": "$ref"}, False),
    ],
)
def test_a_value_with_a_reference_or_an_identifier_is_distinct_at_each_pointer(value, bound):
    identities = Identities()
    sibling = {"a": [1, {"$ref": "#/x"}]}
    numbers = guard([sibling, value], identities)
    assert (numbers[id(value)] in identities.with_references) == bound


def test_numbers_with_equal_hashes_are_numbered_in_linear_time():
    def seconds(rows, suffix):
        started = time.process_time()
        guard([[*row, *suffix] for row in rows])
        return time.process_time() - started

    rows = [*itertools.islice(itertools.product([0, 2**61 - 1], repeat=16), 8_000)]
    plain = [*itertools.islice(itertools.product([0, 1], repeat=16), 8_000)]
    for suffix in ([], ["a"]):
        assert seconds(rows, suffix) < 10 * seconds(plain, suffix)


def test_equal_texts_share_a_number_and_text_never_equals_a_number():
    assert is_equal("a", "a")
    assert not is_equal("a", "b")
    assert not is_equal("1", 1)
    assert is_equal(1, 1.0)


def test_canonical_text_refuses_values_that_json_lacks():
    for value in (NAN, INFINITY, [-INFINITY]):
        with pytest.raises(ValueError, match="JSON"):
            canonical_json(value)


def test_canonical_text_of_nested_values():
    assert canonical_json({"b": {"d": 2.0, "c": [1.0, "1.0"]}, "a": 1e20}) == (
        '{"a":100000000000000000000,"b":{"c":[1,"1.0"],"d":2}}'
    )


def test_a_pointer_escapes_its_tokens():
    assert json_pointer() == ""
    assert json_pointer("properties", "a/b", 0, "m~n", "") == "/properties/a~1b/0/m~0n/"


def test_too_deep_nesting_is_reported_where_it_exceeds_the_limit():
    schema = {}
    for _ in range(MAX_DEPTH + 3):
        schema = {"not": schema}
    with pytest.raises(SchemaError) as check_error:
        check(schema)
    assert (check_error.value.pointer, check_error.value.limit) == ("/not" * MAX_DEPTH, MAX_DEPTH)


def test_neither_side_is_looked_at_before_both_are_guarded():
    endless: dict[str, object] = {}
    endless["not"] = endless
    for old, new, side in ((endless, {}, "old"), ({}, endless, "new")):
        with pytest.raises(SchemaError) as check_error:
            compare(old, new)
        assert check_error.value.side == side
