"""Teams: owners and consumers."""

from datetime import datetime
from typing import Any

import strawberry

from tessera_gql.graphql.filters import given, kept, optional
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.lists import ASSETS, INBOX, PROPOSALS, REGISTRATIONS, TEAMS
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation
from tessera_gql.graphql.pages import Connection, pages
from tessera_gql.graphql.refs import TeamRefInput, team_by
from tessera_gql.graphql.relations import by_ref
from tessera_gql.graphql.rows import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.store import tables
from tessera_gql.workflows import teams


@from_row(metadata="meta")
@strawberry.type(description="A team that owns assets or reads those of others.")
class Team(Node):
    row: strawberry.Private[tables.Team]
    name: str = strawberry.field(description="Unique, whatever the case.")
    metadata: JSON = strawberry.field(description="Anything else that is worth knowing, as an object.")
    row_version: int = strawberry.field(description="Rises with every change; for `expectedRowVersion`.")
    created_at: datetime = strawberry.field(description="When it was created.")

    assets = pages(ASSETS, "owner_team_id", description="What it owns.")
    registrations = pages(REGISTRATIONS, "consumer_team_id", description="What it reads.")
    proposals = pages(PROPOSALS, "proposed_by", description="The breaking changes it proposed.")
    inbox = pages(INBOX, "consumer_team_id", description="What it is asked by open proposals and has not answered yet.")


@strawberry.type(description="A page of teams.")
class TeamConnection(Connection[Team]):
    pass


@strawberry.type
class Queries:
    teams = pages(TEAMS, description="All teams.")

    team = by_ref("Team", TeamRefInput, team_by, description="One team; null if there is none.")


@strawberry.input(description="A new team.")
class CreateTeamInput(CreatingInput):
    name: str = strawberry.field(description="Unique, whatever the case; 200 characters at most.")
    metadata: JSON | None = optional("Anything else that is worth knowing, as an object.")


@strawberry.type(description="The team that was created.")
class CreateTeamPayload(Payload):
    team: Team | None = strawberry.field(default=None, description="Null if it was refused.")


async def create_team(call: Call, asked: CreateTeamInput) -> CreateTeamPayload:
    row = await teams.create(call.session, call.actor, name=asked.name, metadata=given(asked.metadata))
    return CreateTeamPayload(team=Team.of(row))


@strawberry.input(description="What changes about a team; what is left out stays as it is.")
class UpdateTeamInput(Input):
    team: TeamRefInput = strawberry.field(description="Which one.")
    name: str | None = optional("The new name.")
    metadata: JSON | None = optional("Replaces what was there.")
    expected_row_version: int | None = optional("Refuses with STALE if the team was changed since this was read.")


@strawberry.type(description="The team as it is now.")
class UpdateTeamPayload(Payload):
    team: Team | None = strawberry.field(default=None, description="Null if it was refused.")


async def update_team(call: Call, asked: UpdateTeamInput) -> UpdateTeamPayload:
    row = await teams.update(
        call.session,
        call.actor,
        asked.team.local(),
        name=kept(asked.name, "name"),
        metadata={} if asked.metadata is None else given(asked.metadata),
        expected_row_version=given(asked.expected_row_version),
    )
    return UpdateTeamPayload(team=Team.of(row))


@strawberry.type
class Mutations:
    create_team: Any = mutation(create_team, "Creates a team. Needs the scope ADMIN.")
    update_team: Any = mutation(update_team, "Renames a team or replaces its metadata.")
