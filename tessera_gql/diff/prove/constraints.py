"""Types of the solver: literals (schemas to satisfy or to violate), constraints on one JSON type, results."""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple, TypeAlias

from tessera_gql.diff.prove.projection import Projection
from tessera_gql.diff.read.schema import Schema
from tessera_gql.diff.values.json import Json
from tessera_gql.diff.values.numbers import Bound, Number


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
LiteralKey: TypeAlias = tuple[int, bool, bool, Projection | None]


class Literal(NamedTuple):
    """A schema that a value must satisfy (`holds`) or violate.

    `is_produced`: the value was written by a producer of the node, who writes only declared or required properties if
    the schema declares any and does not mention undeclared ones. With a `projection`, the literal is about what the
    projection shows of the value. Of two literals on parts of a value, only one that holds is about produced values.
    """

    node: Schema
    holds: bool
    is_produced: bool = False
    projection: Projection | None = None

    def require(self, schema: Schema) -> "Literal":
        """Return a literal that requires a schema of the same value."""
        return Literal(schema, holds=True, is_produced=self.is_produced, projection=self.projection)

    def refuse(self, schema: Schema) -> "Literal":
        """Return a literal that refuses a schema of the same value."""
        return Literal(schema, holds=False, projection=self.projection)

    def apply(self, schema: Schema, *, holds: bool) -> "Literal":
        """Return a literal on a schema of the same value that any producer may have written."""
        return Literal(schema, holds=holds, projection=self.projection)

    def negate(self) -> "Literal":
        return self.apply(self.node, holds=not self.holds)

    def on_property(self, name: str, schema: Schema) -> "Literal":
        """Return a literal on the value of a property."""
        return self._on_part(schema, None if self.projection is None else self.projection.property(name))

    def on_undeclared(self, schema: Schema) -> "Literal":
        """Return a literal on the value of a property that is not declared by name."""
        return self._on_part(schema, None if self.projection is None else self.projection.undeclared)

    def on_item(self, schema: Schema) -> "Literal":
        """Return a literal on an item of an array."""
        return self._on_part(schema, None if self.projection is None else self.projection.items)

    def _on_part(self, schema: Schema, projection: Projection | None) -> "Literal":
        return Literal(schema, self.holds, self.is_produced, projection)

    @property
    def key(self) -> LiteralKey:
        """A key that is equal for literals with the same meaning."""
        return self.node.key, self.holds, self.is_produced, self.projection


class NotInValues(NamedTuple):
    """The value is none of these, given as canonical texts."""

    values: frozenset[str]


class BelowMinimum(NamedTuple):
    bound: Bound


class AboveMaximum(NamedTuple):
    bound: Bound


class NotMultiple(NamedTuple):
    divisor: Number


class HasDecimalPoint(NamedTuple):
    """The number is whole and written with a decimal point, such as `1.0`, which is no integer in draft 4."""


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
    """The property is present and satisfies the literal, which refuses a schema."""

    name: str
    literal: Literal


class PatternPropertyViolates(NamedTuple):
    """A property with a matching name satisfies the literal, which refuses a schema."""

    pattern: str
    literal: Literal


class AdditionalPropertyViolates(NamedTuple):
    """A property not covered by `names` and `patterns` satisfies the literal, which refuses a schema."""

    names: frozenset[str]
    patterns: frozenset[str]
    literal: Literal


class PropertyNameViolates(NamedTuple):
    """The name of a property violates the node."""

    node: Schema


class ItemViolates(NamedTuple):
    position: int
    literal: Literal


class LaterItemViolates(NamedTuple):
    """An item at or after `start` satisfies the literal, which refuses a schema."""

    start: int
    literal: Literal


class Duplicates(NamedTuple):
    """Two items of the array are equal."""


class ContainsBelow(NamedTuple):
    """Fewer items than the limit satisfy the literal."""

    literal: Literal
    limit: int


class ContainsAbove(NamedTuple):
    """More items than the limit satisfy the literal."""

    literal: Literal
    limit: int


Constraint: TypeAlias = (
    NotInValues
    | BelowMinimum
    | AboveMaximum
    | NotMultiple
    | HasDecimalPoint
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
