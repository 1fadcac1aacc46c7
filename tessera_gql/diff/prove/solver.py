"""Decide whether a document satisfies a set of literals. EMPTY is a proof that none exists.

The solver is a tableau: literals are split into alternatives until only constraints on one JSON type remain, which
`scalars`, `arrays` and `objects` decide. Searches for parts of the value are solved recursively and memoized. A search
that recurs while it is in progress is assumed EMPTY, because a smallest document contains no smaller solution of the
same search; if the assumption fails, results that depend on it are discarded. Unsupported keywords may only add
documents.
"""

import sys
from collections.abc import Collection, Iterable

from tessera_gql.diff.budget import Budget
from tessera_gql.diff.prove.arrays import ItemRules, find_array
from tessera_gql.diff.prove.branch import Branch, Violation, dereference, implied_keys
from tessera_gql.diff.prove.constraints import Literal, LiteralKey, NoWitness, PropertyViolates, SearchResult, Witness
from tessera_gql.diff.prove.disjointness import Disjointness
from tessera_gql.diff.prove.objects import PropertyRules, find_object, object_rules
from tessera_gql.diff.prove.projection import ProjectionTable
from tessera_gql.diff.prove.scalars import find_number, find_string
from tessera_gql.diff.prove.validation import Verdict, accepts, all_true, negate_verdict
from tessera_gql.diff.prove.violations import Alternative, list_violations
from tessera_gql.diff.values.json import Json, list_spellings, with_decimal_points
from tessera_gql.diff.values.json_types import ALL_TYPES, ARRAY, BOOLEAN, FRACTION, INTEGER, NULL, OBJECT, STRING

MAX_DEPTH = 36
MAX_SPELLINGS = 8
"""Ways to write the whole numbers of a listed value with and without decimal points; of more, not all are searched."""
STEPS_PER_LITERAL = 5
STEPS_PER_DECISION = 50
NO_ASSUMPTION = sys.maxsize
VALUES_OF_TYPE: dict[int, tuple[Json, ...]] = {NULL: (None,), BOOLEAN: (False, True)}
TYPE_ORDER = (NULL, BOOLEAN, STRING, INTEGER, FRACTION, OBJECT, ARRAY)
Key = frozenset[LiteralKey]


