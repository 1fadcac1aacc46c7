"""Prove by observed reads that migrating teams no longer read what breaks, and ask again when reads return.

Finding proofs takes a fixed number of statements, however many proposals there are.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.policy.affected_teams import PathIndex, Reasons, split_read
from tessera_gql.policy.enums import ReleaseKind, Response
from tessera_gql.policy.proposal_status import ANSWER_LIFETIME
from tessera_gql.policy.usage import (
    CoveredSpan,
    QuietProgress,
    QuietProof,
    ReaderHistory,
    are_fields_concerned,
    measure_quiet,
    prove_quiet,
)
from tessera_gql.store import answers, proposals, registrations, usage
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Answer, Proposal
from tessera_gql.store.usage import TeamReads
from tessera_gql.workflows.acknowledgment_requests import MAX_PATHS, ReleaseEvidence, reasons_from_row


@dataclass(frozen=True)
class ProvenRelease:
    """An acknowledgment of a migrating team whose readers have stopped, and the evidence for it."""

    proposal: Proposal
    acknowledgment: Acknowledgment
    evidence: ReleaseEvidence


@dataclass(frozen=True)
class Stake:
    """What is at stake for a team: the breaking changes of an asset, and the reasons for which they affect it."""

    asset_id: UUID
    team_id: UUID
    breaking: Sequence[Change]
    reasons: Reasons

    def list_asset_ids(self) -> set[UUID]:
        """List the assets at which reads concern the team: the changed one, and those that lineage leads to."""
        return {self.asset_id, *(asset for asset, _ in _list_columns_on_the_way(self))}

    def sort_asset_ids(self) -> list[UUID]:
        return sorted(self.list_asset_ids())

    def list_read_asset_ids(self) -> set[UUID]:
        """List the assets at which a source must have seen the team: each one for whose fields it is asked."""
        if self.reasons.reads is None:
            return {self.asset_id}
        tables = {split_read(text)[0] for texts in self.reasons.reads.values() for text in texts}
        return {self.asset_id if asset is None else asset for asset in tables}


@dataclass(frozen=True)
class PossibleAsk:
    """The teams that breaking changes of an asset affect, before a look at observed reads."""

    asset_id: UUID
    breaking: Sequence[Change]
    asked: Mapping[UUID, Reasons]
    is_new: bool = False


@dataclass(frozen=True)
class ProvenAsk:
    """Whom to ask after a look at observed reads, and the answers of the teams that these have released from all."""

    asked: Mapping[UUID, Reasons]
    released: Mapping[UUID, Answer]


async def find_releases(session: Session, rows: Sequence[Proposal]) -> list[ProvenRelease]:
    """Find the migrating teams of open proposals whose migration observed reads prove."""
    by_id = {row.id: row for row in rows if row.status.is_open}
    migrating = [
        item
        for item in await proposals.list_acknowledgments(session, [*by_id])
        if item.response is Response.MIGRATING and item.released_at is None
    ]
    stakes = {item.id: to_stake(by_id[item.proposal_id], item) for item in migrating}
    reads = await _load_reads(session, stakes.values())
    return [
        ProvenRelease(by_id[item.proposal_id], item, _to_evidence(proof))
        for item in migrating
        if (proof := _find_proof(stakes[item.id], item.responded_at, reads)) is not None
    ]


def to_stake(row: Proposal, item: Acknowledgment) -> Stake:
    """Return what is at stake for the team of a request."""
    return create_stake(row, item, [Change.from_json(change) for change in row.breaking_changes])


def create_stake(row: Proposal, item: Acknowledgment, breaking: Sequence[Change]) -> Stake:
    """Return the same with the proposal's breaking changes as they were parsed before."""
    return Stake(row.asset_id, item.consumer_team_id, breaking, reasons_from_row(item))


async def exclude_proven(
    session: Session, asset_id: UUID, breaking: Sequence[Change], asked: Mapping[UUID, Reasons], *, is_new: bool = False
) -> ProvenAsk:
    """Leave out the changes from which observed reads have released a team, unless it reads again.

    A registration that still declares the fields does not count, but one that is made after the release does. For a new
    proposal, a proof counts for 90 days behind the time that its sources cover.
    """
    return (await exclude_all_proven(session, [PossibleAsk(asset_id, breaking, asked, is_new=is_new)]))[0]


