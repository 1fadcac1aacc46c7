"""One combination of alternatives of a search: what a value of one JSON type must satisfy and violate."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tessera_gql.diff.prove.constraints import Conjunct, Constraint, Literal, PropertyMissing, PropertyPresent
from tessera_gql.diff.prove.disjointness import Disjointness
from tessera_gql.diff.prove.projection import Projection, counts_names, is_stable
from tessera_gql.diff.prove.violations import MAX_OPTIONS, Alternative
from tessera_gql.diff.values.json_types import ARRAY, OBJECT

BranchKey = tuple[int, bool, Projection | None]


class Violation(NamedTuple):
    """The ways to violate the schema of a literal, listed when the branch had so many schemas to satisfy."""

    literal: Literal
    node_count: int
    options: list[Alternative]


@dataclass
class Branch:
    """One combination of alternatives for values of one type."""

    json_type: int
    disjointness: Disjointness
    nodes: list[Literal] = field(default_factory=list[Literal])
    constraints: list[Constraint] = field(default_factory=list[Constraint])
    choices: list[list[Alternative]] = field(default_factory=list[list[Alternative]])
    negatives: list[Literal] = field(default_factory=list[Literal])
    violations: list[Violation] = field(default_factory=list[Violation])
    literal_keys: set[BranchKey] = field(default_factory=set[BranchKey])

    @property
    def is_pending(self) -> bool:
        """Whether choices remain that may add literals."""
        return bool(self.choices or self.negatives or self.violations)

    def copy(self) -> "Branch":
        return replace(
            self,
            nodes=[*self.nodes],
            constraints=[*self.constraints],
            choices=[*self.choices],
            negatives=[*self.negatives],
            violations=[*self.violations],
            literal_keys={*self.literal_keys},
        )

    def add(self, conjuncts: Iterable[Conjunct]) -> bool:
        """Add conjuncts; False when they contradict those of the branch."""
        stack = [*conjuncts]
        while stack:
            conjunct = stack.pop()
            if not isinstance(conjunct, Literal):
                self.constraints.append(conjunct)
                continue
            conjunct = dereference(conjunct)
            key = (conjunct.node.key, conjunct.holds, conjunct.projection)
            if key in self.literal_keys:
                continue
            keys = implied_keys(conjunct)
            self.literal_keys.update(keys)
            if any((number, not holds, projection) in self.literal_keys for number, holds, projection in keys):
                return False
            if not self._is_possible(conjunct):
                return False
            if conjunct.holds:
                stack += self._assert_literal(conjunct)
            elif conjunct.node.types & self.json_type:
                self.negatives.append(conjunct)
        return True

    def _is_possible(self, literal: Literal) -> bool:
        """Return False if no value of the type satisfies the literal together with a schema to satisfy."""
        if not (literal.node.types if literal.holds else literal.node.breakable_types) & self.json_type:
            return False
        if not literal.holds or literal.projection is not None:
            return True
        return not any(
            self.disjointness.are_disjoint(premise.node, literal.node, self.json_type)
            for premise in self.nodes
            if premise.projection is None
        )

    def _assert_literal(self, literal: Literal) -> list[Conjunct]:
        node = literal.node
        self.nodes.append(literal)
        conjuncts: list[Conjunct] = [*map(literal.require, node.children("allOf"))]
        if (target := node.target()) is not None:
            conjuncts.append(literal.require(target))
        if (negated := node.child("not")) is not None:
            conjuncts.append(literal.refuse(negated))
        if "anyOf" in node.keywords:
            self.choices.append([[literal.require(child)] for child in node.children("anyOf")])
        if "oneOf" in node.keywords:
            self.choices.append(self._one_of_alternatives(literal))
        self._assert_conditional(literal)
        if self.json_type == OBJECT:
            self._assert_dependencies(literal)
        return conjuncts

    def _one_of_alternatives(self, literal: Literal) -> list[Alternative]:
        """Return each option with the violation of the others; those that are disjoint from it are violated anyway."""
        options = literal.node.children("oneOf")
        if len(options) > MAX_OPTIONS:
            return [[literal.require(option)] for option in options]
        return [
            [
                literal.require(chosen),
                *(
                    literal.refuse(option)
                    for option in options
                    if option is not chosen and not self.disjointness.are_disjoint(chosen, option, self.json_type)
                ),
            ]
            for chosen in options
        ]

    def _assert_conditional(self, literal: Literal) -> None:
        condition = literal.node.child("if")
        outcomes = (True, literal.node.child("then")), (False, literal.node.child("else"))
        if condition is not None and any(branch for _, branch in outcomes):
            self.choices.append(
                [
                    [literal.apply(condition, holds=holds), *([literal.require(branch)] if branch else [])]
                    for holds, branch in outcomes
                ]
            )

    def _assert_dependencies(self, literal: Literal) -> None:
        for name, dependents in literal.node.dependent_names.items():
            self.choices.append([[PropertyMissing(name)], [PropertyPresent(dependent) for dependent in dependents]])
        for name, schema in literal.node.dependent_schemas():
            self.choices.append([[PropertyMissing(name)], [literal.require(schema)]])


def dereference(literal: Literal) -> Literal:
    """Replace a schema by the one it stands for, and drop the flags that make no difference to it."""
    node = literal.node.resolved
    has_properties = bool(node.types & (OBJECT | ARRAY))
    projection = literal.projection if literal.projection is not None and counts_names(node) else None
    return Literal(node, literal.holds, literal.is_produced and has_properties, projection)


def implied_keys(literal: Literal) -> list[BranchKey]:
    """Return the keys of the literal and of the literal without its projection, if it implies that."""
    keys: list[BranchKey] = [(literal.node.key, literal.holds, literal.projection)]
    if literal.projection is not None and not literal.holds and is_stable(literal.node):
        keys.append((literal.node.key, False, None))
    return keys