class Solver:
    """A solver with memoized results for one comparison. When the budget is spent, the result is UNKNOWN."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.depth = 0
        self.results: dict[Key, SearchResult] = {}
        self.assumed: dict[Key, int] = {}
        self.assumption_trail: list[Key] = []
        self.in_progress: dict[Key, int] = {}
        self.lowest_assumption = NO_ASSUMPTION
        self.projections = ProjectionTable()
        self.disjointness = Disjointness()
        self.rules: dict[tuple[tuple[LiteralKey, ...], tuple[LiteralKey, ...], bool], PropertyRules] = {}
        self.item_rules: dict[tuple[LiteralKey, ...], ItemRules] = {}

    def find(self, literals: Iterable[Literal]) -> SearchResult:
        """Search for a document that satisfies all literals."""
        dereferenced = map(dereference, literals)
        distinct = {literal.key: literal for literal in dereferenced if literal.node.raw is not literal.holds}
        if any(_is_impossible(literal, distinct) for literal in distinct.values()):
            return NoWitness.EMPTY
        key = frozenset(distinct)
        self.budget.spend_steps(STEPS_PER_LITERAL * (1 + len(key)))
        if key in self.results:
            return self.results[key]
        if key in self.in_progress or key in self.assumed:
            assumption = self.in_progress[key] if key in self.in_progress else self.assumed[key]
            self.lowest_assumption = min(self.lowest_assumption, assumption)
            return NoWitness.EMPTY
        if not self.budget.spend() or self.depth > MAX_DEPTH:
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
        if combined is NoWitness.EMPTY or not self.budget.is_spent:
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
        branch = Branch(json_type, self.disjointness)
        return self._explore(branch, literals) if branch.add(literals) else NoWitness.EMPTY

    def _explore(self, branch: Branch, literals: list[Literal]) -> SearchResult:
        """Explore the remaining choices depth first, those with the fewest alternatives first."""
        self.budget.spend_steps(len(branch.choices) + STEPS_PER_LITERAL * len(branch.negatives))
        if not self.budget.spend() or self.depth > MAX_DEPTH:
            return NoWitness.UNKNOWN
        values = _enumerated_values([*branch.nodes, *literals])
        if values is not None:
            return _first_match(literals, values)
        options = self._pop_choice(branch, literals)
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
            self.rules[key] = object_rules(self.find, self.budget, nodes, literals, is_whole=is_whole)
        return self.rules[key]

    def _item_rules(self, nodes: list[Literal]) -> ItemRules:
        key = tuple(literal.key for literal in nodes)
        if key not in self.item_rules:
            self.item_rules[key] = ItemRules(self.find, self.budget, nodes)
        return self.item_rules[key]

    def _pop_choice(self, branch: Branch, literals: list[Literal]) -> list[Alternative] | None:
        """Remove and return the choice to explore next; None when no choices remain.

        What can be violated in one way at most comes first, then the choices among schemas to satisfy, because these
        often exclude what is to be violated.
        """
        while branch.negatives:
            self._list_violations(branch, branch.negatives.pop(), literals)
        while branch.violations:
            violation = min(branch.violations, key=lambda item: len(item.options))
            if branch.choices and len(violation.options) > 1:
                break
            branch.violations.remove(violation)
            if violation.node_count == len(branch.nodes) or len(violation.options) <= 1:
                return violation.options
            self._list_violations(branch, violation.literal, literals)
        if not branch.choices:
            return None
        return branch.choices.pop(min(range(len(branch.choices)), key=lambda index: len(branch.choices[index])))

    def _list_violations(self, branch: Branch, literal: Literal, literals: list[Literal]) -> None:
        """List the ways to violate a schema, unless a schema to satisfy excludes it anyway."""
        premises = [premise.node for premise in branch.nodes if premise.projection is None]
        are_disjoint, ignores_closed = self.disjointness.are_disjoint, literal.projection is not None
        if any(are_disjoint(node, literal.node, branch.json_type, ignores_closed=ignores_closed) for node in premises):
            return
        options = list(list_violations(literal, branch.json_type, premises, self.disjointness))
        if branch.is_pending and len(options) > 1:
            options = [option for option in options if self._may_hold(branch, option, literals)]
        branch.violations.append(Violation(literal, len(branch.nodes), options))

    def _is_hopeless(self, branch: Branch, option: Alternative, literals: list[Literal]) -> bool:
        """Return whether the option is a property that can't violate its node: a cheap check for a frequent case."""
        match option:
            case [PropertyViolates(name, violation)]:
                rules = self._rules(branch.nodes, literals, is_whole=not branch.is_pending)
                return rules.value(name, [violation]) is NoWitness.EMPTY
            case _:
                return False

    def _may_hold(self, branch: Branch, option: Alternative, literals: list[Literal]) -> bool:
        """Return False for an option that contradicts the branch already."""
        if any(isinstance(item, Literal) for item in option):
            return branch.copy().add(option)
        constraints = [item for item in option if not isinstance(item, Literal)]
        single = Branch(branch.json_type, branch.disjointness, branch.nodes, [*branch.constraints, *constraints])
        return self._decide(single, literals, is_whole=False) is not NoWitness.EMPTY

    def _decide(self, branch: Branch, literals: list[Literal], *, is_whole: bool = True) -> SearchResult:
        if not self.budget.spend_steps(STEPS_PER_DECISION):
            return NoWitness.UNKNOWN
        nodes = [literal.node for literal in branch.nodes]
        if branch.json_type == STRING:
            return find_string(nodes, branch.constraints, self.budget)
        if branch.json_type == ARRAY:
            return find_array(self._item_rules(branch.nodes), branch.constraints)
        if branch.json_type == OBJECT:
            return find_object(self._rules(branch.nodes, literals, is_whole=is_whole), branch.constraints)
        return find_number(nodes, branch.constraints, is_integer=branch.json_type == INTEGER)


def _is_impossible(literal: Literal, literal_keys: Collection[LiteralKey]) -> bool:
    """Return whether no value satisfies the literal, or one of the literals contradicts it."""
    if literal.node.raw is (not literal.holds):
        return True
    if literal.holds:
        return (literal.node.key, False, False, literal.projection) in literal_keys
    return any(
        (number, True, is_produced, projection) in literal_keys
        for number, _, projection in implied_keys(literal)[1:]
        for is_produced in (False, True)
    )


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
            values = {key: value for key, value in values.items() if key not in literal.node.enum}
    return [*values.values()]


def _accepts(literal: Literal, value: Json) -> Verdict:
    """Return whether a value satisfies a literal, as far as it can be decided."""
    if literal.projection is not None and isinstance(value, dict | list) and value:
        return None
    verdict = accepts(literal.node, value)
    return verdict if literal.holds else negate_verdict(verdict)


def _first_match(literals: list[Literal], values: Iterable[Json]) -> SearchResult:
    """Return the first value that satisfies all literals. There are no other values, so EMPTY is exact."""
    combined = NoWitness.EMPTY
    spellings = values
    if any(
        literal.node.document.dialect.forbids_decimal_points for literal in literals
    ):  # which distinguishes 1 from 1.0
        lists = [(value, list_spellings(value, MAX_SPELLINGS)) for value in values]
        spellings = [spelling for value, equals in lists for spelling in equals or (value, with_decimal_points(value))]
        if any(equals is None for _, equals in lists):
            combined = NoWitness.UNKNOWN
    for value in spellings:
        verdict = all_true(_accepts(literal, value) for literal in literals)
        if verdict is True:
            return Witness(value)
        if verdict is None:
            combined = NoWitness.UNKNOWN
    return combined
