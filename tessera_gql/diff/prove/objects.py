"""Search for an object that satisfies a set of literals and constraints."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count, product
from typing import cast

from tessera_gql.diff.budget import Budget
from tessera_gql.diff.keywords.groups import NON_ASSERTING
from tessera_gql.diff.prove.constraints import (
    AdditionalPropertyViolates,
    Constraint,
    Find,
    Literal,
    NoWitness,
    PatternPropertyViolates,
    PropertyMissing,
    PropertyNameViolates,
    PropertyPresent,
    PropertyViolates,
    SearchResult,
    Witness,
    excluded_values,
    size_limits,
)
from tessera_gql.diff.prove.validation import accepts, all_true
from tessera_gql.diff.read.in_place import conditional_schemas, in_place_schemas, producer_names
from tessera_gql.diff.read.schema import Keywords, Schema
from tessera_gql.diff.values.json import Json, canonical_json, is_equal
from tessera_gql.diff.values.regular_languages import Language, find_example, matches

NamedResult = tuple[str, SearchResult]
"""The name of a property and the search for its value."""
ClassViolates = PatternPropertyViolates | AdditionalPropertyViolates | PropertyNameViolates
"""Constraints that any property of a class of names may satisfy."""
MAX_PATTERNS = 5
MAX_PROPERTIES = 20_000
MAX_FRESH = 100
MAX_SIMILAR_NAMES = 100
STEPS_PER_SCHEMA = 10
"""Cost to look for the names that a schema allows."""
NUMBERS: dict[str, Json] = {"integer": 0, "number": 0}
SAMPLES: dict[str, Json] = {"null": None, "boolean": False, "string": "", "array": [], "object": {}, **NUMBERS}
SAMPLE_KEYWORDS = NON_ASSERTING | {"type", "maxLength", "maxItems", "maxProperties"}
"""Keywords that allow the sample value of every type."""


@dataclass(frozen=True)
class PropertyRules:
    """The schemas that apply to each property. `names` is None if any name may occur."""

    find: Find
    budget: Budget
    nodes: list[Literal]
    names: frozenset[str] | None
    name_schemas: list[Schema]

    @cached_property
    def required(self) -> frozenset[str]:
        return frozenset(name for literal in self.nodes for name in literal.node.required)

    @cached_property
    def mentioned(self) -> frozenset[str]:
        names = {name for literal in self.nodes for name in literal.node.properties}
        return frozenset(names | self.required | (self.names or set()))

    @cached_property
    def declaring(self) -> dict[str, list[int]]:
        """The positions of the nodes that declare each property."""
        positions: dict[str, list[int]] = {}
        for position, literal in enumerate(self.nodes):
            for name in literal.node.properties:
                positions.setdefault(name, []).append(position)
        return positions

    @cached_property
    def general(self) -> list[int]:
        """The positions of the nodes with schemas for undeclared properties."""
        nodes = [literal.node for literal in self.nodes]
        return [
            position
            for position, node in enumerate(nodes)
            if node.pattern_properties or node.additional_properties is not None
        ]

    def allows(self, name: str) -> bool:
        if self.names is not None and name not in self.names:
            return False
        return all_true(accepts(schema, name) for schema in self.name_schemas) is not False

    def literals_on(self, name: str) -> list[Literal]:
        """Return the literals on a property's value. Patterns outside the supported syntax are ignored."""
        literals: list[Literal] = []
        for position in sorted({*self.declaring.get(name, ()), *self.general}):
            literal = self.nodes[position]
            node = literal.node
            is_extra = name not in node.properties
            if not is_extra:
                literals.append(literal.on_property(name, node.property_schema(name)))
            for pattern in node.pattern_properties:
                fits = matches(pattern, name, self.budget)
                is_extra = is_extra and fits is False
                if fits:
                    literals.append(literal.on_property(name, node.pattern_property(pattern)))
            if is_extra and (additional := _additional_schema(literal)) is not None:
                literals.append(literal.on_property(name, additional))
        return literals

    def value(self, name: str, extra_literals: Iterable[Literal] = ()) -> SearchResult:
        return self.find([*self.literals_on(name), *extra_literals]) if self.allows(name) else NoWitness.EMPTY

    def plain_value(self, name: str) -> SearchResult:
        """Return the same as `value`, with a shortcut for a single schema with plain keywords."""
        positions = self.declaring.get(name, [])
        is_alone = len(positions) == 1 and self.general in ([], positions) and not self.name_schemas
        if not is_alone or (self.names is not None and name not in self.names):
            return self.value(name)
        node = self.nodes[positions[0]].node
        raw = None if node.pattern_properties else node.properties[name]
        if isinstance(raw, dict) and SAMPLE_KEYWORDS.issuperset(keywords := cast("Keywords", raw)):
            types = keywords.get("type", "null")
            return Witness(SAMPLES[cast("list[str]", types)[0] if isinstance(types, list) else cast("str", types)])
        return self.value(name)

    def find_fresh(
        self, literals: list[Literal], avoid: frozenset[str], must_match: frozenset[str], must_not_match: frozenset[str]
    ) -> NamedResult:
        """Find an undeclared property with a value. The name matches `must_match` and none of `must_not_match`."""
        if self.names is not None:
            return "", NoWitness.EMPTY
        combined = NoWitness.EMPTY
        for matched, unmatched in self._pattern_combinations(must_match, must_not_match):
            name = self._find_name(matched, unmatched, avoid)
            if name is False:
                continue
            result = self.find([*self._fresh_literals(matched, unmatched), *literals])
            if isinstance(result, Witness) and isinstance(name, str) and self.allows(name):
                return name, result
            combined = combined if result is NoWitness.EMPTY else NoWitness.UNKNOWN
        return "", combined

    def _pattern_combinations(
        self, must_match: frozenset[str], must_not_match: frozenset[str]
    ) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
        """Yield all combinations of matching and unmatched patterns, or none of them fixed if there are too many."""
        patterns = {pattern for literal in self.nodes for pattern in literal.node.pattern_properties}
        free = sorted(patterns - must_match - must_not_match)
        if must_match & must_not_match:
            return
        if len(free) > MAX_PATTERNS:
            free = []
        for choice in product((False, True), repeat=len(free)):
            chosen = frozenset(pattern for pattern, is_on in zip(free, choice, strict=True) if is_on)
            yield must_match | chosen, must_not_match.union(free) - chosen

    def _fresh_literals(self, matched: frozenset[str], unmatched: frozenset[str]) -> Iterator[Literal]:
        """Literals on an undeclared property. Patterns that are neither matched nor unmatched give none."""
        for literal in self.nodes:
            node = literal.node
            for pattern in node.pattern_properties:
                if pattern in matched:
                    yield literal.on_undeclared(node.pattern_property(pattern))
            if (additional := _additional_schema(literal)) and unmatched.issuperset(node.pattern_properties):
                yield literal.on_undeclared(additional)

    def _find_name(
        self, must_match: frozenset[str], must_not_match: frozenset[str], avoid: frozenset[str]
    ) -> str | bool:
        if not must_match:
            simple_name = next(name for index in count() if (name := f"other{index or ''}") not in avoid)
            if all(matches(pattern, simple_name, self.budget) is False for pattern in must_not_match):
                return simple_name
        similar = frozenset(name for name in avoid if self._may_match(must_match, name))
        excluded = similar if len(similar) <= MAX_SIMILAR_NAMES else frozenset[str]()
        candidate = find_example(Language(must_match, must_not_match, excluded=excluded), self.budget)
        return True if isinstance(candidate, str) and candidate in avoid else candidate

    def _may_match(self, patterns: frozenset[str], name: str) -> bool:
        return all(matches(pattern, name, self.budget) is not False for pattern in patterns)


