"""Prove by observed reads that migrating teams no longer read what breaks, and ask again when reads return.

Finding proofs takes a fixed number of statements, however many proposals there are.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.policy.affected_teams import Reasons
from tessera_gql.policy.enums import ReleaseKind, Response
from tessera_gql.policy.usage import CoveredSpan, QuietProof, ReaderHistory, are_fields_concerned, prove_quiet
from tessera_gql.store import proposals, registrations, usage
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Proposal
from tessera_gql.store.usage import TeamReads
from tessera_gql.workflows.acknowledgment_requests import ReleaseEvidence


@dataclass(frozen=True)
class ProvenRelease:
    """An acknowledgment of a migrating team whose readers have stopped, and the evidence for it."""

    proposal: Proposal
    acknowledgment: Acknowledgment
    evidence: ReleaseEvidence


async def find_releases(session: Session, rows: Sequence[Proposal]) -> list[ProvenRelease]:
    """Find the migrating teams of open proposals whose migration observed reads prove."""
    by_id = {row.id: row for row in rows if row.status.is_open}
    migrating = [
        item
        for item in await proposals.list_acknowledgments(session, [*by_id])
        if item.response is Response.MIGRATING and item.released_at is None
    ]
    reads = await _load_reads(session, [(by_id[item.proposal_id], item) for item in migrating])
    releases: list[ProvenRelease] = []
    for item in migrating:
        row = by_id[item.proposal_id]
        if (proof := _find_proof(row, item, reads)) is not None:
            releases.append(ProvenRelease(row, item, _to_evidence(proof)))
    return releases


async def exclude_proven(session: Session, row: Proposal, asked: Mapping[UUID, Reasons]) -> Mapping[UUID, Reasons]:
    """Leave out teams that observed reads have released, unless they read again or more changes affect them.

    A registration that still declares the fields does not count, but one that is made after the release does.
    """
    proven = [
        item
        for item in await proposals.list_acknowledgments(session, [row.id])
        if _has_proof(item) and item.consumer_team_id in asked
    ]
    if not proven:
        return asked
    reads = await _load_reads(session, [(row, item) for item in proven])
    live = await registrations.list_live(session, [row.asset_id])
    excluded: set[UUID] = set()
    for item in proven:
        team, until = item.consumer_team_id, datetime.fromisoformat((item.released_by or {})["until"])
        is_same = set(asked[team].fingerprints) <= set(item.change_fingerprints)
        is_read = any(read.observation.last_seen > until for read in _select_concerned(row, item, reads))
        released_at = item.released_at or until
        is_declared = any(
            registered.consumer_team_id == team and registered.registered_at > released_at for registered in live
        )
        if is_same and not is_read and not is_declared:
            excluded.add(team)
    return {team: reasons for team, reasons in asked.items() if team not in excluded}


def _has_proof(item: Acknowledgment) -> bool:
    proof = item.released_by or {}
    return item.released_at is not None and proof.get("kind") == ReleaseKind.OBSERVATION and "until" in proof


async def _load_reads(
    session: Session, requests: Collection[tuple[Proposal, Acknowledgment]]
) -> dict[UUID, list[TeamReads]]:
    """Load the reads of the asked teams, by team, at the changed assets and those that lineage leads to."""
    if not requests:
        return {}
    asset_ids = {row.asset_id for row, _ in requests} | {
        asset for _, item in requests for asset, _ in _list_path_ends(item)
    }
    reads: dict[UUID, list[TeamReads]] = {}
    for read in await usage.load_team_reads(session, asset_ids, {item.consumer_team_id for _, item in requests}):
        reads.setdefault(read.team_id, []).append(read)
    return reads


def _list_path_ends(item: Acknowledgment) -> Iterator[tuple[UUID, str]]:
    """Yield the columns at the ends of the lineage paths for which a team is asked."""
    for path in item.paths or ():
        asset, column = path["steps"][-1]
        yield UUID(asset), column


def _find_proof(row: Proposal, item: Acknowledgment, reads: Mapping[UUID, list[TeamReads]]) -> QuietProof[str] | None:
    concerned = _select_concerned(row, item, reads)
    seen_at = {read.observation.asset_id for read in concerned}
    if item.responded_at is None or not _list_read_assets(row, item) <= seen_at:
        return None
    histories = [
        ReaderHistory(
            read.source.name,
            read.observation.last_seen,
            timedelta(seconds=read.observation.longest_pause_seconds),
            [*map(CoveredSpan.from_json, read.source.covered)],
        )
        for read in concerned
    ]
    return prove_quiet(histories, item.responded_at)


def _list_read_assets(row: Proposal, item: Acknowledgment) -> set[UUID]:
    """Return the assets at which a source must have seen the team: each one for whose fields it is asked."""
    path_ends = {asset for asset, _ in _list_path_ends(item)}
    tables = tuple(f"{asset}:" for asset in path_ends)
    paths = [path for paths in (item.reads or {"": [""]}).values() for path in paths]
    reads_asset = not path_ends or any(not path.startswith(tables) for path in paths)
    return path_ends | ({row.asset_id} if reads_asset else set())


def _select_concerned(row: Proposal, item: Acknowledgment, reads: Mapping[UUID, list[TeamReads]]) -> list[TeamReads]:
    """Select the reads of a team that the changes of its acknowledgment concern."""
    fingerprints = set(item.change_fingerprints)
    changes = [Change.from_json(change) for change in row.breaking_changes if change["fingerprint"] in fingerprints]
    team_reads = reads.get(item.consumer_team_id, [])
    at_asset = [read for read in team_reads if read.observation.asset_id == row.asset_id]
    is_concerned = are_fields_concerned(changes, [read.field for read in at_asset])
    concerned = [read for read, holds in zip(at_asset, is_concerned, strict=True) if holds]
    return concerned + [read for read in team_reads if _is_at_path_end(read, item)]


def _is_at_path_end(read: TeamReads, item: Acknowledgment) -> bool:
    """Return whether a read is one of a column to which lineage leads; an empty name stands for any column."""
    columns = {column for asset, column in _list_path_ends(item) if asset == read.observation.asset_id}
    return bool(columns) and (read.field == "" or "" in columns or read.field in columns)


def _to_evidence(proof: QuietProof[str]) -> ReleaseEvidence:
    start, end = proof.span.start, proof.span.end
    reference = f"{', '.join(proof.sources)}: no read from {start:%Y-%m-%d} to {end:%Y-%m-%d}"
    return ReleaseEvidence(ReleaseKind.OBSERVATION, reference, until=end)
