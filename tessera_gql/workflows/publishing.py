"""Publish a schema: compatible changes become active, breaking changes wait for the teams that they affect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera_gql.diff import Change, Mode
from tessera_gql.errors import Invalid
from tessera_gql.formats.schema_documents import SchemaDocument
from tessera_gql.policy import compatibility, proposal_status, validation, version
from tessera_gql.policy.access import Action, Actor, authorize
from tessera_gql.policy.archive import require_live_asset
from tessera_gql.policy.compatibility import Judgement, KnownColumns, Terms, waive_move_to_consumer
from tessera_gql.policy.enums import Intent, Outcome, ProposalStatus
from tessera_gql.store import assets, contracts, proposals
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, Proposal
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import open_proposals, proposal_lifecycle
from tessera_gql.workflows.affected_teams import load_affected_teams
from tessera_gql.workflows.ask_clock import to_response
from tessera_gql.workflows.comparisons import compare_terms, validate_schema
from tessera_gql.workflows.contracts import ContractDraft, find_base_version, insert_contract, terms_of, update_metadata
from tessera_gql.workflows.open_proposals import Claim, ProposalOptions
from tessera_gql.workflows.proposal_bases import list_unaffected
from tessera_gql.workflows.proposal_lifecycle import change_status
from tessera_gql.workflows.quiet_proofs import exclude_proven
from tessera_gql.workflows.teams import require_owning_team


@dataclass(frozen=True)
class KeepCurrent:
    """Marks an argument as "as in the current contract", where None is a value of its own.

    Guarantees may be replaced by section: by those that are `stated`, and, if the current contract was read from a
    document as well, by the absence of the other `sections` that its format can express.
    """

    stated: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sections: frozenset[str] = frozenset()

    def merge_guarantees(self, current: Contract | None) -> dict[str, Any] | None:
        """Return the guarantees of the current contract with the sections of the document."""
        guarantees = current.guarantees if current else None
        if not self.sections:
            return guarantees
        replaced = self.sections if current and current.source else self.stated.keys()
        return {name: value for name, value in (guarantees or {}).items() if name not in replaced} | dict(self.stated)


KEEP_CURRENT = KeepCurrent()


@dataclass(frozen=True)
class KnownJudgement:
    """The judgement of a request against a contract, which was made before the lock because it takes long."""

    contract_id: UUID
    judgement: Judgement


@dataclass(frozen=True)
class PublishRequest:
    """The arguments of a publish; None selects a default. `source` is the document that the schema was read from.

    An `intent` of ASK opens or updates a proposal and publishes nothing. RELEASE publishes what is approved and what
    breaks no reader; `require_explicit_publish` keeps a proposal for `publishProposal` even then. `known_columns` are
    for a schema that comes from dbt. `known_judgement` counts if its contract is still the active one.
    `unaffected_assets` are tables of the owner that are made from the asset, but no longer read what changes; None
    keeps those of the open proposal.
    """

    schema: Any
    guarantees: Any = KEEP_CURRENT
    mode: Mode | None = None
    version: str | None = None
    team: TeamRef | None = None
    force: bool = False
    supersede: bool = False
    intent: Intent = Intent.RELEASE
    publish_when_approved: bool = False
    require_explicit_publish: bool = False
    change_set_id: UUID | None = None
    reason: str | None = None
    expires_at: datetime | None = None
    metadata: Any = None
    source: SchemaDocument | None = None
    known_columns: KnownColumns | None = None
    known_judgement: KnownJudgement | None = None
    unaffected_assets: frozenset[UUID] | None = None


@dataclass(frozen=True)
class PublishResult:
    """The result of a publish: outcome, active contract, proposal if there is one, and all changes.

    The proposal is the one of the request, or any that is open while nothing changed.
    """

    outcome: Outcome
    asset: Asset
    contract: Contract | None
    proposal: Proposal | None
    judgement: Judgement

    @property
    def changes(self) -> tuple[Change, ...]:
        return self.judgement.changes


@dataclass(frozen=True)
class PublishContext:
    """The values that decide a publish, read while the asset is locked."""

    asset: Asset
    current: Contract | None
    open_proposal: Proposal | None
    team: UUID
    request: PublishRequest
    terms: Terms
    judgement: Judgement


async def publish_contract(session: Session, actor: Actor, ref: AssetRef, request: PublishRequest) -> PublishResult:
    """Judge a schema under the mode of the current contract, and publish it, propose it or do nothing."""
    schema_hash = await validate_request(session, request)
    asset = await assets.lock(session, ref)
    action = Action.PUBLISH_CONTRACT
    team = await require_owning_team(session, actor, action, asset, f"{action} of {asset.fqn}", request.team)
    require_live_asset(asset)
    if request.force:
        authorize(actor, Action.FORCE_CONTRACT, team)
    open_proposal = await open_proposals.find_open_proposal(session, asset)
    current = await contracts.find_active(session, asset.id)
    terms = build_terms(request, asset, current, schema_hash)
    judgement = await judge_request(session, actor, request, current, terms)
    outcome = compatibility.decide_outcome(judgement, force=request.force, intent=request.intent)
    context = PublishContext(asset, current, open_proposal, team, request, terms, judgement)
    match outcome:
        case Outcome.UNCHANGED if current is not None:
            return await _confirm_current(session, context, current)
        case Outcome.COMPATIBLE:
            return PublishResult(outcome, asset, current, await _withdraw_unneeded(session, context), judgement)
        case Outcome.PROPOSED if current is not None:
            return await _propose(session, context, current)
        case _:
            return await _publish(session, context, outcome)


async def judge_request(
    session: Session, actor: Actor, request: PublishRequest, current: Contract | None, terms: Terms
) -> Judgement:
    """Judge the terms of a request by an actor against the active contract."""
    earlier = request.known_judgement
    if earlier is not None and current is not None and earlier.contract_id == current.id:
        judgement = earlier.judgement
    else:
        judgement = await compare_terms(session.compute, terms_of(current), terms)
    judgement = waive_move_to_consumer(judgement, actor)
    return compatibility.allow_higher_version(judgement, request.version, current.version if current else None)


async def validate_request(session: Session, request: PublishRequest) -> str:
    """Validate a request without the database, and return the hash of its schema. Raises Invalid."""
    schema_hash = await validate_schema(session.compute, request.schema)
    require_guarantees(request.guarantees)
    if request.version is not None:
        version.parse_version(request.version)
    validation.clean_metadata(request.metadata)
    if not validation.clean_text(request.reason, "reason") and request.force:
        raise Invalid("Publishing by force needs a reason: it goes into the audit log.", field=("reason",))
    proposal_status.require_consistent_intent(
        request.intent,
        publish_when_approved=request.publish_when_approved,
        require_explicit_publish=request.require_explicit_publish,
        force=request.force,
    )
    return schema_hash


def require_guarantees(guarantees: Any) -> None:
    """Raise Invalid unless guarantees are an object or None."""
    if not isinstance(guarantees, KeepCurrent | dict | None):
        raise Invalid("`guarantees` must be a JSON object.", field=("guarantees",))


def build_terms(request: PublishRequest, asset: Asset, current: Contract | None, schema_hash: str) -> Terms:
    """The requested terms; what the request leaves out comes from the current contract."""
    guarantees = request.guarantees
    if isinstance(guarantees, KeepCurrent):
        guarantees = guarantees.merge_guarantees(current)
    mode = request.mode or (current.compatibility_mode if current else asset.compatibility_mode)
    return Terms(request.schema, guarantees or None, mode, schema_hash, request.known_columns)


async def _confirm_current(session: Session, context: PublishContext, current: Contract) -> PublishResult:
    """Store new metadata of the active contract, and keep an open proposal from being published by itself.

    The producer has just said again what holds. An ask writes nothing.
    """
    request, asset = context.request, context.asset
    open_proposal = await _withdraw_unneeded(session, context)
    if request.intent is Intent.RELEASE:
        metadata = validation.clean_metadata(request.metadata)
        if request.metadata is not None and metadata != current.meta:
            current = await update_metadata(session, asset, current, metadata)
        if open_proposal is not None and open_proposal.publish_when_approved:
            options = ProposalOptions(publish_when_approved=False)
            open_proposal = await open_proposals.update_options(session, asset, open_proposal, options)
    return PublishResult(Outcome.UNCHANGED, asset, current, open_proposal, context.judgement)


async def _withdraw_unneeded(session: Session, context: PublishContext) -> Proposal | None:
    """Withdraw the open proposal if its change set no longer breaks the asset; return the one that is still open."""
    row = context.open_proposal
    if row is None or row.change_set_id is None or row.change_set_id != context.request.change_set_id:
        return row
    await change_status(session, context.asset, row, ProposalStatus.WITHDRAWN, open_proposals.NO_LONGER_BREAKS)
    return None


async def _publish(session: Session, context: PublishContext, outcome: Outcome) -> PublishResult:
    asset, request, judgement = context.asset, context.request, context.judgement
    base_version = await find_base_version(session, asset.id, context.current)
    version = compatibility.next_version(request.version, base_version, judgement)
    is_reached = context.open_proposal is not None and context.open_proposal.fingerprint == context.terms.fingerprint
    reached = context.open_proposal if is_reached else None
    not_asked = await _find_skipped_teams(session, context, reached) if outcome is Outcome.FORCED else {}
    if outcome is Outcome.FORCED and context.open_proposal is not None and reached is None:
        reason = f"version {version} was published by force"
        await change_status(session, asset, context.open_proposal, ProposalStatus.SUPERSEDED, reason)
    elif reached is None:
        await _withdraw_unneeded(session, context)
    contract = await insert_contract(
        session,
        asset,
        context.current,
        ContractDraft(
            terms=context.terms,
            version=version,
            judgement=judgement,
            published_by=context.team,
            outcome=outcome,
            proposal_id=reached.id if reached and reached.status is ProposalStatus.APPROVED else None,
            reason=validation.clean_text(request.reason, "reason"),
            not_asked=not_asked,
            metadata=validation.clean_metadata(request.metadata),
            source=request.source,
        ),
        proposal_lifecycle.update_upstream_of_published,
    )
    if reached is not None:
        reached = await open_proposals.end_reached(session, asset, reached, contract)
    elif context.open_proposal is not None and outcome is Outcome.PUBLISHED:
        await proposal_lifecycle.update_asked_teams(session, asset)  # a debt that is settled may release a team
    return PublishResult(outcome, asset, contract, reached, judgement)


async def _find_skipped_teams(
    session: Session, context: PublishContext, reached: Proposal | None
) -> Mapping[UUID, Sequence[str]]:
    """Find the teams that a forced publish hurts and that have not consented to it, with the changes."""
    unaffected = context.request.unaffected_assets
    if unaffected is None:
        unaffected = list_unaffected(reached) if reached else frozenset()
    affected = await load_affected_teams(session, context.asset, context.judgement.breaking, unaffected=unaffected)
    proven = await exclude_proven(session, context.asset.id, context.judgement.breaking, affected.asked)
    acknowledgments = await proposals.list_acknowledgments(session, [reached.id]) if reached else []
    consented = {
        item.consumer_team_id: {*item.change_fingerprints}
        for item in acknowledgments
        if item.released_at is None and to_response(item).is_consent
    }
    skipped = {
        team: [item for item in reasons.fingerprints if item not in consented.get(team, ())]
        for team, reasons in proven.asked.items()
    }
    return {team: fingerprints for team, fingerprints in skipped.items() if fingerprints}


async def _propose(session: Session, context: PublishContext, current: Contract) -> PublishResult:
    request, waiting = context.request, context.open_proposal
    difference = open_proposals.describe_difference(waiting, context.terms.fingerprint, request.version)
    if waiting is not None and difference is None:
        result = await open_proposals.ask_again(session, context.asset, waiting, current, _options(request))
        if request.unaffected_assets is not None and result.proposal.status.is_open:
            row = await proposal_lifecycle.set_unaffected(
                session, context.asset, result.proposal, request.unaffected_assets
            )
            result = proposal_lifecycle.ProposalResult(row)
    else:
        result = await _open_proposal(session, context, current, difference or "")
    if request.intent is Intent.RELEASE:
        result = await proposal_lifecycle.release(session, context.asset, result, context.team)
    outcome = Outcome.PUBLISHED if result.contract else Outcome.PROPOSED
    return PublishResult(outcome, context.asset, result.contract or current, result.proposal, context.judgement)


async def _open_proposal(
    session: Session, context: PublishContext, current: Contract, difference: str
) -> proposal_lifecycle.ProposalResult:
    """Open a proposal, in place of the open one if there is one with this difference."""
    asset, request, judgement = context.asset, context.request, context.judgement
    version = compatibility.next_version(request.version, current.version, judgement)
    change_set_id, requires_explicit = request.change_set_id, request.require_explicit_publish
    if (waiting := context.open_proposal) is not None:
        is_agreed = request.intent is Intent.RELEASE and open_proposals.is_agreed(waiting, judgement.breaking)
        requires_explicit = requires_explicit or (
            waiting.require_explicit_publish and not request.publish_when_approved
        )
        if is_agreed:
            change_set_id = waiting.change_set_id
        claim = Claim(request.change_set_id, request.supersede, difference, is_agreed=is_agreed)
        await open_proposals.supersede(session, asset, waiting, claim, f"a proposal for version {version}")
    draft = proposal_lifecycle.ProposalDraft(
        terms=context.terms,
        version=version,
        judgement=judgement,
        team_id=context.team,
        reason=request.reason,
        expires_at=request.expires_at,
        publish_when_approved=request.publish_when_approved,
        require_explicit_publish=requires_explicit,
        change_set_id=change_set_id,
        metadata=validation.clean_metadata(request.metadata),
        source=request.source,
        unaffected_assets=request.unaffected_assets or frozenset(),
    )
    return await proposal_lifecycle.open_proposal(session, asset, current, draft)


def _options(request: PublishRequest) -> ProposalOptions:
    return ProposalOptions(
        publish_when_approved=request.publish_when_approved or None,
        require_explicit_publish=request.require_explicit_publish or None,
        change_set_id=request.change_set_id,
        expires_at=request.expires_at,
    )
