"""Breaking a schema: the alternatives, one per keyword. Listing one too many is safe, leaving one out is not."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import combinations

from tessera_gql.diff.facts import (
    AboveMaximum,
    AdditionalPropertyViolates,
    BelowMinimum,
    Conjunct,
    ContainsAbove,
    ContainsBelow,
    Duplicates,
    ItemViolates,
    LaterItemViolates,
    Literal,
    NotInValues,
    NotMultiple,
    PatternPropertyViolates,
    PatternUnmatched,
    PropertyMissing,
    PropertyNameViolates,
    PropertyPresent,
    PropertyViolates,
    SizeAbove,
    SizeBelow,
)
from tessera_gql.diff.kinds import ARRAY, FRACTION, INTEGER, OBJECT, STRING
from tessera_gql.diff.schema import NO_NAMES, Schema

Alternative = list[Conjunct]
PAIRS_OF = 12


def alternatives(node: Schema, kind: int, given: Sequence[Schema]) -> Iterator[Alternative]:
    """Every way a value of this kind, valid under the given schemas, can break the node."""
    if node.enum is not None:
        yield [NotInValues(frozenset(node.enum))]
    if kind in CONSTRAINTS_BY_TYPE:
        yield from ([constraint] for constraint in CONSTRAINTS_BY_TYPE[kind](node))
    if kind == OBJECT:
        yield from _required(node, given)
        yield from _properties(node, given)
        yield from _dependents(node)
        yield from _unevaluated(node)
    if node.is_opaque or (kind == ARRAY and "unevaluatedItems" in node.keywords):
        yield []
    target = node.target()
    if target is not None:
        yield [Literal(target, holds=False)]
    yield from _composition(node)


def _composition(node: Schema) -> Iterator[Alternative]:
    for each in node.children("allOf"):
        yield [Literal(each, holds=False)]
    if "anyOf" in node.keywords:
        yield [Literal(each, holds=False) for each in node.children("anyOf")]
    if "oneOf" in node.keywords:
        yield from _one_of(node.children("oneOf"))
    negated = node.child("not")
    if negated is not None:
        yield [Literal(negated, holds=True)]
    condition = node.child("if")
    if condition is not None:
        for word, holds in (("then", True), ("else", False)):
            then = node.child(word)
            if then is not None:
                yield [Literal(condition, holds=holds), Literal(then, holds=False)]


def _one_of(options: Sequence[Schema]) -> Iterator[Alternative]:
    yield [Literal(each, holds=False) for each in options]
    if len(options) > PAIRS_OF:
        for each in options:
            yield [Literal(each, holds=True)]
        return
    for left, right in combinations(options, 2):
        yield [Literal(left, holds=True), Literal(right, holds=True)]


def _number(node: Schema) -> Iterator[Conjunct]:
    if node.low is not None:
        yield BelowMinimum(node.low)
    if node.high is not None:
        yield AboveMaximum(node.high)
    yield from map(NotMultiple, node.multiples)


def _string(node: Schema) -> Iterator[Conjunct]:
    if node.min_length:
        yield SizeBelow(node.min_length)
    if node.max_length is not None:
        yield SizeAbove(node.max_length)
    if node.pattern is not None:
        yield PatternUnmatched(node.pattern)


def _array(node: Schema) -> Iterator[Conjunct]:
    if node.min_items:
        yield SizeBelow(node.min_items)
    if node.max_items is not None:
        yield SizeAbove(node.max_items)
    prefix, rest = node.prefix_items, node.remaining_items
    yield from (ItemViolates(index, each) for index, each in enumerate(prefix))
    if rest is not None:
        yield LaterItemViolates(len(prefix), rest)
    if node.unique:
        yield Duplicates()
    contained = node.child("contains")
    if contained is not None:
        if node.min_contains:
            yield ContainsBelow(contained, node.min_contains)
        if node.max_contains is not None:
            yield ContainsAbove(contained, node.max_contains)


def _object(node: Schema) -> Iterator[Conjunct]:
    if node.min_properties:
        yield SizeBelow(node.min_properties)
    if node.max_properties is not None:
        yield SizeAbove(node.max_properties)
    names = node.child("propertyNames")
    if names is not None:
        yield PropertyNameViolates(names)
    yield from (PatternPropertyViolates(pattern, node.pattern_property(pattern)) for pattern in node.pattern_properties)
    if node.additional_properties is not None:
        yield AdditionalPropertyViolates(
            frozenset(node.properties), frozenset(node.pattern_properties), node.additional_properties
        )


def _required(node: Schema, given: Sequence[Schema]) -> Iterator[Alternative]:
    there = {name for each in given for name in each.required}
    for name in node.required:
        if name not in there:
            yield [PropertyMissing(name)]


def _properties(node: Schema, given: Sequence[Schema]) -> Iterator[Alternative]:
    """Properties that a given schema declares with the same text cannot break."""
    if not node.properties:
        return
    settled = NO_NAMES.union(*(node.unchanged_properties(each) for each in given if each.properties))
    for name, raw in node.properties.items():
        if raw is not True and name not in settled:
            yield [PropertyViolates(name, node.property_schema(name))]


def _dependents(node: Schema) -> Iterator[Alternative]:
    for name, others in node.dependent_names.items():
        for other in others:
            yield [PropertyPresent(name), PropertyMissing(other)]
    for name, schema in node.dependent_schemas():
        yield [PropertyPresent(name), Literal(schema, holds=False)]


def _unevaluated(node: Schema) -> Iterator[Alternative]:
    """Some property that no conjunction evaluates breaks it; what other branches evaluate depends on the value."""
    extra = node.child("unevaluatedProperties")
    if extra is not None:
        nodes = _together(node)
        names = frozenset(name for each in nodes for name in each.properties)
        patterns = frozenset(pattern for each in nodes for pattern in each.pattern_properties)
        yield [AdditionalPropertyViolates(names, patterns, extra)]


def _together(node: Schema) -> Collection[Schema]:
    """The node and all that a value valid under it is valid under for sure."""
    found, stack = dict[int, Schema](), [node]
    while stack:
        each = stack.pop()
        if id(each) not in found:
            found[id(each)] = each
            target = each.target()
            stack += [*each.children("allOf"), *([] if target is None else [target])]
    return found.values()


CONSTRAINTS_BY_TYPE: dict[int, Callable[[Schema], Iterator[Conjunct]]] = {
    INTEGER: _number,
    FRACTION: _number,
    STRING: _string,
    ARRAY: _array,
    OBJECT: _object,
}
