"""The ways one keyword can be broken, each a demand on the value looked for; and what a search may answer."""

from collections.abc import Iterable
from dataclasses import dataclass
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


class Literal(NamedTuple):
    """The value is valid under the node, or (`holds` false) is not. `emits`: it comes from a producer of the node,
    who writes only declared properties where the schema declares some and is silent about others."""

    node: Schema
    holds: bool
    emits: bool = False

    @property
    def key(self) -> int:
        return self.node.key << 2 | self.holds << 1 | self.emits


@dataclass(frozen=True, slots=True)
class Excluded:
    """Not one of these values (canonical texts)."""

    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class Below:
    bound: Bound


@dataclass(frozen=True, slots=True)
class Above:
    bound: Bound


@dataclass(frozen=True, slots=True)
class NotMultiple:
    of: Number


@dataclass(frozen=True, slots=True)
class Fewer:
    """Characters, items or properties: fewer than this."""

    than: int


@dataclass(frozen=True, slots=True)
class More:
    than: int


@dataclass(frozen=True, slots=True)
class Unmatched:
    pattern: str


@dataclass(frozen=True, slots=True)
class Missing:
    name: str


@dataclass(frozen=True, slots=True)
class Present:
    name: str


@dataclass(frozen=True, slots=True)
class PropertyBreaks:
    """The property is there and breaks the node."""

    name: str
    node: Schema


@dataclass(frozen=True, slots=True)
class PatternBreaks:
    """Some property with a matching name breaks the node."""

    pattern: str
    node: Schema


@dataclass(frozen=True, slots=True)
class ExtraBreaks:
    """Some property that `names` and `patterns` do not cover breaks the node."""

    names: frozenset[str]
    patterns: frozenset[str]
    node: Schema


@dataclass(frozen=True, slots=True)
class NameBreaks:
    """Some property's name breaks the node."""

    node: Schema


@dataclass(frozen=True, slots=True)
class ItemBreaks:
    index: int
    node: Schema


@dataclass(frozen=True, slots=True)
class RestBreaks:
    """Some item from `start` on breaks the node."""

    start: int
    node: Schema


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Two items are equal."""


@dataclass(frozen=True, slots=True)
class ContainsFewer:
    node: Schema
    than: int


@dataclass(frozen=True, slots=True)
class ContainsMore:
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
