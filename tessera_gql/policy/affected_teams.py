"""Find the teams that a breaking change affects.

A team is affected if a field path that it reads and the path of a change are equal, or one is a prefix of the other.
"""

import difflib
import heapq
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from tessera_gql.diff import Change, list_fields
from tessera_gql.errors import Invalid

T = TypeVar("T")

MAX_CANDIDATES = 200
ASSET_LENGTH = 36
"""The length of the id of an asset before a field of it."""
WHOLE_ASSET = ("",)
"""The fields of who reads everything of the changed asset."""
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
class LineagePath:
    """How a change reaches a table that a team reads: the columns from the changed one to the one that is read.

    Each step is an asset and its column, which is empty if lineage does not name it. With `is_known` False, lineage is
    unknown somewhere on the way, so that each column counts as made from every column.
    """

    fingerprint: str
    steps: tuple[tuple[UUID, str], ...]
    is_known: bool = True


def to_read(asset: UUID, path: str) -> str:
    """Name a field of a table that is made from the changed one; an empty path is the whole table."""
    return f"{asset}:{path}"


def split_read(read: str) -> tuple[UUID | None, str]:
    """Split a read into the table made from the changed one and its field; None stands for the changed table."""
    if to_whole_table(read) == read and not read.endswith(":"):
        return None, read
    try:
        return UUID(read[:ASSET_LENGTH]), read[ASSET_LENGTH + 1 :]
    except ValueError:
        return None, read


def to_whole_table(read: str) -> str:
    """Return the read of the whole table that has this field, if it is one made from the changed table."""
    return read[: ASSET_LENGTH + 1] if read[ASSET_LENGTH : ASSET_LENGTH + 1] == ":" else read


@dataclass(frozen=True)
class Reasons:
    """Why a team is asked: the fingerprints of the changes that affect it, and the fields it reads for each of them.

    `reads` None means that it reads everything of the changed asset, and nothing that is made from it. An empty field
    is all of the asset as well. A field of a table made from the changed asset has the table's id and a colon before
    it; `paths` lead there.
    """

    fingerprints: tuple[str, ...]
    reads: Mapping[str, tuple[str, ...]] | None = None
    paths: tuple[LineagePath, ...] = ()

    def is_covered_by(self, reads: Mapping[str, Sequence[str]] | None, fingerprints: Collection[str]) -> bool:
        """Return whether nothing more is at stake than for earlier reasons, with these reads and fingerprints."""
        if not set(self.fingerprints) <= set(fingerprints):
            return False
        return all(self.is_read_covered(item, None if reads is None else reads.get(item)) for item in self.fingerprints)

    def is_read_covered(self, fingerprint: str, reads: Collection[str] | None) -> bool:
        """Return whether what the team reads for a change is among earlier fields; None is all of the asset."""
        earlier = WHOLE_ASSET if reads is None else reads
        return all(
            item in earlier or to_whole_table(item) in earlier or ("" in earlier and split_read(item)[0] is None)
            for item in (WHOLE_ASSET if self.reads is None else self.reads.get(fingerprint, ()))
        )

    def without_direct(self) -> "Reasons":
        """Return the reasons without the fields of the changed asset itself."""
        reads = {
            item: tuple(name for name in names if split_read(name)[0] is not None)
            for item, names in (self.reads or {}).items()
        }
        remaining = {item: names for item, names in reads.items() if names}
        return Reasons(tuple(item for item in self.fingerprints if item in remaining), remaining, self.paths)

    def without(self, fingerprints: Collection[str]) -> "Reasons":
        """Return the reasons without some of the changes."""
        return Reasons(
            tuple(item for item in self.fingerprints if item not in fingerprints),
            None
            if self.reads is None
            else {item: reads for item, reads in self.reads.items() if item not in fingerprints},
            tuple(path for path in self.paths if path.fingerprint not in fingerprints),
        )

    @property
    def is_direct(self) -> bool:
        """Whether the team reads all that it is asked about in the changed table itself."""
        reads = [read for names in (self.reads or {}).values() for read in names]
        return all(split_read(read)[0] is None for read in reads)

    @property
    def is_lineage_unknown(self) -> bool:
        """Whether the team is asked only because nobody knows which columns its tables are made from."""
        if not self.paths or self.reads is None or any(path.is_known for path in self.paths):
            return False
        ends = {(path.fingerprint, step) for path in self.paths for step in path.steps[-2:]}
        columns = {(item, column) for item, (_, column) in ends}
        tables = {(item, to_read(asset, "")) for item, (asset, _) in ends}
        return all(
            (item, read) in columns or (item, to_whole_table(read)) in tables
            for item, reads in self.reads.items()
            for read in reads
        )


@dataclass(frozen=True)
class AffectedTeams:
    """Teams to ask, with their reasons, and other consumers to inform."""

    asked: Mapping[UUID, Reasons]
    informed: frozenset[UUID]


