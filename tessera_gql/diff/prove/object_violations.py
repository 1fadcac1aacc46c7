"""List the ways in which an object can violate a schema, or what a projection shows of the object."""

from collections.abc import Collection, Iterator, Sequence

from tessera_gql.diff.prove.constraints import (
    AdditionalPropertyViolates,
    Conjunct,
    Literal,
    PatternPropertyViolates,
    PropertyMissing,
    PropertyNameViolates,
    PropertyPresent,
    PropertyViolates,
    SizeAbove,
    SizeBelow,
)
from tessera_gql.diff.prove.disjointness import conjunction
from tessera_gql.diff.prove.validation import accepts
from tessera_gql.diff.read.schema import NO_NAMES, Schema
from tessera_gql.diff.values.regular_languages import matches

Alternative = list[Conjunct]


def list_object_violations(literal: Literal, premises: Sequence[Schema]) -> Iterator[Alternative]:
    """Yield every way in which an object that is valid under the premises can violate the schema of a literal."""
    node = literal.node
    yield from _count_violations(literal)
    if (names := node.child("propertyNames")) is not None:
        yield from _name_violations(literal, names)
    for pattern in node.pattern_properties:
        yield [PatternPropertyViolates(pattern, literal.on_undeclared(node.pattern_property(pattern)))]
    if (additional := node.additional_properties) is not None:
        yield from _undeclared_violations(literal, [node], additional)
    yield from _required_violations(node, premises)
    yield from _property_violations(literal, premises)
    yield from _dependency_violations(literal)
    if (extra := node.child("unevaluatedProperties")) is not None:
        nodes = conjunction(node)
        if all(schema.additional_properties is None for schema in nodes):  # which evaluates every property
            yield from _undeclared_violations(literal, nodes, extra)


def _count_violations(literal: Literal) -> Iterator[Alternative]:
    """Yield too few properties of the whole object, and too many of what a projection shows."""
    node, projection = literal.node, literal.projection
    if node.min_properties:
        yield [SizeBelow(node.min_properties)]
    if node.max_properties is not None:
        names = None if projection is None or projection.patterns else projection.names
        if names is None or len(names) > node.max_properties:
            yield [SizeAbove(node.max_properties)]


def _required_names(premises: Sequence[Schema]) -> set[str]:
    return {name for premise in premises for name in premise.required}


def _name_violations(literal: Literal, names: Schema) -> Iterator[Alternative]:
    projection = literal.projection
    if projection is None or projection.names is None or projection.patterns:
        yield [PropertyNameViolates(names)]
        return
    for name in sorted(projection.names):
        if accepts(names, name) is not True:
            yield [PropertyPresent(name)]


def _undeclared_violations(literal: Literal, nodes: Collection[Schema], extra: Schema) -> Iterator[Alternative]:
    """Yield properties that violate the schema for names that the nodes don't cover.

    If that excludes all of them, a projection leaves those that other schemas name.
    """
    names = frozenset(name for schema in nodes for name in schema.properties)
    patterns = frozenset(pattern for schema in nodes for pattern in schema.pattern_properties)
    projection = literal.projection
    if projection is None or projection.names is None or not extra.is_false or not projection.patterns <= patterns:
        yield [AdditionalPropertyViolates(names, patterns, literal.on_undeclared(extra))]
        return
    for name in sorted(projection.names - names):
        if not any(matches(pattern, name) for pattern in patterns):
            yield [PropertyPresent(name)]


def _required_violations(node: Schema, premises: Sequence[Schema]) -> Iterator[Alternative]:
    required_names = _required_names(premises)
    for name in node.required:
        if name not in required_names:
            yield [PropertyMissing(name)]


def _property_violations(literal: Literal, premises: Sequence[Schema]) -> Iterator[Alternative]:
    """Yield violations of properties, except those that a premise declares alike: they show what they always did."""
    node = literal.node
    if not node.properties:
        return
    settled = NO_NAMES.union(*(node.unchanged_properties(premise) for premise in premises if premise.properties))
    for name, raw in node.properties.items():
        if raw is True or name in settled:
            continue
        violation = literal.on_property(name, node.property_schema(name))
        if violation.projection is None or not _is_declared_alike(name, violation.node, premises):
            yield [PropertyViolates(name, violation)]


def _is_declared_alike(name: str, schema: Schema, premises: Sequence[Schema]) -> bool:
    """Return whether a premise declares the property with the same meaning."""
    return any(name in node.properties and node.property_schema(name).key == schema.key for node in premises)


def _dependency_violations(literal: Literal) -> Iterator[Alternative]:
    for name, dependents in literal.node.dependent_names.items():
        for dependent in dependents:
            yield [PropertyPresent(name), PropertyMissing(dependent)]
    for name, schema in literal.node.dependent_schemas():
        yield [PropertyPresent(name), literal.refuse(schema)]
