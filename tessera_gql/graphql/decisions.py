"""What teams do about a proposal: answer it, take it back, publish it."""

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from tessera_gql.graphql.contracts import Contract
from tessera_gql.graphql.filters import given, optional
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation
from tessera_gql.graphql.nouns import shown
from tessera_gql.graphql.proposals import Acknowledgment, Proposal
from tessera_gql.graphql.refs import TeamRefInput, team_ref
from tessera_gql.policy.events import ProposalAnswered
from tessera_gql.policy.words import Response
from tessera_gql.store.proposals import acknowledgments_by_ids
from tessera_gql.workflows import proposals
from tessera_gql.workflows.proposals import Answer


@strawberry.input(description="An asked team's answer.")
class AcknowledgeProposalInput(CreatingInput):
    proposal: strawberry.ID = strawberry.field(description="Which one.")
    team: TeamRefInput | None = optional("Who answers; the key's own team if left out.")
    response: Response = strawberry.field(description="The answer; the last one counts.")
    migration_deadline: datetime | None = optional("Until when the team migrates; MIGRATING needs it.")
    notes: str | None = optional("What to say beside.")
    expected_row_version: int | None = optional("Refuses with STALE if the proposal was changed since this was read.")


@strawberry.type(description="The proposal after an answer.")
class AcknowledgeProposalPayload(Payload):
    acknowledgment: Acknowledgment | None = strawberry.field(default=None, description="Null if it was refused.")
    proposal: Proposal | None = strawberry.field(default=None, description="As it stands now.")
    contract: Contract | None = strawberry.field(default=None, description="What the answer published, if it did.")


async def acknowledge_proposal(call: Call, asked: AcknowledgeProposalInput) -> AcknowledgeProposalPayload:
    done = await proposals.acknowledge(
        call.session,
        call.actor,
        _proposal(asked.proposal),
        team=team_ref(given(asked.team)),
        answer=Answer(asked.response, given(asked.migration_deadline), given(asked.notes)),
        expected_row_version=given(asked.expected_row_version),
    )
    place = next(one.acknowledgment_id for one in call.session.events if isinstance(one, ProposalAnswered))
    return AcknowledgeProposalPayload(
        acknowledgment=Acknowledgment.of((await acknowledgments_by_ids(call.session, [place]))[0]),
        proposal=Proposal.of(done.proposal),
        contract=shown("Contract", done.contract),
    )


@strawberry.input(description="A proposal to take back.")
class WithdrawProposalInput(Input):
    proposal: strawberry.ID = strawberry.field(description="Which one.")
    team: TeamRefInput | None = optional("The owning team; the key's own if left out.")
    expected_row_version: int | None = optional("Refuses with STALE if the proposal was changed since this was read.")


@strawberry.type(description="The proposal that was taken back.")
class WithdrawProposalPayload(Payload):
    proposal: Proposal | None = strawberry.field(default=None, description="Null if it was refused.")


async def withdraw_proposal(call: Call, asked: WithdrawProposalInput) -> WithdrawProposalPayload:
    team = team_ref(given(asked.team))
    seen = given(asked.expected_row_version)
    done = await proposals.withdraw(
        call.session, call.actor, _proposal(asked.proposal), team=team, expected_row_version=seen
    )
    return WithdrawProposalPayload(proposal=Proposal.of(done.proposal))


@strawberry.input(description="An approved proposal to publish.")
class PublishProposalInput(CreatingInput):
    proposal: strawberry.ID = strawberry.field(description="Which one.")
    published_by: TeamRefInput | None = optional("The owning team; the key's own if left out.")
    expected_row_version: int | None = optional("Refuses with STALE if the proposal was changed since this was read.")


@strawberry.type(description="What was published.")
class PublishProposalPayload(Payload):
    proposal: Proposal | None = strawberry.field(default=None, description="Null if it was refused.")
    contract: Contract | None = strawberry.field(default=None, description="Exactly what was approved.")


async def publish_proposal(call: Call, asked: PublishProposalInput) -> PublishProposalPayload:
    team = team_ref(given(asked.published_by), "published_by")
    seen = given(asked.expected_row_version)
    done = await proposals.publish(
        call.session, call.actor, _proposal(asked.proposal), team=team, expected_row_version=seen
    )
    return PublishProposalPayload(proposal=Proposal.of(done.proposal), contract=shown("Contract", done.contract))


def _proposal(text: str) -> UUID:
    return local_id(text, "Proposal", field=("proposal",))


@strawberry.type
class Mutations:
    acknowledge_proposal: Any = mutation(acknowledge_proposal, "Answers a proposal for a team that it asks.")
    withdraw_proposal: Any = mutation(withdraw_proposal, "Takes a proposal back. Only the owning team may.")
    publish_proposal: Any = mutation(
        publish_proposal, "Publishes exactly what was approved. Only the owning team may.", team="published_by"
    )