def _additional_schema(literal: Literal) -> Schema | None:
    """Return the schema of undeclared properties, if any. A closed object does not exclude what a projection hides."""
    schema = literal.node.additional_properties
    return None if schema is None or (literal.projection is not None and schema.is_false) else schema


def find_object(rules: PropertyRules, constraints: list[Constraint]) -> SearchResult:
    """Search for an object that satisfies the rules and the constraints."""
    return _ObjectSearch(rules, constraints).run()


def object_rules(
    find: Find, budget: Budget, nodes: list[Literal], literals: list[Literal], *, is_whole: bool
) -> PropertyRules:
    """Collect the rules for the properties of an object valid under the nodes."""
    names = _producible_names(budget, nodes, literals, is_whole=is_whole)
    unprojected_nodes = [literal.node for literal in nodes if literal.projection is None]
    name_schemas = [schema for node in unprojected_nodes if (schema := node.child("propertyNames")) is not None]
    for schema in name_schemas:
        if schema.is_false or schema.enum is not None:
            listed = frozenset(value for value in (schema.enum or {}).values() if isinstance(value, str))
            names = listed if names is None else names & listed
    return PropertyRules(find, budget, [*nodes], names, name_schemas)


def _producible_names(
    budget: Budget, nodes: list[Literal], literals: list[Literal], *, is_whole: bool
) -> frozenset[str] | None:
    """Return the names that a producer may write, or None if any.

    They are the declared names if some are declared and no keyword allows others, names declared by other branches, and
    required names. Until all nodes are known, any branch may allow others.
    """
    produced = [literal.node for literal in nodes if literal.is_produced]
    is_strict = any("unevaluatedProperties" in node.keywords for node in produced)
    if not is_strict and not any(node.properties for node in produced):
        return None
    producer_nodes = [literal.node for literal in literals if literal.is_produced]
    pending: list[Schema] = []
    for node in [] if is_whole else producer_nodes:
        pending += (*in_place_schemas(node), *conditional_schemas(node))
    certain = [*(literal.node for literal in nodes), *pending]
    budget.spend_steps(STEPS_PER_SCHEMA * len(certain))
    producible = {name for node in certain for name in _needed_names(node)}
    for names in map(producer_names, producer_nodes):
        if names is None:
            return None
        producible |= names
    is_open = any(_allows_undeclared(node, len(producible)) for node in (*produced, *pending))
    return None if is_open else frozenset(producible)


