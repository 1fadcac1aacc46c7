"""Decide whether a document satisfies a set of literals. EMPTY is a proof that none exists.

The solver is a tableau: literals are split into alternatives until only constraints on one JSON type remain, which
`scalars`, `arrays` and `objects` decide. Searches for parts of the value are solved recursively and memoized. A search
that recurs while it is in progress is assumed EMPTY, because a smallest document contains no smaller solution of the
same search; if the assumption fails, results that depend on it are discarded. Unsupported keywords may only add
documents.
"""

import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from tessera_gql.diff.prove.arrays import find_array
from tessera_gql.diff.prove.constraints import (
    Conjunct,
    Constraint,
    Literal,
    LiteralKey,
    NoWitness,
    PropertyMissing,
    PropertyPresent,
    PropertyViolates,
    SearchResult,
    Witness,
)
from tessera_gql.diff.prove.objects import PropertyRules, find_object, object_rules
from tessera_gql.diff.prove.scalars import find_number, find_string
from tessera_gql.diff.prove.validation import accepts, all_true, negate_verdict
from tessera_gql.diff.prove.violations import Alternative, list_violations
from tessera_gql.diff.read.json import Json, with_decimal_points
from tessera_gql.diff.read.json_types import ALL_TYPES, ARRAY, BOOLEAN, FRACTION, INTEGER, NULL, OBJECT, STRING
from tessera_gql.diff.read.schema import Schema

MAX_DEPTH = 36
NO_ASSUMPTION = sys.maxsize
VALUES_OF_TYPE: dict[int, tuple[Json, ...]] = {NULL: (None,), BOOLEAN: (False, True)}
TYPE_ORDER = (NULL, BOOLEAN, STRING, INTEGER, FRACTION, OBJECT, ARRAY)
Key = frozenset[LiteralKey]


@dataclass
class Branch:
    """One combination of alternatives for values of one type."""

    json_type: int
    nodes: list[Literal] = field(default_factory=list[Literal])
    constraints: list[Constraint] = field(default_factory=list[Constraint])
    choices: list[list[Alternative]] = field(default_factory=list[list[Alternative]])
    negatives: list[Schema] = field(default_factory=list[Schema])
    literal_keys: set[tuple[int, bool]] = field(default_factory=set[tuple[int, bool]])

    def copy(self) -> "Branch":
        return Branch(
            self.json_type, [*self.nodes], [*self.constraints], [*self.choices], [*self.negatives], {*self.literal_keys}
        )

    def add(self, conjuncts: Iterable[Conjunct]) -> bool:
        """Add conjuncts; False when they contradict those of the branch."""
        stack = [*conjuncts]
        while stack:
            conjunct = stack.pop()
            if not isinstance(conjunct, Literal):
                self.constraints.append(conjunct)
                continue
            key = (conjunct.node.key, conjunct.holds)
            if key in self.literal_keys:
                continue
            if (conjunct.node.key, not conjunct.holds) in self.literal_keys:
                return False
            self.literal_keys.add(key)
            if not (conjunct.node.types if conjunct.holds else conjunct.node.breakable_types) & self.json_type:
                return False
            if conjunct.holds:
                stack += self._assert_literal(conjunct)
            elif conjunct.node.types & self.json_type:
                self.negatives.append(conjunct.node)
        return True

    def _assert_literal(self, literal: Literal) -> list[Conjunct]:
        node = literal.node
        self.nodes.append(literal)
        conjuncts: list[Conjunct] = [*map(literal.require, node.children("allOf"))]
        if (target := node.target()) is not None:
            conjuncts.append(literal.require(target))
        if (negated := node.child("not")) is not None:
            conjuncts.append(Literal(negated, holds=False))
        if "anyOf" in node.keywords:
            self.choices.append([[literal.require(child)] for child in node.children("anyOf")])
        if "oneOf" in node.keywords:
            self.choices.append(_one_of_alternatives(literal))
        self._assert_conditional(literal)
        if self.json_type == OBJECT:
            self._assert_dependencies(literal)
        return conjuncts

    def _assert_conditional(self, literal: Literal) -> None:
        condition = literal.node.child("if")
        outcomes = (True, literal.node.child("then")), (False, literal.node.child("else"))
        if condition is not None and any(branch for _, branch in outcomes):
            self.choices.append(
                [
                    [Literal(condition, holds), *([literal.require(branch)] if branch else [])]
                    for holds, branch in outcomes
                ]
            )

    def _assert_dependencies(self, literal: Literal) -> None:
        for name, dependents in literal.node.dependent_names.items():
            self.choices.append([[PropertyMissing(name)], [PropertyPresent(dependent) for dependent in dependents]])
        for name, schema in literal.node.dependent_schemas():
            self.choices.append([[PropertyMissing(name)], [literal.require(schema)]])


