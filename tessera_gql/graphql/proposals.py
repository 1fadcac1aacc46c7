"""Proposals of breaking changes, and the acknowledgments of the asked teams."""

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from tessera_gql import diff
from tessera_gql.diff import Mode
from tessera_gql.graphql.acknowledgments import Acknowledgment, AwaitedTeam
from tessera_gql.graphql.change_sets import ChangeSetInput, open_change_set
from tessera_gql.graphql.changes import Change, SchemaDiff, diff_terms, list_changes
from tessera_gql.graphql.connections import Connection, connection
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.contracts import Contract
from tessera_gql.graphql.coverage import hold_field, proposal_coverage_field
from tessera_gql.graphql.events import events_connection
from tessera_gql.graphql.filters import flag, optional, or_none
from tessera_gql.graphql.ids import Node, local_id
from tessera_gql.graphql.listings import ACKNOWLEDGMENTS, COMMENTS, PROPOSALS
from tessera_gql.graphql.mutations import Call, CreatingInput, Payload, VersionedInput, mutation, payload_field
from tessera_gql.graphql.refs import AssetRefInput, TeamRefInput, team_ref
from tessera_gql.graphql.relations import relation, root_by_id
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.type_registry import computed_field, lazy_list, to_type
from tessera_gql.policy.access import Action, is_allowed, is_allowed_on_asset
from tessera_gql.policy.ask_events import ProposalAnswered
from tessera_gql.policy.enums import ChangeType, Intent, ProposalKind, ProposalStatus, Response
from tessera_gql.store import tables
from tessera_gql.store.proposals import acknowledgments_by_ids
from tessera_gql.store.teams import to_delegation
from tessera_gql.workflows import proposals
from tessera_gql.workflows.contracts import terms_of
from tessera_gql.workflows.coverage_holds import CoverageWaiver
from tessera_gql.workflows.proposal_bases import is_proposal_stale, proposed_terms
from tessera_gql.workflows.proposals import AcknowledgmentInput, RetirementRequest


@strawberry.type(description="A breaking change of a proposal, with the asked teams that it touches.")
class BreakingChange(Change):
    proposal_id: strawberry.Private[UUID]

    @computed_field("The asked teams that read what this change touches.", lazy_list("Team"))
    async def teams(self, info: Info) -> Any:
        acknowledgments = await info.context.loaders.acknowledgments_of_proposal.load(self.proposal_id)
        team_ids = [
            row.consumer_team_id
            for row in acknowledgments
            if not row.released_at and self.fingerprint in row.change_fingerprints
        ]
        return [to_type("Team", row) for row in await info.context.loaders.team.load_many(team_ids)]


