"""Lineage in the terms of the naive model: what a change reaches in other tables of its owner, and who reads that.

A read of another table than the changed one is written `table:path`; without a path it is the whole table.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from tests.workflows.ask_records import Atom, Read, Registration, meets

Node = tuple[str, str]
"""A table and a path in it; an empty path is all of it."""


@dataclass(frozen=True)
class Link:
    """A column made from another one; empty names are unknown, and a filter decides about all of a table."""

    source: str
    target: str
    kind: str

    def touches(self, path: str) -> bool:
        return "" in (self.source, path) or meets(self.source, path)

    def follow(self, path: str) -> str:
        """A copy of a struct has the same fields in it; anything else is changed whole."""
        is_copy = self.kind == "COPIED" and self.source and path.startswith(f"{self.source}.")
        return self.target + path.removeprefix(self.source) if is_copy else self.target


UNKNOWN = Link("", "", "DERIVED")
Edges = Mapping[tuple[str, str], frozenset[Link]]
"""The links of each source and target; without links every column counts as made from every column."""


@dataclass(frozen=True)
class Lineage:
    """The edges between tables, and the owner of each table."""

    edges: Edges
    owners: Mapping[str, str]

    def find_steps(self, node: Node) -> Iterator[tuple[str, Link, bool]]:
        """The tables made from a changed column, with the link to each and whether lineage is known there."""
        for (source, target), links in self.edges.items():
            if source == node[0]:
                for link in links or {UNKNOWN}:
                    if link.touches(node[1]):
                        yield target, link, bool(links)

    def find_reached(self, start: Node) -> frozenset[Node]:
        """The columns in tables of the same owner that a change reaches, without the changed one itself."""
        owner, reached, frontier = self.owners[start[0]], set[Node](), [start]
        while frontier:
            node = frontier.pop()
            for target, link, _ in self.find_steps(node):
                following = (target, link.follow(node[1]))
                if self.owners[target] == owner and following not in reached:
                    reached.add(following)
                    frontier.append(following)
        return frozenset(reached)

    def find_upstream(self, asset: str) -> frozenset[str]:
        """The tables whose changes may travel to an asset: every table before it on the way has one owner."""
        upstream, frontier = set[str](), [(asset, "")]
        steps = {*frontier}
        while frontier:
            table, owner = frontier.pop()
            for source in {source for source, target in self.edges if target == table}:
                step = (source, self.owners[source])
                if owner in ("", step[1]) and step not in steps:
                    steps.add(step)
                    upstream.add(source)
                    frontier.append(step)
        return frozenset(upstream)

    def find_owner_reads(
        self, atoms: Collection[Atom], asset: str, registrations: Collection[Registration]
    ) -> Iterator[tuple[str, Read]]:
        """What other teams read by making tables from it; where lineage is unknown, their registrations say it."""
        owner = self.owners[asset]
        for atom in atoms:
            for node in {(asset, atom[1]), *self.find_reached((asset, atom[1]))}:
                for target, link, is_known in self.find_steps(node):
                    team = self.owners[target]
                    declares = any(
                        (row.asset, row.team) == (node[0], team) and row.via in (None, target) for row in registrations
                    )
                    if team != owner and (is_known or not declares):
                        yield team, (atom, name_read(asset, node[0], link.source or node[1]))


def name_read(asset: str, table: str, path: str) -> str:
    return path if table == asset else f"{table}:{path}"


def name_whole(read: str) -> str:
    """The read of all of the table that a read is of."""
    return f"{read.split(':', maxsplit=1)[0]}:" if ":" in read else ""


def covers(earlier: frozenset[str], later: frozenset[str]) -> bool:
    """Whether later reads are among earlier ones; who reads a whole table reads each column of it."""
    return all(read in earlier or name_whole(read) in earlier for read in later)


def simplify(reads: frozenset[Read] | None) -> frozenset[Read] | None:
    """Drop the columns of tables that are read whole."""
    if reads is None:
        return None
    return frozenset(
        (atom, read) for atom, read in reads if read == name_whole(read) or (atom, name_whole(read)) not in reads
    )


def normalize(reads: frozenset[Read] | None) -> frozenset[Read] | None:
    """Reads for a comparison: without columns of structs that are read as well, which a walk may name or not."""
    reads = simplify(reads)
    if reads is None:
        return None
    return frozenset(
        (atom, read) for atom, read in reads if not any((atom, item) in reads for item in list_structs(read))
    )


def list_structs(read: str) -> Iterator[str]:
    """The structs that a column is in, of the table that is named before a colon, if it is another one."""
    return (read[:number] for number, sign in enumerate(read) if sign == "." and number > read.rfind(":"))


def read_paths(reads: frozenset[Read] | None, atom: Atom) -> frozenset[str]:
    """The paths by which a team reads what one change touches; all of the changed table is an empty one."""
    return frozenset({""}) if reads is None else frozenset(path for touched, path in reads if touched == atom)
