"""Publish a schema: compatible changes become active, breaking changes wait for the teams that they affect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera_gql.diff import Change, Mode
from tessera_gql.errors import Conflict, Invalid
from tessera_gql.formats.schema_documents import SchemaDocument
from tessera_gql.policy import compatibility, validation, version
from tessera_gql.policy.access import Action, Actor, authorize
from tessera_gql.policy.compatibility import Judgement, KnownColumns, Terms, waive_move_to_consumer
from tessera_gql.policy.enums import Outcome, ProposalStatus
from tessera_gql.store import assets, contracts, proposals
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, Proposal
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import proposal_lifecycle
from tessera_gql.workflows.comparisons import compare_terms, validate_schema
from tessera_gql.workflows.contracts import ContractDraft, find_base_version, insert_contract, terms_of
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
class PublishRequest:
    """The arguments of a publish; None selects a default. `source` is the document that the schema was read from.

    `known_columns` are for a schema that comes from dbt.
    """

    schema: Any
    guarantees: Any = KEEP_CURRENT
    mode: Mode | None = None
    version: str | None = None
    team: TeamRef | None = None
    force: bool = False
    supersede: bool = False
    publish_when_approved: bool = False
    reason: str | None = None
    expires_at: datetime | None = None
    metadata: Any = None
    source: SchemaDocument | None = None
    known_columns: KnownColumns | None = None


@dataclass(frozen=True)
class PublishResult:
    """The result of a publish: outcome, active contract, proposal if there is one, and all changes."""

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
    if request.force:
        authorize(actor, Action.FORCE_CONTRACT, team)
    open_proposal = await proposals.find_open(session, asset.id)
    if open_proposal is not None:
        open_proposal = (await proposal_lifecycle.update_status(session, asset, open_proposal)).proposal
    current = await contracts.find_active(session, asset.id)
    terms = build_terms(request, asset, current, schema_hash)
    judgement = waive_move_to_consumer(await compare_terms(session.compute, terms_of(current), terms), actor)
    outcome = compatibility.decide_outcome(judgement, force=request.force)
    if outcome is Outcome.UNCHANGED:
        return PublishResult(outcome, asset, current, None, judgement)
    remaining_proposal = open_proposal if open_proposal is not None and open_proposal.status.is_open else None
    context = PublishContext(asset, current, remaining_proposal, team, request, terms, judgement)
    if outcome is Outcome.PROPOSED and current is not None:
        return await _propose(session, context, current)
    return await _publish(session, context, outcome)


async def validate_request(session: Session, request: PublishRequest) -> str:
    """Validate a request without the database, and return the hash of its schema. Raises Invalid."""
    schema_hash = await validate_schema(session.compute, request.schema)
    require_guarantees(request.guarantees)
    if request.version is not None:
        version.parse_version(request.version)
    validation.clean_metadata(request.metadata)
    if not validation.clean_text(request.reason, "reason") and request.force:
        raise Invalid("Publishing by force needs a reason: it goes into the audit log.", field=("reason",))
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


async def _publish(session: Session, context: PublishContext, outcome: Outcome) -> PublishResult:
    asset, request, judgement = context.asset, context.request, context.judgement
    base_version = await find_base_version(session, asset.id, context.current)
    version = compatibility.next_version(request.version, base_version, judgement)
    not_asked: frozenset[UUID] = frozenset()
    if outcome is Outcome.FORCED:
        not_asked = frozenset(
            (await proposal_lifecycle.load_affected_teams(session, asset, judgement.breaking, context.team)).asked
        )
        if context.open_proposal is not None:
            reason = f"version {version} was published by force"
            await proposal_lifecycle.change_status(
                session, asset, context.open_proposal, ProposalStatus.SUPERSEDED, reason
            )
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
            reason=validation.clean_text(request.reason, "reason"),
            not_asked=not_asked,
            metadata=validation.clean_metadata(request.metadata),
            source=request.source,
        ),
    )
    return PublishResult(outcome, asset, contract, None, judgement)


async def _propose(session: Session, context: PublishContext, current: Contract) -> PublishResult:
    asset, request, judgement = context.asset, context.request, context.judgement
    version = compatibility.next_version(request.version, current.version, judgement)
    if (waiting := context.open_proposal) is not None:
        difference = await _describe_difference(session, context, waiting)
        if difference is None:
            return await _reuse_proposal(session, context, waiting)
        if not request.supersede:
            raise Conflict(
                f"{asset.fqn} has an open proposal for version {waiting.proposed_version} ({waiting.id},"
                f" {waiting.status.lower()}) that {difference}. Wait for it, withdraw it, or publish"
                " again with `supersede`."
            )
        reason = f"superseded by a proposal for version {version}"
        await proposal_lifecycle.change_status(session, asset, waiting, ProposalStatus.SUPERSEDED, reason)
    draft = proposal_lifecycle.ProposalDraft(
        terms=context.terms,
        version=version,
        judgement=judgement,
        team_id=context.team,
        reason=request.reason,
        expires_at=request.expires_at,
        publish_when_approved=request.publish_when_approved,
        metadata=validation.clean_metadata(request.metadata),
        source=request.source,
    )
    return _to_result(context, await proposal_lifecycle.open_proposal(session, asset, current, draft))


async def _describe_difference(session: Session, context: PublishContext, open_proposal: Proposal) -> str | None:
    """Describe how the open proposal differs from the requested one; None if it does not."""
    if open_proposal.fingerprint != context.terms.fingerprint:
        return "these terms do not match"
    if context.request.version not in (None, open_proposal.proposed_version):
        return "has these terms under another version"
    stale = await proposal_lifecycle.find_stale_reason(session, open_proposal)
    return f"is stale: {stale}" if stale else None


async def _reuse_proposal(session: Session, context: PublishContext, open_proposal: Proposal) -> PublishResult:
    if not context.request.publish_when_approved or open_proposal.publish_when_approved:
        return _to_result(context, proposal_lifecycle.ProposalResult(open_proposal))
    await session.update_row(Proposal, open_proposal.id, publish_when_approved=True)
    open_proposal = await proposals.get(session, open_proposal.id)
    return _to_result(context, await proposal_lifecycle.update_status(session, context.asset, open_proposal))


def _to_result(context: PublishContext, result: proposal_lifecycle.ProposalResult) -> PublishResult:
    outcome = Outcome.PUBLISHED if result.contract else Outcome.PROPOSED
    return PublishResult(outcome, context.asset, result.contract or context.current, result.proposal, context.judgement)