@from_row(is_open=lambda row: row.status.is_open, metadata="meta")
@strawberry.type(
    description="A breaking change, or a retirement, that waits for the acknowledgments of the asked teams."
)
class Proposal(Node):
    row: strawberry.Private[tables.Proposal]
    status: ProposalStatus = strawberry.field(description="The status; it follows from acknowledgments and time.")
    is_open: bool = strawberry.field(description="Whether it can still be acknowledged, withdrawn or published.")
    kind: ProposalKind = strawberry.field(description="Whether the contract would change or the asset be retired.")
    proposed_schema: JSON | None = strawberry.field(
        description="The JSON Schema to be published; null for a retirement."
    )
    proposed_version: str | None = strawberry.field(
        description="The version that the contract will have; null for a retirement."
    )
    guarantees: JSON | None = strawberry.field(description="The guarantees with the schema; null if there are none.")
    compatibility_mode: Mode = strawberry.field(
        description="The mode that the contract will have for the change after this one; the present one's if retired."
    )
    change_type: ChangeType = strawberry.field(description="The part of the version that the change raises.")
    reason: str | None = strawberry.field(
        description="The reason for the change, as the asked teams read it; null if there is none."
    )
    publish_when_approved: bool = strawberry.field(
        description="Whether the contract is published as soon as all asked teams consent."
    )
    require_explicit_publish: bool = strawberry.field(
        description="Whether only `publishProposal` publishes it, and no release of its terms."
    )
    metadata: JSON = strawberry.field(description="Free data of your own about the proposal, as a JSON object.")
    proposed_at: datetime = strawberry.field(description="The time at which the change was proposed.")
    expires_at: datetime = strawberry.field(
        description="The time at which the proposal expires unless all asked teams consent before."
    )
    resolved_at: datetime | None = strawberry.field(description="The time of the end; null while it is open.")
    updated_at: datetime = strawberry.field(description="The time of the latest change of the proposal itself.")
    row_version: int = strawberry.field(
        description="A number that rises with every change of the proposal itself; for `expectedRowVersion`."
    )

    asset = relation("Asset", "row.asset_id", "The asset whose contract would change.")
    proposed_by = relation("Team", "row.proposed_by", "The team that proposed the change.")
    base_contract = relation("Contract", "row.base_contract_id", "The contract that the proposed one would replace.")
    contract = relation(
        "Contract",
        "row.contract_id",
        "The contract that was published; null until then, and for a retirement.",
        nullable=True,
    )
    change_set = relation(
        "ChangeSet", "row.change_set_id", "The change set of the proposal; null if it has none.", nullable=True
    )
    acknowledgments = connection(
        ACKNOWLEDGMENTS,
        "proposal_id",
        description="One acknowledgment for each asked team, in the order in which they were asked.",
    )
    comments = connection(COMMENTS, "proposal_id", description="The comments on the proposal, the oldest first.")
    hold = hold_field
    coverage = proposal_coverage_field
    events = events_connection("proposal_id", description="The events about the proposal, the oldest first.")

    @computed_field(
        "All differences from the base contract, those that break nothing too; null for a retirement.",
        SchemaDiff | None,
    )
    async def diff(self, info: Info) -> Any:
        base = await info.context.loaders.contract.load(self.row.base_contract_id)
        if base is None or self.row.proposed_schema is None:
            return None
        return await diff_terms(info.context, terms_of(base), proposed_terms(self.row))

    @computed_field("The teams that were informed when the proposal was opened, but not asked.", lazy_list("Team"))
    async def informed(self, info: Info) -> Any:
        team_ids = await info.context.loaders.informed_teams.load(self.row.id)
        rows = await info.context.loaders.team.load_many(sorted(team_ids))
        return [to_type("Team", row) for row in rows if row is not None]

    @computed_field("The changes that are breaking under the base contract's compatibility mode.")
    def breaking_changes(self, info: Info) -> list[BreakingChange]:
        return list_changes(
            info.context,
            self.row.breaking_changes,
            lambda change: BreakingChange.of(diff.Change.from_json(change), proposal_id=self.row.id),
        )

    @computed_field(
        "The asked teams that have not acknowledged yet; empty once the proposal has ended.", lazy_list("Team")
    )
    async def awaiting(self, info: Info) -> Any:
        if not self.is_open:
            return []
        acknowledgments = await info.context.loaders.acknowledgments_of_proposal.load(self.row.id)
        team_ids = [row.consumer_team_id for row in acknowledgments if row.response is None and row.released_at is None]
        return [to_type("Team", row) for row in await info.context.loaders.team.load_many(team_ids)]

    @computed_field("The asked teams that it waits for, each with the step that is missing; empty once it has ended.")
    async def waits_for(self, info: Info) -> list[AwaitedTeam]:
        if not self.is_open:
            return []
        acknowledgments = await info.context.loaders.acknowledgments_of_proposal.load(self.row.id)
        return [
            item for row in acknowledgments if row.released_at is None and (item := AwaitedTeam.of(row)) is not None
        ]

    @computed_field(
        "Whether a newer contract adds breaking changes whose readers were not asked, so that it can't be published"
        " before they are; false once it has ended."
    )
    async def is_stale(self, info: Info) -> bool:
        active = await info.context.loaders.active_contract.load(self.row.asset_id) if self.is_open else None
        if active is None or active.id == self.row.base_contract_id:
            return False
        return await info.context.loaders.run_query(lambda session: is_proposal_stale(session, self.row.id))

    @computed_field("Whether the caller may acknowledge the proposal for an asked team, as a delegate as well.")
    async def viewer_can_acknowledge(self, info: Info) -> bool:
        if not self.is_open or self._is_overdue(info):
            return False
        rows = await info.context.loaders.acknowledgments_of_proposal.load(self.row.id)
        asked = [row for row in rows if row.released_at is None]
        actor = info.context.actor
        if any(is_allowed(actor, Action.ACKNOWLEDGE_PROPOSAL, row.consumer_team_id) for row in asked):
            return True
        return bool(actor.team_ids) and await self._may_substitute(info, asked)

    async def _may_substitute(self, info: Info, asked: list[tables.Acknowledgment]) -> bool:
        """Return whether the caller may answer as a delegate or escalation team."""
        asset = await info.context.loaders.asset.load(self.row.asset_id)
        proposers = {self.row.proposed_by, *([asset.owner_team_id] if asset else ())}
        rows = await info.context.loaders.team.load_many([row.consumer_team_id for row in asked])
        now = info.context.database.clock()
        delegates = {to_delegation(team).find_delegate(now) for team in rows if team is not None}
        substitutes = delegates | {row.escalated_to for row in asked}
        return any(
            is_allowed(info.context.actor, Action.ACKNOWLEDGE_PROPOSAL, team)
            for team in substitutes - {None, *proposers}
        )

    @computed_field("Whether the caller may withdraw the proposal.")
    async def viewer_can_withdraw(self, info: Info) -> bool:
        return self.is_open and not self._is_overdue(info) and await self._is_allowed(info, Action.WITHDRAW_PROPOSAL)

    @computed_field("Whether the caller may publish the proposal now.")
    async def viewer_can_publish(self, info: Info) -> bool:
        return self.status is ProposalStatus.APPROVED and await self._is_allowed(info, Action.PUBLISH_PROPOSAL)

    async def _is_allowed(self, info: Info, action: Action) -> bool:
        asset = await info.context.loaders.asset.load(self.row.asset_id)
        return asset is not None and is_allowed_on_asset(info.context.actor, action, asset.fqn, asset.owner_team_id)

    def _is_overdue(self, info: Info) -> bool:
        return self.status is not ProposalStatus.APPROVED and self.expires_at <= info.context.database.clock()


