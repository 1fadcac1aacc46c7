"""Breaking a schema: the alternatives, one per keyword. Listing one too many is safe, leaving one out is not."""

from collections.abc import Callable, Iterator, Sequence
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
    """Where only `properties` of conjunctions count as evaluated, some other property breaks it; else anything may."""
    extra = node.child("unevaluatedProperties")
    if extra is not None:
        names, patterns = set[str](), set[str]()
        is_plain = _evaluates(node, names, patterns, 0)
        yield [ExtraBreaks(frozenset(names), frozenset(patterns), extra)] if is_plain else []


def _evaluates(node: Schema, names: set[str], patterns: set[str], depth: int) -> bool:
    """Collects what a valid value has evaluated; False when that depends on the value or says too little."""
    if depth > 20 or node.is_opaque or node.extra is not None:
        return False
    names.update(node.properties)
    patterns.update(node.patterns)
    inside = [*node.children("allOf")]
    target = node.target()
    if target is not None:
        inside.append(target)
    return all(_evaluates(each, names, patterns, depth + 1) for each in inside)


FACTS: dict[int, Callable[[Schema], Iterator[Item]]] = {
    INTEGER: _number,
    FRACTION: _number,
    STRING: _string,
    ARRAY: _array,
    OBJECT: _object,
}