def count_unknown(affected: AffectedTeams) -> int:
    """Count the teams that are asked only because lineage is unknown."""
    return sum(reasons.is_lineage_unknown for reasons in affected.asked.values())


def select_unasked(breaking: Sequence[Change], affected: AffectedTeams) -> list[Change]:
    """Select the breaking changes about which no team is asked."""
    asked_fingerprints = {item for reasons in affected.asked.values() for item in reasons.fingerprints}
    return [change for change in breaking if change.fingerprint not in asked_fingerprints]


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
        self._positions: dict[str, int] = {}
        self._by_path: PathIndex[str] = PathIndex()
        self._by_exact_path: dict[str, set[str]] = {}
        for change in breaking:
            fingerprint = change.fingerprint  # takes time
            self._positions.setdefault(fingerprint, len(self._positions))
            for path in change.fields or ("",):
                self._by_path.add(path, fingerprint)
                self._by_exact_path.setdefault(path, set()).add(fingerprint)
        self._changes_by_field: dict[str, frozenset[str]] = {}
        self._fields_by_team: dict[UUID, set[str]] = {}
        self._removed_by_team: dict[UUID, set[str]] = {}
        self._read_everything: set[UUID] = set()

    def add(self, readers: Iterable[FieldReader]) -> None:
        for reader in readers:
            team = reader.team_id
            if team == self._proposer:
                continue
            fields = self._fields_by_team.setdefault(team, set())
            if reader.fields is None:
                self._read_everything.add(team)
            else:
                fields.update(reader.fields)
            if reader.removed_fields:
                self._removed_by_team.setdefault(team, set()).update(reader.removed_fields)

    def result(self) -> AffectedTeams:
        everything = Reasons(tuple(self._positions))
        reasons = {
            team: everything if team in self._read_everything else self._to_reasons(team, fields)
            for team, fields in self._fields_by_team.items()
        }
        asked = {team: item for team, item in reasons.items() if item.fingerprints}
        return AffectedTeams(asked=asked, informed=frozenset(reasons.keys() - asked.keys()))

    def _to_reasons(self, team: UUID, fields: Collection[str]) -> Reasons:
        reads: dict[str, list[str]] = {}
        for field in fields:
            for fingerprint in self._find_changes(field):
                reads.setdefault(fingerprint, []).append(field)
        for path in self._removed_by_team.get(team, ()):
            for fingerprint in self._by_exact_path.get(path, ()):
                reads.setdefault(fingerprint, []).append(path)
        for fingerprint in self._by_exact_path.get("", ()):  # a change of the whole document affects every reader
            reads[fingerprint] = [""]
        fingerprints = tuple(sorted(reads, key=self._positions.__getitem__))
        return Reasons(fingerprints, {item: _to_sorted(reads[item]) for item in fingerprints})

    def _find_changes(self, field: str) -> frozenset[str]:
        if (changes := self._changes_by_field.get(field)) is None:
            changes = self._changes_by_field[field] = frozenset(self._by_path.find_overlapping(field))
        return changes


def _to_sorted(paths: list[str]) -> tuple[str, ...]:
    return tuple(paths) if len(paths) == 1 else tuple(sorted({*paths}))


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

    def has_reader(self, path: str) -> bool:
        """Return whether any team reads the path."""
        return bool(self._read_all) or any(True for _ in self._by_path.find_overlapping(path))


REGISTER_ADVICE = "Leave `fields` out to register for everything."


def require_declared_fields(paths: Sequence[str], schema: object, advice: str = REGISTER_ADVICE) -> None:
    """Check paths with `require_declared_paths` against the fields that a schema declares."""
    require_declared_paths(paths, (field.path for field in list_fields(schema)), advice)


def require_declared_paths(paths: Sequence[str], declared: Iterable[str], advice: str = REGISTER_ADVICE) -> None:
    """Raise Invalid for the first path that the schema does not declare, with the nearest declared paths."""
    declared_paths = list(declared)
    known_paths = set(declared_paths)
    for path in paths:
        if path in known_paths:
            continue
        nearest = _find_nearest(path, declared_paths) or declared_paths[:3]
        hint = f" Nearest: {', '.join(nearest)}." if nearest else " The schema declares no fields at all."
        raise Invalid(f"The active schema has no field {path!r}.{hint} {advice}", field=("fields",))


def find_nearest_fields(path: str, schema: object) -> list[str] | None:
    """Return the declared fields that are most similar to a path; None if the schema declares the path itself."""
    declared_paths = [field.path for field in list_fields(schema)]
    return None if path in declared_paths else _find_nearest(path, declared_paths)


def _find_nearest(path: str, paths: Sequence[str]) -> list[str]:
    """Similar declared paths. Only those with the most similar letters are compared, because comparing is slow."""
    letters = set(path)
    likely = heapq.nsmallest(MAX_CANDIDATES, paths, key=lambda candidate: len(letters.symmetric_difference(candidate)))
    return difflib.get_close_matches(path[:MAX_CANDIDATES], likely, n=3, cutoff=0.5)
