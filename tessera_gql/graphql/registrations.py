"""Registrations: who reads what. They belong to the asset, never to one version."""

from datetime import datetime
from typing import Annotated

import strawberry

from tessera_gql.graphql.context import Info
from tessera_gql.graphql.ids import Node, global_id, local_id
from tessera_gql.graphql.lists import REGISTRATIONS
from tessera_gql.graphql.nouns import shown
from tessera_gql.graphql.pages import Connection, pages
from tessera_gql.graphql.relations import one
from tessera_gql.graphql.scalars import JSON
from tessera_gql.policy.words import Evidence, RegistrationStatus
from tessera_gql.store import tables


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

    @classmethod
    def of(cls, row: tables.Registration) -> "Registration":
        return cls(
            row=row,
            id=global_id("Registration", row.id),
            fields=row.fields,
            pinned_version=row.pinned_version,
            status=row.status,
            evidence=row.evidence,
            purpose=row.purpose,
            metadata=JSON(row.meta),
            registered_at=row.registered_at,
            acknowledged_at=row.acknowledged_at,
            row_version=row.row_version,
        )


@strawberry.type(description="A page of registrations.")
class RegistrationConnection(Connection[Registration]):
    pass


@strawberry.type
class Queries:
    registrations = pages(REGISTRATIONS, description="All registrations, the oldest first.")

    @strawberry.field(description="One registration; null if there is none.")
    async def registration(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")],  # noqa: A002 - the graph's name
    ) -> Registration | None:
        row = await info.context.loaders.registration.load(local_id(id, "Registration"))
        found: Registration | None = shown("Registration", row)
        return found
