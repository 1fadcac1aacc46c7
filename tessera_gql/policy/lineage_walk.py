"""Follow breaking changes along column lineage, through the tables of the proposing team, to the first other teams.

A table of another team ends a path: its owner is asked, and is responsible for its own readers. Two tables with an edge
but without columns on it have unknown lineage: each column counts as made from every column.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.policy.affected_teams import (
    WHOLE_ASSET,
    AffectedTeams,
    FieldReader,
    LineagePath,
    PathIndex,
    Reasons,
    to_read,
)
from tessera_gql.policy.enums import ColumnEdgeKind

MAX_PATHS = 100
"""Paths that are described for a team; those of known lineage come first."""

Node = tuple[UUID, str]
"""An asset and the path of a field in lower case; an empty path stands for every field."""
Read = tuple[UUID, str]
"""An asset and the path of a field that is read; an empty path stands for every field."""
ReadersByAsset = Mapping[UUID, Sequence[FieldReader]]


@dataclass(frozen=True)
class AssetEdge:
    """An edge between two assets with the owner of each; `target` is made from `source`, or reads it."""

    source: UUID
    source_owner: UUID
    target: UUID
    target_owner: UUID


@dataclass(frozen=True, order=True)
class ColumnLink:
    """A column of one asset that is made from a column of another one; an empty name stands for every column."""

    source_column: str
    target_column: str
    kind: ColumnEdgeKind

    @property
    def is_known(self) -> bool:
        """Whether the link says which columns it is about. A filter decides about the rows of every column."""
        return bool(self.source_column) and (bool(self.target_column) or self.kind is ColumnEdgeKind.FILTER)

    def follow(self, path: str) -> str:
        """Return the path that a change at `path` reaches; a copied column keeps the fields inside of it."""
        source = self.source_column.lower()
        is_inside = self.kind is ColumnEdgeKind.COPIED and source and self.target_column and path.startswith(source)
        return self.target_column + path[len(source) :] if is_inside else self.target_column


@dataclass(frozen=True)
class OwnLineage:
    """The edges on which changes of assets travel: those that start at an asset, or at a table made from it alike.

    `links` are by source and target. `declared` has the team and the consumer asset (None: any) of each live
    registration, by the asset that is read; it is empty without edges.
    """

    edges: Sequence[AssetEdge] = ()
    links: Mapping[tuple[UUID, UUID], Sequence[ColumnLink]] = field(
        default_factory=dict[tuple[UUID, UUID], Sequence[ColumnLink]]
    )
    readers: Mapping[UUID, Sequence[FieldReader]] = field(default_factory=dict[UUID, Sequence[FieldReader]])
    declared: Mapping[UUID, Collection[tuple[UUID, UUID | None]]] = field(
        default_factory=dict[UUID, Collection[tuple[UUID, UUID | None]]]
    )

    @cached_property
    def edges_by_source(self) -> Mapping[UUID, Sequence[AssetEdge]]:
        edges: dict[UUID, dict[UUID, AssetEdge]] = defaultdict(dict)
        for edge in self.edges:
            edges[edge.source][edge.target] = edge
        return {source: [*by_target.values()] for source, by_target in edges.items()}

    @cached_property
    def _link_indexes(self) -> dict[tuple[UUID, UUID], PathIndex[ColumnLink]]:
        return {}

    def find_links(self, edge: AssetEdge, path: str) -> Iterator[ColumnLink] | None:
        """Find the links of an edge that a change at the path touches; None if lineage is unknown."""
        pair = (edge.source, edge.target)
        if not (links := self.links.get(pair)):
            return None
        if (index := self._link_indexes.get(pair)) is None:
            index = self._link_indexes[pair] = PathIndex()
            for link in links:
                index.add(link.source_column.lower(), link)
        return index.find_overlapping(path)

    def is_declared(self, edge: AssetEdge) -> bool:
        """Return whether the owner of the target has registered what it reads of the source."""
        declared = self.declared.get(edge.source, ())
        return (edge.target_owner, edge.target) in declared or (edge.target_owner, None) in declared


def treat_as_own(edges: Iterable[AssetEdge], owner: UUID) -> list[AssetEdge]:
    """Return edges as if all tables belonged to one team, so that a walk ends at none of another team."""
    return [AssetEdge(edge.source, owner, edge.target, owner) for edge in edges]


def list_family(starts: Iterable[UUID], edges: Iterable[AssetEdge]) -> frozenset[UUID]:
    """List assets with the tables of the same owner that are made from them, by the edges that start there."""
    return frozenset(starts) | {edge.target for edge in edges if edge.target_owner == edge.source_owner}


UNKNOWN_LINK = ColumnLink("", "", ColumnEdgeKind.DERIVED)


class WalkedChange(Protocol):
    """What happens to fields and travels along lineage: a breaking change, or a deprecation."""

    @property
    def fingerprint(self) -> str: ...
    @property
    def fields(self) -> Sequence[str]: ...


@dataclass
class _Origins:
    """The changed paths, each with a bit of its own, so that a set of them is a number."""

    paths: list[str] = field(default_factory=list[str])
    fingerprints: list[list[str]] = field(default_factory=list[list[str]])

    @classmethod
    def of(cls, breaking: Sequence[WalkedChange]) -> "_Origins":
        by_path: dict[str, list[str]] = {}
        for change in breaking:
            for path in change.fields or ("",):
                by_path.setdefault(path, []).append(change.fingerprint)
        return cls([*by_path], [*by_path.values()])

    def list_numbers(self, bits: int) -> Iterator[int]:
        while bits:
            lowest = bits & -bits
            yield lowest.bit_length() - 1
            bits ^= lowest


class LineageWalk:
    """The fields that breaking changes of an asset reach in tables of its owner, and the teams that read those.

    Links of known lineage are followed first, so that a team is asked for an unknown one only if no known path leads to
    it. Each path is as short as possible.
    """

    def __init__(
        self,
        asset: UUID,
        owner: UUID,
        breaking: Sequence[WalkedChange],
        lineage: OwnLineage,
        unaffected: Collection[UUID] = (),
    ) -> None:
        self._asset, self._owner, self._lineage, self._unaffected = asset, owner, lineage, unaffected
        self._origins = _Origins.of(breaking)
        self._reached: dict[Node, int] = {}
        self._known_bits: dict[Node, int] = {}
        self._names: dict[Node, str] = {}
        self._parents: dict[Node, list[tuple[int, Node | None]]] = defaultdict(list)
        self._teams: dict[UUID, _TeamReasons] = defaultdict(_TeamReasons)
        self._steps: dict[tuple[Node, int, str | None], tuple[Node, ...]] = {}
        """The steps to a node by the number of the change, the same for all who read what is made from it."""

    def find_teams(self) -> Mapping[UUID, Reasons]:
        """Find the teams that read what the changes reach in other tables, with the reasons."""
        self._follow()
        for node, bits in [*self._reached.items()]:
            self._ask_owners(node, bits)
        self._ask_readers()
        return {team: reasons.to_reasons() for team, reasons in self._teams.items()}

    def find_owners(self) -> frozenset[UUID]:
        """Find the owners of the tables of other teams that are made from what the changes reach."""
        self._follow()
        owners = {self._owner}
        for asset, path in self._reached:
            for edge in self._lineage.edges_by_source.get(asset, ()):
                if edge.target_owner not in owners and self._asks_owner(edge, path):
                    owners.add(edge.target_owner)
        return frozenset(owners - {self._owner})

    def find_reads(self, readers: ReadersByAsset) -> dict[UUID, set[Read]]:
        """Find what the changes reach by lineage of all that some readers read, by reader."""
        self._follow()
        reads: dict[UUID, set[Read]] = {}
        for asset, reader, path, nodes in self._list_touched(readers):
            if nodes:
                reads.setdefault(reader, set()).add((asset, path or ""))
        return reads

    def find_untouched(self, released: OwnLineage) -> set[UUID]:
        """Find the tables that the changes reach, but that by another lineage read nothing of what they reach."""
        self._follow()
        touched = {
            edge.target
            for asset, path in self._reached
            for edge in released.edges_by_source.get(asset, ())
            if (links := released.find_links(edge, path)) is None or any(True for _ in links)
        }
        return {asset for asset, _ in self._reached} - touched - {self._asset}

    def _follow(self) -> None:
        """Follow the changes, once, from the fields that change to all that they reach; nowhere without an edge."""
        if self._reached or self._asset not in self._lineage.edges_by_source:
            return
        start = {(self._asset, path.lower()): 0 for path in self._origins.paths}
        for number, path in enumerate(self._origins.paths):
            node = (self._asset, path.lower())
            start[node] |= 1 << number
            self._names.setdefault(node, path)
        for node, bits in start.items():
            self._reached[node] = bits
            self._parents[node].append((bits, None))
        self._spread(start, is_known=True)
        self._known_bits = dict(self._reached)
        self._spread(dict(self._reached), is_known=False)

    def _spread(self, frontier: dict[Node, int], *, is_known: bool) -> None:
        """Follow links step by step; those of known lineage only, or all of them."""
        while frontier:
            following: dict[Node, int] = {}
            for node, bits in frontier.items():
                for edge in self._lineage.edges_by_source.get(node[0], ()):
                    if edge.target_owner == self._owner and edge.target not in self._unaffected:
                        for link in self._find_links(edge, node[1]):
                            if link.is_known or not is_known:
                                self._reach(edge.target, link.follow(node[1]), bits, node, following)
            frontier = following

    def _find_links(self, edge: AssetEdge, path: str) -> Iterable[ColumnLink]:
        links = self._lineage.find_links(edge, path)
        return (UNKNOWN_LINK,) if links is None else links

    def _reach(self, asset: UUID, path: str, bits: int, parent: Node, following: dict[Node, int]) -> None:
        node = (asset, path.lower())
        new_bits = bits & ~(self._reached.get(node, 0) | self._reached.get((asset, ""), 0))
        if new_bits:
            self._reached[node] = self._reached.get(node, 0) | new_bits
            self._parents[node].append((new_bits, parent))
            self._names.setdefault(node, path)
            following[node] = following.get(node, 0) | new_bits

    def _asks_owner(self, edge: AssetEdge, path: str) -> bool:
        """Return whether a change at the path makes the owner of the edge's target answer."""
        links = self._lineage.find_links(edge, path)
        return not self._lineage.is_declared(edge) if links is None else any(True for _ in links)

    def _ask_owners(self, node: Node, bits: int) -> None:
        """Ask the owners of the tables of other teams that are made from a field that changes."""
        for edge in self._lineage.edges_by_source.get(node[0], ()):
            if edge.target_owner == self._owner:
                continue
            links = self._lineage.find_links(edge, node[1])
            if links is None:
                if not self._lineage.is_declared(edge):
                    self._add(edge.target_owner, node, bits, self._names[node], (edge.target, ""), is_known=False)
                continue
            for link in links:
                read = link.source_column or self._names[node]
                end = (edge.target, link.follow(node[1]))
                self._add(edge.target_owner, node, bits, read, end, is_known=link.is_known)

    def _ask_readers(self) -> None:
        """Ask the teams that read a field that changes in a table of the owner."""
        for _, team, path, nodes in self._list_touched(self._lineage.readers):
            for node in nodes:
                self._add(team, node, self._travelled(node), path or "", None, is_known=True)

    def _list_touched(self, readers: ReadersByAsset) -> Iterator[tuple[UUID, UUID, str | None, Sequence[Node]]]:
        """List the assets and the fields (None: all) of readers, each with the fields to which changes travelled."""
        for asset, index in self._travelled_indexes.items():
            for reader in readers.get(asset, ()):
                if reader.team_id != self._owner:
                    for path in (None,) if reader.fields is None else reader.fields:
                        yield asset, reader.team_id, path, index.find_overlapping(path)

    @cached_property
    def _travelled_indexes(self) -> "Mapping[UUID, _NodeIndex]":
        nodes_by_asset: dict[UUID, list[Node]] = defaultdict(list)
        for node in self._reached:
            if self._travelled(node):
                nodes_by_asset[node[0]].append(node)
        return {asset: _NodeIndex(nodes) for asset, nodes in nodes_by_asset.items()}

    def _travelled(self, node: Node) -> int:
        """Return the changes that came to a field from another one, without those that are changes of the field."""
        bits = 0
        for entered, parent in self._parents[node]:
            bits |= entered if parent is not None else 0
        return bits

    def _add(self, team: UUID, node: Node, bits: int, read: str, end: Node | None, *, is_known: bool) -> None:
        """Add reasons for a team that reads a field of the node's asset; `end` is a step behind the node."""
        reasons, known_bits = self._teams[team], self._known_bits.get(node, 0)
        text = read if node[0] == self._asset else to_read(node[0], read)
        for number in self._origins.list_numbers(bits):
            is_path_known = is_known and bool(known_bits >> number & 1)
            for fingerprint in self._origins.fingerprints[number]:
                if reasons.add(fingerprint, text, is_known=is_path_known):
                    steps = self._list_steps(node, number, read if end is None else None, end)
                    reasons.paths[fingerprint, text] = LineagePath(fingerprint, steps, is_path_known)

    def _list_steps(self, node: Node, number: int, read: str | None, end: Node | None) -> tuple[Node, ...]:
        """List the steps from the changed field to the node; the last one names the field that is read, if known."""
        key = (node, number, read)
        if (steps := self._steps.get(key)) is None:
            steps = self._steps[key] = self._list_steps_to(node, number, read)
        return steps if end is None else (*steps, end)

    def _list_steps_to(self, node: Node, number: int, read: str | None) -> tuple[Node, ...]:
        names = [(node[0], self._names[node] or read or "")]
        parent = self._find_parent(node, number)
        while parent is not None:
            names.append((parent[0], self._names[parent]))
            parent = self._find_parent(parent, number)
        return tuple(reversed(names))

    def _find_parent(self, node: Node, number: int) -> Node | None:
        return next(parent for bits, parent in self._parents[node] if bits >> number & 1)