@strawberry.type(description="One page of a list of proposals.")
class ProposalConnection(Connection[Proposal]): ...


@strawberry.type
class Queries:
    proposals = connection(PROPOSALS, description="All proposals of the catalog, the latest first.")

    proposal = root_by_id("Proposal", "The proposal with this id; null if there is none.")


@strawberry.input(description="The acknowledgment of a proposal by an asked team.")
class AcknowledgeProposalInput(VersionedInput, CreatingInput):
    proposal: strawberry.ID = strawberry.field(description="The id of the proposal to acknowledge.")
    team: TeamRefInput | None = optional("The asked team that acknowledges; the team of the API key if left out.")
    response: Response = strawberry.field(description="The team's response; a later response replaces it.")
    migration_deadline: datetime | None = optional("The time by which the team will migrate; required for MIGRATING.")
    notes: str | None = optional("A remark that the owner team reads.")


@strawberry.type(description="The result of `acknowledgeProposal`.")
class AcknowledgeProposalPayload(Payload):
    acknowledgment: Acknowledgment | None = payload_field("The acknowledgment; null if refused.")
    proposal: Proposal | None = payload_field("The proposal after the acknowledgment; null if refused.")
    contract: Contract | None = payload_field(
        "The contract that this acknowledgment published, or retired; null if there is none."
    )


async def acknowledge_proposal(call: Call, arguments: AcknowledgeProposalInput) -> AcknowledgeProposalPayload:
    change = await proposals.acknowledge(
        call.session,
        call.actor,
        _proposal_id(arguments.proposal),
        team=team_ref(arguments.team),
        answer=AcknowledgmentInput(arguments.response, or_none(arguments.migration_deadline), or_none(arguments.notes)),
        expected_row_version=or_none(arguments.expected_row_version),
    )
    acknowledgment_id = next(
        event.acknowledgment_id for event in call.session.events if isinstance(event, ProposalAnswered)
    )
    return AcknowledgeProposalPayload(
        acknowledgment=Acknowledgment.of((await acknowledgments_by_ids(call.session, [acknowledgment_id]))[0]),
        proposal=Proposal.of(change.proposal),
        contract=to_type("Contract", change.contract),
    )


@strawberry.input(description="The proposal to withdraw, and the acting team.")
class WithdrawProposalInput(VersionedInput):
    proposal: strawberry.ID = strawberry.field(description="The id of the proposal to withdraw.")
    team: TeamRefInput | None = optional("The owner team of the asset; the team of the API key if left out.")


@strawberry.type(description="The result of `withdrawProposal`.")
class WithdrawProposalPayload(Payload):
    proposal: Proposal | None = payload_field("The proposal; null if refused.")


async def withdraw_proposal(call: Call, arguments: WithdrawProposalInput) -> WithdrawProposalPayload:
    team = team_ref(arguments.team)
    row_version = or_none(arguments.expected_row_version)
    change = await proposals.withdraw(
        call.session, call.actor, _proposal_id(arguments.proposal), team=team, expected_row_version=row_version
    )
    return WithdrawProposalPayload(proposal=Proposal.of(change.proposal))


@strawberry.input(description="The proposal to keep open for longer, and until when.")
class ExtendProposalInput(VersionedInput):
    proposal: strawberry.ID = strawberry.field(description="The id of the open proposal.")
    expires_at: datetime = strawberry.field(
        description="The time at which it expires, later than now planned and within 366 days."
    )
    team: TeamRefInput | None = optional("The owner team of the asset; the team of the API key if left out.")


@strawberry.type(description="The result of `extendProposal`.")
class ExtendProposalPayload(Payload):
    proposal: Proposal | None = payload_field("The proposal; null if refused.")


