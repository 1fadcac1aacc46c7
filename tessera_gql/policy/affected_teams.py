"""Find the teams that a breaking change affects.

A team is affected if a field path that it reads and the path of a change are equal, or one is a prefix of the other.
"""

import difflib
import heapq
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from tessera_gql.diff import Change, list_fields
from tessera_gql.errors import Invalid

T = TypeVar("T")

MAX_CANDIDATES = 200
STEP_PATTERN = re.compile(r"\[\]|[^.\[\]]+")


@dataclass(frozen=True)
class FieldReader:
    """A live registration reduced to its team and fields; `fields` is None for every field.

    Of its `removed_fields`, which no contract has any more, only a change of exactly that path concerns the reader.
    """

    team_id: UUID
    fields: tuple[str, ...] | None
    removed_fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class AffectedTeams:
    """Teams to ask, with the fingerprints of the changes that affect them, and other consumers to inform."""

    asked: Mapping[UUID, tuple[str, ...]]
    informed: frozenset[UUID]


def split_path(path: str) -> tuple[str, ...]:
    """Split a path: `items[].sku` has the steps `items`, `[]` and `sku`. The root has none."""
    return tuple(STEP_PATTERN.findall(path))


class PathIndex(Generic[T]):
    """A trie of values by field path: finding the values with an overlapping path takes linear time."""

    def __init__(self) -> None:
        self._root: _PathNode[T] = _PathNode()

    def add(self, path: str, value: T) -> None:
        node = self._root
        for step in split_path(path):
            node = node.children.setdefault(step, _PathNode())
        node.values.append(value)

    def find_overlapping(self, path: str) -> Iterator[T]:
        """Values at a prefix of the path and at or below the path itself; a value added under several paths repeats."""
        node = self._root
        for step in split_path(path):
            yield from node.values
            if step not in node.children:
                return
            node = node.children[step]
        nodes = [node]
        while nodes:
            node = nodes.pop()
            yield from node.values
            nodes += node.children.values()


class _PathNode(Generic[T]):
    __slots__ = ("children", "values")

    def __init__(self) -> None:
        self.children: dict[str, _PathNode[T]] = {}
        self.values: list[T] = []


def find_affected_teams(breaking: Sequence[Change], readers: Iterable[FieldReader], proposer: UUID) -> AffectedTeams:
    """Find the teams that breaking changes affect, once each and without the proposer. A rename matches both names."""
    collector = AffectedTeamsCollector(breaking, proposer)
    collector.add(readers)
    return collector.result()


class AffectedTeamsCollector:
    """Incremental form of `find_affected_teams`, for readers that are loaded in batches."""

    def __init__(self, breaking: Sequence[Change], proposer: UUID) -> None:
        self._proposer = proposer
        self._fingerprints = [change.fingerprint for change in breaking]
        self._all_numbers = frozenset(range(len(breaking)))
        self._by_path: PathIndex[int] = PathIndex()
        self._by_exact_path: dict[str, set[int]] = {}
        for number, change in enumerate(breaking):
            for path in change.fields or ("",):
                self._by_path.add(path, number)
                self._by_exact_path.setdefault(path, set()).add(number)
        self._changes_by_field: dict[str, frozenset[int]] = {}
        self._changes_by_team: dict[UUID, set[int]] = {}

    def add(self, readers: Iterable[FieldReader]) -> None:
        for reader in readers:
            if reader.team_id != self._proposer:
                self._changes_by_team.setdefault(reader.team_id, set()).update(self._find_changes(reader))

    def _find_changes(self, reader: FieldReader) -> frozenset[int]:
        """The numbers of the changes that affect a reader; those of the whole document affect every reader."""
        if reader.fields is None:
            return self._all_numbers
        for field in reader.fields:
            if field not in self._changes_by_field:
                self._changes_by_field[field] = frozenset(self._by_path.find_overlapping(field))
        exact_numbers = (self._by_exact_path.get(path, ()) for path in ("", *reader.removed_fields))
        return frozenset().union(*map(self._changes_by_field.__getitem__, reader.fields), *exact_numbers)

    def result(self) -> AffectedTeams:
        reasons = {
            team: tuple(dict.fromkeys(self._fingerprints[number] for number in sorted(numbers)))
            for team, numbers in self._changes_by_team.items()
            if numbers
        }
        return AffectedTeams(asked=reasons, informed=frozenset(self._changes_by_team.keys() - reasons.keys()))


class FieldReaderIndex:
    """The teams that read each field of one asset."""

    def __init__(self, readers: Sequence[FieldReader]) -> None:
        self._teams = [reader.team_id for reader in readers]
        self._read_all = [number for number, reader in enumerate(readers) if reader.fields is None]
        self._by_path: PathIndex[int] = PathIndex()
        for number, reader in enumerate(readers):
            for field in reader.fields or ():
                self._by_path.add(field, number)

    def teams(self, path: str) -> list[UUID]:
        """Teams that read the path, without duplicates, in the order of the readers."""
        numbers = sorted({*self._read_all, *self._by_path.find_overlapping(path)})
        return list(dict.fromkeys(self._teams[number] for number in numbers))


def require_declared_fields(paths: Sequence[str], schema: object) -> None:
    """Check paths with `require_declared_paths` against the fields that a schema declares."""
    require_declared_paths(paths, (field.path for field in list_fields(schema)))


def require_declared_paths(paths: Sequence[str], declared: Iterable[str]) -> None:
    """Raise Invalid for the first path that the schema does not declare, with the nearest declared paths."""
    declared_paths = list(declared)
    known_paths = set(declared_paths)
    for path in paths:
        if path in known_paths:
            continue
        nearest = _find_nearest(path, declared_paths) or declared_paths[:3]
        hint = f" Nearest: {', '.join(nearest)}." if nearest else " The schema declares no fields at all."
        raise Invalid(
            f"The active schema has no field {path!r}.{hint} Leave `fields` out to register for everything.",
            field=("fields",),
        )


def _find_nearest(path: str, paths: Sequence[str]) -> list[str]:
    """Similar declared paths. Only those with the most similar letters are compared, because comparing is slow."""
    letters = set(path)
    likely = heapq.nsmallest(MAX_CANDIDATES, paths, key=lambda candidate: len(letters.symmetric_difference(candidate)))
    return difflib.get_close_matches(path[:MAX_CANDIDATES], likely, n=3, cutoff=0.5)
