"""How a proposal opens, follows its answers and the time, and ends. The caller holds the lock of its asset."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.errors import Invalid
from tessera_gql.formats.sources import Source
from tessera_gql.policy import naming, proposal, publish
from tessera_gql.policy.affected import Affected, Audience
from tessera_gql.policy.events import (
    AcknowledgmentReleased,
    AcknowledgmentRequested,
    ProposalOpened,
    ProposalStale,
    ProposalStatusChanged,
)
from tessera_gql.policy.publish import Judgement, Terms
from tessera_gql.policy.words import Outcome, ProposalStatus
from tessera_gql.store import contracts, lineage, proposals, registrations
from tessera_gql.store.lineage import Direction, Reached
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Asset, Contract, Proposal, new_id
from tessera_gql.workflows.comparisons import judged
from tessera_gql.workflows.contracts import Release, release, settle, terms_of

DEFAULT_LIFE = timedelta(days=30)
LONGEST_LIFE = timedelta(days=366)
PORTION = 1_000
"""Readers that are looked at before others of the event loop get their turn: a few milliseconds."""


@dataclass(frozen=True)
class Offer:
    """A change that was judged, with what its producer says about it."""

    terms: Terms
    version: str
    judgement: Judgement
    team_id: UUID
    reason: str | None = None
    expires_at: datetime | None = None
    publish_when_approved: bool = False
    metadata: dict[str, Any] | None = None
    source: Source | None = None


@dataclass(frozen=True)
class Progress:
    """Where a proposal stands after a verb; `contract` is what was published by it, if anything was."""

    proposal: Proposal
    contract: Contract | None = None


async def hurt_by(
    session: Session,
    asset: Asset,
    breaking: Sequence[Change],
    proposer: UUID,
    downstream: Sequence[Reached] | None = None,
) -> Affected:
    """Whom the changes hurt among the asset's live readers; owners of downstream assets are informed as well.

    `downstream` is looked up if it isn't given.
    """
    live = await registrations.live_of(session, [asset.id])
    audience = Audience(breaking, proposer)
    for start in range(0, len(live), PORTION):
        audience.add(map(registrations.reader_of, live[start : start + PORTION]))
        await asyncio.sleep(0)
    hurt = audience.affected()
    if downstream is None:
        downstream = (await lineage.reach(session, [asset.id], Direction.DOWNSTREAM))[asset.id]
    builders = await lineage.owners(session, downstream)
    return Affected(hurt.asked, (hurt.informed | builders).difference(hurt.asked, {proposer}))


async def open(session: Session, asset: Asset, base: Contract, offer: Offer) -> Progress:  # noqa: A001 - the verb
    """Asks every hurt team once. With nobody to ask it is approved at once and stands as the record."""
    hurt = await hurt_by(session, asset, offer.judgement.breaking, offer.team_id)
    row = Proposal(
        id=new_id(),
        asset_id=asset.id,
        base_contract_id=base.id,
        contract_id=None,
        proposed_schema=offer.terms.schema,
        proposed_version=offer.version,
        guarantees=offer.terms.guarantees,
        compatibility_mode=offer.terms.mode,
        change_type=offer.judgement.change_type,
        breaking_changes=[change.as_json() for change in offer.judgement.breaking],
        fingerprint=offer.terms.fingerprint,
        status=ProposalStatus.PENDING,
        reason=naming.prose(offer.reason, "reason"),
        publish_when_approved=offer.publish_when_approved,
        proposed_by=offer.team_id,
        proposed_at=session.now,
        expires_at=_lifetime(session.now, offer.expires_at),
        resolved_at=None,
        meta=offer.metadata or {},
        source=offer.source.as_json() if offer.source else None,
        row_version=1,
        created_at=session.now,
    )
    await session.insert(row, clash=f"A proposal for {asset.fqn} was opened at this moment.")
    changes = publish.summary(offer.judgement.breaking)
    session.record(
        ProposalOpened(
            teams=hurt.informed.union(hurt.asked, {asset.owner_team_id, offer.team_id}),
            asset_id=asset.id,
            proposal_id=row.id,
            version=offer.version,
            proposed_by=offer.team_id,
            asked=frozenset(hurt.asked),
            informed=hurt.informed,
            changes=changes,
        )
    )
    await _ask(session, row, hurt.asked)
    return await advance(session, asset, await proposals.get(session, row.id))


async def _ask(session: Session, row: Proposal, asked: Any) -> None:
    places = [
        Acknowledgment(
            id=new_id(),
            proposal_id=row.id,
            consumer_team_id=team,
            because=list(because),
            created_at=session.now,
        )
        for team, because in asked.items()
    ]
    await session.insert_all(places)
    for place in places:
        _request(session, row, place.id, place.consumer_team_id, place.because)


def _request(session: Session, row: Proposal, place: UUID, team: UUID, because: Sequence[str]) -> None:
    told = [change["message"] for change in row.breaking_changes if change["fingerprint"] in because]
    session.record(
        AcknowledgmentRequested(
            teams=frozenset({team}),
            asset_id=row.asset_id,
            proposal_id=row.id,
            acknowledgment_id=place,
            consumer_team_id=team,
            expires_at=row.expires_at,
            changes=tuple(told),
        )
    )


def _lifetime(now: datetime, wanted: datetime | None) -> datetime:
    if wanted is None:
        return now + DEFAULT_LIFE
    if not now < wanted <= now + LONGEST_LIFE:
        raise Invalid(
            f"A proposal may stay open until a moment within the next {LONGEST_LIFE.days} days,"
            f" not until {wanted.isoformat()}. Leave `expiresAt` out for {DEFAULT_LIFE.days} days.",
            field=("expiresAt",),
        )
    return wanted


async def reconsider(session: Session, asset: Asset) -> Progress | None:
    """After the asset's readers changed: who is hurt now is asked, who is not any more no longer counts.

    Time comes first: what had run out before they changed is not brought back.
    """
    waiting = await proposals.find_open(session, asset.id)
    if waiting is None:
        return None
    reached = await advance(session, asset, waiting)
    row = reached.proposal
    if not row.status.is_open:
        return reached
    breaking = [Change.from_json(change) for change in row.breaking_changes]
    hurt = await hurt_by(session, asset, breaking, row.proposed_by)
    present = {one.consumer_team_id: one for one in await proposals.acknowledgments_of(session, [row.id])}
    await _ask(session, row, {team: because for team, because in hurt.asked.items() if team not in present})
    for team, place in present.items():
        await _revise(session, row, place, hurt.asked.get(team))
    return await advance(session, asset, row)


async def _revise(session: Session, row: Proposal, place: Acknowledgment, because: tuple[str, ...] | None) -> None:
    here = proposals.answers.c.id == place.id
    if because is None:
        if place.released_at is None:
            await session.update(Acknowledgment, here, released_at=session.now)
            session.record(
                AcknowledgmentReleased(
                    teams=frozenset({place.consumer_team_id, row.proposed_by}),
                    asset_id=row.asset_id,
                    proposal_id=row.id,
                    acknowledgment_id=place.id,
                    consumer_team_id=place.consumer_team_id,
                )
            )
        return
    if place.released_at is None and list(because) == place.because:
        return
    if set(because) <= set(place.because) and place.released_at is None:
        await session.update(Acknowledgment, here, because=list(because))
        return
    # More is at stake than what the team has answered to, or it had left: it is asked anew.
    fresh: dict[str, Any] = {
        "response": None,
        "responded_at": None,
        "migration_deadline": None,
        "notes": None,
    }
    await session.update(Acknowledgment, here, because=list(because), released_at=None, **fresh)
    _request(session, row, place.id, place.consumer_team_id, because)


async def advance(session: Session, asset: Asset, row: Proposal, *, by: UUID | None = None) -> Progress:
    """Brings the status up to the answers and the time, and publishes if that was asked for. Ends stay as they are."""
    if not row.status.is_open:
        return Progress(row)
    places = [one for one in await proposals.acknowledgments_of(session, [row.id]) if one.released_at is None]
    answers = [proposal.Answer(one.response, one.migration_deadline) for one in places]
    status = proposal.status_in_time(answers, row.expires_at, session.now)
    if status is ProposalStatus.EXPIRED and row.status is ProposalStatus.APPROVED:
        status = proposal.status(answers, session.now)
    moved = status is not row.status
    if moved:
        row = await move(session, asset, row, status, _why(status, answers))
    if status is not ProposalStatus.APPROVED or not row.publish_when_approved:
        return Progress(row)
    if reason := await staleness(session, row):
        if moved:
            _tell_stale(session, asset, row, reason)
        return Progress(row)
    return await publish_approved(session, asset, row, by or row.proposed_by)


def _why(status: ProposalStatus, answers: Sequence[proposal.Answer]) -> str:
    match status:
        case ProposalStatus.APPROVED:
            return "every asked team agrees" if answers else "nobody is hurt, so nobody was asked"
        case ProposalStatus.REJECTED:
            return "a team answered BLOCKED"
        case ProposalStatus.EXPIRED:
            return "not every asked team agreed in time"
        case _:
            return "answers are outstanding"


async def move(
    session: Session, asset: Asset, row: Proposal, status: ProposalStatus, because: str, **values: Any
) -> Proposal:
    """To another status, with its event; an end is dated, and nobody is migrating for it any more."""
    if not status.is_open:
        values |= {"resolved_at": session.now}
        await settle(session, asset)
    await session.update(
        Proposal, proposals.rows.c.id == row.id, status=status, row_version=row.row_version + 1, **values
    )
    places = await proposals.acknowledgments_of(session, [row.id])
    session.record(
        ProposalStatusChanged(
            teams=frozenset({one.consumer_team_id for one in places} | {row.proposed_by, asset.owner_team_id}),
            asset_id=row.asset_id,
            proposal_id=row.id,
            before=row.status,
            after=status,
            because=because,
        )
    )
    return await proposals.get(session, row.id)


def _tell_stale(session: Session, asset: Asset, row: Proposal, reason: str) -> None:
    session.record(
        ProposalStale(
            teams=frozenset({row.proposed_by, asset.owner_team_id}),
            asset_id=asset.id,
            proposal_id=row.id,
            proposed_by=row.proposed_by,
            changes=(reason,),
        )
    )


async def staleness(session: Session, row: Proposal) -> str | None:
    """Why the proposal no longer fits the active contract, or None: what was not approved may not be published."""
    current = await contracts.find_active(session, row.asset_id)
    if current is None or current.id == row.base_contract_id:
        return None
    judgement = await judged(session.compute, terms_of(current), _terms(row))
    approved = {change["fingerprint"] for change in row.breaking_changes}
    fresh = tuple(change for change in judgement.breaking if change.fingerprint not in approved)
    if fresh:
        return f"since version {current.version} it also breaks: {'; '.join(publish.summary(fresh, limit=5))}"
    try:
        publish.next_version(row.proposed_version, current.version, judgement)
    except Invalid:
        return f"version {current.version} was published meanwhile and {row.proposed_version} does not follow it"
    return None


def _terms(row: Proposal) -> Terms:
    return Terms(row.proposed_schema, row.guarantees, row.compatibility_mode)


async def publish_approved(session: Session, asset: Asset, row: Proposal, by: UUID) -> Progress:
    """Exactly what was approved: schema, guarantees, mode, version."""
    current = await contracts.find_active(session, asset.id)
    judgement = await judged(session.compute, terms_of(current), _terms(row))
    contract = await release(
        session,
        asset,
        current,
        Release(
            terms=_terms(row),
            version=row.proposed_version,
            judgement=judgement,
            published_by=by,
            outcome=Outcome.PUBLISHED,
            proposal_id=row.id,
            metadata=row.meta,
            source=Source.of(row.source) if row.source else None,
        ),
    )
    ended = await move(
        session,
        asset,
        row,
        ProposalStatus.PUBLISHED,
        f"published as {contract.version}",
        contract_id=contract.id,
    )
    return Progress(ended, contract)
