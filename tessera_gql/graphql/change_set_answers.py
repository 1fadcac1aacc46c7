"""The mutation `acknowledgeChangeSet`: answer all that waits for a team in a change set."""

from datetime import datetime
from typing import Any

import strawberry

from tessera_gql.graphql.acknowledgments import Acknowledgment
from tessera_gql.graphql.change_sets import ChangeSet, ChangeSetRefInput
from tessera_gql.graphql.contracts import Contract
from tessera_gql.graphql.filters import optional, or_none
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.mutations import Call, CreatingInput, Payload, mutation, payload_field
from tessera_gql.graphql.refs import TeamRefInput, team_ref
from tessera_gql.graphql.type_registry import to_type
from tessera_gql.policy.enums import Response
from tessera_gql.workflows import change_set_answers
from tessera_gql.workflows.proposals import AcknowledgmentInput


@strawberry.input(description="The acknowledgment of all that waits for a team in a change set.")
class AcknowledgeChangeSetInput(CreatingInput):
    change_set: ChangeSetRefInput = strawberry.field(description="The change set to acknowledge, by id or key.")
    team: TeamRefInput | None = optional("The asked team that acknowledges; the team of the API key if left out.")
    response: Response = strawberry.field(description="The team's response to each of the proposals.")
    migration_deadline: datetime | None = optional("The time by which the team will migrate; required for MIGRATING.")
    notes: str | None = optional("A remark that the owner teams read; required for BLOCKED.")
    except_: list[strawberry.ID] | None = optional(
        "The ids of proposals of the change set that keep their acknowledgment, to be answered differently.",
        name="except",
    )
    replace_answers: bool = strawberry.field(
        default=False, description="True gives proposals that the team has answered differently this answer as well."
    )


@strawberry.type(description="The result of `acknowledgeChangeSet`.")
class AcknowledgeChangeSetPayload(Payload):
    change_set: ChangeSet | None = payload_field("The change set after the acknowledgment; null if refused.")
    acknowledgments: list[Acknowledgment] | None = payload_field(
        "The acknowledgments that were given or changed; null if refused."
    )
    contracts: list[Contract] | None = payload_field(
        "The contracts that these acknowledgments published, or retired; null if refused."
    )


async def acknowledge_change_set(call: Call, arguments: AcknowledgeChangeSetInput) -> AcknowledgeChangeSetPayload:
    result = await change_set_answers.acknowledge_change_set(
        call.session,
        call.actor,
        arguments.change_set.to_ref(),
        AcknowledgmentInput(arguments.response, or_none(arguments.migration_deadline), or_none(arguments.notes)),
        team=team_ref(arguments.team),
        excluded=[local_id(text, "Proposal", field=("except_",)) for text in or_none(arguments.except_) or ()],
        replaces_answers=arguments.replace_answers,
    )
    return AcknowledgeChangeSetPayload(
        change_set=ChangeSet.of(result.change_set),
        acknowledgments=[Acknowledgment.of(row) for row in result.acknowledgments],
        contracts=[to_type("Contract", row) for row in result.contracts],
    )


@strawberry.type
class Mutations:
    acknowledge_change_set: Any = mutation(
        acknowledge_change_set,
        "Acknowledge all that waits for a team in a change set, in one transaction: open proposals without an answer of"
        " the team, those whose silence was counted, and overdue migrations. Other answers stay, unless"
        " `replaceAnswers` is true. Refused with CONFLICT if nothing waits. A delegate or escalation team answers what"
        " it may answer.",
    )