def _one_of_alternatives(literal: Literal) -> list[Alternative]:
    options = literal.node.children("oneOf")
    return [
        [literal.require(chosen), *(Literal(option, holds=False) for option in options if option is not chosen)]
        for chosen in options
    ]


class Solver:
    """A solver with memoized results for one comparison. Without `fuel` the result is UNKNOWN."""

    def __init__(self, fuel: int) -> None:
        self.fuel = fuel
        self.depth = 0
        self.results: dict[Key, SearchResult] = {}
        self.assumed: dict[Key, int] = {}
        self.assumption_trail: list[Key] = []
        self.in_progress: dict[Key, int] = {}
        self.lowest_assumption = NO_ASSUMPTION
        self.rules: dict[tuple[tuple[LiteralKey, ...], tuple[LiteralKey, ...], bool], PropertyRules] = {}

    def find(self, literals: Iterable[Literal]) -> SearchResult:
        """Search for a document that satisfies all literals."""
        dereferenced = map(_dereference, literals)
        distinct = {literal.key: literal for literal in dereferenced if literal.node.raw is not literal.holds}
        if any(_is_impossible(literal, distinct) for literal in distinct.values()):
            return NoWitness.EMPTY
        key = frozenset(distinct)
        if key in self.results:
            return self.results[key]
        if key in self.in_progress or key in self.assumed:
            assumption = self.in_progress[key] if key in self.in_progress else self.assumed[key]
            self.lowest_assumption = min(self.lowest_assumption, assumption)
            return NoWitness.EMPTY
        self.fuel -= 1
        if self.fuel < 0 or self.depth > MAX_DEPTH:
            return NoWitness.UNKNOWN
        return self._solve(key, [*distinct.values()])

    def _solve(self, key: Key, literals: list[Literal]) -> SearchResult:
        index, previous_assumption, start = len(self.in_progress), self.lowest_assumption, len(self.assumption_trail)
        self.in_progress[key], self.lowest_assumption = index, NO_ASSUMPTION
        self.depth += 1
        try:
            combined = self._search(literals)
        finally:
            self.depth -= 1
            del self.in_progress[key]
        if combined is NoWitness.EMPTY and self.lowest_assumption < index:
            self.assumed[key] = self.lowest_assumption
            self.assumption_trail.append(key)
            self.lowest_assumption = min(previous_assumption, self.lowest_assumption)
            return combined
        for assumed_key in self.assumption_trail[start:]:
            del self.assumed[assumed_key]
            if combined is NoWitness.EMPTY:
                self.results[assumed_key] = combined
        del self.assumption_trail[start:]
        if combined is NoWitness.EMPTY or self.fuel >= 0:
            self.results[key] = combined
        self.lowest_assumption = previous_assumption
        return combined

    def _search(self, literals: list[Literal]) -> SearchResult:
        values = _enumerated_values(literals)
        if values is not None:
            return _first_match(literals, values)
        possible = ALL_TYPES
        for literal in literals:
            possible &= literal.node.types if literal.holds else literal.node.breakable_types
        combined: SearchResult = NoWitness.EMPTY
        for json_type in TYPE_ORDER:
            if not possible & json_type:
                continue
            result = self._search_type(json_type, literals)
            if isinstance(result, Witness):
                return result
            combined = combined if result is NoWitness.EMPTY else result
        return combined

    def _search_type(self, json_type: int, literals: list[Literal]) -> SearchResult:
        if json_type in VALUES_OF_TYPE:
            return _first_match(literals, VALUES_OF_TYPE[json_type])
        branch = Branch(json_type)
        return self._explore(branch, literals) if branch.add(literals) else NoWitness.EMPTY

    def _explore(self, branch: Branch, literals: list[Literal]) -> SearchResult:
        """Explore the remaining choices depth first, those with the fewest alternatives first."""
        self.fuel -= 1
        if self.fuel < 0 or self.depth > MAX_DEPTH:
            return NoWitness.UNKNOWN
        values = _enumerated_values([*branch.nodes, *literals])
        if values is not None:
            return _first_match(literals, values)
        options = self._pop_narrowest_choice(branch, literals)
        if options is None:
            return self._decide(branch, literals)
        self.depth += 1
        try:
            return self._try_options(options, branch, literals)
        finally:
            self.depth -= 1

    def _try_options(self, options: list[Alternative], branch: Branch, literals: list[Literal]) -> SearchResult:
        combined: SearchResult = NoWitness.EMPTY
        for option in options:
            if self._is_hopeless(branch, option, literals):
                continue
            candidate = branch.copy()
            if not candidate.add(option):
                continue
            result = self._explore(candidate, literals)
            if isinstance(result, Witness):
                return result
            combined = combined if result is NoWitness.EMPTY else result
        return combined

    def _rules(self, nodes: list[Literal], literals: list[Literal], *, is_whole: bool) -> PropertyRules:
        """Return cached property rules. `is_whole`: no choices remain, so the nodes are complete."""
        key = (tuple(literal.key for literal in nodes), tuple(literal.key for literal in literals), is_whole)
        if key not in self.rules:
            self.rules[key] = object_rules(self.find, nodes, literals, is_whole=is_whole)
        return self.rules[key]

    def _pop_narrowest_choice(self, branch: Branch, literals: list[Literal]) -> list[Alternative] | None:
        """Remove and return the choice with the fewest alternatives; None when no choices remain."""
        if branch.negatives:
            has_alternatives = len(branch.negatives) + len(branch.choices) > 1
            premises = [literal.node for literal in branch.nodes]
            for node in branch.negatives:
                options = list(list_violations(node, branch.json_type, premises))
                if has_alternatives and len(options) > 1:
                    options = [option for option in options if self._may_hold(branch, option, literals)]
                branch.choices.append(options)
            branch.negatives.clear()
        if not branch.choices:
            return None
        chosen = min(range(len(branch.choices)), key=lambda index: len(branch.choices[index]))
        return branch.choices.pop(chosen)

    def _is_hopeless(self, branch: Branch, option: Alternative, literals: list[Literal]) -> bool:
        """Return whether the option is a property that can't violate its node: a cheap check for a frequent case."""
        match option:
            case [PropertyViolates(name, node)]:
                rules = self._rules(branch.nodes, literals, is_whole=not branch.choices)
                return rules.value(name, [Literal(node, holds=False)]) is NoWitness.EMPTY
            case _:
                return False

    def _may_hold(self, branch: Branch, option: Alternative, literals: list[Literal]) -> bool:
        if any(isinstance(item, Literal) for item in option):
            return True
        constraints = [item for item in option if not isinstance(item, Literal)]
        single = Branch(branch.json_type, branch.nodes, [*branch.constraints, *constraints])
        return self._decide(single, literals, is_whole=False) is not NoWitness.EMPTY

    def _decide(self, branch: Branch, literals: list[Literal], *, is_whole: bool = True) -> SearchResult:
        nodes = [literal.node for literal in branch.nodes]
        if branch.json_type == STRING:
            return find_string(nodes, branch.constraints)
        if branch.json_type == ARRAY:
            return find_array(self.find, branch.nodes, branch.constraints)
        if branch.json_type == OBJECT:
            return find_object(self._rules(branch.nodes, literals, is_whole=is_whole), branch.constraints)
        return find_number(nodes, branch.constraints, is_integer=branch.json_type == INTEGER)


