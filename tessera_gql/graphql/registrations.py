"""Registrations: who reads what. They belong to the asset, never to one version."""

from datetime import datetime
from typing import Any

import strawberry
from strawberry import UNSET

from tessera_gql.graphql.filters import given, optional
from tessera_gql.graphql.ids import Node, local_id
from tessera_gql.graphql.lists import REGISTRATIONS
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation
from tessera_gql.graphql.pages import Connection, pages
from tessera_gql.graphql.refs import AssetRefInput, TeamRefInput, asset_ref, team_ref
from tessera_gql.graphql.relations import by_id, one
from tessera_gql.graphql.rows import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.policy.words import Evidence, RegistrationStatus
from tessera_gql.store import tables
from tessera_gql.workflows import registrations
from tessera_gql.workflows.registrations import Reading


@from_row(metadata="meta")
@strawberry.type(description="A team's declared dependency on an asset: it is asked before what it reads breaks.")
class Registration(Node):
    row: strawberry.Private[tables.Registration]
    fields: list[str] | None = strawberry.field(description="The fields it reads, as paths; null means everything.")
    pinned_version: str | None = strawberry.field(description="The version it was built for; it excuses nobody.")
    status: RegistrationStatus = strawberry.field(description="Where it is in its life.")
    evidence: Evidence = strawberry.field(description="How it is known.")
    purpose: str | None = strawberry.field(description="What the team needs the data for.")
    metadata: JSON = strawberry.field(description="Anything else that is worth knowing, as an object.")
    registered_at: datetime = strawberry.field(description="When the team registered.")
    acknowledged_at: datetime | None = strawberry.field(description="When the team last agreed to a change.")
    row_version: int = strawberry.field(description="Rises with every change; for `expectedRowVersion`.")

    asset = one("Asset", lambda loaders: loaders.asset, "asset_id", description="What is read.")
    consumer_team = one("Team", lambda loaders: loaders.team, "consumer_team_id", description="Who reads it.")
    consumer_asset = one(
        "Asset",
        lambda loaders: loaders.asset,
        "consumer_asset_id",
        nullable=True,
        description="The asset that it is read for, if one was named.",
    )


@strawberry.type(description="A page of registrations.")
class RegistrationConnection(Connection[Registration]):
    pass


@strawberry.input(description="What a team reads, and why.")
class RegisterInput(CreatingInput):
    asset: AssetRefInput = strawberry.field(description="What is read.")
    team: TeamRefInput | None = optional("Who reads it; the key's own team if left out.")
    consumer_asset: AssetRefInput | None = optional("The team's asset that it is read for.")
    fields: list[str] | None = optional("The fields it reads, as paths; everything if left out.")
    pinned_version: str | None = optional("The version it was built for; it excuses nobody.")
    purpose: str | None = optional("What the team needs the data for.")
    metadata: JSON | None = optional("Anything else that is worth knowing, as an object.")


@strawberry.type(description="The registration that was made.")
class RegisterPayload(Payload):
    registration: Registration | None = strawberry.field(default=None, description="Null if it was refused.")


async def register(call: Call, asked: RegisterInput) -> RegisterPayload:
    fields = given(asked.fields)
    row = await registrations.register(
        call.session,
        call.actor,
        asked.asset.local(),
        team=team_ref(given(asked.team)),
        consumer_asset=asset_ref(given(asked.consumer_asset), "consumer_asset"),
        reading=Reading(
            fields=None if fields is None else tuple(fields),
            pinned_version=given(asked.pinned_version),
            purpose=given(asked.purpose),
            metadata=given(asked.metadata),
        ),
    )
    return RegisterPayload(registration=Registration.of(row))


@strawberry.input(description="What changes about a registration; what is left out stays as it is.")
class UpdateRegistrationInput(Input):
    registration: strawberry.ID = strawberry.field(description="Which one.")
    fields: list[str] | None = optional("The fields it reads, as paths; null for everything.")
    pinned_version: str | None = optional("The version it was built for; null removes it.")
    purpose: str | None = optional("What the team needs the data for; null removes it.")
    metadata: JSON | None = optional("Replaces what was there.")
    expected_row_version: int | None = optional("Refuses with STALE if it was changed since this was read.")


@strawberry.type(description="The registration as it is now.")
class UpdateRegistrationPayload(Payload):
    registration: Registration | None = strawberry.field(default=None, description="Null if it was refused.")


async def update_registration(call: Call, asked: UpdateRegistrationInput) -> UpdateRegistrationPayload:
    fields = None if asked.fields is None else asked.fields and tuple(asked.fields)
    changes = {
        "fields": fields,
        "pinned_version": asked.pinned_version,
        "purpose": asked.purpose,
        "metadata": asked.metadata,
    }
    row = await registrations.update(
        call.session,
        call.actor,
        local_id(asked.registration, "Registration", field=("registration",)),
        changes={name: value for name, value in changes.items() if value is not UNSET},
        expected_row_version=given(asked.expected_row_version),
    )
    return UpdateRegistrationPayload(registration=Registration.of(row))


@strawberry.input(description="A registration to end.")
class UnregisterInput(Input):
    registration: strawberry.ID = strawberry.field(description="Which one.")
    expected_row_version: int | None = optional("Refuses with STALE if it was changed since this was read.")


@strawberry.type(description="The registration that was ended.")
class UnregisterPayload(Payload):
    registration: Registration | None = strawberry.field(default=None, description="Null if it was refused.")


async def unregister(call: Call, asked: UnregisterInput) -> UnregisterPayload:
    identity = local_id(asked.registration, "Registration", field=("registration",))
    seen = given(asked.expected_row_version)
    row = await registrations.unregister(call.session, call.actor, identity, expected_row_version=seen)
    return UnregisterPayload(registration=Registration.of(row))


@strawberry.type
class Mutations:
    register: Any = mutation(
        register, "Says that a team reads an asset, so that it is asked before that breaks.", version="pinned_version"
    )
    update_registration: Any = mutation(
        update_registration, "Changes what a team reads, or why.", version="pinned_version"
    )
    unregister: Any = mutation(unregister, "Says that a team no longer reads an asset; it no longer counts.")


@strawberry.type
class Queries:
    registrations = pages(REGISTRATIONS, description="All registrations, the oldest first.")

    registration = by_id(
        "Registration", lambda loaders: loaders.registration, description="One registration; null if there is none."
    )
