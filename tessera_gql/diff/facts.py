"""The ways one keyword can be broken, each a demand on the value looked for; and what a search may answer."""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple, TypeAlias

from tessera_gql.diff.json import Json
from tessera_gql.diff.schema import Bound, Number, Schema


class Answer(Enum):
    """EMPTY: proven that no such document exists. UNKNOWN: neither proven nor refuted."""

    EMPTY = "EMPTY"
    UNKNOWN = "UNKNOWN"


class Found(NamedTuple):
    """A document that should do; whoever shows it to a person confirms it first."""

    value: Json


Outcome: TypeAlias = Answer | Found


Sign: TypeAlias = tuple[int, bool, bool]


class Literal(NamedTuple):
    """The value is valid under the node, or (`holds` false) is not. `emits`: it comes from a producer of the node,
    who writes only what is declared or needed where the schema declares properties and is silent about others."""

    node: Schema
    holds: bool
    emits: bool = False

    @property
    def key(self) -> Sign:
        """Equal for what asks the same."""
        return self.node.key, self.holds, self.emits


class Excluded(NamedTuple):
    """Not one of these values (canonical texts)."""

    values: frozenset[str]


class Below(NamedTuple):
    bound: Bound


class Above(NamedTuple):
    bound: Bound


class NotMultiple(NamedTuple):
    of: Number


class Fewer(NamedTuple):
    """Characters, items or properties: fewer than this."""

    than: int


class More(NamedTuple):
    than: int


class Unmatched(NamedTuple):
    pattern: str


class Missing(NamedTuple):
    name: str


class Present(NamedTuple):
    name: str


class PropertyBreaks(NamedTuple):
    """The property is there and breaks the node."""

    name: str
    node: Schema


class PatternBreaks(NamedTuple):
    """Some property with a matching name breaks the node."""

    pattern: str
    node: Schema


class ExtraBreaks(NamedTuple):
    """Some property that `names` and `patterns` do not cover breaks the node."""

    names: frozenset[str]
    patterns: frozenset[str]
    node: Schema


class NameBreaks(NamedTuple):
    """Some property's name breaks the node."""

    node: Schema


class ItemBreaks(NamedTuple):
    position: int
    node: Schema


class RestBreaks(NamedTuple):
    """Some item from `start` on breaks the node."""

    start: int
    node: Schema


class Duplicates(NamedTuple):
    """Two items are equal."""


class ContainsFewer(NamedTuple):
    node: Schema
    than: int


class ContainsMore(NamedTuple):
    node: Schema
    than: int


Fact: TypeAlias = (
    Excluded
    | Below
    | Above
    | NotMultiple
    | Fewer
    | More
    | Unmatched
    | Missing
    | Present
    | PropertyBreaks
    | PatternBreaks
    | ExtraBreaks
    | NameBreaks
    | ItemBreaks
    | RestBreaks
    | Duplicates
    | ContainsFewer
    | ContainsMore
)
Item: TypeAlias = Literal | Fact


def excluded(facts: Iterable[Fact]) -> frozenset[str]:
    return frozenset[str]().union(*(fact.values for fact in facts if isinstance(fact, Excluded)))
