"""Find on what coverage "nobody reads it" rests: of whole assets, and of what changes break.

Principals without a team are followed along column lineage as the readers of an ask are, so that nobody is missed who
reads what the owner makes from the asset.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.policy.affected_teams import FieldReader, Reasons, find_affected_teams
from tessera_gql.policy.coverage import (
    Coverage,
    CoveredWindow,
    MissingCoverage,
    UnmappedReader,
    describe_window,
    find_missing_coverage,
    find_window,
    find_window_start,
)
from tessera_gql.policy.lineage_walk import LineageWalk, OwnLineage, Read, ReadersByAsset, list_family
from tessera_gql.store import assets, column_edges, coverage, debts, proposals, registrations
from tessera_gql.store.coverage import TeamRead, UnmappedRead
from tessera_gql.store.session import Session
from tessera_gql.store.usage import to_reader
from tessera_gql.workflows.affected_teams import measure_work, run_sized, to_links


@dataclass(frozen=True, eq=False)
class CoverageSubject:
    """What is asked about: the breaking changes of an asset, or with `breaking` None the whole asset.

    `unaffected` are tables of the owner that are made from the asset, but no longer read what changes.
    """

    asset_id: UUID
    owner_id: UUID
    breaking: tuple[Change, ...] | None = None
    unaffected: frozenset[UUID] = frozenset()


@dataclass
class _Readers:
    """The lineage of assets, and how to find who reads what changes reach. Changes are followed once per subject."""

    lineage: OwnLineage
    family: tuple[UUID, ...] = field(default=())
    _walks: dict[CoverageSubject, LineageWalk] = field(default_factory=dict[CoverageSubject, LineageWalk])

    @classmethod
    async def load(cls, session: Session, subjects: Iterable[CoverageSubject]) -> "_Readers":
        subjects = [*subjects]
        breaking = sorted({subject.asset_id for subject in subjects if subject.breaking is not None})
        edges = await column_edges.load_own_edges(session, breaking) if breaking else []
        family = sorted(list_family((subject.asset_id for subject in subjects), edges))
        links = to_links(await column_edges.list_by_sources(session, family)) if edges else {}
        return cls(OwnLineage(edges, links), tuple(family))

    async def find(self, subject: CoverageSubject, readers: ReadersByAsset) -> Mapping[UUID, Collection[Read]]:
        """Find the readers that a subject concerns, with what they read of it; nothing stands for all they read."""
        if subject.breaking is None:
            direct = readers.get(subject.asset_id, ())
            return {reader.team_id: () for reader in direct if reader.team_id != subject.owner_id}
        return await run_sized(measure_work(self.lineage, subject.breaking, readers), self._find, subject, readers)

    async def count(self, subject: CoverageSubject, readers: ReadersByAsset) -> int:
        """Count the readers that a subject concerns, also as owners of a table that is made from what changes."""
        concerned = await self.find(subject, readers)
        if not subject.breaking or not self.lineage.edges:
            return len(concerned)
        reader_ids = {reader.team_id for items in readers.values() for reader in items}
        size = measure_work(self.lineage, subject.breaking, {})
        owners = await run_sized(size, lambda: self._get_walk(subject).find_owners())
        return len(concerned.keys() | (owners & reader_ids))

    def _find(self, subject: CoverageSubject, readers: ReadersByAsset) -> dict[UUID, Collection[Read]]:
        asset, breaking = subject.asset_id, subject.breaking or ()
        direct = find_affected_teams(breaking, readers.get(asset, ()), subject.owner_id).asked
        walked = self._get_walk(subject).find_reads(readers) if self.lineage.edges and breaking else {}
        return {
            reader: _join_reads(asset, direct.get(reader), walked.get(reader, set()))
            for reader in dict.fromkeys((*direct, *walked))
        }

    def _get_walk(self, subject: CoverageSubject) -> LineageWalk:
        if (walk := self._walks.get(subject)) is None:
            breaking = subject.breaking or ()
            walk = LineageWalk(subject.asset_id, subject.owner_id, breaking, self.lineage, subject.unaffected)
            self._walks[subject] = walk
        return walk


def _join_reads(asset: UUID, direct: Reasons | None, walked: set[Read]) -> Collection[Read]:
    """Join what a team reads of what changes in the asset itself, and of what the changes reach by lineage."""
    if direct is None:
        return walked
    if direct.reads is not None:
        return walked | {(asset, path) for paths in direct.reads.values() for path in paths}
    distant = {read for read in walked if read[0] != asset}
    return distant and distant | {(asset, "")}


async def load_coverages(session: Session, subjects: Sequence[CoverageSubject]) -> list[Coverage]:
    """Load the coverage of each subject. The number of statements does not depend on that of the subjects.

    Observed reads count since the covered window began.
    """
    readers = await _Readers.load(session, subjects)
    windows = await load_windows(session, [subject.asset_id for subject in subjects])
    registered = await _load_registered(session, readers.family)
    team_reads = await coverage.load_team_reads(session, readers.family)
    unmapped_reads = await coverage.load_unmapped_reads(session, readers.family)
    result: list[Coverage] = []
    for subject in subjects:
        window = windows[subject.asset_id]
        since = window.span.start if window.span else None
        observed = _group_team_reads(team_reads, since)
        unmapped = await _find_unmapped(readers, subject, unmapped_reads, since)
        result.append(
            Coverage(
                await readers.count(subject, registered),
                await readers.count(subject, observed),
                tuple(unmapped),
                window,
            )
        )
    return result


async def load_proposal_coverages(session: Session, proposal_ids: Sequence[UUID]) -> list[Coverage]:
    """Load the coverage of what proposals change, as it is now, in the order of their ids."""
    rows = {row.id: row for row in await proposals.by_ids(session, proposal_ids)}
    owners = await _load_owners(session, [row.asset_id for row in rows.values()])
    subjects = [
        CoverageSubject(
            rows[item].asset_id,
            owners[rows[item].asset_id],
            tuple(map(Change.from_json, rows[item].breaking_changes)),
            frozenset(map(UUID, rows[item].unaffected_assets or ())),
        )
        for item in proposal_ids
    ]
    return await load_coverages(session, subjects)


async def load_asset_coverages(session: Session, asset_ids: Sequence[UUID]) -> list[Coverage]:
    """Load the coverage of whole assets, in the order of their ids."""
    owners = await _load_owners(session, asset_ids)
    return await load_coverages(session, [CoverageSubject(item, owners[item]) for item in asset_ids])


async def _load_owners(session: Session, asset_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    return {row.id: row.owner_team_id for row in await assets.by_ids(session, [*dict.fromkeys(asset_ids)])}


async def load_windows(session: Session, asset_ids: Sequence[UUID]) -> dict[UUID, CoveredWindow]:
    """Load the time that the sources of assets cover, by asset."""
    sources = await coverage.load_sources(session, [*dict.fromkeys(asset_ids)])
    return {asset: find_window({row.name: coverage.list_spans(row) for row in rows}) for asset, rows in sources.items()}


async def _load_registered(session: Session, asset_ids: Sequence[UUID]) -> ReadersByAsset:
    path_debts = await debts.load_open_path_debts(session, asset_ids)
    readers: dict[UUID, list[FieldReader]] = defaultdict(list)
    for row in await registrations.list_live(session, asset_ids):
        readers[row.asset_id].append(path_debts.to_reader(row))
    return readers


def _group_team_reads(reads: Sequence[TeamRead], since: datetime | None) -> ReadersByAsset:
    fields: dict[tuple[UUID, UUID], set[str]] = defaultdict(set)
    for read in reads:
        if since is None or read.last_seen >= since:
            fields[read.asset_id, read.team_id].add(read.field)
    return _to_readers(fields)


def _to_readers(fields: Mapping[tuple[UUID, UUID], set[str]]) -> ReadersByAsset:
    readers: dict[UUID, list[FieldReader]] = defaultdict(list)
    for (asset, reader), names in fields.items():
        readers[asset].append(to_reader(reader, names))
    return readers


async def _find_unmapped(
    readers: _Readers, subject: CoverageSubject, reads: Sequence[UnmappedRead], since: datetime | None
) -> list[UnmappedReader]:
    """Find the principals without a team that were seen, since a moment, reading what a subject is about."""
    counted = [read for read in reads if since is None or read.last_seen >= since]
    fields: dict[tuple[UUID, UUID], set[str]] = defaultdict(set)
    by_principal: dict[UUID, list[UnmappedRead]] = defaultdict(list)
    for read in counted:
        fields[read.asset_id, read.principal_id].add(read.field)
        by_principal[read.principal_id].append(read)
    concerned = await readers.find(subject, _to_readers(fields))
    unmapped = [
        UnmappedReader(item, by_principal[item][0].principal, _find_last_read(concerned[item], by_principal[item]))
        for item in concerned
    ]
    return sorted(unmapped, key=lambda item: (item.name, item.principal_id))


def _find_last_read(concerned: Collection[Read], reads: Sequence[UnmappedRead]) -> datetime:
    """Return the time of the latest read among those that a subject concerns."""
    times = [read.last_seen for read in reads if (read.asset_id, read.field) in concerned]
    return max(times or [read.last_seen for read in reads])


@dataclass(frozen=True)
class CheckedCoverage:
    """What is missing of the coverage that a policy demands. Reads count since `start`; `reference` is for people."""

    missing: tuple[MissingCoverage, ...]
    start: datetime
    reference: str


@dataclass(frozen=True)
class CoverageChecks:
    """What checks of coverage rest on, loaded for many subjects with a fixed number of statements."""

    readers: _Readers
    windows: Mapping[UUID, CoveredWindow]
    reads: Sequence[UnmappedRead]

    @classmethod
    async def load(cls, session: Session, subjects: Sequence[CoverageSubject]) -> "CoverageChecks":
        """Load what the checks of these subjects need."""
        readers = await _Readers.load(session, subjects)
        windows = await load_windows(session, [subject.asset_id for subject in subjects])
        return cls(readers, windows, await coverage.load_unmapped_reads(session, readers.family))

    async def check(self, subject: CoverageSubject, days: int, now: datetime) -> CheckedCoverage:
        """Check the coverage of the last days."""
        window = self.windows[subject.asset_id]
        start = find_window_start(days, window, now)
        unmapped = await _find_unmapped(self.readers, subject, self.reads, start)
        missing = find_missing_coverage(days, window, unmapped, now)
        return CheckedCoverage(tuple(missing), start, describe_window(window))

    async def has_unmapped(self, subject: CoverageSubject, since: datetime) -> bool:
        """Return whether a principal without a team has read since a moment what a subject is about."""
        return bool(await _find_unmapped(self.readers, subject, self.reads, since))
