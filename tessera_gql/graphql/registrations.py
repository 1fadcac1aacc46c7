"""Registrations of consumers. They belong to an asset, not to one contract version."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from strawberry import UNSET

from tessera_gql.graphql.connections import Connection, connection
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.declared_fields import load_contract_fields
from tessera_gql.graphql.filters import optional, or_none
from tessera_gql.graphql.ids import Node, local_id
from tessera_gql.graphql.listings import REGISTRATIONS
from tessera_gql.graphql.mutations import Call, CreatingInput, Payload, VersionedInput, mutation, payload_field
from tessera_gql.graphql.refs import AssetRefInput, TeamRefInput, asset_ref, team_ref
from tessera_gql.graphql.relations import relation, root_by_id
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.type_registry import computed_field
from tessera_gql.policy.enums import Evidence, RegistrationStatus
from tessera_gql.policy.usage_suggestions import suggest_fields
from tessera_gql.store import tables
from tessera_gql.workflows import registrations
from tessera_gql.workflows.deprecations import load_warnings
from tessera_gql.workflows.registrations import RegistrationDetails

WARNINGS = "What the team reads that is deprecated, a sentence each; null if refused."


@strawberry.type(description="The fields to which a registration could be narrowed by what was seen.")
class NarrowerFields:
    fields: list[str] = strawberry.field(description="The paths of the fields; give them to `updateRegistration`.")
    reason: str = strawberry.field(description="The reason for the suggestion, for people.")
    start: datetime = strawberry.field(name="from", description="The start of the covered time that it rests on.")
    end: datetime = strawberry.field(name="to", description="The end of the covered time that it rests on.")


@from_row(metadata="meta")
@strawberry.type(
    description="A team's declaration that it reads an asset. It is asked before a change breaks what it reads."
)
class Registration(Node):
    row: strawberry.Private[tables.Registration]
    fields: list[str] | None = strawberry.field(description="The paths of the fields it reads; null means all fields.")
    pinned_version: str | None = strawberry.field(
        description="The contract version that the consumer was built for, for information only; null if not given."
    )
    status: RegistrationStatus = strawberry.field(description="The stage of the registration's life.")
    evidence: Evidence = strawberry.field(description="The source of the knowledge about the consumer.")
    purpose: str | None = strawberry.field(description="The purpose of reading the data; null if not given.")
    metadata: JSON = strawberry.field(description="Free data of your own about the registration, as a JSON object.")
    registered_at: datetime = strawberry.field(description="The time at which the team registered.")
    acknowledged_at: datetime | None = strawberry.field(
        description="The time at which the team last consented to a change; null if it never did."
    )
    updated_at: datetime = strawberry.field(description="The time of the latest change of it.")
    row_version: int = strawberry.field(description="A number that rises with every change; for `expectedRowVersion`.")

    asset = relation("Asset", "row.asset_id", "The asset that the team reads.")
    consumer_team = relation("Team", "row.consumer_team_id", "The team that reads the asset.")
    consumer_asset = relation(
        "Asset",
        "row.consumer_asset_id",
        "The team's own asset that the data is read for; null if not given.",
        nullable=True,
    )

    @computed_field(
        "Fewer fields that would do, if sources cover 60 days without a gap and saw the team reading only those; null"
        " otherwise, and for a registration that is for an asset of the team or has ended."
    )
    async def suggested_fields(self, info: Info) -> NarrowerFields | None:
        (suggestion,) = await suggest_narrower_fields(info, [self.row])
        return suggestion


async def suggest_narrower_fields(info: Info, rows: Sequence[tables.Registration]) -> list[NarrowerFields | None]:
    """Suggest fewer fields for registrations, in their order; None where there is nothing to suggest."""
    loaders, now = info.context.loaders, info.context.database.clock()
    reads = await loaders.field_reads.load_many([(row.asset_id, row.consumer_team_id) for row in rows])
    observed = [
        (row, last_reads)
        for row, last_reads in zip(rows, reads, strict=True)
        if last_reads and row.consumer_asset_id is None and row.status is not RegistrationStatus.INACTIVE
    ]
    contracts = await loaders.active_contract.load_many([row.asset_id for row, _ in observed])
    windows = await loaders.covered_window.load_many([row.asset_id for row, _ in observed])
    suggestions: dict[UUID, NarrowerFields] = {}
    for (row, last_reads), contract, window in zip(observed, contracts, windows, strict=True):
        if contract is None:
            continue
        declared = {field.path for field in await load_contract_fields(info.context, contract)}
        narrower = suggest_fields(row.fields, last_reads, declared, window, now)
        if narrower is not None:
            span = narrower.span
            suggestions[row.id] = NarrowerFields(
                fields=[*narrower.fields], reason=narrower.reason, start=span.start, end=span.end
            )
    return [suggestions.get(row.id) for row in rows]


@strawberry.type(description="One page of a list of registrations.")
class RegistrationConnection(Connection[Registration]): ...


@strawberry.input(description="The data of a new registration.")
class RegisterInput(CreatingInput):
    asset: AssetRefInput = strawberry.field(description="The asset that the team reads, by id or fqn.")
    team: TeamRefInput | None = optional("The team that reads the asset; the team of the API key if left out.")
    consumer_asset: AssetRefInput | None = optional("The team's own asset that the data is read for, by id or fqn.")
    fields: list[str] | None = optional("The paths of the fields that the team reads; all fields if left out.")
    pinned_version: str | None = optional("The contract version that the consumer was built for, for information only.")
    purpose: str | None = optional("The purpose for which the team reads the data.")
    metadata: JSON | None = optional("Free data of your own about the registration, as a JSON object.")


@strawberry.type(description="The result of `register`.")
class RegisterPayload(Payload):
    registration: Registration | None = payload_field("The registration; null if refused.")
    warnings: list[str] | None = payload_field(WARNINGS, load=list)


async def register(call: Call, arguments: RegisterInput) -> RegisterPayload:
    fields = or_none(arguments.fields)
    row = await registrations.register(
        call.session,
        call.actor,
        arguments.asset.to_ref(),
        team=team_ref(arguments.team),
        consumer_asset=asset_ref(arguments.consumer_asset, "consumer_asset"),
        details=RegistrationDetails(
            fields=None if fields is None else tuple(fields),
            pinned_version=or_none(arguments.pinned_version),
            purpose=or_none(arguments.purpose),
            metadata=or_none(arguments.metadata),
        ),
    )
    warnings = await load_warnings(call.session, row)
    return RegisterPayload(registration=Registration.of(row), warnings=warnings)


@strawberry.input(description="The changes to a registration; fields that are left out keep their value.")
class UpdateRegistrationInput(VersionedInput):
    registration: strawberry.ID = strawberry.field(description="The id of the registration to update.")
    fields: list[str] | None = optional("The paths of the fields that the team reads; null for all fields.")
    pinned_version: str | None = optional("The contract version that the consumer was built for; null removes it.")
    purpose: str | None = optional("The purpose for which the team reads the data; null removes it.")
    metadata: JSON | None = optional("The new metadata, which replaces the old object as a whole.")


@strawberry.type(description="The result of `updateRegistration`.")
class UpdateRegistrationPayload(Payload):
    registration: Registration | None = payload_field("The registration; null if refused.")
    warnings: list[str] | None = payload_field(WARNINGS, load=list)


async def update_registration(call: Call, arguments: UpdateRegistrationInput) -> UpdateRegistrationPayload:
    fields = None if arguments.fields is None else arguments.fields and tuple(arguments.fields)
    changes = {
        "fields": fields,
        "pinned_version": arguments.pinned_version,
        "purpose": arguments.purpose,
        "metadata": arguments.metadata,
    }
    row = await registrations.update(
        call.session,
        call.actor,
        local_id(arguments.registration, "Registration", field=("registration",)),
        changes={name: value for name, value in changes.items() if value is not UNSET},
        expected_row_version=or_none(arguments.expected_row_version),
    )
    warnings = await load_warnings(call.session, row)
    return UpdateRegistrationPayload(registration=Registration.of(row), warnings=warnings)


@strawberry.input(description="The registration to end.")
class UnregisterInput(VersionedInput):
    registration: strawberry.ID = strawberry.field(description="The id of the registration to end.")


@strawberry.type(description="The result of `unregister`.")
class UnregisterPayload(Payload):
    registration: Registration | None = payload_field("The registration; null if refused.")


async def unregister(call: Call, arguments: UnregisterInput) -> UnregisterPayload:
    identity = local_id(arguments.registration, "Registration", field=("registration",))
    row_version = or_none(arguments.expected_row_version)
    row = await registrations.unregister(call.session, call.actor, identity, expected_row_version=row_version)
    return UnregisterPayload(registration=Registration.of(row))


@strawberry.type
class Mutations:
    register: Any = mutation(
        register,
        "Register a team as a consumer of an asset, so that it is asked before a change breaks what it reads.",
        version="pinned_version",
    )
    update_registration: Any = mutation(
        update_registration, "Update the fields or the purpose of a registration.", version="pinned_version"
    )
    unregister: Any = mutation(
        unregister, "End a registration: the team no longer reads the asset and is no longer asked."
    )


@strawberry.type
class Queries:
    registrations = connection(REGISTRATIONS, description="All registrations of the catalog, the oldest first.")

    registration = root_by_id("Registration", "The registration with this id; null if there is none.")
