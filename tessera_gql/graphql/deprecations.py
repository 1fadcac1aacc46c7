"""Deprecations: announcements that a field or a whole asset goes away."""

from datetime import datetime
from typing import Any

import strawberry

from tessera_gql.graphql.connections import Connection
from tessera_gql.graphql.filters import optional, or_none
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.mutations import Call, Input, Payload, mutation, payload_field
from tessera_gql.graphql.refs import AssetRefInput, TeamRefInput, team_ref
from tessera_gql.graphql.relations import relation, root_by_id
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.type_registry import lazy_type, to_type
from tessera_gql.policy.deprecation import DeprecationTerms
from tessera_gql.policy.enums import DeprecationOrigin
from tessera_gql.store import tables
from tessera_gql.workflows import deprecations
from tessera_gql.workflows.deprecations import DeprecationRequest
from tessera_gql.workflows.replacements import load_replacement_warnings


@from_row(path=lambda row: row.path or None)
@strawberry.type(description="An announcement that a field or a whole asset goes away, and what to use instead.")
class Deprecation(Node):
    row: strawberry.Private[tables.Deprecation]
    path: str | None = strawberry.field(
        description="The path of the field that goes, with all that lies below it; null for the whole asset."
    )
    sunset_at: datetime | None = strawberry.field(description="The time at which it goes; null if none is announced.")
    replacement: str | None = strawberry.field(
        description="The field or asset to use instead, in plain text; null if there is none."
    )
    reason: str | None = strawberry.field(description="The reason for readers, in plain text; null if none is given.")
    origin: DeprecationOrigin = strawberry.field(description="The source of the deprecation.")
    declared_at: datetime = strawberry.field(description="The time at which the present sunset was announced.")
    ended_at: datetime | None = strawberry.field(
        description="The time at which it was withdrawn or carried out; null while it holds."
    )
    row_version: int = strawberry.field(description="A number that rises with every change.")

    asset = relation("Asset", "row.asset_id", "The asset that is deprecated, or that has the field.")
    declared_by = relation("Team", "row.declared_by", "The team that owned the asset when it was deprecated.")


@strawberry.type(description="One page of a list of deprecations.")
class DeprecationConnection(Connection[Deprecation]): ...


@strawberry.type
class Queries:
    deprecation = root_by_id("Deprecation", "The deprecation with this id; null if there is none.")


@strawberry.input(description="What goes away, when, and what replaces it.")
class DeprecateInput(Input):
    asset: AssetRefInput = strawberry.field(description="The asset, by id or fqn.")
    fields: list[str] | None = optional("The paths of the fields that go; the whole asset if left out.")
    sunset_at: datetime = strawberry.field(
        description="The time at which they go: in the future, five years ahead at most."
    )
    replacement: str | None = optional("The field or asset that readers should use instead.")
    reason: str | None = optional("The reason for the readers, in plain text.")
    team: TeamRefInput | None = optional("The owning team, for a check that it still is.")


@strawberry.type(description="The result of `deprecate`.")
class DeprecatePayload(Payload):
    asset: Any = payload_field("The asset; null if refused.", graphql_type=lazy_type("Asset") | None)
    deprecations: list[Deprecation] | None = payload_field("The deprecations of what was named; null if refused.")
    warnings: list[str] | None = payload_field(
        "A sentence if the replacement looks like a name but is no field and no asset; null if refused.", load=list
    )


async def deprecate(call: Call, arguments: DeprecateInput) -> DeprecatePayload:
    fields = or_none(arguments.fields)
    terms = DeprecationTerms(arguments.sunset_at, or_none(arguments.replacement), or_none(arguments.reason))
    request = DeprecationRequest(None if fields is None else tuple(fields), terms)
    asset, rows = await deprecations.deprecate(
        call.session, call.actor, arguments.asset.to_ref(), request, team=team_ref(arguments.team)
    )
    warnings = await load_replacement_warnings(call.session, asset, terms.replacement)
    return DeprecatePayload(asset=to_type("Asset", asset), deprecations=[*map(Deprecation.of, rows)], warnings=warnings)


@strawberry.input(description="The deprecations to withdraw.")
class EndDeprecationInput(Input):
    asset: AssetRefInput = strawberry.field(description="The asset, by id or fqn.")
    fields: list[str] | None = optional("The paths of the deprecated fields; the whole asset if left out.")
    team: TeamRefInput | None = optional("The owning team, for a check that it still is.")


@strawberry.type(description="The result of `endDeprecation`.")
class EndDeprecationPayload(Payload):
    asset: Any = payload_field("The asset; null if refused.", graphql_type=lazy_type("Asset") | None)
    deprecations: list[Deprecation] | None = payload_field("The ended deprecations; null if refused.")


async def end_deprecation(call: Call, arguments: EndDeprecationInput) -> EndDeprecationPayload:
    fields = or_none(arguments.fields)
    asset, rows = await deprecations.end_deprecation(
        call.session,
        call.actor,
        arguments.asset.to_ref(),
        None if fields is None else tuple(fields),
        team=team_ref(arguments.team),
    )
    return EndDeprecationPayload(asset=to_type("Asset", asset), deprecations=[*map(Deprecation.of, rows)])


@strawberry.type
class Mutations:
    deprecate: Any = mutation(
        deprecate,
        "Announce that fields or a whole asset go away. Its readers are informed now, and reminded 30, 7 and 1 days"
        " before. Calling it again changes the terms.",
    )
    end_deprecation: Any = mutation(
        end_deprecation,
        "Withdraw the deprecation of fields or of a whole asset. One that a document states ends with the document.",
    )
