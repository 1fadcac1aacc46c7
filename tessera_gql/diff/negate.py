"""Breaking a schema: the alternatives, one per keyword. Listing one too many is safe, leaving one out is not."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import combinations

from tessera_gql.diff.facts import (
    Above,
    Below,
    ContainsFewer,
    ContainsMore,
    Duplicates,
    Excluded,
    ExtraBreaks,
    Fewer,
    Item,
    ItemBreaks,
    Literal,
    Missing,
    More,
    NameBreaks,
    NotMultiple,
    PatternBreaks,
    Present,
    PropertyBreaks,
    RestBreaks,
    Unmatched,
)
from tessera_gql.diff.kinds import ARRAY, FRACTION, INTEGER, OBJECT, STRING
from tessera_gql.diff.schema import NONE, Schema

Alternative = list[Item]
PAIRS_OF = 12


def alternatives(node: Schema, kind: int, given: Sequence[Schema]) -> Iterator[Alternative]:
    """Every way a value of this kind, valid under the given schemas, can break the node."""
    if node.enum is not None:
        yield [Excluded(frozenset(node.enum))]
    if kind in FACTS:
        yield from ([fact] for fact in FACTS[kind](node))
    if kind == OBJECT:
        yield from _required(node, given)
        yield from _properties(node, given)
        yield from _dependents(node)
        yield from _unevaluated(node)
    if node.is_opaque or (kind == ARRAY and "unevaluatedItems" in node.words):
        yield []
    target = node.target()
    if target is not None:
        yield [Literal(target, holds=False)]
    yield from _composition(node)


def _composition(node: Schema) -> Iterator[Alternative]:
    for each in node.children("allOf"):
        yield [Literal(each, holds=False)]
    if "anyOf" in node.words:
        yield [Literal(each, holds=False) for each in node.children("anyOf")]
    if "oneOf" in node.words:
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


def _number(node: Schema) -> Iterator[Item]:
    if node.low is not None:
        yield Below(node.low)
    if node.high is not None:
        yield Above(node.high)
    yield from map(NotMultiple, node.multiples)


def _string(node: Schema) -> Iterator[Item]:
    if node.min_length:
        yield Fewer(node.min_length)
    if node.max_length is not None:
        yield More(node.max_length)
    if node.pattern is not None:
        yield Unmatched(node.pattern)


def _array(node: Schema) -> Iterator[Item]:
    if node.min_items:
        yield Fewer(node.min_items)
    if node.max_items is not None:
        yield More(node.max_items)
    prefix, rest = node.prefix, node.rest
    yield from (ItemBreaks(index, each) for index, each in enumerate(prefix))
    if rest is not None:
        yield RestBreaks(len(prefix), rest)
    if node.unique:
        yield Duplicates()
    contained = node.child("contains")
    if contained is not None:
        if node.min_contains:
            yield ContainsFewer(contained, node.min_contains)
        if node.max_contains is not None:
            yield ContainsMore(contained, node.max_contains)


def _object(node: Schema) -> Iterator[Item]:
    if node.min_properties:
        yield Fewer(node.min_properties)
    if node.max_properties is not None:
        yield More(node.max_properties)
    names = node.child("propertyNames")
    if names is not None:
        yield NameBreaks(names)
    yield from (PatternBreaks(pattern, node.pattern_property(pattern)) for pattern in node.patterns)
    if node.extra is not None:
        yield ExtraBreaks(frozenset(node.properties), frozenset(node.patterns), node.extra)


def _required(node: Schema, given: Sequence[Schema]) -> Iterator[Alternative]:
    there = {name for each in given for name in each.required}
    for name in node.required:
        if name not in there:
            yield [Missing(name)]


def _properties(node: Schema, given: Sequence[Schema]) -> Iterator[Alternative]:
    """Properties that a given schema declares with the same text cannot break."""
    if not node.properties:
        return
    settled = NONE.union(*(node.unchanged(each) for each in given if each.properties))
    for name, raw in node.properties.items():
        if raw is not True and name not in settled:
            yield [PropertyBreaks(name, node.named(name))]


def _dependents(node: Schema) -> Iterator[Alternative]:
    for name, others in node.dependent_names.items():
        for other in others:
            yield [Present(name), Missing(other)]
    for name, schema in node.dependent_schemas():
        yield [Present(name), Literal(schema, holds=False)]


def _unevaluated(node: Schema) -> Iterator[Alternative]:
    """Some property that no conjunction evaluates breaks it; what other branches evaluate depends on the value."""
    extra = node.child("unevaluatedProperties")
    if extra is not None:
        nodes = _together(node)
        names = frozenset(name for each in nodes for name in each.properties)
        patterns = frozenset(pattern for each in nodes for pattern in each.patterns)
        yield [ExtraBreaks(names, patterns, extra)]


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


FACTS: dict[int, Callable[[Schema], Iterator[Item]]] = {
    INTEGER: _number,
    FRACTION: _number,
    STRING: _string,
    ARRAY: _array,
    OBJECT: _object,
}
