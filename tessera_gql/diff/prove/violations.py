"""List the ways to violate a schema. The list may contain impossible ways, but must not omit one."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations, islice

from tessera_gql.diff.prove.constraints import (
    AboveMaximum,
    BelowMinimum,
    Conjunct,
    ContainsAbove,
    ContainsBelow,
    Duplicates,
    HasDecimalPoint,
    ItemViolates,
    LaterItemViolates,
    Literal,
    NotInValues,
    NotMultiple,
    PatternUnmatched,
    SizeAbove,
    SizeBelow,
)
from tessera_gql.diff.prove.disjointness import Disjointness
from tessera_gql.diff.prove.object_violations import list_object_violations
from tessera_gql.diff.read.schema import Schema
from tessera_gql.diff.values.json_types import ARRAY, FRACTION, INTEGER, OBJECT, STRING

Alternative = list[Conjunct]
AreDisjoint = Callable[[Schema, Schema], bool]
MAX_OPTIONS = 100
MAX_PAIRS = 66


def list_violations(
    literal: Literal, json_type: int, premises: Sequence[Schema], disjointness: Disjointness
) -> Iterator[Alternative]:
    """Yield every way in which a value of the type that is valid under the premises can violate a schema.

    With a projection, what it shows of the value violates the schema. The minimum of properties, duplicates and listed
    values are those of the whole value.
    """
    node = literal.node
    if node.enum is not None:
        yield [NotInValues(frozenset(node.enum))]
    if json_type in CONSTRAINTS_BY_TYPE:
        yield from ([constraint] for constraint in CONSTRAINTS_BY_TYPE[json_type](literal))
    if json_type == OBJECT:
        yield from list_object_violations(literal, premises)
    if node.is_opaque or (json_type == ARRAY and "unevaluatedItems" in node.keywords):
        yield []
    if (target := node.target()) is not None:
        yield [literal.refuse(target)]
    yield from _composition_violations(literal, partial(disjointness.are_disjoint, json_type=json_type))


def _composition_violations(literal: Literal, are_disjoint: AreDisjoint) -> Iterator[Alternative]:
    node = literal.node
    for child in node.children("allOf"):
        yield [literal.refuse(child)]
    if "anyOf" in node.keywords:
        yield [literal.refuse(child) for child in node.children("anyOf")]
    if "oneOf" in node.keywords:
        yield from _one_of_violations(literal, node.children("oneOf"), are_disjoint)
    if (negated := node.child("not")) is not None:
        yield [literal.apply(negated, holds=True)]
    if (condition := node.child("if")) is not None:
        for keyword, holds in (("then", True), ("else", False)):
            if (then := node.child(keyword)) is not None:
                yield [literal.apply(condition, holds=holds), literal.refuse(then)]


def _one_of_violations(literal: Literal, options: Sequence[Schema], are_disjoint: AreDisjoint) -> Iterator[Alternative]:
    """Yield that none of the options holds, and the pairs that may hold together, or single options if there are many.

    A projection shows all names of the options, so that it changes nothing about options that are disjoint.
    """
    yield [literal.refuse(option) for option in options]
    pairs = combinations(options if len(options) <= MAX_OPTIONS else (), 2)
    overlapping = [*islice((pair for pair in pairs if not are_disjoint(*pair)), MAX_PAIRS + 1)]
    is_paired = len(options) <= MAX_OPTIONS and len(overlapping) <= MAX_PAIRS
    for alternative in overlapping if is_paired else ((option,) for option in options):
        yield [literal.apply(option, holds=True) for option in alternative]


def _number_constraints(literal: Literal) -> Iterator[Conjunct]:
    node = literal.node
    if node.forbids_decimal_point:
        yield HasDecimalPoint()
    if node.low is not None:
        yield BelowMinimum(node.low)
    if node.high is not None:
        yield AboveMaximum(node.high)
    yield from map(NotMultiple, node.multiples)


def _string_constraints(literal: Literal) -> Iterator[Conjunct]:
    node = literal.node
    if node.min_length:
        yield SizeBelow(node.min_length)
    if node.max_length is not None:
        yield SizeAbove(node.max_length)
    if node.pattern is not None:
        yield PatternUnmatched(node.pattern)


def _array_constraints(literal: Literal) -> Iterator[Conjunct]:
    node = literal.node
    if node.min_items:
        yield SizeBelow(node.min_items)
    if node.max_items is not None:
        yield SizeAbove(node.max_items)
    prefix, remaining = node.prefix_items, node.remaining_items
    yield from (ItemViolates(index, literal.on_item(schema)) for index, schema in enumerate(prefix))
    if remaining is not None:
        yield LaterItemViolates(len(prefix), literal.on_item(remaining))
    if node.unique:
        yield Duplicates()
    if (contained := node.child("contains")) is not None:
        match = literal.on_item(contained).negate()
        if node.min_contains:
            yield ContainsBelow(match, node.min_contains)
        if node.max_contains is not None:
            yield ContainsAbove(match, node.max_contains)


CONSTRAINTS_BY_TYPE: dict[int, Callable[[Literal], Iterator[Conjunct]]] = {
    INTEGER: _number_constraints,
    FRACTION: _number_constraints,
    STRING: _string_constraints,
    ARRAY: _array_constraints,
}
