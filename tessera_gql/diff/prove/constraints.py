"""Literals, constraints and results of the search for a document."""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple, TypeAlias

from tessera_gql.diff.read.json import Json
from tessera_gql.diff.read.numbers import Bound, Number
from tessera_gql.diff.read.schema import Schema


class NoWitness(Enum):
    """The result of a search without a document.

    EMPTY: it is proven that none exists. UNKNOWN: neither proven nor refuted.
    """

    EMPTY = "EMPTY"
    UNKNOWN = "UNKNOWN"


class Witness(NamedTuple):
    """A document that satisfies the search. It must be validated before it is reported."""

    value: Json


SearchResult: TypeAlias = NoWitness | Witness
LiteralKey: TypeAlias = tuple[int, bool, bool]


class Literal(NamedTuple):
    """A schema that a value must satisfy (`holds`) or violate.

    `is_produced`: the value was written by a producer of the node, who writes only declared or required properties if
    the schema declares any and does not mention undeclared ones.
    """

    node: Schema
    holds: bool
    is_produced: bool = False

    def require(self, schema: Schema) -> "Literal":
        """Return a literal that requires a schema of the same value or of a part of it."""
        return Literal(schema, holds=True, is_produced=self.is_produced)

    @property
    def key(self) -> LiteralKey:
        """A key that is equal for literals with the same meaning."""
        return self.node.key, self.holds, self.is_produced


class NotInValues(NamedTuple):
    """The value is none of these, given as canonical texts."""

    values: frozenset[str]


class BelowMinimum(NamedTuple):
    bound: Bound


class AboveMaximum(NamedTuple):
    bound: Bound


class NotMultiple(NamedTuple):
    divisor: Number


class SizeBelow(NamedTuple):
    """The number of characters, items or properties is below the limit."""

    limit: int


class SizeAbove(NamedTuple):
    """The number of characters, items or properties is above the limit."""

    limit: int


class PatternUnmatched(NamedTuple):
    pattern: str


class PropertyMissing(NamedTuple):
    name: str


class PropertyPresent(NamedTuple):
    name: str


class PropertyViolates(NamedTuple):
    """The property is present and violates the node."""

    name: str
    node: Schema


class PatternPropertyViolates(NamedTuple):
    """A property with a matching name violates the node."""

    pattern: str
    node: Schema


class AdditionalPropertyViolates(NamedTuple):
    """A property not covered by `names` and `patterns` violates the node."""

    names: frozenset[str]
    patterns: frozenset[str]
    node: Schema


class PropertyNameViolates(NamedTuple):
    """The name of a property violates the node."""

    node: Schema


class ItemViolates(NamedTuple):
    position: int
    node: Schema


class LaterItemViolates(NamedTuple):
    """An item at or after `start` violates the node."""

    start: int
    node: Schema


class Duplicates(NamedTuple):
    """Two items of the array are equal."""


class ContainsBelow(NamedTuple):
    """Fewer items than the limit match the node."""

    node: Schema
    limit: int


class ContainsAbove(NamedTuple):
    """More items than the limit match the node."""

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


Find: TypeAlias = Callable[[Iterable[Literal]], SearchResult]


def size_limits(
    minimums: Iterable[int], maximums: Iterable[int | None], constraints: Iterable[Constraint]
) -> tuple[int, int | None]:
    """Return the smallest and largest size that the schemas and the constraints allow; None is unlimited."""
    lower, upper = [0, *minimums], [maximum for maximum in maximums if maximum is not None]
    for constraint in constraints:
        if isinstance(constraint, SizeBelow):
            upper.append(constraint.limit - 1)
        elif isinstance(constraint, SizeAbove):
            lower.append(constraint.limit + 1)
    return max(lower), min(upper, default=None)


def excluded_values(constraints: Iterable[Constraint]) -> frozenset[str]:
    return frozenset[str]().union(*(item.values for item in constraints if isinstance(item, NotInValues)))