def _allows_undeclared(node: Schema, name_count: int) -> bool:
    unevaluated = node.child("unevaluatedProperties")
    is_open = node.additional_properties is not None or (unevaluated is not None and not unevaluated.is_false)
    return is_open or node.min_properties > name_count


def _needed_names(node: Schema) -> Iterator[str]:
    """Yield names that a document may need, declared or not."""
    yield from node.required
    for dependents in node.dependent_names.values():
        yield from dependents


class _ObjectSearch:
    """One search for an object: collects the demands on each property, then finds values for them."""

    def __init__(self, rules: PropertyRules, constraints: list[Constraint]) -> None:
        self.rules = rules
        self.constraints = constraints
        self.absent = {item.name for item in constraints if isinstance(item, PropertyMissing)}
        self.demands: dict[str, list[Literal]] = {}
        for item in constraints:
            if isinstance(item, PropertyViolates):
                self.demands.setdefault(item.name, []).append(item.literal)
        present = {item.name for item in constraints if isinstance(item, PropertyPresent)}
        self.needed = (present | self.demands.keys()) - rules.required
        self.required_count = len(rules.required) + len(self.needed)
        self.min_size, self.max_size = size_limits(
            (literal.node.min_properties for literal in rules.nodes),
            (literal.node.max_properties for literal in rules.nodes if literal.projection is None),
            constraints,
        )
        self.document: dict[str, Json] = {}
        self.is_sure = True

    @cached_property
    def mentioned(self) -> frozenset[str]:
        extra_names = (item.names for item in self.constraints if isinstance(item, AdditionalPropertyViolates))
        return self.rules.mentioned.union(self.needed, self.absent, *extra_names)

    def is_required(self, name: str) -> bool:
        return name in self.rules.required or name in self.needed

    def run(self) -> SearchResult:
        if any(map(self.is_required, self.absent)) or not self._fits(max(self.required_count, self.min_size)):
            return NoWitness.EMPTY
        steps = (self._fill_demands, self._fill_classes, self._fill_required, self._fill_to_minimum)
        return self._build() if all(step() for step in steps) else NoWitness.EMPTY

    def _fits(self, size: int) -> bool:
        return self.max_size is None or size <= self.max_size

    def _build(self) -> SearchResult:
        excluded = excluded_values(self.constraints)
        if not self.is_sure or (excluded and canonical_json(self.document) in excluded):
            return NoWitness.UNKNOWN
        return Witness(self.document)

    def _store(self, name: str, result: SearchResult) -> bool:
        """Store the value of a property; False when it has none. Different values for a name make the result unsure."""
        if isinstance(result, Witness) and len(self.document) < MAX_PROPERTIES and self._agrees(name, result.value):
            self.document[name] = result.value
        else:
            self.is_sure = False
        return result is not NoWitness.EMPTY

    def _agrees(self, name: str, value: Json) -> bool:
        return name not in self.document or is_equal(self.document[name], value)

    def _fill_demands(self) -> bool:
        return all(self._store(name, self.rules.value(name, literals)) for name, literals in self.demands.items())

    def _fill_required(self) -> bool:
        names = sorted((self.rules.required | self.needed) - self.demands.keys() - self.document.keys())
        return all(self._store(name, self.rules.plain_value(name)) for name in names)

    def _fill_classes(self) -> bool:
        return all(self._violate_one(item) for item in self.constraints if isinstance(item, ClassViolates))

    def _violate_one(self, constraint: ClassViolates) -> bool:
        """Find a property of the constraint's class, mentioned or undeclared, that violates its node."""
        literals = [] if isinstance(constraint, PropertyNameViolates) else [constraint.literal]
        is_open = False
        for name in sorted(name for name in self.mentioned - self.absent if _may_belong(name, constraint)):
            if not self.is_required(name) and not self._fits(self.required_count + 1):
                continue
            result = self.rules.value(name, [*literals, *self.demands.get(name, ())])
            if isinstance(result, Witness):
                return self._store(name, result)
            is_open = is_open or result is NoWitness.UNKNOWN
        if self._fits(self.required_count + 1):
            # a new name keeps the values of other demands; a name in use is tried last, as one value must do for both
            for avoid in dict.fromkeys((self.mentioned.union(self.document), self.mentioned)):
                name, result = self._find_fresh(constraint, literals, avoid)
                if result is not NoWitness.EMPTY:
                    return self._store(name, result)
        self.is_sure = False
        return is_open

    def _find_fresh(self, constraint: ClassViolates, literals: list[Literal], avoid: frozenset[str]) -> NamedResult:
        match constraint:
            case PatternPropertyViolates(pattern, _):
                return self.rules.find_fresh(literals, avoid, frozenset({pattern}), frozenset())
            case AdditionalPropertyViolates(_, patterns, _):
                return self.rules.find_fresh(literals, avoid, frozenset(), patterns)
            case PropertyNameViolates(node):
                return self._find_fresh_name(node, avoid)

    def _find_fresh_name(self, node: Schema, avoid: frozenset[str]) -> NamedResult:
        """Find an undeclared name that violates the node."""
        _, result = self.rules.find_fresh([], avoid, frozenset(), frozenset())
        if result is NoWitness.EMPTY:
            return "", result
        text = node.cache.any_string(node.document)
        literals = [Literal(schema, holds=True) for schema in (text, *self.rules.name_schemas)]
        name_result = self.rules.find([*literals, Literal(node, holds=False)])
        if isinstance(name_result, Witness) and isinstance(name_result.value, str):
            value = self.rules.value(name_result.value)
            return name_result.value, value if isinstance(value, Witness) else NoWitness.UNKNOWN
        return "", name_result

    def _fill_to_minimum(self) -> bool:
        """Add properties up to the minimum size. False when there are provably too few names."""
        if max(len(self.document), self.required_count) >= self.min_size:
            return True
        possible = self.required_count + len(self.document.keys() - self.mentioned)
        for name in sorted(self.mentioned - self.rules.required - self.needed - self.absent):
            result = self.rules.value(name)
            possible += result is not NoWitness.EMPTY
            if isinstance(result, Witness) and len(self.document) < self.min_size:
                self.document.setdefault(name, result.value)
        for _ in range(MAX_FRESH):
            if len(self.document) >= self.min_size:
                return True
            name, result = self.rules.find_fresh([], self.mentioned | self.document.keys(), frozenset(), frozenset())
            if result is NoWitness.EMPTY:
                self.is_sure = False
                return possible >= self.min_size
            if not isinstance(result, Witness) or name in self.document:
                break
            self.document[name] = result.value
            possible += 1
        self.is_sure = False
        return True


def _may_belong(name: str, constraint: ClassViolates) -> bool:
    """Return whether a name may belong to the class of a constraint."""
    match constraint:
        case PatternPropertyViolates(pattern, literal):
            return matches(pattern, name, literal.node.cache.budget) is not False
        case AdditionalPropertyViolates(names, patterns, literal):
            budget = literal.node.cache.budget
            return name not in names and not any(matches(pattern, name, budget) for pattern in patterns)
        case PropertyNameViolates(node):
            return accepts(node, name) is not True
