"""The lifecycle of a proposal, from opening to its end. The caller holds the lock of the asset."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.errors import Conflict
from tessera_gql.formats.schema_documents import SchemaDocument
from tessera_gql.policy import compatibility, events, proposal_status, validation
from tessera_gql.policy.compatibility import Judgement, Terms
from tessera_gql.policy.enums import Outcome, ProposalKind, ProposalStatus
from tessera_gql.policy.proposal_status import TeamResponse
from tessera_gql.policy.retirement import RETIREMENT_FINGERPRINT
from tessera_gql.store import answers, assets, column_edges, contracts, proposals, registrations
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, Proposal, new_id
from tessera_gql.workflows.acknowledgment_requests import (
    ReleaseEvidence,
    ask_teams,
    load_policy,
    record_released,
    revise_requests,
)
from tessera_gql.workflows.affected_teams import load_affected_teams, load_families, lock_family
from tessera_gql.workflows.ask_clock import apply_time, move_due_dates, to_response
from tessera_gql.workflows.change_set_status import close_if_published
from tessera_gql.workflows.comparisons import compare_terms
from tessera_gql.workflows.contracts import ContractDraft, insert_contract, mark_retired, terms_of
from tessera_gql.workflows.coverage_holds import update_hold
from tessera_gql.workflows.proposal_bases import (
    NewBase,
    compare_with_base,
    find_stale_reason,
    list_unaffected,
    proposed_terms,
)
from tessera_gql.workflows.quiet_proofs import exclude_proven
from tessera_gql.workflows.reopening import Registrants


@dataclass(frozen=True)
class ProposalDraft:
    """The parts of a proposal before it is stored; without `terms` it is a retirement.

    `unaffected_assets` are tables of the owner that are made from the asset, but no longer read what changes.
    """

    terms: Terms | None
    version: str | None
    judgement: Judgement
    team_id: UUID
    reason: str | None = None
    expires_at: datetime | None = None
    publish_when_approved: bool = False
    require_explicit_publish: bool = False
    change_set_id: UUID | None = None
    metadata: dict[str, Any] | None = None
    source: SchemaDocument | None = None
    unaffected_assets: frozenset[UUID] = frozenset()

    def to_columns(self) -> dict[str, Any]:
        """Return the columns of the proposal that hold what it proposes."""
        if (terms := self.terms) is None:
            no_terms = dict.fromkeys(("proposed_schema", "proposed_version", "guarantees", "known_columns"))
            mode = self.judgement.mode
            return no_terms | {
                "kind": ProposalKind.RETIREMENT,
                "compatibility_mode": mode,
                "fingerprint": RETIREMENT_FINGERPRINT,
            }
        return {
            "kind": ProposalKind.CHANGE,
            "proposed_schema": terms.schema,
            "proposed_version": self.version,
            "guarantees": terms.guarantees,
            "known_columns": terms.known_columns,
            "compatibility_mode": terms.mode,
            "fingerprint": terms.fingerprint,
        }


@dataclass(frozen=True)
class ProposalResult:
    """A proposal after a command; `contract` is what the command published of it, or retired, if anything."""

    proposal: Proposal
    contract: Contract | None = None


async def open_proposal(session: Session, asset: Asset, base: Contract, draft: ProposalDraft) -> ProposalResult:
    """Open a proposal and ask each affected team once; without one it is approved at once, and kept as a record."""
    await lock_family(session, asset)
    breaking = draft.judgement.breaking
    affected = await load_affected_teams(session, asset, breaking, unaffected=draft.unaffected_assets)
    proven = await exclude_proven(session, asset.id, breaking, affected.asked, is_new=True)
    policy = await load_policy(session, asset)
    row = Proposal(
        id=new_id(),
        asset_id=asset.id,
        base_contract_id=base.id,
        contract_id=None,
        **draft.to_columns(),
        change_type=draft.judgement.change_type,
        breaking_changes=[change.as_json() for change in draft.judgement.breaking],
        status=ProposalStatus.PENDING,
        reason=validation.clean_text(draft.reason, "reason"),
        publish_when_approved=draft.publish_when_approved,
        require_explicit_publish=draft.require_explicit_publish,
        change_set_id=draft.change_set_id,
        proposed_by=draft.team_id,
        proposed_at=session.now,
        expires_at=proposal_status.choose_expiry(draft.expires_at, session.now + policy.open_span, session.now),
        resolved_at=None,
        meta=draft.metadata or {},
        source=draft.source.as_json() if draft.source else None,
        unaffected_assets=[str(item) for item in sorted(draft.unaffected_assets)] or None,
        required_coverage_days=policy.require_coverage_days,
        informed_team_ids=[str(item) for item in sorted(affected.informed)],
        row_version=1,
        created_at=session.now,
        updated_at=session.now,
    )
    await session.insert(row, conflict_message=f"A proposal for {asset.fqn} was opened at this moment.")
    # In a change set an asked team gets one notification of all proposals.
    notified = affected.informed.union(() if draft.change_set_id else proven.asked)
    event = events.ProposalOpened(
        audience_team_ids=notified | {asset.owner_team_id, draft.team_id},
        asset_id=asset.id,
        proposal_id=row.id,
        version=draft.version,
        proposed_by=draft.team_id,
        asked=frozenset(proven.asked),
        informed=affected.informed,
        changes=compatibility.summarize_changes(draft.judgement.breaking),
        proposal_kind=row.kind,
        change_set_id=draft.change_set_id,
    )
    session.record(event)
    await ask_teams(session, asset, row, proven.asked)
    await record_released(session, asset, row, affected.asked, proven.released)
    return await update_status(session, asset, await proposals.get(session, row.id))


async def update_asked_teams(
    session: Session, asset: Asset, evidence: ReleaseEvidence | None = None, registrants: Registrants | None = None
) -> ProposalResult | None:
    """Update the asked teams after the asset's consumers changed: newly affected teams are asked, others released.

    Time comes first, so that a proposal that had expired before the change is not revived. The `evidence` is what has
    changed the consumers; see `revise_requests` for the `registrants`.
    """
    open_row = await proposals.find_open(session, asset.id)
    if open_row is None:
        return None
    result = await update_status(session, asset, open_row)
    if not result.proposal.status.is_open:
        return result
    return await _revise_asked_teams(session, asset, result.proposal, evidence, registrants)


async def _revise_asked_teams(
    session: Session,
    asset: Asset,
    row: Proposal,
    evidence: ReleaseEvidence | None = None,
    registrants: Registrants | None = None,
) -> ProposalResult:
    """Update the asked teams of an open proposal. A proposal that has changed itself is not published yet."""
    breaking = [Change.from_json(change) for change in row.breaking_changes]
    affected = await load_affected_teams(session, asset, breaking, unaffected=list_unaffected(row))
    proven = await exclude_proven(session, asset.id, breaking, affected.asked)
    row = await revise_requests(session, asset, row, proven.asked, evidence, registrants)
    is_revised = registrants is not None and registrants.lifts_limit
    return await update_status(session, asset, row, may_publish=not is_revised)


async def set_unaffected(session: Session, asset: Asset, row: Proposal, unaffected: frozenset[UUID]) -> Proposal:
    """Set the tables of the owner that no longer read what an open proposal changes, and update its asked teams."""
    if unaffected == list_unaffected(row):
        return row
    await lock_family(session, asset)
    values = [str(item) for item in sorted(unaffected)] or None
    await session.update_row(Proposal, row.id, unaffected_assets=values, row_version=row.row_version + 1)
    row = await proposals.get(session, row.id)
    return (await _revise_asked_teams(session, asset, row, registrants=Registrants(lifts_limit=True))).proposal


async def update_status(
    session: Session, asset: Asset, row: Proposal, *, team: UUID | None = None, may_publish: bool = True
) -> ProposalResult:
    """Update the status from acknowledgments and time, and publish if that was requested. A final status stays.

    An ask sets `may_publish` to False, so that the next release, answer or worker publishes instead.
    """
    if not row.status.is_open:
        return ProposalResult(row)
    row, acknowledgments = await apply_time(session, asset, row)
    row = await update_hold(session, asset, row, acknowledgments)
    team_responses = [*map(to_response, acknowledgments)]
    is_held = row.hold is not None
    status = proposal_status.next_status(row.status, team_responses, row.expires_at, session.now, is_held=is_held)
    has_changed = status is not row.status
    if has_changed:
        reason = proposal_status.describe_status(status, is_anybody_asked=bool(team_responses), is_held=is_held)
        row = await change_status(session, asset, row, status, reason)
    if status is not ProposalStatus.APPROVED or not (row.publish_when_approved and may_publish):
        return ProposalResult(row)
    if stale_reason := await find_stale_reason(session, asset, row):
        if has_changed:
            _record_stale(session, asset, row, stale_reason)
        return ProposalResult(row)
    return await publish_approved(session, asset, row, team or asset.owner_team_id)


async def load_responses(session: Session, proposal_id: UUID) -> dict[UUID, TeamResponse]:
    """Load the responses of the asked teams that were not released, by team."""
    return {
        item.consumer_team_id: to_response(item)
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
    if status is ProposalStatus.PUBLISHED:  # a column that comes back and goes again is asked about again
        await answers.remove(session, asset.id, [change["fingerprint"] for change in row.breaking_changes])
    if status is ProposalStatus.PUBLISHED and row.change_set_id is not None:
        await close_if_published(session, row.change_set_id)
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


async def rebase(session: Session, asset: Asset, row: Proposal, base: NewBase) -> ProposalResult:
    """Compare an open proposal with the active contract instead of an earlier one, and ask about what that adds.

    Only readers of the further breaks are asked; the other acknowledgments stay. Publishes nothing yet.
    """
    row = await _move_to_base(session, asset, row, base)
    return await _revise_asked_teams(session, asset, row, registrants=Registrants(lifts_limit=True))


async def _move_to_base(session: Session, asset: Asset, row: Proposal, base: NewBase) -> Proposal:
    unaffected = list_unaffected(row)
    asked = frozenset((await load_affected_teams(session, asset, base.further_breaks, unaffected=unaffected)).asked)
    policy = await load_policy(session, asset)
    # A team that is asked now gets as long for its answer as any other.
    expires_at = max(row.expires_at, session.now + policy.open_span) if asked else row.expires_at
    version = compatibility.follow_version(row.proposed_version or "", base.contract.version, base.judgement)
    await session.update_row(
        Proposal,
        row.id,
        base_contract_id=base.contract.id,
        breaking_changes=[change.as_json() for change in base.judgement.breaking],
        change_type=base.judgement.change_type,
        proposed_version=version,
        expires_at=expires_at,
        row_version=row.row_version + 1,
    )
    if expires_at != row.expires_at:
        await move_due_dates(session, row, expires_at)
    event = events.ProposalRebased(
        audience_team_ids=asked | {asset.owner_team_id, row.proposed_by},
        asset_id=asset.id,
        proposal_id=row.id,
        version=version,
        base_contract_id=base.contract.id,
        base_version=base.contract.version,
        asked=asked,
        changes=compatibility.summarize_changes(base.further_breaks),
    )
    session.record(event)
    return await proposals.get(session, row.id)


async def publish_approved(session: Session, asset: Asset, row: Proposal, published_by: UUID) -> ProposalResult:
    """Publish what was approved: schema, guarantees, mode and version, or the retirement.

    The caller has made sure that the proposal is not stale. If the base moved, an event names what that added.
    """
    if row.kind is ProposalKind.RETIREMENT:
        return await _publish_retirement(session, asset, row)
    current = await contracts.find_active(session, asset.id)
    if (base := await compare_with_base(session, row, current)) is not None:
        row = await _move_to_base(session, asset, row, base)
    terms = proposed_terms(row)
    contract = await insert_contract(
        session,
        asset,
        current,
        ContractDraft(
            terms=terms,
            version=row.proposed_version or "",
            judgement=base.judgement if base else await compare_terms(session.compute, terms_of(current), terms),
            published_by=published_by,
            outcome=Outcome.PUBLISHED,
            proposal_id=row.id,
            metadata=row.meta,
            source=SchemaDocument.from_json(row.source) if row.source else None,
        ),
        update_upstream_of_published,
    )
    reason = f"published as {contract.version}"
    row = await change_status(session, asset, row, ProposalStatus.PUBLISHED, reason, contract_id=contract.id)
    return ProposalResult(row, contract)


async def _publish_retirement(session: Session, asset: Asset, row: Proposal) -> ProposalResult:
    current = await contracts.find_active(session, asset.id)
    if current is None:
        raise Conflict(f"{asset.fqn} has no active contract any more. Withdraw the proposal.")
    contract = await mark_retired(session, asset, current, row)
    reason = f"version {contract.version} is retired"
    return ProposalResult(await change_status(session, asset, row, ProposalStatus.PUBLISHED, reason), contract)


async def release(session: Session, asset: Asset, result: ProposalResult, team: UUID) -> ProposalResult:
    """Publish a proposal if it is approved, not stale, and not kept for an explicit publish."""
    row = result.proposal
    if result.contract is not None or row.status is not ProposalStatus.APPROVED or row.require_explicit_publish:
        return result
    if await find_stale_reason(session, asset, row):
        return result
    return await publish_approved(session, asset, row, team)


async def update_upstream_proposals(
    session: Session,
    asset_ids: Collection[UUID],
    evidence: ReleaseEvidence | None = None,
    registrants: Registrants | None = None,
    *,
    includes_assets: bool = False,
    published: Collection[UUID] = (),
) -> bool:
    """Update the asked teams of proposals upstream of the assets, and of the assets themselves if they are included.

    Returns whether there are such proposals. Those of assets that are `published` at this moment end with that.
    The `evidence` is what has changed the readers; see `revise_requests` for the `registrants`.
    """
    # For the tables of a sync the walk reads the whole lineage of an owner; for one table it costs as much as to ask.
    if len(asset_ids) > 1 and not await proposals.has_any_open(session):
        return False
    upstream = set(await column_edges.find_upstream(session, [*asset_ids]))
    candidates = upstream.union(asset_ids if includes_assets else ()).difference(published)
    if not candidates:
        return False
    open_ids = {row.asset_id for row in await proposals.list_open(session, sorted(candidates))}
    if not open_ids:
        return False
    # An edge or an owner that changes may bring further tables into the reach of these proposals.
    await assets.lock_more(session, open_ids | await load_families(session, [*asset_ids]))
    for asset in sorted(await assets.by_ids(session, sorted(open_ids)), key=lambda row: row.id):
        await update_asked_teams(session, asset, evidence, registrants)
    return True


async def update_upstream_of_published(session: Session, asset_ids: Collection[UUID]) -> None:
    """Update the proposals upstream of assets whose contract has changed what teams read of them."""
    await update_upstream_proposals(session, asset_ids, published=asset_ids)