def _dereference(literal: Literal) -> Literal:
    """Follow bare references, and drop `is_produced` for values without properties."""
    node = literal.node
    for _ in range(MAX_DEPTH):
        target = node.target() if len(node.keywords) == 1 else None
        if target is None:
            break
        node = target
    return Literal(node, literal.holds, literal.is_produced and bool(node.types & (OBJECT | ARRAY)))


def _is_impossible(literal: Literal, literal_keys: Collection[LiteralKey]) -> bool:
    if literal.node.raw is (not literal.holds):
        return True
    return literal.holds and (literal.node.key, False, False) in literal_keys


def _enumerated_values(literals: list[Literal]) -> list[Json] | None:
    """The only possible values if an enum lists them, without those that negated enums list."""
    values: dict[str, Json] | None = None
    for literal in literals:
        enum = literal.node.enum
        if literal.holds and enum is not None:
            values = enum if values is None else {key: value for key, value in values.items() if key in enum}
    if values is None:
        return None
    for literal in literals:
        if not literal.holds and literal.node.enum is not None and literal.node.keywords.keys() <= {"enum", "const"}:
            enum = literal.node.enum
            values = {key: value for key, value in values.items() if key not in enum}
    return [*values.values()]


def _list_spellings(value: Json) -> tuple[Json, ...]:
    """Return the value, and the equal one with decimal points if it has whole numbers: draft 4 tells them apart."""
    spelling = with_decimal_points(value)
    return (value,) if spelling is value else (value, spelling)


def _first_match(literals: list[Literal], values: Iterable[Json]) -> SearchResult:
    """Return the first value that satisfies all literals. There are no other values, so EMPTY is exact."""
    combined = NoWitness.EMPTY
    if any(literal.node.document.dialect.forbids_decimal_points for literal in literals):
        values = [spelling for value in values for spelling in _list_spellings(value)]
    for value in values:
        verdict = all_true(
            accepts(literal.node, value) if literal.holds else negate_verdict(accepts(literal.node, value))
            for literal in literals
        )
        if verdict is True:
            return Witness(value)
        if verdict is None:
            combined = NoWitness.UNKNOWN
    return combined
