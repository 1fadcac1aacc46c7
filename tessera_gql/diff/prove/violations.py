"""List the ways to violate a schema. The list may contain impossible ways, but must not omit one."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import combinations

from tessera_gql.diff.prove.constraints import (
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
from tessera_gql.diff.read.json_types import ARRAY, FRACTION, INTEGER, OBJECT, STRING
from tessera_gql.diff.read.schema import NO_NAMES, Schema

Alternative = list[Conjunct]
MAX_PAIRED_OPTIONS = 12


def list_violations(node: Schema, json_type: int, premises: Sequence[Schema]) -> Iterator[Alternative]:
    """Yield every way in which a value of the type that is valid under the premises can violate the node."""
    if node.enum is not None:
        yield [NotInValues(frozenset(node.enum))]
    if json_type in CONSTRAINTS_BY_TYPE:
        yield from ([constraint] for constraint in CONSTRAINTS_BY_TYPE[json_type](node))
    if json_type == OBJECT:
        yield from _required_violations(node, premises)
        yield from _property_violations(node, premises)
        yield from _dependency_violations(node)
        yield from _unevaluated_violations(node)
    if node.is_opaque or (json_type == ARRAY and "unevaluatedItems" in node.keywords):
        yield []
    if (target := node.target()) is not None:
        yield [Literal(target, holds=False)]
    yield from _composition_violations(node)


def _composition_violations(node: Schema) -> Iterator[Alternative]:
    for child in node.children("allOf"):
        yield [Literal(child, holds=False)]
    if "anyOf" in node.keywords:
        yield [Literal(child, holds=False) for child in node.children("anyOf")]
    if "oneOf" in node.keywords:
        yield from _one_of_violations(node.children("oneOf"))
    if (negated := node.child("not")) is not None:
        yield [Literal(negated, holds=True)]
    if (condition := node.child("if")) is not None:
        for keyword, holds in (("then", True), ("else", False)):
            if (then := node.child(keyword)) is not None:
                yield [Literal(condition, holds=holds), Literal(then, holds=False)]


def _one_of_violations(options: Sequence[Schema]) -> Iterator[Alternative]:
    yield [Literal(option, holds=False) for option in options]
    if len(options) > MAX_PAIRED_OPTIONS:
        for option in options:
            yield [Literal(option, holds=True)]
        return
    for left, right in combinations(options, 2):
        yield [Literal(left, holds=True), Literal(right, holds=True)]


def _number_constraints(node: Schema) -> Iterator[Conjunct]:
    if node.low is not None:
        yield BelowMinimum(node.low)
    if node.high is not None:
        yield AboveMaximum(node.high)
    yield from map(NotMultiple, node.multiples)


def _string_constraints(node: Schema) -> Iterator[Conjunct]:
    if node.min_length:
        yield SizeBelow(node.min_length)
    if node.max_length is not None:
        yield SizeAbove(node.max_length)
    if node.pattern is not None:
        yield PatternUnmatched(node.pattern)


def _array_constraints(node: Schema) -> Iterator[Conjunct]:
    if node.min_items:
        yield SizeBelow(node.min_items)
    if node.max_items is not None:
        yield SizeAbove(node.max_items)
    prefix, remaining = node.prefix_items, node.remaining_items
    yield from (ItemViolates(index, schema) for index, schema in enumerate(prefix))
    if remaining is not None:
        yield LaterItemViolates(len(prefix), remaining)
    if node.unique:
        yield Duplicates()
    if (contained := node.child("contains")) is not None:
        if node.min_contains:
            yield ContainsBelow(contained, node.min_contains)
        if node.max_contains is not None:
            yield ContainsAbove(contained, node.max_contains)


def _object_constraints(node: Schema) -> Iterator[Conjunct]:
    if node.min_properties:
        yield SizeBelow(node.min_properties)
    if node.max_properties is not None:
        yield SizeAbove(node.max_properties)
    if (names := node.child("propertyNames")) is not None:
        yield PropertyNameViolates(names)
    yield from (PatternPropertyViolates(pattern, node.pattern_property(pattern)) for pattern in node.pattern_properties)
    if node.additional_properties is not None:
        yield AdditionalPropertyViolates(
            frozenset(node.properties), frozenset(node.pattern_properties), node.additional_properties
        )


def _required_violations(node: Schema, premises: Sequence[Schema]) -> Iterator[Alternative]:
    required_names = {name for premise in premises for name in premise.required}
    for name in node.required:
        if name not in required_names:
            yield [PropertyMissing(name)]


def _property_violations(node: Schema, premises: Sequence[Schema]) -> Iterator[Alternative]:
    """Yield violations of properties, except those that a premise declares with the same text."""
    if not node.properties:
        return
    settled = NO_NAMES.union(*(node.unchanged_properties(premise) for premise in premises if premise.properties))
    for name, raw in node.properties.items():
        if raw is not True and name not in settled:
            yield [PropertyViolates(name, node.property_schema(name))]


def _dependency_violations(node: Schema) -> Iterator[Alternative]:
    for name, dependents in node.dependent_names.items():
        for dependent in dependents:
            yield [PropertyPresent(name), PropertyMissing(dependent)]
    for name, schema in node.dependent_schemas():
        yield [PropertyPresent(name), Literal(schema, holds=False)]


def _unevaluated_violations(node: Schema) -> Iterator[Alternative]:
    """Yield violations of `unevaluatedProperties`: names that the node and its `allOf` parts don't cover."""
    if (extra := node.child("unevaluatedProperties")) is not None:
        nodes = _conjunction(node)
        names = frozenset(name for schema in nodes for name in schema.properties)
        patterns = frozenset(pattern for schema in nodes for pattern in schema.pattern_properties)
        yield [AdditionalPropertyViolates(names, patterns, extra)]


def _conjunction(node: Schema) -> Collection[Schema]:
    """Return the node and all schemas that a value valid under it must satisfy."""
    schemas, stack = dict[int, Schema](), [node]
    while stack:
        schema = stack.pop()
        if id(schema) not in schemas:
            schemas[id(schema)] = schema
            target = schema.target()
            stack += [*schema.children("allOf"), *([] if target is None else [target])]
    return schemas.values()


CONSTRAINTS_BY_TYPE: dict[int, Callable[[Schema], Iterator[Conjunct]]] = {
    INTEGER: _number_constraints,
    FRACTION: _number_constraints,
    STRING: _string_constraints,
    ARRAY: _array_constraints,
    OBJECT: _object_constraints,
}
