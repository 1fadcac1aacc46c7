"""The ways one keyword can be broken, each a demand on the value looked for; and what a search may answer."""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple, TypeAlias

from tessera_gql.diff.json import Json
from tessera_gql.diff.schema import Bound, Number, Schema


class NoWitness(Enum):
    """EMPTY: proven that no such document exists. UNKNOWN: neither proven nor refuted."""

    EMPTY = "EMPTY"
    UNKNOWN = "UNKNOWN"


class Witness(NamedTuple):
    """A document that should do; whoever shows it to a person confirms it first."""

    value: Json


SearchResult: TypeAlias = NoWitness | Witness


LiteralKey: TypeAlias = tuple[int, bool, bool]


class Literal(NamedTuple):
    """The value is valid under the node, or (`holds` false) is not. `emits`: it comes from a producer of the node,
    who writes only what is declared or needed where the schema declares properties and is silent about others."""

    node: Schema
    holds: bool
    is_produced: bool = False

    @property
    def key(self) -> LiteralKey:
        """Equal for what asks the same."""
        return self.node.key, self.holds, self.is_produced


class NotInValues(NamedTuple):
    """Not one of these values (canonical texts)."""

    values: frozenset[str]


class BelowMinimum(NamedTuple):
    bound: Bound


class AboveMaximum(NamedTuple):
    bound: Bound


class NotMultiple(NamedTuple):
    divisor: Number


class SizeBelow(NamedTuple):
    """Characters, items or properties: fewer than this."""

    limit: int


class SizeAbove(NamedTuple):
    limit: int


class PatternUnmatched(NamedTuple):
    pattern: str


class PropertyMissing(NamedTuple):
    name: str


class PropertyPresent(NamedTuple):
    name: str


class PropertyViolates(NamedTuple):
    """The property is there and breaks the node."""

    name: str
    node: Schema


class PatternPropertyViolates(NamedTuple):
    """Some property with a matching name breaks the node."""

    pattern: str
    node: Schema


class AdditionalPropertyViolates(NamedTuple):
    """Some property that `names` and `patterns` do not cover breaks the node."""

    names: frozenset[str]
    patterns: frozenset[str]
    node: Schema


class PropertyNameViolates(NamedTuple):
    """Some property's name breaks the node."""

    node: Schema


class ItemViolates(NamedTuple):
    position: int
    node: Schema


class LaterItemViolates(NamedTuple):
    """Some item from `start` on breaks the node."""

    start: int
    node: Schema


class Duplicates(NamedTuple):
    """Two items are equal."""


class ContainsBelow(NamedTuple):
    node: Schema
    limit: int


class ContainsAbove(NamedTuple):
    node: Schema
    limit: int


Constraint: TypeAlias = (
    NotInValues
    | BelowMinimum
    | AboveMaximum
    | NotMultiple
    | SizeBelow
    | SizeAbove
    | PatternUnmatched
    | PropertyMissing
    | PropertyPresent
    | PropertyViolates
    | PatternPropertyViolates
    | AdditionalPropertyViolates
    | PropertyNameViolates
    | ItemViolates
    | LaterItemViolates
    | Duplicates
    | ContainsBelow
    | ContainsAbove
)
Conjunct: TypeAlias = Literal | Constraint


def excluded_values(constraints: Iterable[Constraint]) -> frozenset[str]:
    return frozenset[str]().union(
        *(constraint.values for constraint in constraints if isinstance(constraint, NotInValues))
    )
