"""Prove by observed reads that migrating teams no longer read what breaks, and ask again when reads return.

Finding proofs takes a fixed number of statements, however many proposals there are.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.policy.affected_teams import PathIndex, Reasons, split_read
from tessera_gql.policy.enums import ReleaseKind, Response
from tessera_gql.policy.usage import CoveredSpan, QuietProof, ReaderHistory, are_fields_concerned, prove_quiet
from tessera_gql.store import proposals, registrations, usage
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Proposal
from tessera_gql.store.usage import TeamReads
from tessera_gql.workflows.acknowledgment_requests import MAX_PATHS, ReleaseEvidence, path_from_json, reasons_from_row


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
    tables = {table for item in proven for table in _list_read_assets(row, item)}
    live = await registrations.list_live(session, [row.asset_id, *sorted(tables - {row.asset_id})])
    excluded: set[UUID] = set()
    for item in proven:
        team, until = item.consumer_team_id, datetime.fromisoformat((item.released_by or {})["until"])
        earlier = reasons_from_row(item)
        is_same = asked[team].is_covered_by(earlier.reads, earlier.fingerprints)
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
        asset for row, item in requests for asset, _ in _list_columns_on_the_way(row, item)
    }
    reads: dict[UUID, list[TeamReads]] = {}
    for read in await usage.load_team_reads(session, asset_ids, {item.consumer_team_id for _, item in requests}):
        reads.setdefault(read.team_id, []).append(read)
    return reads


def _list_columns_on_the_way(row: Proposal, item: Acknowledgment) -> set[tuple[UUID, str]]:
    """List the columns of other tables that the changes reach and that the team reads there.

    A path that ends at a table of the team leads there through the column that the team reads. Where no path is
    described, what the team reads stands for that.
    """
    reads = {split_read(text) for texts in (item.reads or {}).values() for text in texts}
    fields = {(asset, field) for asset, field in reads if asset is not None and asset != row.asset_id}
    read_assets = {asset for asset, _ in fields}
    steps: set[tuple[UUID, str]] = set()
    for path in map(path_from_json, item.paths or ()):
        steps |= {*[step for step in path.steps if step[0] in read_assets][-1:]}
    is_complete = len(item.paths or ()) < MAX_PATHS
    described = {asset for asset, _ in steps} if is_complete else set()
    return steps | {(asset, field) for asset, field in fields if asset not in described}


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
    if item.reads is None:
        return {row.asset_id}
    tables = {split_read(text)[0] for texts in item.reads.values() for text in texts}
    return {row.asset_id if asset is None else asset for asset in tables}


def _select_concerned(row: Proposal, item: Acknowledgment, reads: Mapping[UUID, list[TeamReads]]) -> list[TeamReads]:
    """Select the reads of a team that the changes of its acknowledgment concern."""
    fingerprints = set(item.change_fingerprints)
    changes = [Change.from_json(change) for change in row.breaking_changes if change["fingerprint"] in fingerprints]
    team_reads = reads.get(item.consumer_team_id, [])
    at_asset = [read for read in team_reads if read.observation.asset_id == row.asset_id]
    is_concerned = are_fields_concerned(changes, [read.field for read in at_asset])
    concerned = [read for read, holds in zip(at_asset, is_concerned, strict=True) if holds]
    return concerned + _select_on_the_way(row, item, team_reads)


def _select_on_the_way(row: Proposal, item: Acknowledgment, team_reads: Sequence[TeamReads]) -> list[TeamReads]:
    """Select the reads of columns of other tables to which lineage leads; an empty name stands for any column."""
    columns: dict[UUID, PathIndex[None]] = {}
    for asset, column in _list_columns_on_the_way(row, item):
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
