"""Recognize schemas that no value satisfies together: by types, a discriminating property or a closed object.

The alternatives of large unions are recognized as different in this way. What is not recognized is left to the solver.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from tessera_gql.diff.read.schema import Schema
from tessera_gql.diff.values.json_types import ALL_TYPES, OBJECT, type_mask
from tessera_gql.diff.values.regular_languages import matches


@dataclass
class Facts:
    """What every value of a schema satisfies, as far as the schema and its conjuncts say it directly."""

    types: int = ALL_TYPES
    values: frozenset[str] | None = None
    required: set[str] = field(default_factory=set[str])
    properties: dict[str, list[Schema]] = field(default_factory=dict[str, list[Schema]])
    closed: list[Schema] = field(default_factory=list[Schema])


class Disjointness:
    """The facts about the alternatives of one comparison."""

    def __init__(self) -> None:
        self.facts: dict[int, Facts] = {}

    def are_disjoint(self, left: Schema, right: Schema, json_type: int, *, ignores_closed: bool = False) -> bool:
        """Return whether it is certain that no value of a JSON type satisfies both schemas.

        With `ignores_closed`, one of them may be about a value without the properties that it does not name.
        """
        own, peer = self._facts(left), self._facts(right)
        if not own.types & peer.types & json_type or _have_no_value(own, peer):
            return True
        if json_type != OBJECT:
            return False
        shared = (own.required | peer.required) & own.properties.keys() & peer.properties.keys()
        if any(self._exclude(own, peer, name) for name in shared):
            return True
        return not ignores_closed and (_excludes(own, peer) or _excludes(peer, own))

    def _exclude(self, own: Facts, peer: Facts, name: str) -> bool:
        """Return whether no value of the property satisfies a schema of both sides."""
        left = [self._facts(schema) for schema in own.properties[name]]
        right = [self._facts(schema) for schema in peer.properties[name]]
        return any(not fact.types & match.types or _have_no_value(fact, match) for fact in left for match in right)

    def _facts(self, node: Schema) -> Facts:
        facts = self.facts.get(id(node))
        if facts is None:
            facts = self.facts[id(node)] = _collect_facts(conjunction(node))
        return facts


def _collect_facts(nodes: Collection[Schema]) -> Facts:
    facts = Facts()
    for node in nodes:
        facts.types &= node.types
        if node.enum is not None:
            facts.values = frozenset(node.enum) if facts.values is None else facts.values.intersection(node.enum)
            facts.types &= _value_types(node)
        facts.required.update(node.required)
        for name in node.properties:
            facts.properties.setdefault(name, []).append(node.property_schema(name))
        if node.additional_properties is not None and node.additional_properties.is_false:
            facts.closed.append(node)
    return facts


def _value_types(node: Schema) -> int:
    mask = 0
    for value in (node.enum or {}).values():
        mask |= type_mask(value)
    return mask


def _have_no_value(own: Facts, peer: Facts) -> bool:
    """Return whether both sides list values, and none in common."""
    return own.values is not None and peer.values is not None and own.values.isdisjoint(peer.values)


def _excludes(closed: Facts, open_facts: Facts) -> bool:
    """Return whether one side is closed to a property that the other one requires."""
    return any(
        name not in node.properties and all(matches(pattern, name) is False for pattern in node.pattern_properties)
        for node in closed.closed
        for name in open_facts.required
    )


def conjunction(node: Schema) -> Collection[Schema]:
    """Return the node and all schemas that a value valid under it must satisfy."""
    schemas, stack = dict[int, Schema](), [node]
    while stack:
        schema = stack.pop()
        if id(schema) not in schemas:
            schemas[id(schema)] = schema
            target = schema.target()
            stack += [*schema.children("allOf"), *([] if target is None else [target])]
    return schemas.values()
