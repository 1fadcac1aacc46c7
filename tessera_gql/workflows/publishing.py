"""Publishing a schema: what is compatible flows through, what breaks waits for the teams it hurts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera_gql.diff import Change, Mode
from tessera_gql.errors import Conflict, Invalid
from tessera_gql.formats.sources import Source
from tessera_gql.policy import naming, publish, version
from tessera_gql.policy.access import Actor, Verb, permit
from tessera_gql.policy.publish import Judgement, Terms
from tessera_gql.policy.words import Outcome, ProposalStatus
from tessera_gql.store import assets, contracts, proposals
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, Proposal
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import progress
from tessera_gql.workflows.comparisons import examined, judged
from tessera_gql.workflows.contracts import Release, release, terms_of
from tessera_gql.workflows.proposals import require_owning_team


@dataclass(frozen=True)
class Keep:
    """Stands for "as in the current contract", where None is a value of its own."""


KEEP = Keep()


@dataclass(frozen=True)
class PublishRequest:
    """What a producer hands in; what is None is chosen for it. `source` is the document that it was read from."""

    schema: Any
    guarantees: Any = KEEP
    mode: Mode | None = None
    version: str | None = None
    team: TeamRef | None = None
    force: bool = False
    supersede: bool = False
    publish_when_approved: bool = False
    reason: str | None = None
    expires_at: datetime | None = None
    metadata: Any = None
    source: Source | None = None


@dataclass(frozen=True)
class Published:
    """What came of it: the contract now active, the proposal if there is one, and every change that was seen."""

    outcome: Outcome
    asset: Asset
    contract: Contract | None
    proposal: Proposal | None
    judgement: Judgement

    @property
    def changes(self) -> tuple[Change, ...]:
        return self.judgement.changes


@dataclass(frozen=True)
class _Case:
    """Everything a publish is decided from, read under the lock."""

    asset: Asset
    current: Contract | None
    waiting: Proposal | None
    team: UUID
    request: PublishRequest
    terms: Terms
    judgement: Judgement


async def publish_contract(session: Session, actor: Actor, ref: AssetRef, request: PublishRequest) -> Published:
    """Locks the asset, judges the schema under the current contract's mode, and publishes, proposes or does nothing."""
    schema_hash = await checked(session, request)
    asset = await assets.lock(session, ref)
    team = await require_owning_team(session, actor, Verb.PUBLISH_CONTRACT, asset, request.team)
    if request.force:
        permit(actor, Verb.FORCE_CONTRACT, team)
    waiting = await proposals.find_open(session, asset.id)
    if waiting is not None:
        waiting = (await progress.advance(session, asset, waiting)).proposal
    current = await contracts.find_active(session, asset.id)
    terms = offered(request, asset, current, schema_hash)
    judgement = await judged(session.compute, terms_of(current), terms)
    if judgement.unchanged:
        return Published(Outcome.UNCHANGED, asset, current, None, judgement)
    still_open = waiting if waiting is not None and waiting.status.is_open else None
    case = _Case(asset, current, still_open, team, request, terms, judgement)
    if judgement.breaking and current is not None and not request.force:
        return await _propose(session, case, current)
    return await _release(session, case)


async def checked(session: Session, request: PublishRequest) -> str:
    """Return the hash of the schema. Raises Invalid for what can't be right, whatever the state of the asset."""
    schema_hash = await examined(session.compute, request.schema)
    require_guarantees(request.guarantees)
    if request.version is not None:
        version.parse(request.version)
    naming.metadata(request.metadata)
    if not naming.prose(request.reason, "reason") and request.force:
        raise Invalid("Publishing by force needs a reason: it goes into the audit log.", field=("reason",))
    return schema_hash


def require_guarantees(guarantees: Any) -> None:
    """Raises Invalid unless it is an object, or nothing."""
    if not isinstance(guarantees, Keep | dict | None):
        raise Invalid("`guarantees` must be a JSON object.", field=("guarantees",))


