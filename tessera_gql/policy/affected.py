"""Whom a breaking change really hurts: fields and changes meet when one path is a prefix of the other."""

import difflib
import heapq
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from tessera_gql.diff import Change, fields
from tessera_gql.errors import Invalid

T = TypeVar("T")

LIKELY = 200
STEP = re.compile(r"\[\]|[^.\[\]]+")


@dataclass(frozen=True)
class Reader:
    """A live registration: `fields` None reads everything."""

    team_id: UUID
    fields: tuple[str, ...] | None


@dataclass(frozen=True)
class Affected:
    """`asked` maps each hurt team to the fingerprints of the changes that hurt it; `informed` are the other readers."""

    asked: Mapping[UUID, tuple[str, ...]]
    informed: frozenset[UUID]


def steps(path: str) -> tuple[str, ...]:
    """`items[].sku` is items, its elements, their sku; the root has no steps."""
    return tuple(STEP.findall(path))


def meet(field: str, path: str) -> bool:
    """Whether one path is a prefix of the other."""
    one, other = steps(field), steps(path)
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def touches(change: Change, fields: Sequence[str] | None) -> bool:
    """Whether a reader of `fields` (None: of everything) is hurt by the change. A rename meets under both names."""
    if fields is None or not change.fields:
        return True
    return any(meet(field, path) for field in fields for path in change.fields)


class PathIndex(Generic[T]):
    """Values by field path, to find those whose path is a prefix of another path, or has it as a prefix.

    A tree of the paths' steps: adding and finding take time linear in the path and in what is found.
    """

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, path: str, value: T) -> None:
        node = self._root
        for step in steps(path):
            node = node.below.setdefault(step, _Node())
        node.values.append(value)

    def meeting(self, path: str) -> Iterator[T]:
        """Values along the path from the root, and all below it; one that was added under several paths repeats."""
        node = self._root
        for step in steps(path):
            yield from node.values
            if step not in node.below:
                return
            node = node.below[step]
        nodes = [node]
        while nodes:
            node = nodes.pop()
            yield from node.values
            nodes += node.below.values()


class _Node(Generic[T]):
    __slots__ = ("below", "values")

    def __init__(self) -> None:
        self.below: dict[str, _Node[T]] = {}
        self.values: list[T] = []


def affected(breaking: Sequence[Change], readers: Iterable[Reader], proposer: UUID) -> Affected:
    """Find the teams that breaking changes hurt. A rename touches readers under both names.

    The proposing team is never asked. A team with several registrations is asked once, with all its reasons.
    """
    audience = Audience(breaking, proposer)
    audience.add(readers)
    return audience.affected()


class Audience:
    """As `affected`, for readers that come in portions."""

    def __init__(self, breaking: Sequence[Change], proposer: UUID) -> None:
        self._proposer = proposer
        self._prints = [change.fingerprint for change in breaking]
        self._everything = frozenset(range(len(breaking)))
        """Changes are numbered in their order."""
        self._by_path: PathIndex[int] = PathIndex()
        for number, change in enumerate(breaking):
            for path in change.fields or ("",):
                self._by_path.add(path, number)
        self._touching: dict[str, frozenset[int]] = {}
        self._hurt: dict[UUID, set[int]] = {}

    def add(self, readers: Iterable[Reader]) -> None:
        for reader in readers:
            if reader.team_id != self._proposer:
                self._hurt.setdefault(reader.team_id, set()).update(self._numbers(reader.fields))

    def _numbers(self, fields: Sequence[str] | None) -> frozenset[int]:
        """The changes that touch a reader of these fields; None reads everything."""
        if fields is None:
            return self._everything
        for field in fields:
            if field not in self._touching:
                self._touching[field] = frozenset(self._by_path.meeting(field))
        return frozenset().union(*map(self._touching.__getitem__, fields))

    def affected(self) -> Affected:
        reasons = {
            team: tuple(dict.fromkeys(self._prints[number] for number in sorted(numbers)))
            for team, numbers in self._hurt.items()
            if numbers
        }
        return Affected(asked=reasons, informed=frozenset(self._hurt.keys() - reasons.keys()))


class ReaderIndex:
    """The teams that read each field of one asset."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._teams = [reader.team_id for reader in readers]
        self._everything = [number for number, reader in enumerate(readers) if reader.fields is None]
        self._by_path: PathIndex[int] = PathIndex()
        for number, reader in enumerate(readers):
            for field in reader.fields or ():
                self._by_path.add(field, number)

    def teams(self, path: str) -> list[UUID]:
        """Each team once, in the order of the readers."""
        numbers = sorted({*self._everything, *self._by_path.meeting(path)})
        return list(dict.fromkeys(self._teams[number] for number in numbers))


def known_fields_of(wanted: Sequence[str], schema: object) -> None:
    """As `known_fields`, for the fields that a schema declares."""
    known_fields(wanted, (field.path for field in fields(schema)))


def known_fields(wanted: Sequence[str], declared: Iterable[str]) -> None:
    """Raises Invalid for the first path the schema does not declare, with the nearest ones."""
    paths = list(declared)
    present = set(paths)
    for path in wanted:
        if path in present:
            continue
        near = _nearest(path, paths) or paths[:3]
        hint = f" Nearest: {', '.join(near)}." if near else " The schema declares no fields at all."
        raise Invalid(
            f"The active schema has no field {path!r}.{hint} Leave `fields` out to register for everything.",
            field=("fields",),
        )


def _nearest(path: str, paths: Sequence[str]) -> list[str]:
    """Similar ones; those of much the same letters first, because comparing is slow and a schema may be huge."""
    letters = set(path)
    likely = heapq.nsmallest(LIKELY, paths, key=lambda one: len(letters.symmetric_difference(one)))
    return difflib.get_close_matches(path[:LIKELY], likely, n=3, cutoff=0.5)
