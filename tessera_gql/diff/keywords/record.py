"""The record of a keyword: all that the stages of a comparison know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tessera_gql.diff.differences import Difference
from tessera_gql.diff.values.json import Json
from tessera_gql.diff.values.json_types import ALL_TYPES

if TYPE_CHECKING:  # schemas and views are read with these records
    from tessera_gql.diff.read.schema import Schema
    from tessera_gql.diff.read.view import View

RawSchema: TypeAlias = dict[str, Json]
Shapes: TypeAlias = Mapping[int, str | None]
"""The shape of a keyword's value (see `read.shapes`), by the year of the draft since which it has it; None: none."""
MIXED_YEAR = 2021
"""Stands, as a year, for the dialect that has the keywords of 2019-09 and of 2020-12."""
Reader: TypeAlias = "Callable[[Schema], None]"
Comparer: TypeAlias = "Callable[[View, View], Iterator[Difference]]"
Writer: TypeAlias = "Callable[[View, str | None], RawSchema | None]"


@dataclass(frozen=True)
class Keyword:
    """A keyword, or several that are read and compared together.

    `shapes` are by name; a draft that has no shape for a name doesn't define the keyword. `read` sets attributes of a
    schema that has the keyword. `compare` yields the differences of two views of which the keyword or one of `triggers`
    differs. `write` returns a schema for the values that the keyword accepts in a view, or in its property of the given
    name; a counterexample violates it.
    """

    shapes: Mapping[str, Shapes]
    description: str
    constrained_types: int = ALL_TYPES
    is_asserting: bool = True
    has_subschemas: bool = True
    """Whether subschemas apply to the value or its parts, or properties are named."""
    triggers: tuple[str, ...] = ()
    read: Reader | None = None
    compare: Comparer | None = None
    write: Writer | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.shapes)

    def find_shape(self, name: str, year: int) -> str | None:
        """Return the shape of the keyword's value in the draft of that year; None if it doesn't define the keyword."""
        changes = [since for since in self.shapes[name] if since <= year]
        return self.shapes[name][max(changes)] if changes else None


def read_attribute(keyword: str, attribute: str) -> Reader:
    """Return a reader that copies the value of a keyword to an attribute. Whole numbers become an int."""

    def read(node: Schema) -> None:
        value = node.keywords[keyword]
        setattr(node, attribute, int(value) if isinstance(value, float) else value)

    return read
