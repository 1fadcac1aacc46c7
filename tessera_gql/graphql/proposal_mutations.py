"""Mutations of proposals: acknowledge, withdraw, extend and publish them, and propose a retirement."""

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from tessera_gql.graphql.acknowledgments import Acknowledgment
from tessera_gql.graphql.change_sets import ChangeSetInput, open_change_set
from tessera_gql.graphql.contracts import Contract
from tessera_gql.graphql.filters import flag, optional, or_none
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.mutations import Call, CreatingInput, Payload, VersionedInput, mutation, payload_field
from tessera_gql.graphql.proposals import Proposal
from tessera_gql.graphql.refs import AssetRefInput, TeamRefInput, team_ref
from tessera_gql.graphql.type_registry import to_type
from tessera_gql.policy.ask_events import ProposalAnswered
from tessera_gql.policy.enums import Intent, Response
from tessera_gql.store.proposals import acknowledgments_by_ids
from tessera_gql.workflows import proposals
from tessera_gql.workflows.coverage_holds import CoverageWaiver
from tessera_gql.workflows.forced_publish import publish_by_force
from tessera_gql.workflows.proposal_lifecycle import ProposalResult
from tessera_gql.workflows.proposals import AcknowledgmentInput, RetirementRequest


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
    force: bool = flag(
        "Publish before all asked teams consent; what that leaves undone for them becomes debts. Needs the scope ADMIN"
        " and a `reason`."
    )
    reason: str | None = optional("The reason to waive coverage, or to force; it goes into the audit log.")


@strawberry.type(description="The result of `publishProposal`.")
class PublishProposalPayload(Payload):
    proposal: Proposal | None = payload_field("The proposal; null if refused.")
    contract: Contract | None = payload_field(
        "The contract that was published, exactly as approved, or that was retired; null if refused."
    )


async def publish_proposal(call: Call, arguments: PublishProposalInput) -> PublishProposalPayload:
    team = team_ref(arguments.published_by, "published_by")
    row_version = or_none(arguments.expected_row_version)
    if arguments.force:
        change = await publish_by_force(
            call.session,
            call.actor,
            _proposal_id(arguments.proposal),
            or_none(arguments.reason),
            team=team,
            expected_row_version=row_version,
        )
        return _to_publish_payload(change)
    change = await proposals.publish(
        call.session,
        call.actor,
        _proposal_id(arguments.proposal),
        team=team,
        expected_row_version=row_version,
        waiver=CoverageWaiver(or_none(arguments.reason)) if arguments.waive_coverage else None,
    )
    return _to_publish_payload(change)


def _to_publish_payload(change: ProposalResult) -> PublishProposalPayload:
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
        "Publish an approved proposal exactly as approved, or an open one by force. Needs a key of the owner team or"
        " the scope ADMIN.",
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
