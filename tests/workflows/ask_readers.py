"""What the naive model of asks knows, and whom a change hurts: registered and observed readers, also by lineage."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from tessera_gql.policy.enums import ChangeSetStatus, DebtKind
from tests.workflows.ask_lineage import Lineage, Link, name_read, simplify
from tests.workflows.ask_records import (
    Answer,
    Atom,
    Debt,
    Event,
    Policy,
    Proposal,
    Read,
    Registration,
    Schema,
    declared,
    meets,
)


@dataclass(frozen=True)
class Reader:
    """A team and the fields that it reads, None for everything; the `removed` ones exist no more."""

    team: str
    fields: frozenset[str] | None
    removed: frozenset[str] = frozenset()


@dataclass
class ReaderWorld:
    """Everything that the rules speak of. `events` are the notifications of the last command."""

    now: datetime
    owners: dict[str, str]
    active: dict[str, Schema | None]
    contracts: dict[str, int] = field(default_factory=dict[str, int])
    edges: dict[tuple[str, str], frozenset[Link]] = field(default_factory=dict[tuple[str, str], frozenset[Link]])
    last: dict[str, Schema] = field(default_factory=dict[str, Schema])
    registrations: dict[int | str, Registration] = field(default_factory=dict[int | str, Registration])
    observed: dict[tuple[str, str, str], datetime] = field(default_factory=dict[tuple[str, str, str], datetime])
    published: dict[str, list[datetime]] = field(default_factory=dict[str, list[datetime]])
    proposals: list[Proposal] = field(default_factory=list[Proposal])
    answers: dict[tuple[str, str, Atom], Answer] = field(default_factory=dict[tuple[str, str, Atom], Answer])
    debts: set[Debt] = field(default_factory=set[Debt])
    delegates: dict[str, tuple[str, datetime]] = field(default_factory=dict[str, tuple[str, datetime]])
    escalation: dict[str, str] = field(default_factory=dict[str, str])
    policies: dict[str, Policy] = field(default_factory=dict[str, Policy])
    tiers: dict[str, str] = field(default_factory=dict[str, str])
    unmapped: set[str] = field(default_factory=set[str])
    change_sets: dict[str, ChangeSetStatus] = field(default_factory=dict[str, ChangeSetStatus])
    events: list[Event] = field(default_factory=list[Event])

    def emit(self, *event: str) -> None:
        self.events.append(event)

    def open_of(self, asset: str) -> Proposal | None:
        return next((row for row in self.proposals if row.asset == asset and row.status.is_open), None)

    def debt_paths(self, kind: DebtKind, team: str, asset: str) -> set[str | Atom]:
        return {debt[3] for debt in self.debts if debt[:3] == (kind, team, asset)}

    def list_readers(self, asset: str, changed: str) -> list[Reader]:
        """Who reads an asset, for a change of another one: teams that registered, and observed ones."""
        rows = [row for row in self.registrations.values() if row.asset == asset]
        since = self.find_release(asset, changed)
        observed = [
            Reader(team, frozenset({path}) if path else None)
            for (table, team, path), at in self.observed.items()
            if table == asset and team not in self.unmapped and (since is None or at > since)
        ]
        forced = [self.to_forced_reader(debt) for debt in self.debts if debt[0] is DebtKind.FORCED and debt[2] == asset]
        return [row for row in [*map(self.to_reader, rows), *observed, *forced] if row.team != self.owners[changed]]

    def to_forced_reader(self, debt: Debt) -> Reader:
        """Who a forced publish did not ask still counts as a reader of what it changed, until it answers."""
        path, active = debt[3][1], self.active[debt[2]]
        if not path:  # the whole table: only another change of all of it concerns the team
            return Reader(debt[1], frozenset())
        is_there = active is None or path in declared(active)
        return Reader(debt[1], frozenset({path} if is_there else ()), frozenset(() if is_there else {path}))

    def to_reader(self, row: Registration) -> Reader:
        """A field that is unknown counts as everything, one that was removed only if it comes back itself."""
        unknown, removed = (
            self.debt_paths(kind, row.team, row.asset) for kind in (DebtKind.UNKNOWN_FIELD, DebtKind.REMOVED_FIELD)
        )
        if row.fields is None or unknown & row.fields:
            return Reader(row.team, None)
        return Reader(row.team, row.fields - removed, row.fields & removed)

    def find_release(self, asset: str, changed: str) -> datetime | None:
        """The release after which a read counts: the last one, or the last one before the open proposal."""
        proposed = [row.opened_at for row in self.proposals if row.status.is_open and row.asset in (asset, changed)]
        moments = self.published.get(asset, [])
        return max([at for at in moments if not proposed or at <= min(proposed)], default=None)

    def find_hurt(self, asset: str, atoms: Collection[Atom]) -> dict[str, frozenset[Read] | None]:
        """The teams that lose something, and by what they read it; None for everything."""
        hurt: dict[str, frozenset[Read] | None] = {}
        for row in self.list_readers(asset, asset) if atoms else ():
            reads, earlier = find_reads(row, atoms), hurt.get(row.team, frozenset())
            if reads is None or earlier is None:
                hurt[row.team] = None
            elif reads:
                hurt[row.team] = earlier | reads
        for team, read in {*self.find_lineage_reads(asset, atoms)}:
            earlier = hurt.get(team, frozenset())
            if earlier is None and ":" in read[1]:
                earlier = frozenset((atom, "") for atom in atoms)
            if earlier is not None:
                hurt[team] = earlier | {read}
        return {team: simplify(reads) for team, reads in hurt.items()}

    @property
    def lineage(self) -> Lineage:
        return Lineage(self.edges, self.owners)

    def find_lineage_reads(self, asset: str, atoms: Collection[Atom]) -> Iterator[tuple[str, Read]]:
        """What the first other team on each path reads, behind tables that the proposing team owns itself."""
        if not any(source == asset for source, _ in self.edges):
            return
        yield from self.lineage.find_owner_reads(atoms, asset, self.registrations.values())
        for atom in atoms:
            for table, path in self.lineage.find_reached((asset, atom[1])):
                for row in self.list_readers(table, asset):
                    for read in {""} if row.fields is None else row.fields:
                        if not (path and read) or meets(read, path):
                            yield row.team, (atom, name_read(asset, table, read))


def find_reads(row: Reader, atoms: Collection[Atom]) -> frozenset[Read] | None:
    """The changes that a reader of an asset meets, and by which path."""
    if row.fields is None:
        return None
    met = {(atom, path) for atom in atoms for path in row.fields if meets(atom[1], path)}
    met |= {(atom, atom[1]) for atom in atoms if atom[1] in row.removed or not atom[1]}
    return frozenset(met)
