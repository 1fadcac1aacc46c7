"""Unions of many variants are compared, because their variants are recognized as disjoint."""

import pytest

from tessera_gql.diff import Certainty, Mode, compare
from tessera_gql.diff.prove.disjointness import Disjointness
from tessera_gql.diff.values.json_types import OBJECT, STRING
from tests.diff.engine import parse_schema
from tests.diff.schemas import INTEGER, NUMBER, TEXT, obj, table


def variant(number, *, is_closed=True, **columns):
    columns = {"type": {"const": f"t{number}"}, f"k{number}": TEXT, **columns}
    closing = {"additionalProperties": False} if is_closed else {}
    return obj(properties=columns, required=["type"], **closing)


def union(count, *, is_closed=True, **columns):
    variants = {f"e{number}": variant(number, is_closed=is_closed, **columns) for number in range(count)}
    payload = {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in variants]}
    return {**table(id=TEXT, payload=payload), "additionalProperties": False, "$defs": variants}


@pytest.mark.parametrize("is_closed", [True, False])
@pytest.mark.parametrize("count", [2, 6, 13, 30])
def test_a_field_may_be_added_to_every_variant(count, is_closed):
    diff = compare(union(count, is_closed=is_closed), union(count, is_closed=is_closed, note=TEXT))
    assert diff.is_compatible(Mode.BACKWARD)
    assert diff.is_compatible(Mode.CONSUMER)
    assert {change.certainty for change in diff.breaking_changes(Mode.FORWARD)} <= {Certainty.PROVEN}


@pytest.mark.parametrize("count", [2, 6, 13, 30])
def test_a_field_of_every_variant_may_be_widened_for_producers_but_not_for_readers(count):
    diff = compare(union(count, note=INTEGER), union(count, note=NUMBER))
    assert diff.is_compatible(Mode.BACKWARD)
    assert not diff.is_compatible(Mode.CONSUMER)


def test_a_condition_on_a_discriminator_excludes_the_other_ones():
    def conditional(limit):
        conditions = [
            {"if": {"properties": {"type": {"const": f"t{number}"}}, "required": ["type"]}, "then": {"required": ["k"]}}
            for number in range(30)
        ]
        return {**table(type=TEXT, k={**TEXT, "maxLength": limit}), "allOf": conditions}

    assert compare(conditional(3), conditional(4)).is_compatible(Mode.BACKWARD)
    assert not compare(conditional(4), conditional(3)).is_compatible(Mode.BACKWARD)


@pytest.mark.parametrize(
    ("left", "right", "are_disjoint"),
    [
        (TEXT, obj(), True),
        (obj(), obj(), False),
        ({"enum": [{}]}, {"enum": [[], 1]}, True),
        ({"enum": [{}, 1]}, {"const": {}}, False),
        (variant(0), variant(1), True),
        (variant(0, is_closed=False), variant(1, is_closed=False), True),
        (table(type={"const": 0}), table(type={"const": 1}), False),
        (obj(properties={"type": {"const": 0}}, required=["type"]), table(type={"const": 1}), True),
        (obj(properties={"a": TEXT}, required=["a"]), table(a=INTEGER), True),
        (obj(properties={"a": NUMBER}, required=["a"]), table(a=INTEGER), False),
        (obj(required=["a"]), {**table(b=TEXT), "additionalProperties": False}, True),
        (obj(required=["b"]), {**table(b=TEXT), "additionalProperties": False}, False),
        (obj(required=["a"]), obj(patternProperties={"^a": TEXT}, additionalProperties=False), False),
        (obj(required=["b"]), obj(patternProperties={"^a": TEXT}, additionalProperties=False), True),
        (obj(required=["a"]), {**table(b=TEXT), "additionalProperties": TEXT}, False),
        (
            {"allOf": [table(a=TEXT), {"required": ["a"]}]},
            {"$ref": "#/$defs/a", "$defs": {"a": table(a=INTEGER)}},
            True,
        ),
        ({"anyOf": [table(a=TEXT)], "required": ["a"]}, table(a=INTEGER), False),
    ],
)
def test_schemas_are_disjoint_only_if_no_object_satisfies_both(left, right, are_disjoint):
    schemas = parse_schema(left), parse_schema(right)
    assert Disjointness().are_disjoint(*schemas, OBJECT) == are_disjoint
    assert Disjointness().are_disjoint(*reversed(schemas), OBJECT) == are_disjoint


def test_objects_alone_are_told_apart_by_their_properties():
    left, right = ({key: value for key, value in variant(number).items() if key != "type"} for number in (0, 1))
    assert Disjointness().are_disjoint(parse_schema(left), parse_schema(right), OBJECT)
    assert not Disjointness().are_disjoint(parse_schema(left), parse_schema(right), STRING)
