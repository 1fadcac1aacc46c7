"""The lifecycle of a proposal, from opening to its end. The caller holds the lock of the asset."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.formats.schema_documents import SchemaDocument
from tessera_gql.policy import compatibility, events, proposal_status, validation
from tessera_gql.policy.affected_teams import AffectedTeams, AffectedTeamsCollector
from tessera_gql.policy.compatibility import Judgement, Terms
from tessera_gql.policy.enums import Outcome, ProposalStatus
from tessera_gql.policy.fingerprints import are_fingerprints_current
from tessera_gql.policy.proposal_status import Revision, TeamResponse
from tessera_gql.store import contracts, debts, lineage, proposals, registrations
from tessera_gql.store.lineage import Direction, ReachableAsset
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Asset, Contract, Proposal, new_id
from tessera_gql.workflows.comparisons import compare_terms
from tessera_gql.workflows.contracts import ContractDraft, insert_contract, terms_of

BATCH_SIZE = 1_000
"""Registrations per step between which the event loop runs other tasks: a few milliseconds each."""


@dataclass(frozen=True)
class ProposalDraft:
    """The parts of a proposal before it is stored."""

    terms: Terms
    version: str
    judgement: Judgement
    team_id: UUID
    reason: str | None = None
    expires_at: datetime | None = None
    publish_when_approved: bool = False
    metadata: dict[str, Any] | None = None
    source: SchemaDocument | None = None


@dataclass(frozen=True)
class ProposalResult:
    """A proposal after a command; `contract` is what the command published of it, if anything."""

    proposal: Proposal
    contract: Contract | None = None


async def load_affected_teams(
    session: Session,
    asset: Asset,
    breaking: Sequence[Change],
    proposer: UUID,
    downstream: Sequence[ReachableAsset] | None = None,
) -> AffectedTeams:
    """Find affected teams among consumers; owners of `downstream` (loaded if None) are informed as well."""
    live = await registrations.list_live(session, [asset.id])
    path_debts = await debts.load_open_path_debts(session, [asset.id])
    collector = AffectedTeamsCollector(breaking, proposer)
    for start in range(0, len(live), BATCH_SIZE):
        collector.add(map(path_debts.to_reader, live[start : start + BATCH_SIZE]))
        await asyncio.sleep(0)
    affected = collector.result()
    if downstream is None:
        downstream = (await lineage.load_reachable(session, [asset.id], Direction.DOWNSTREAM))[asset.id]
    downstream_owners = await lineage.load_owner_ids(session, downstream)
    return AffectedTeams(affected.asked, (affected.informed | downstream_owners).difference(affected.asked, {proposer}))


async def open_proposal(session: Session, asset: Asset, base: Contract, draft: ProposalDraft) -> ProposalResult:
    """Open a proposal and ask each affected team once; without one it is approved at once, and kept as a record."""
    affected = await load_affected_teams(session, asset, draft.judgement.breaking, draft.team_id)
    row = Proposal(
        id=new_id(),
        asset_id=asset.id,
        base_contract_id=base.id,
        contract_id=None,
        proposed_schema=draft.terms.schema,
        proposed_version=draft.version,
        guarantees=draft.terms.guarantees,
        compatibility_mode=draft.terms.mode,
        change_type=draft.judgement.change_type,
        breaking_changes=[change.as_json() for change in draft.judgement.breaking],
        fingerprint=draft.terms.fingerprint,
        status=ProposalStatus.PENDING,
        reason=validation.clean_text(draft.reason, "reason"),
        publish_when_approved=draft.publish_when_approved,
        proposed_by=draft.team_id,
        proposed_at=session.now,
        expires_at=proposal_status.choose_expiry(draft.expires_at, session.now),
        resolved_at=None,
        meta=draft.metadata or {},
        source=draft.source.as_json() if draft.source else None,
        known_columns=draft.terms.known_columns,
        row_version=1,
        created_at=session.now,
    )
    await session.insert(row, conflict_message=f"A proposal for {asset.fqn} was opened at this moment.")
    event = events.ProposalOpened(
        audience_team_ids=affected.informed.union(affected.asked, {asset.owner_team_id, draft.team_id}),
        asset_id=asset.id,
        proposal_id=row.id,
        version=draft.version,
        proposed_by=draft.team_id,
        asked=frozenset(affected.asked),
        informed=affected.informed,
        changes=compatibility.summarize_changes(draft.judgement.breaking),
    )
    session.record(event)
    await _ask_teams(session, row, affected.asked)
    return await update_status(session, asset, await proposals.get(session, row.id))


async def _ask_teams(session: Session, row: Proposal, asked: Any) -> None:
    acknowledgments = [
        Acknowledgment(
            id=new_id(),
            proposal_id=row.id,
            consumer_team_id=team,
            change_fingerprints=list(fingerprints),
            created_at=session.now,
        )
        for team, fingerprints in asked.items()
    ]
    await session.insert_all(acknowledgments)
    for item in acknowledgments:
        _record_request(session, row, item, item.change_fingerprints)


def _record_request(
    session: Session, row: Proposal, acknowledgment: Acknowledgment, fingerprints: Sequence[str]
) -> None:
    messages = [change["message"] for change in row.breaking_changes if change["fingerprint"] in fingerprints]
    event = events.AcknowledgmentRequested(
        audience_team_ids=frozenset({acknowledgment.consumer_team_id}),
        asset_id=row.asset_id,
        proposal_id=row.id,
        acknowledgment_id=acknowledgment.id,
        consumer_team_id=acknowledgment.consumer_team_id,
        expires_at=row.expires_at,
        changes=tuple(messages),
    )
    session.record(event)


async def update_asked_teams(session: Session, asset: Asset) -> ProposalResult | None:
    """Update the asked teams after the asset's consumers changed: newly affected teams are asked, others released.

    Time comes first, so that a proposal that had expired before the change is not revived.
    """
    open_row = await proposals.find_open(session, asset.id)
    if open_row is None:
        return None
    result = await update_status(session, asset, open_row)
    row = result.proposal
    if not row.status.is_open:
        return result
    breaking = [Change.from_json(change) for change in row.breaking_changes]
    affected = await load_affected_teams(session, asset, breaking, row.proposed_by)
    existing = {item.consumer_team_id: item for item in await proposals.list_acknowledgments(session, [row.id])}
    await _ask_teams(session, row, {team: changes for team, changes in affected.asked.items() if team not in existing})
    for team, acknowledgment in existing.items():
        await _revise_request(session, row, acknowledgment, affected.asked.get(team))
    return await update_status(session, asset, row)


async def _revise_request(
    session: Session, row: Proposal, acknowledgment: Acknowledgment, fingerprints: tuple[str, ...] | None
) -> None:
    match proposal_status.revise_request(
        acknowledgment.change_fingerprints, fingerprints, is_released=acknowledgment.released_at is not None
    ):
        case Revision.RELEASE:
            await session.update_row(Acknowledgment, acknowledgment.id, released_at=session.now)
            _record_release(session, row, acknowledgment)
        case Revision.NARROW:
            await session.update_row(Acknowledgment, acknowledgment.id, change_fingerprints=list(fingerprints or ()))
        case Revision.ASK_AGAIN:
            reset = dict.fromkeys(("response", "responded_at", "migration_deadline", "notes", "released_at"))
            await session.update_row(
                Acknowledgment, acknowledgment.id, change_fingerprints=list(fingerprints or ()), **reset
            )
            _record_request(session, row, acknowledgment, fingerprints or ())
        case Revision.KEEP:
            pass


def _record_release(session: Session, row: Proposal, acknowledgment: Acknowledgment) -> None:
    event = events.AcknowledgmentReleased(
        audience_team_ids=frozenset({acknowledgment.consumer_team_id, row.proposed_by}),
        asset_id=row.asset_id,
        proposal_id=row.id,
        acknowledgment_id=acknowledgment.id,
        consumer_team_id=acknowledgment.consumer_team_id,
    )
    session.record(event)


async def update_status(session: Session, asset: Asset, row: Proposal, *, team: UUID | None = None) -> ProposalResult:
    """Update the status from acknowledgments and time, and publish if that was requested. A final status stays."""
    if not row.status.is_open:
        return ProposalResult(row)
    team_responses = await load_responses(session, row.id)
    status = proposal_status.next_status(row.status, team_responses.values(), row.expires_at, session.now)
    has_changed = status is not row.status
    if has_changed:
        reason = proposal_status.describe_status(status, is_anybody_asked=bool(team_responses))
        row = await change_status(session, asset, row, status, reason)
    if status is not ProposalStatus.APPROVED or not row.publish_when_approved:
        return ProposalResult(row)
    if stale_reason := await find_stale_reason(session, row):
        if has_changed:
            _record_stale(session, asset, row, stale_reason)
        return ProposalResult(row)
    return await publish_approved(session, asset, row, team or row.proposed_by)


async def load_responses(session: Session, proposal_id: UUID) -> dict[UUID, TeamResponse]:
    """Load the responses of the asked teams that were not released, by team."""
    return {
        item.consumer_team_id: TeamResponse(item.response, item.migration_deadline)
        for item in await proposals.list_acknowledgments(session, [proposal_id])
        if item.released_at is None
    }


async def change_status(
    session: Session, asset: Asset, row: Proposal, status: ProposalStatus, reason: str, **values: Any
) -> Proposal:
    """Change the status and record an event; a final status is dated and ends the migrations."""
    if not status.is_open:
        values |= {"resolved_at": session.now}
        await registrations.end_migrations(session, asset.id)
    await session.update_row(Proposal, row.id, status=status, row_version=row.row_version + 1, **values)
    acknowledgments = await proposals.list_acknowledgments(session, [row.id])
    event = events.ProposalStatusChanged(
        audience_team_ids=frozenset(
            {item.consumer_team_id for item in acknowledgments} | {row.proposed_by, asset.owner_team_id}
        ),
        asset_id=row.asset_id,
        proposal_id=row.id,
        before=row.status,
        after=status,
        reason=reason,
    )
    session.record(event)
    return await proposals.get(session, row.id)


def _record_stale(session: Session, asset: Asset, row: Proposal, reason: str) -> None:
    event = events.ProposalStale(
        audience_team_ids=frozenset({row.proposed_by, asset.owner_team_id}),
        asset_id=asset.id,
        proposal_id=row.id,
        proposed_by=row.proposed_by,
        changes=(reason,),
    )
    session.record(event)


async def find_stale_reason(session: Session, row: Proposal) -> str | None:
    """Describe why a proposal no longer fits the active contract; None if it does."""
    if not are_fingerprints_current(row.breaking_changes):
        return "an earlier version of Tessera GQL found its changes, and the present one finds others"
    current = await contracts.find_active(session, row.asset_id)
    if current is None or current.id == row.base_contract_id:
        return None
    judgement = await compare_terms(session.compute, terms_of(current), _proposed_terms(row))
    approved = {change["fingerprint"] for change in row.breaking_changes}
    return compatibility.find_stale_reason(judgement, approved, row.proposed_version or "", current.version)


def _proposed_terms(row: Proposal) -> Terms:
    return Terms(row.proposed_schema, row.guarantees, row.compatibility_mode, known_columns=row.known_columns)


async def publish_approved(session: Session, asset: Asset, row: Proposal, published_by: UUID) -> ProposalResult:
    """Publish what was approved: schema, guarantees, mode and version."""
    current = await contracts.find_active(session, asset.id)
    judgement = await compare_terms(session.compute, terms_of(current), _proposed_terms(row))
    contract = await insert_contract(
        session,
        asset,
        current,
        ContractDraft(
            terms=_proposed_terms(row),
            version=row.proposed_version or "",
            judgement=judgement,
            published_by=published_by,
            outcome=Outcome.PUBLISHED,
            proposal_id=row.id,
            metadata=row.meta,
            source=SchemaDocument.from_json(row.source) if row.source else None,
        ),
    )
    published_proposal = await change_status(
        session, asset, row, ProposalStatus.PUBLISHED, f"published as {contract.version}", contract_id=contract.id
    )
    return ProposalResult(published_proposal, contract)
