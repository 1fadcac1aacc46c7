"""Mutations of proposals: acknowledge, withdraw and publish."""

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from tessera_gql.graphql.contracts import Contract
from tessera_gql.graphql.filters import optional, or_none
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation
from tessera_gql.graphql.proposals import Acknowledgment, Proposal
from tessera_gql.graphql.refs import TeamRefInput, team_ref
from tessera_gql.graphql.type_registry import to_type
from tessera_gql.policy.enums import Response
from tessera_gql.policy.events import ProposalAnswered
from tessera_gql.store.proposals import acknowledgments_by_ids
from tessera_gql.workflows import proposals
from tessera_gql.workflows.proposals import AcknowledgmentInput


@strawberry.input(description="The acknowledgment of a proposal by an asked team.")
class AcknowledgeProposalInput(CreatingInput):
    proposal: strawberry.ID = strawberry.field(description="The id of the proposal to acknowledge.")
    team: TeamRefInput | None = optional("The asked team that acknowledges; the team of the API key if left out.")
    response: Response = strawberry.field(description="The team's response; a later response replaces it.")
    migration_deadline: datetime | None = optional("The time by which the team will migrate; required for MIGRATING.")
    notes: str | None = optional("A remark that the owner team reads.")
    expected_row_version: int | None = optional("The `rowVersion` you read; refused with STALE if it changed since.")


@strawberry.type(description="The result of `acknowledgeProposal`.")
class AcknowledgeProposalPayload(Payload):
    acknowledgment: Acknowledgment | None = strawberry.field(
        default=None, description="The acknowledgment; null if refused."
    )
    proposal: Proposal | None = strawberry.field(
        default=None, description="The proposal after the acknowledgment; null if refused."
    )
    contract: Contract | None = strawberry.field(
        default=None, description="The contract that this acknowledgment published; null if it published none."
    )


async def acknowledge_proposal(call: Call, arguments: AcknowledgeProposalInput) -> AcknowledgeProposalPayload:
    change = await proposals.acknowledge(
        call.session,
        call.actor,
        _proposal_id(arguments.proposal),
        team=team_ref(or_none(arguments.team)),
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
class WithdrawProposalInput(Input):
    proposal: strawberry.ID = strawberry.field(description="The id of the proposal to withdraw.")
    team: TeamRefInput | None = optional("The owner team of the asset; the team of the API key if left out.")
    expected_row_version: int | None = optional("The `rowVersion` you read; refused with STALE if it changed since.")


@strawberry.type(description="The result of `withdrawProposal`.")
class WithdrawProposalPayload(Payload):
    proposal: Proposal | None = strawberry.field(default=None, description="The proposal; null if refused.")


async def withdraw_proposal(call: Call, arguments: WithdrawProposalInput) -> WithdrawProposalPayload:
    team = team_ref(or_none(arguments.team))
    row_version = or_none(arguments.expected_row_version)
    change = await proposals.withdraw(
        call.session, call.actor, _proposal_id(arguments.proposal), team=team, expected_row_version=row_version
    )
    return WithdrawProposalPayload(proposal=Proposal.of(change.proposal))


@strawberry.input(description="The approved proposal to publish, and the acting team.")
class PublishProposalInput(CreatingInput):
    proposal: strawberry.ID = strawberry.field(description="The id of the proposal to publish.")
    published_by: TeamRefInput | None = optional("The owner team of the asset; the team of the API key if left out.")
    expected_row_version: int | None = optional("The `rowVersion` you read; refused with STALE if it changed since.")


@strawberry.type(description="The result of `publishProposal`.")
class PublishProposalPayload(Payload):
    proposal: Proposal | None = strawberry.field(default=None, description="The proposal; null if refused.")
    contract: Contract | None = strawberry.field(
        default=None, description="The contract that was published, exactly as approved; null if refused."
    )


async def publish_proposal(call: Call, arguments: PublishProposalInput) -> PublishProposalPayload:
    team = team_ref(or_none(arguments.published_by), "published_by")
    row_version = or_none(arguments.expected_row_version)
    change = await proposals.publish(
        call.session, call.actor, _proposal_id(arguments.proposal), team=team, expected_row_version=row_version
    )
    return PublishProposalPayload(proposal=Proposal.of(change.proposal), contract=to_type("Contract", change.contract))


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
