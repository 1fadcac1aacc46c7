"""Register the team of a principal for what the principal was seen reading."""

from typing import Any
from uuid import UUID

import strawberry

from tessera_gql.graphql.filters import optional
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.mutations import Call, CreatingInput, Payload, mutation, payload_field
from tessera_gql.graphql.refs import TeamRefInput, team_ref
from tessera_gql.graphql.registrations import Registration
from tessera_gql.graphql.usage import Principal
from tessera_gql.workflows import observed_readers


@strawberry.input(description="A principal whose team is registered for what the principal was seen reading.")
class RegisterObservedReaderInput(CreatingInput):
    principal: strawberry.ID = strawberry.field(description="The id of the principal.")
    team: TeamRefInput | None = optional(
        "The team that it reads for; if left out, the one that it has, or else the suggested one."
    )


@strawberry.type(description="The result of `registerObservedReader`.")
class RegisterObservedReaderPayload(Payload):
    principal: Principal | None = payload_field("The principal with its team; null if refused.")
    registrations: list[Registration] | None = payload_field(
        "The registrations that were made or widened; null if refused."
    )


async def register_observed_reader(call: Call, arguments: RegisterObservedReaderInput) -> RegisterObservedReaderPayload:
    principal: UUID = local_id(arguments.principal, "Principal", field=("principal",))
    result = await observed_readers.register_observed_reader(
        call.session, call.actor, principal, team_ref(arguments.team)
    )
    return RegisterObservedReaderPayload(
        principal=Principal.of(result.principal), registrations=[Registration.of(row) for row in result.registrations]
    )


@strawberry.type
class Mutations:
    register_observed_reader: Any = mutation(
        register_observed_reader,
        "Map a principal to a team, and register the team for the fields that the principal was seen reading. Needs the"
        " scope ADMIN.",
    )