async def exclude_all_proven(
    session: Session, asks: Sequence[PossibleAsk], new_readers: Collection[tuple[UUID, UUID]] = ()
) -> list[ProvenAsk]:
    """Do for several assets what `exclude_proven` does, with the same number of statements.

    The `new_readers` are assets and teams that are about to register with them.
    """
    teams = {team for ask in asks for team in ask.asked}
    proven = await answers.load_proven(session, [ask.asset_id for ask in asks], teams) if teams else {}
    stakes = {
        (ask.asset_id, team): Stake(ask.asset_id, team, ask.breaking, ask.asked[team])
        for ask in asks
        for team in ask.asked
        if (ask.asset_id, team) in proven
    }
    if not stakes:
        return [ProvenAsk(ask.asked, {}) for ask in asks]
    reads = await _load_reads(session, stakes.values())
    read_assets = {asset for stake in stakes.values() for asset in (stake.asset_id, *stake.list_read_asset_ids())}
    declared = defaultdict[tuple[UUID, UUID], list[datetime]](list)
    for row in await registrations.list_live(session, sorted(read_assets)):
        declared[row.asset_id, row.consumer_team_id].append(row.registered_at)
    for asset, team in new_readers:
        declared[asset, team].append(datetime.max.replace(tzinfo=UTC))
    results: list[ProvenAsk] = []
    for ask in asks:
        now, remaining, released = session.now if ask.is_new else None, dict(ask.asked), dict[UUID, Answer]()
        for team in ask.asked:
            if (stake := stakes.get((ask.asset_id, team))) is None:
                continue
            team_answers = proven[ask.asset_id, team]
            settled = _list_settled(stake, team_answers, reads, declared, now)
            if settled == {*stake.reasons.fingerprints}:
                released[team] = max((team_answers[item] for item in settled), key=lambda row: row.answered_at)
                del remaining[team]
            else:
                remaining[team] = stake.reasons.without(settled)
        results.append(ProvenAsk(remaining, released))
    return results


def _list_settled(
    stake: Stake,
    proven: Mapping[str, Answer],
    reads: Mapping[UUID, Sequence[TeamReads]],
    declared: Mapping[tuple[UUID, UUID], Sequence[datetime]],
    now: datetime | None,
) -> set[str]:
    """List the fingerprints of the changes for which the release of a team holds; those of one proof hold together."""
    by_proof: dict[tuple[datetime | None, str], set[str]] = defaultdict(set)
    for item in stake.reasons.fingerprints:
        answer = proven.get(item)
        if answer is not None and answer.released_by and stake.reasons.is_read_covered(item, answer.reads):
            by_proof[answer.released_at, answer.released_by["until"]].add(item)
    settled: set[str] = set()
    for (released_at, text), fingerprints in by_proof.items():
        until = datetime.fromisoformat(text)
        part = Stake(
            stake.asset_id,
            stake.team_id,
            stake.breaking,
            stake.reasons.without({*stake.reasons.fingerprints} - fingerprints),
        )
        is_declared = any(
            at > (released_at or until)
            for asset in {stake.asset_id, *stake.list_read_asset_ids()}
            for at in declared.get((asset, stake.team_id), ())
        )
        if not is_declared and _is_still_quiet(part, until, reads, now):
            settled |= fingerprints
    return settled


def _is_still_quiet(
    stake: Stake, until: datetime, reads: Mapping[UUID, Sequence[TeamReads]], now: datetime | None
) -> bool:
    """Return whether nothing was read since a proof, and, given the time, whether its sources cover enough of it."""
    concerned = _select_concerned(stake, reads)
    if any(read.observation.last_seen > until for read in concerned):
        return False
    spans = (CoveredSpan.from_json(span) for read in concerned for span in read.source.covered)
    covered = min((span.end for span in spans if span.start <= until <= span.end), default=until)
    return now is None or now < covered + ANSWER_LIFETIME


async def _load_reads(session: Session, stakes: Collection[Stake]) -> dict[UUID, list[TeamReads]]:
    """Load the reads of the teams, by team, at the changed assets and those that lineage leads to."""
    if not stakes:
        return {}
    asset_ids = {asset for stake in stakes for asset in stake.list_asset_ids()}
    reads: dict[UUID, list[TeamReads]] = {}
    for read in await usage.load_team_reads(session, asset_ids, {stake.team_id for stake in stakes}):
        reads.setdefault(read.team_id, []).append(read)
    return reads