async def extend_proposal(call: Call, arguments: ExtendProposalInput) -> ExtendProposalPayload:
    change = await proposals.extend_proposal(
        call.session,
        call.actor,
        _proposal_id(arguments.proposal),
        arguments.expires_at,
        team=team_ref(arguments.team),
        expected_row_version=or_none(arguments.expected_row_version),
    )
    return ExtendProposalPayload(proposal=Proposal.of(change.proposal))


@strawberry.input(description="The approved proposal to publish, and the acting team.")
class PublishProposalInput(VersionedInput, CreatingInput):
    proposal: strawberry.ID = strawberry.field(description="The id of the proposal to publish.")
    published_by: TeamRefInput | None = optional("The owner team of the asset; the team of the API key if left out.")
    waive_coverage: bool = flag("Publish a proposal that is held for coverage. Needs the scope ADMIN and a `reason`.")
    reason: str | None = optional("The reason to waive coverage; it goes into the audit log.")


@strawberry.type(description="The result of `publishProposal`.")
class PublishProposalPayload(Payload):
    proposal: Proposal | None = payload_field("The proposal; null if refused.")
    contract: Contract | None = payload_field(
        "The contract that was published, exactly as approved, or that was retired; null if refused."
    )


async def publish_proposal(call: Call, arguments: PublishProposalInput) -> PublishProposalPayload:
    team = team_ref(arguments.published_by, "published_by")
    row_version = or_none(arguments.expected_row_version)
    change = await proposals.publish(
        call.session,
        call.actor,
        _proposal_id(arguments.proposal),
        team=team,
        expected_row_version=row_version,
        waiver=CoverageWaiver(or_none(arguments.reason)) if arguments.waive_coverage else None,
    )
    return PublishProposalPayload(proposal=Proposal.of(change.proposal), contract=to_type("Contract", change.contract))


@strawberry.input(description="The asset to retire, and the reason that the asked teams read.")
class ProposeRetirementInput(CreatingInput):
    asset: AssetRefInput = strawberry.field(description="The asset to retire, by id or fqn.")
    reason: str = strawberry.field(description="The reason for the retirement, as the asked teams will read it.")
    team: TeamRefInput | None = optional("The owner team of the asset; the team of the API key if left out.")
    intent: Intent = strawberry.field(
        default=Intent.RELEASE,
        description="ASK for a change in review, which retires nothing; RELEASE to retire what is approved.",
    )
    change_set: ChangeSetInput | None = optional("The change set that the proposal belongs to.")
    supersede: bool = flag("Replace an open proposal that changes the asset.")
    publish_when_approved: bool = flag("Retire the asset as soon as all asked teams consent.")
    require_explicit_publish: bool = flag("Keep an approved proposal for `publishProposal`: no release retires it.")
    expires_at: datetime | None = optional(
        "The time at which the proposal expires; by the ask policy of the tier of the asset if left out."
    )


@strawberry.type(description="The result of `proposeRetirement`.")
class ProposeRetirementPayload(Payload):
    proposal: Proposal | None = payload_field("The proposal, or the one that is open already; null if refused.")
    contract: Contract | None = payload_field("The contract that was retired; null while the proposal waits.")


async def propose_retirement(call: Call, arguments: ProposeRetirementInput) -> ProposeRetirementPayload:
    request = RetirementRequest(
        reason=arguments.reason,
        expires_at=or_none(arguments.expires_at),
        change_set_id=await open_change_set(call, or_none(arguments.change_set)),
        publish_when_approved=arguments.publish_when_approved,
        require_explicit_publish=arguments.require_explicit_publish,
        intent=arguments.intent,
        team=team_ref(arguments.team),
        supersede=arguments.supersede,
    )
    result = await proposals.propose_retirement(call.session, call.actor, arguments.asset.to_ref(), request)
    return ProposeRetirementPayload(
        proposal=Proposal.of(result.proposal), contract=to_type("Contract", result.contract)
    )


def _proposal_id(text: str) -> UUID:
    return local_id(text, "Proposal", field=("proposal",))


@strawberry.type
class Mutations:
    acknowledge_proposal: Any = mutation(
        acknowledge_proposal, "Acknowledge a proposal for an asked team: approve, migrate or block."
    )
    withdraw_proposal: Any = mutation(
        withdraw_proposal, "Withdraw an open proposal. Needs a key of the owner team or the scope ADMIN."
    )
    publish_proposal: Any = mutation(
        publish_proposal,
        "Publish an approved proposal exactly as approved. Needs a key of the owner team or the scope ADMIN.",
        team="published_by",
    )
    extend_proposal: Any = mutation(
        extend_proposal, "Keep an open proposal open for longer. Needs a key of the owner team or the scope ADMIN."
    )
    propose_retirement: Any = mutation(
        propose_retirement,
        "Propose to retire an asset: every team that reads it is asked. A release retires it if all agree, or if no"
        " other team reads it. Needs a key of the owner team or the scope ADMIN.",
    )
