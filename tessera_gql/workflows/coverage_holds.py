"""Hold open proposals while observed reads don't cover what nobody is asked about, as the policy of the tier demands.

The caller holds the lock of the asset. A proposal that was let go is held again only if a principal without a team is
seen reading what it changes; that coverage ends with time changes nothing any more.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.errors import Invalid
from tessera_gql.policy import validation
from tessera_gql.policy.access import Action, Actor, authorize
from tessera_gql.policy.ask_policy import choose_policy
from tessera_gql.policy.coverage import MissingCoverage, describe_missing
from tessera_gql.policy.coverage_events import ProposalHeld, ProposalHoldEnded
from tessera_gql.store import ask_policies, assets, coverage, proposals
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Asset, Proposal
from tessera_gql.workflows.ask_clock import extend
from tessera_gql.workflows.coverage import CoverageChecks, CoverageSubject

MAX_HOLDS = 200
"""Proposals whose coverage is checked in one transaction."""
MIN_TIME_LEFT = timedelta(days=7)
"""Time for which a proposal stays open at least when it is held again."""


@dataclass(frozen=True)
class _Decision:
    """What is missing for a proposal, and what lets it go if nothing is."""

    missing: tuple[MissingCoverage, ...] = ()
    proof: dict[str, Any] | None = None


@dataclass(frozen=True)
class CoverageWaiver:
    """The reason for which an administrator lets a proposal go without coverage; it goes into the audit log."""

    reason: str | None


def list_missing(row: Proposal) -> list[MissingCoverage]:
    """List what a held proposal waits for; empty if it is not held."""
    return [*map(MissingCoverage.from_json, row.hold or ())]


def describe_hold(row: Proposal) -> str:
    """Describe what a held proposal waits for, in whole sentences."""
    text = describe_missing(list_missing(row))
    return (
        f"The proposal is held: its policy demands {row.required_coverage_days} days of observed reads that show that"
        f" nobody reads what nobody is asked about. Missing: {text}. It is let go by itself once that is done; an"
        " administrator may waive it."
    )


async def update_hold(
    session: Session, asset: Asset, row: Proposal, acknowledgments: Sequence[Acknowledgment]
) -> Proposal:
    """Hold an open proposal or let it go; the acknowledgments are those that count.

    Returns the proposal as it is then.
    """
    if row.required_coverage_days is None:
        return row
    subject = _to_subject(asset, row, acknowledgments)
    checks = await CoverageChecks.load(session, [subject]) if subject.breaking else None
    decision = await _decide(row, subject, checks, session.now)
    values = _list_changes(row, decision, session.now)
    if not values:
        return row
    _record(session, asset, row, acknowledgments, decision)
    is_visible = "hold" in values
    version = row.row_version + 1 if is_visible else row.row_version
    await session.update_row(Proposal, row.id, **values, row_version=version)
    if decision.missing and row.held_at is None and row.expires_at < session.now + MIN_TIME_LEFT:
        row = await proposals.get(session, row.id)
        await extend(session, asset, row, session.now + MIN_TIME_LEFT, "it is held for coverage")
    return await proposals.get(session, row.id)


def _to_subject(asset: Asset, row: Proposal, acknowledgments: Collection[Acknowledgment]) -> CoverageSubject:
    """Return what nobody is asked about: the breaking changes without a team that answers for them."""
    asked_fingerprints = {item for acknowledgment in acknowledgments for item in acknowledgment.change_fingerprints}
    breaking = map(Change.from_json, row.breaking_changes)
    unasked = tuple(change for change in breaking if change.fingerprint not in asked_fingerprints)
    unaffected = frozenset(map(UUID, row.unaffected_assets or ()))
    return CoverageSubject(asset.id, asset.owner_team_id, unasked, unaffected)


async def _decide(row: Proposal, subject: CoverageSubject, checks: CoverageChecks | None, now: datetime) -> _Decision:
    if checks is None:
        return _Decision()
    fingerprints = sorted({change.fingerprint for change in subject.breaking or ()})
    proof = row.coverage_proof
    if proof is not None and set(fingerprints) <= set(proof["fingerprints"]):
        if proof["waived"] is not None:
            return _Decision(proof=proof)
        if not await checks.has_unmapped(subject, datetime.fromisoformat(proof["start"])):
            return _Decision(proof=proof)
    checked = await checks.check(subject, row.required_coverage_days or 0, now)
    if checked.missing:
        return _Decision(checked.missing)
    return _Decision(proof=_build_proof(fingerprints, checked.start, checked.reference))


def _build_proof(
    fingerprints: Sequence[str], start: datetime, reference: str, waived: str | None = None
) -> dict[str, Any]:
    return {"fingerprints": [*fingerprints], "start": start.isoformat(), "reference": reference, "waived": waived}


def _list_changes(row: Proposal, decision: _Decision, now: datetime) -> dict[str, Any]:
    """List the columns of a proposal that a decision changes."""
    hold = [item.as_json() for item in decision.missing] or None
    held_at = (row.held_at or now) if hold else None
    values = {"hold": hold, "held_at": held_at, "coverage_proof": decision.proof}
    return {name: value for name, value in values.items() if value != getattr(row, name)}


def _record(
    session: Session, asset: Asset, row: Proposal, acknowledgments: Collection[Acknowledgment], decision: _Decision
) -> None:
    """Record that a proposal is held, that something else is missing, or that it is let go."""
    before = list_missing(row)
    if {item.subject for item in before} == {item.subject for item in decision.missing}:
        return
    audience = frozenset({asset.owner_team_id, row.proposed_by, *(item.consumer_team_id for item in acknowledgments)})
    subject: dict[str, Any] = {
        "audience_team_ids": audience,
        "asset_id": asset.id,
        "proposal_id": row.id,
        "days": row.required_coverage_days,
        "before": tuple(item.message for item in before),
    }
    if decision.missing:
        session.record(ProposalHeld(**subject, after=tuple(item.message for item in decision.missing)))
        return
    proof = decision.proof
    reason = (proof["waived"] or proof["reference"]) if proof else "teams are asked about all that it changes"
    session.record(ProposalHoldEnded(**subject, reason=reason, is_waived=bool(proof and proof["waived"])))


async def waive_coverage(session: Session, actor: Actor, asset: Asset, row: Proposal, reason: str | None) -> Proposal:
    """Let a held proposal go without the coverage that its policy demands, as an administrator with a reason."""
    authorize(actor, Action.FORCE_CONTRACT, asset.owner_team_id)
    text = validation.clean_text(reason, "reason")
    if text is None:
        raise Invalid("To waive coverage needs a reason: it goes into the audit log.", field=("reason",))
    if row.hold is None:
        return row
    fingerprints = [change["fingerprint"] for change in row.breaking_changes]
    decision = _Decision(proof=_build_proof(fingerprints, session.now, describe_missing(list_missing(row)), text))
    acknowledgments = await proposals.list_acknowledgments(session, [row.id])
    _record(session, asset, row, [item for item in acknowledgments if item.released_at is None], decision)
    values = _list_changes(row, decision, session.now)
    await session.update_row(Proposal, row.id, **values, row_version=row.row_version + 1)
    return await proposals.get(session, row.id)


async def find_changed_holds(session: Session, after: UUID | None = None) -> tuple[list[UUID], UUID | None]:
    """Find open proposals that are to be held or let go now, in a page `after` a proposal.

    Returns the proposals, and the last one of the page; None if no other page follows. Takes a fixed number of
    statements, however many proposals there are.
    """
    page = await coverage.list_demanding(session, MAX_HOLDS, after)
    if not page:
        return [], None
    rows = await proposals.by_ids(session, page)
    owners = {row.id: row for row in await assets.by_ids(session, sorted({row.asset_id for row in rows}))}
    counting: dict[UUID, list[Acknowledgment]] = {row.id: [] for row in rows}
    for item in await proposals.list_acknowledgments(session, page):
        if item.released_at is None:
            counting[item.proposal_id].append(item)
    subjects = {row.id: _to_subject(owners[row.asset_id], row, counting[row.id]) for row in rows}
    checks = await CoverageChecks.load(session, [*subjects.values()])
    changed: list[UUID] = []
    for row in rows:
        subject = subjects[row.id]
        decision = await _decide(row, subject, checks if subject.breaking else None, session.now)
        if _list_changes(row, decision, session.now):
            changed.append(row.id)
    return sorted(changed), page[-1] if len(page) == MAX_HOLDS else None


async def load_missing(session: Session, asset: Asset, breaking: Sequence[Change]) -> tuple[MissingCoverage, ...]:
    """Load what would be missing, by the present policy, for changes about which nobody is asked."""
    if not breaking:
        return ()
    policies = await ask_policies.load(session)
    policy = choose_policy(asset.tier, policies, is_tier_confirmed=asset.is_tier_confirmed)
    return await _check(session, asset, breaking, policy.require_coverage_days)


async def find_missing_for(
    session: Session, asset: Asset, row: Proposal, breaking: Sequence[Change]
) -> tuple[MissingCoverage, ...]:
    """Load what is missing for further changes of a proposal about which nobody is asked."""
    unaffected = frozenset(map(UUID, row.unaffected_assets or ()))
    return await _check(session, asset, breaking, row.required_coverage_days, unaffected)


async def _check(
    session: Session,
    asset: Asset,
    breaking: Sequence[Change],
    days: int | None,
    unaffected: frozenset[UUID] = frozenset(),
) -> tuple[MissingCoverage, ...]:
    if days is None or not breaking:
        return ()
    subject = CoverageSubject(asset.id, asset.owner_team_id, tuple(breaking), unaffected)
    checks = await CoverageChecks.load(session, [subject])
    return (await checks.check(subject, days, session.now)).missing
