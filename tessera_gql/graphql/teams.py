"""Teams, which own assets and read the assets of other teams."""

from datetime import datetime
from typing import Any

import strawberry

from tessera_gql.graphql.connections import Connection, connection
from tessera_gql.graphql.filters import optional, or_keep, or_none
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.inbox import team_inbox_groups
from tessera_gql.graphql.listings import (
    ASSETS,
    DEBT_INBOX,
    INBOX,
    OBLIGATIONS,
    PROPOSALS,
    REGISTRATIONS,
    TEAM_ACKNOWLEDGMENTS,
    TEAMS,
)
from tessera_gql.graphql.mutations import Call, CreatingInput, Payload, VersionedInput, mutation, payload_field
from tessera_gql.graphql.refs import TeamRefInput, team_loader
from tessera_gql.graphql.relations import relation, root_by_ref
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.team_reads import team_deprecations, team_narrower_registrations
from tessera_gql.store import tables
from tessera_gql.workflows import teams
from tessera_gql.workflows.teams import DelegateChange, EscalationChange, SubstituteChanges


@from_row(metadata="meta")
@strawberry.type(description="A team that owns assets or reads the assets of other teams.")
class Team(Node):
    row: strawberry.Private[tables.Team]
    name: str = strawberry.field(description="The name of the team; unique, ignoring case.")
    metadata: JSON = strawberry.field(description="Free data of your own about the team, as a JSON object.")
    row_version: int = strawberry.field(description="A number that rises with every change; for `expectedRowVersion`.")
    created_at: datetime = strawberry.field(description="The time at which the team was created.")
    updated_at: datetime = strawberry.field(description="The time of the latest change of the team itself.")
    archived_at: datetime | None = strawberry.field(
        description="The time at which the team was archived; null while it can own, read and answer."
    )

    delegate_until: datetime | None = strawberry.field(
        description="The time until which the delegate may answer; null if there is none."
    )

    delegate = relation(
        "Team",
        "row.delegate_team_id",
        "The team that may answer for this one until `delegateUntil`, but not delegate further; null if there is none.",
        nullable=True,
    )
    escalation_team = relation(
        "Team",
        "row.escalation_team_id",
        "The team that may answer as well once an ask is escalated, as its policy says; null if there is none.",
        nullable=True,
    )
    assets = connection(ASSETS, "owner_team_id", description="The assets that the team owns.")
    registrations = connection(
        REGISTRATIONS, "consumer_team_id", description="The registrations of the team as a consumer."
    )
    deprecations = team_deprecations()
    narrower_registrations = team_narrower_registrations()
    proposals = connection(PROPOSALS, "proposed_by", description="The proposals of the team's breaking changes.")
    inbox = connection(
        INBOX, "consumer_team_id", description="The acknowledgments that open proposals await from the team."
    )
    inbox_groups = team_inbox_groups()
    acknowledgments = connection(
        TEAM_ACKNOWLEDGMENTS,
        "consumer_team_id",
        description="All asks of the team, those with an answer and of ended proposals too, by due date.",
    )
    debts = connection(
        DEBT_INBOX,
        "inbox_team_id",
        description="The open debts of the team, and the unknown fields that other teams registered with its assets.",
    )
    owes = connection(
        OBLIGATIONS, "team_id", description="What the team owes: answers, promised migrations and debts, by date."
    )


@strawberry.type(description="One page of a list of teams.")
class TeamConnection(Connection[Team]): ...


@strawberry.type
class Queries:
    teams = connection(TEAMS, description="All teams of the catalog, sorted by name.")

    team = root_by_ref(
        "Team", TeamRefInput, team_loader, description="The team with this id or name; null if there is none."
    )


@strawberry.input(description="The data of a new team.")
class CreateTeamInput(CreatingInput):
    name: str = strawberry.field(description="The name of the team, 200 characters at most; unique, ignoring case.")
    metadata: JSON | None = optional("Free data of your own about the team, as a JSON object.")


@strawberry.type(description="The result of `createTeam`.")
class CreateTeamPayload(Payload):
    team: Team | None = payload_field("The team; null if refused.")


async def create_team(call: Call, arguments: CreateTeamInput) -> CreateTeamPayload:
    row = await teams.create(call.session, call.actor, name=arguments.name, metadata=or_none(arguments.metadata))
    return CreateTeamPayload(team=Team.of(row))


@strawberry.input(description="The delegate of a team, and until when it answers.")
class DelegateInput:
    team: TeamRefInput = strawberry.field(description="The team that answers, by id or name.")
    until: datetime = strawberry.field(description="The end of the delegation, within the next 366 days.")


@strawberry.input(description="The changes to a team; fields that are left out keep their value.")
class UpdateTeamInput(VersionedInput):
    team: TeamRefInput = strawberry.field(description="The team to update, by id or name.")
    name: str | None = optional("The new name of the team.")
    metadata: JSON | None = optional("The new metadata, which replaces the old object as a whole; null empties it.")
    delegate: DelegateInput | None = optional("The new delegate, which may answer for the team; null ends it.")
    escalation_team: TeamRefInput | None = optional(
        "The new escalation team, which is asked as well if the team does not answer; null for none."
    )


@strawberry.type(description="The result of `updateTeam`.")
class UpdateTeamPayload(Payload):
    team: Team | None = payload_field("The team; null if refused.")


def _to_delegate(delegate: Any) -> DelegateChange | None:
    """Convert the input: left out keeps the delegate, null ends it."""
    if delegate is strawberry.UNSET:
        return None
    return DelegateChange(delegate.team.to_ref("delegate"), delegate.until) if delegate else DelegateChange()


def _to_escalation(team: Any) -> EscalationChange | None:
    if team is strawberry.UNSET:
        return None
    return EscalationChange(team.to_ref("escalationTeam") if team else None)


async def update_team(call: Call, arguments: UpdateTeamInput) -> UpdateTeamPayload:
    row = await teams.update(
        call.session,
        call.actor,
        arguments.team.to_ref(),
        name=or_keep(arguments.name, "name"),
        metadata={} if arguments.metadata is None else or_none(arguments.metadata),
        substitutes=SubstituteChanges(_to_delegate(arguments.delegate), _to_escalation(arguments.escalation_team)),
        expected_row_version=or_none(arguments.expected_row_version),
    )
    return UpdateTeamPayload(team=Team.of(row))


@strawberry.type
class Mutations:
    create_team: Any = mutation(create_team, "Create a team. Needs the scope ADMIN.")
    update_team: Any = mutation(
        update_team,
        "Rename a team, replace its metadata, or name the teams that answer in its place. Needs a key of the team or"
        " the scope ADMIN.",
    )