def _list_columns_on_the_way(stake: Stake) -> set[tuple[UUID, str]]:
    """List the columns of other tables that the changes reach and that the team reads there.

    A path that ends at a table of the team leads there through the column that the team reads. Where no path is
    described, what the team reads stands for that.
    """
    reads = {split_read(text) for texts in (stake.reasons.reads or {}).values() for text in texts}
    fields = {(asset, field) for asset, field in reads if asset is not None and asset != stake.asset_id}
    read_assets = {asset for asset, _ in fields}
    steps: set[tuple[UUID, str]] = set()
    for path in stake.reasons.paths:
        steps |= {*[step for step in path.steps if step[0] in read_assets][-1:]}
    is_complete = len(stake.reasons.paths) < MAX_PATHS
    described = {asset for asset, _ in steps} if is_complete else set()
    return steps | {(asset, field) for asset, field in fields if asset not in described}


def _find_proof(
    stake: Stake, answered_at: datetime | None, reads: Mapping[UUID, Sequence[TeamReads]]
) -> QuietProof[str] | None:
    concerned = _select_concerned(stake, reads)
    seen_at = {read.observation.asset_id for read in concerned}
    if answered_at is None or not stake.list_read_asset_ids() <= seen_at:
        return None
    return prove_quiet(_to_histories(concerned), answered_at)


def _to_histories(reads: Sequence[TeamReads]) -> list[ReaderHistory[str]]:
    return [
        ReaderHistory(
            read.source.name,
            read.observation.last_seen,
            timedelta(seconds=read.observation.longest_pause_seconds),
            [*map(CoveredSpan.from_json, read.source.covered)],
        )
        for read in reads
    ]


def measure_stake(stake: Stake, item: Acknowledgment, reads: Sequence[TeamReads]) -> QuietProgress:
    """Measure how far the reads of a team prove that it has stopped to read what is at stake."""
    concerned = _select_concerned(stake, {stake.team_id: reads})
    is_migrating = item.response is Response.MIGRATING and item.released_at is None
    is_seen = stake.list_read_asset_ids() <= {read.observation.asset_id for read in concerned}
    return measure_quiet(_to_histories(concerned), item.responded_at if is_migrating and is_seen else None)


def measure_changes(
    stake: Stake, item: Acknowledgment, reads: Sequence[TeamReads]
) -> Iterator[tuple[Change, QuietProgress]]:
    """Measure the same for each change that the team is asked about, in the order of the proposal."""
    own = {*stake.reasons.fingerprints}
    for change in stake.breaking:
        if change.fingerprint in own:
            reasons = stake.reasons.without(own - {change.fingerprint})
            part = Stake(stake.asset_id, stake.team_id, stake.breaking, reasons)
            yield change, measure_stake(part, item, reads)


def _select_concerned(stake: Stake, reads: Mapping[UUID, Sequence[TeamReads]]) -> list[TeamReads]:
    """Select the reads of a team that the changes at stake for it concern."""
    fingerprints = set(stake.reasons.fingerprints)
    changes = [change for change in stake.breaking if change.fingerprint in fingerprints]
    team_reads = reads.get(stake.team_id, [])
    at_asset = [read for read in team_reads if read.observation.asset_id == stake.asset_id]
    is_concerned = are_fields_concerned(changes, [read.field for read in at_asset])
    concerned = [read for read, holds in zip(at_asset, is_concerned, strict=True) if holds]
    return concerned + _select_on_the_way(stake, team_reads)


def _select_on_the_way(stake: Stake, team_reads: Sequence[TeamReads]) -> list[TeamReads]:
    """Select the reads of columns of other tables to which lineage leads; an empty name stands for any column."""
    columns: dict[UUID, PathIndex[None]] = {}
    for asset, column in _list_columns_on_the_way(stake):
        columns.setdefault(asset, PathIndex()).add(column.lower(), None)
    return [
        read
        for read in team_reads
        if (index := columns.get(read.observation.asset_id)) is not None
        and any(True for _ in index.find_overlapping(read.field.lower()))
    ]


def _to_evidence(proof: QuietProof[str]) -> ReleaseEvidence:
    start, end = proof.span.start, proof.span.end
    reference = f"{', '.join(proof.sources)}: no read from {start:%Y-%m-%d} to {end:%Y-%m-%d}"
    return ReleaseEvidence(ReleaseKind.OBSERVATION, reference, until=end)