class _NodeIndex:
    """The fields of one asset that changes reach, by path."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        index: PathIndex[Node] = PathIndex()
        for node in nodes:
            index.add(node[1], node)
        self._index = index
        self._overlapping: dict[str | None, Sequence[Node]] = {None: nodes}

    def find_overlapping(self, path: str | None) -> Sequence[Node]:
        """Find the fields at, above or inside of a path; all of them for None."""
        if path not in self._overlapping:
            self._overlapping[path] = [*self._index.find_overlapping((path or "").lower())]
        return self._overlapping[path]


@dataclass
class _TeamReasons:
    """The reasons of one team while they are collected; the first path for each field that is read stays."""

    reads: dict[str, dict[str, bool]] = field(default_factory=dict[str, dict[str, bool]])
    paths: dict[tuple[str, str], LineagePath] = field(default_factory=dict[tuple[str, str], LineagePath])
    known_paths: int = 0

    def add(self, fingerprint: str, read: str, *, is_known: bool) -> bool:
        """Add a field that is read; return whether its path is to be described."""
        reads = self.reads.setdefault(fingerprint, {})
        if read in reads and (reads[read] or not is_known):
            return False
        reads[read] = is_known
        self.known_paths += is_known
        return len(self.paths) < MAX_PATHS or (is_known and self.known_paths <= MAX_PATHS)

    def to_reasons(self) -> Reasons:
        paths = sorted(self.paths.values(), key=lambda path: (not path.is_known, len(path.steps)))
        reads = {fingerprint: tuple(sorted(names)) for fingerprint, names in self.reads.items()}
        return Reasons(tuple(self.reads), reads, tuple(paths[:MAX_PATHS]))


def add_lineage(affected: AffectedTeams, breaking: Sequence[Change], walked: Mapping[UUID, Reasons]) -> AffectedTeams:
    """Add the teams that a walk has found to those that read the asset itself."""
    order = {change.fingerprint: number for number, change in enumerate(breaking)}
    asked = dict(affected.asked)
    for team, walk_reasons in walked.items():
        direct = asked.get(team, Reasons((), {}))
        direct_reads, reasons = direct.reads, walk_reasons
        if direct_reads is None:  # who reads all of the asset reads each field of it
            reasons = walk_reasons.without_direct()
        if not reasons.reads:
            continue
        if direct_reads is None:
            direct_reads = dict.fromkeys(direct.fingerprints, WHOLE_ASSET)
        fingerprints = tuple(sorted({*direct.fingerprints, *reasons.fingerprints}, key=order.__getitem__))
        reads = {
            item: tuple(sorted({*direct_reads.get(item, ()), *reasons.reads.get(item, ())})) for item in fingerprints
        }
        # A path of unknown lineage says nothing new of a change that touches what the team reads itself.
        paths = [path for path in reasons.paths if path.is_known or path.fingerprint not in direct.fingerprints]
        asked[team] = Reasons(fingerprints, reads, tuple(paths))
    return AffectedTeams(asked, affected.informed.difference(asked))