def offered(request: PublishRequest, asset: Asset, current: Contract | None, schema_hash: str) -> Terms:
    """The terms handed in, with what was left out taken from the current contract."""
    guarantees = request.guarantees
    if isinstance(guarantees, Keep):
        guarantees = current.guarantees if current else None
    mode = request.mode or (current.compatibility_mode if current else asset.compatibility_mode)
    return Terms(request.schema, guarantees or None, mode, schema_hash)


async def _release(session: Session, case: _Case) -> Published:
    asset, request, judgement = case.asset, case.request, case.judgement
    latest = case.current.version if case.current else await contracts.highest_version(session, asset.id)
    version = publish.next_version(request.version, latest, judgement)
    forced = bool(judgement.breaking)
    skipped: frozenset[UUID] = frozenset()
    if forced:
        skipped = frozenset((await progress.hurt_by(session, asset, judgement.breaking, case.team)).asked)
        if case.waiting is not None:
            why = f"version {version} was published by force"
            await progress.move(session, asset, case.waiting, ProposalStatus.SUPERSEDED, why)
    outcome = Outcome.FORCED if forced else Outcome.PUBLISHED
    contract = await release(
        session,
        asset,
        case.current,
        Release(
            terms=case.terms,
            version=version,
            judgement=judgement,
            published_by=case.team,
            outcome=outcome,
            reason=naming.prose(request.reason, "reason"),
            not_asked=skipped,
            metadata=naming.metadata(request.metadata),
            source=request.source,
        ),
    )
    return Published(outcome, asset, contract, None, judgement)


async def _propose(session: Session, case: _Case, current: Contract) -> Published:
    asset, request, judgement = case.asset, case.request, case.judgement
    version = publish.next_version(request.version, current.version, judgement)
    if case.waiting is not None:
        difference = await _difference(session, case, case.waiting)
        if difference is None:
            return await _proposed_before(session, case, case.waiting)
        if not request.supersede:
            raise Conflict(
                f"{asset.fqn} has an open proposal for version {case.waiting.proposed_version} ({case.waiting.id},"
                f" {case.waiting.status.lower()}) that {difference}. Wait for it, withdraw it, or publish"
                " again with `supersede`."
            )
        why = f"superseded by a proposal for version {version}"
        await progress.move(session, asset, case.waiting, ProposalStatus.SUPERSEDED, why)
    offer = progress.Offer(
        terms=case.terms,
        version=version,
        judgement=judgement,
        team_id=case.team,
        reason=request.reason,
        expires_at=request.expires_at,
        publish_when_approved=request.publish_when_approved,
        metadata=naming.metadata(request.metadata),
        source=request.source,
    )
    return _outcome(case, await progress.open(session, asset, current, offer))


async def _difference(session: Session, case: _Case, waiting: Proposal) -> str | None:
    """Why the open proposal is not the one that is asked for, or None if it is."""
    if waiting.fingerprint != case.terms.fingerprint:
        return "these terms do not match"
    if case.request.version not in (None, waiting.proposed_version):
        return "has these terms under another version"
    stale = await progress.staleness(session, waiting)
    return f"is stale: {stale}" if stale else None


async def _proposed_before(session: Session, case: _Case, waiting: Proposal) -> Published:
    if not case.request.publish_when_approved or waiting.publish_when_approved:
        return _outcome(case, progress.Progress(waiting))
    await session.update(Proposal, proposals.rows.c.id == waiting.id, publish_when_approved=True)
    waiting = await proposals.get(session, waiting.id)
    return _outcome(case, await progress.advance(session, case.asset, waiting))


def _outcome(case: _Case, reached: progress.Progress) -> Published:
    outcome = Outcome.PUBLISHED if reached.contract else Outcome.PROPOSED
    return Published(outcome, case.asset, reached.contract or case.current, reached.proposal, case.judgement)
