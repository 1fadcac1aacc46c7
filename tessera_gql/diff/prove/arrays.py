"""Search for an array that satisfies a set of literals and constraints."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations

from tessera_gql.diff.budget import Budget
from tessera_gql.diff.prove.constraints import (
    Constraint,
    ContainsAbove,
    ContainsBelow,
    Duplicates,
    Find,
    ItemViolates,
    LaterItemViolates,
    Literal,
    NoWitness,
    SearchResult,
    Witness,
    excluded_values,
    size_limits,
)
from tessera_gql.diff.read.schema import Schema
from tessera_gql.diff.values.json import Json, canonical_json
from tessera_gql.diff.values.json_types import BOOLEAN, NULL

MAX_ITEMS = 200
MAX_PREFIX = 400
STEPS_PER_SCHEMA = 10


class ItemRules:
    """The literals on each item of an array valid under the nodes. All items after the prefix have the same ones."""

    def __init__(self, find: Find, budget: Budget, nodes: Iterable[Literal]) -> None:
        self.find = find
        self.budget = budget
        self.nodes = [*nodes]
        self.prefix_length = max((len(literal.node.prefix_items) for literal in self.nodes), default=0)
        self.cache: dict[int, list[Literal]] = {}

    def literals_at(self, index: int) -> list[Literal]:
        index = min(index, self.prefix_length)
        if index not in self.cache:
            self.budget.spend_steps(STEPS_PER_SCHEMA * len(self.nodes))
            schemas = ((literal, literal.node.item_schema(index)) for literal in self.nodes)
            self.cache[index] = [literal.on_item(schema) for literal, schema in schemas if schema is not None]
        return self.cache[index]


@dataclass
class Positions:
    """The literals on each array position.

    All positions from `uniform_from` on are subject to the same ones. A `max_length` of None is unlimited.
    """

    rules: ItemRules
    everywhere: list[Literal]
    uniform_from: int
    min_length: int
    max_length: int | None
    extra_literals: dict[int, list[Literal]] = field(default_factory=dict[int, list[Literal]])

    def literals_at(self, index: int) -> list[Literal]:
        return [*self.everywhere, *self.extra_literals.get(index, ()), *self.rules.literals_at(index)]

    def fits(self, size: int) -> bool:
        return self.max_length is None or size <= self.max_length

    def value(self, index: int, *additional: Literal) -> SearchResult:
        if not self.fits(index + 1):
            return NoWitness.EMPTY
        return self.rules.find([*self.literals_at(index), *additional])

    def representatives(self) -> range:
        """One index for each distinct position, and one that stands for all uniform ones."""
        top = self.uniform_from + 1
        return range(top if self.max_length is None else min(top, self.max_length))


def find_array(rules: ItemRules, constraints: list[Constraint]) -> SearchResult:
    """Search for an array that satisfies the rules and the constraints."""
    schemas = [literal.node for literal in rules.nodes]
    excluded = [item.literal for item in constraints if isinstance(item, ContainsBelow) and item.limit == 1]
    everywhere = [literal.negate() for literal in excluded]
    starts = [rules.prefix_length]
    starts += [item.position + 1 for item in constraints if isinstance(item, ItemViolates)]
    starts += [item.start for item in constraints if isinstance(item, LaterItemViolates)]
    if max(starts) > MAX_PREFIX:
        return NoWitness.UNKNOWN
    limits = size_limits((node.min_items for node in schemas), (node.max_items for node in schemas), constraints)
    return _ArraySearch(Positions(rules, everywhere, max(starts), *limits), constraints).run()


class _ArraySearch:
    """One search for an array: assigns values to positions, then fills the remaining ones."""

    def __init__(self, positions: Positions, constraints: list[Constraint]) -> None:
        self.positions = positions
        self.constraints = constraints
        self.unique = any(literal.node.unique for literal in positions.rules.nodes)
        self.forced: dict[int, Json] = {}
        self.is_sure = True

    def run(self) -> SearchResult:
        positions = self.positions
        if any(self._is_contradicted(item) for item in self.constraints if isinstance(item, ItemViolates)):
            return NoWitness.EMPTY
        self._limit_length()
        if not positions.fits(positions.min_length):
            return NoWitness.EMPTY
        if not all(map(self._satisfy, self.constraints)) or not all(map(self._satisfy_contains, positions.rules.nodes)):
            return NoWitness.EMPTY
        return self._build()

    def _is_contradicted(self, constraint: ItemViolates) -> bool:
        """Return whether the item can't violate its node: a cheap check for a frequent case."""
        literals = self.positions.literals_at(constraint.position)
        return self.positions.rules.find([*literals, constraint.literal]) is NoWitness.EMPTY

    def _limit_length(self) -> None:
        """Lower the maximum length to the first position without valid values, or to the number of distinct values."""
        positions = self.positions
        for index in positions.representatives():
            if positions.value(index) is NoWitness.EMPTY:
                positions.max_length = index
                break
        if self.unique and not positions.uniform_from:
            holding = (literal for literal in positions.literals_at(0) if literal.holds and literal.projection is None)
            counts = [_count_values(literal.node) for literal in holding]
            size = min((count for count in counts if count is not None), default=None)
            if size is not None and positions.fits(size):
                positions.max_length = size

    def _satisfy(self, constraint: Constraint) -> bool:
        """Return False when the constraint can't be satisfied."""
        match constraint:
            case ItemViolates(index, literal):
                self.positions.extra_literals.setdefault(index, []).append(literal)
                return self._assign_first([index])
            case LaterItemViolates(start, literal):
                top = max(self.positions.uniform_from, start)
                if self.positions.max_length == start + 1:  # no other item can
                    return self._satisfy(ItemViolates(start, literal))
                # not stored: one is enough
                return self._assign_first(range(start, top + 1), literal)
            case Duplicates():
                return not self.unique and self._place_duplicates()
            case ContainsBelow(literal, limit):
                return self._contains_below(literal, limit)
            case ContainsAbove(literal, limit):
                return self._contains_above(literal, limit)
            case _:
                return True

    def _assign_first(self, indices: Iterable[int], *additional: Literal) -> bool:
        is_open = False
        for index in indices:
            result = self.positions.value(index, *additional)
            if isinstance(result, Witness) and index not in self.forced:
                self.forced[index] = result.value
                return True
            is_open = is_open or result is not NoWitness.EMPTY
        self.is_sure = False
        return is_open

    def _place_duplicates(self) -> bool:
        positions, is_open = self.positions, False
        length = positions.uniform_from + 2  # any two of the uniform positions will do
        if positions.max_length is not None:
            length = min(length, positions.max_length)
        for left, right in combinations(range(length), 2):
            result = positions.rules.find([*positions.literals_at(left), *positions.literals_at(right)])
            if isinstance(result, Witness):
                self.forced[left] = self.forced[right] = result.value
                return True
            is_open = is_open or result is not NoWitness.EMPTY
            if is_open and positions.rules.budget.is_spent:
                break
        self.is_sure = False
        return is_open

    def _satisfy_contains(self, literal: Literal) -> bool:
        """Apply a `contains` that must hold: enough positions can match it, and not too many must."""
        node = literal.node
        if (contained := node.child("contains")) is None:
            return True
        contained_literal = _on_contained_item(literal, contained)
        if node.max_contains is not None and self._must_contain(contained_literal, node.max_contains + 1):
            return False
        return self._assign(contained_literal, node.min_contains)

    def _assign(self, literal: Literal, times: int) -> bool:
        """Assign a value that satisfies the literal to so many positions; False if provably fewer can hold one."""
        positions = self.positions
        candidates = [
            index for index in positions.representatives() if positions.value(index, literal) is not NoWitness.EMPTY
        ]
        tail, room = positions.uniform_from, len(candidates)
        if tail in candidates:
            room = times if positions.max_length is None else room - 1 + positions.max_length - tail
        if room < times:
            return False
        indices = [*candidates, *range(tail + 1, tail + min(times, MAX_ITEMS))]
        free = [index for index in indices if index not in self.forced]
        for index in free[:times] if times <= MAX_ITEMS else []:
            result = positions.value(index, literal)
            if isinstance(result, Witness):
                self.forced[index] = result.value
        return True

    def _must_contain(self, literal: Literal, times: int) -> bool:
        """Return whether at least so many items necessarily satisfy the literal."""
        positions, violation = self.positions, literal.negate()
        bound = 0
        for index in range(min(positions.min_length, positions.uniform_from)):
            bound += positions.value(index, violation) is NoWitness.EMPTY
        if positions.rules.find([*positions.literals_at(positions.uniform_from), violation]) is NoWitness.EMPTY:
            bound += max(0, positions.min_length - positions.uniform_from)
        return bound >= times

    def _contains_below(self, literal: Literal, limit: int) -> bool:
        for premise in self.positions.rules.nodes:
            contained = premise.node.child("contains")
            if contained is not None and premise.node.min_contains >= limit:
                literals = [_on_contained_item(premise, contained), literal.negate()]
                if self.positions.rules.find(literals) is NoWitness.EMPTY:
                    return False
        return not self._must_contain(literal, limit)

    def _contains_above(self, literal: Literal, limit: int) -> bool:
        for premise in self.positions.rules.nodes:
            contained, max_contains = premise.node.child("contains"), premise.node.max_contains
            if contained is None or max_contains is None or max_contains > limit:
                continue
            if self.positions.rules.find([literal, premise.on_item(contained).negate()]) is NoWitness.EMPTY:
                return False
        return self._assign(literal, limit + 1)

    def _build(self) -> SearchResult:
        positions = self.positions
        length = max([positions.min_length, *(index + 1 for index in self.forced)])
        if length > MAX_ITEMS:
            return NoWitness.UNKNOWN
        items: list[Json] = []
        for index in range(length):
            result = Witness(self.forced[index]) if index in self.forced else positions.value(index)
            if not isinstance(result, Witness):
                return NoWitness.UNKNOWN
            items.append(result.value)
        excluded = excluded_values(self.constraints)
        if self.unique:
            items = self._make_distinct(items)
        if canonical_json(items) in excluded:
            result = positions.value(length)
            items = [*items, result.value] if isinstance(result, Witness) else items
        return Witness(items) if self.is_sure and canonical_json(items) not in excluded else NoWitness.UNKNOWN

    def _make_distinct(self, items: list[Json]) -> list[Json]:
        """Replace repeated values by simple variants, which may be invalid: witnesses are validated before use."""
        texts: set[str] = set()
        distinct: list[Json] = []
        for index, item in enumerate(items):
            for candidate in (item, *_simple_variants(item, index)):
                if canonical_json(candidate) not in texts:
                    distinct.append(candidate)
                    texts.add(canonical_json(candidate))
                    break
        return distinct


def _simple_variants(item: Json, index: int) -> tuple[Json, ...]:
    match item:
        case bool() | None:
            return (True, False, None)
        case int() | float():
            return (item + index, item - index)
        case str():
            return (item + "a" * index, str(index))
        case _:
            return (index,)


def _count_values(node: Schema) -> int | None:
    """Count the values that a schema allows; None when there are many."""
    if node.enum is not None:
        return len(node.enum)
    if node.types & ~(NULL | BOOLEAN):
        return None
    return (1 if node.types & NULL else 0) + (2 if node.types & BOOLEAN else 0)


def _on_contained_item(literal: Literal, contained: Schema) -> Literal:
    """Return a literal on an item that `contains` counts. Only `items` says what a producer writes into it."""
    return literal.on_item(contained)._replace(is_produced=False)
