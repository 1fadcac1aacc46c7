"""Projects, whose keys sync the tables of several teams in CI."""

from datetime import datetime
from typing import Any

import strawberry

from tessera_gql.graphql.connections import Connection, connection, define_listing
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import (
    DateTimeFilter,
    StringFilter,
    filter_by,
    filter_input,
    optional,
    or_keep,
    or_none,
)
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.mutations import Call, CreatingInput, Payload, VersionedInput, mutation, payload_field
from tessera_gql.graphql.refs import ProjectRefInput, TeamRefInput, project_loader
from tessera_gql.graphql.relations import root_by_ref
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.type_registry import computed_field, lazy_list, to_type
from tessera_gql.store import projects as store
from tessera_gql.store import tables
from tessera_gql.workflows import projects
from tessera_gql.workflows.projects import ProjectDetails


@from_row()
@strawberry.type(
    description="A dbt project, or another source of contracts. Its keys sync the tables of its owners, in its schemas."
)
class Project(Node):
    row: strawberry.Private[tables.Project]
    name: str = strawberry.field(description="The name of the project; unique, ignoring case.")
    schemas: list[str] = strawberry.field(
        description="The schemas that the project may sync, as patterns of `database.schema` in lower case; `*` stands"
        " for any characters of a part. Every schema if the list is empty."
    )
    row_version: int = strawberry.field(description="A number that rises with every change; for `expectedRowVersion`.")
    created_at: datetime = strawberry.field(description="The time at which the project was created.")

    @computed_field("The teams whose tables the project may sync, sorted by age.", lazy_list("Team"))
    async def owners(self, info: Info) -> Any:
        owners = await info.context.loaders.owners_of_project.load(self.row.id)
        rows = await info.context.loaders.team.load_many([owner.team_id for owner in owners])
        return [to_type("Team", row) for row in rows]


@strawberry.type(description="One page of a list of projects.")
class ProjectConnection(Connection[Project]): ...


@filter_input("Conditions on projects; a project must meet all of them.")
class ProjectFilter:
    name: StringFilter | None = filter_by("name", "The name of the project.")
    created_at: DateTimeFilter | None = filter_by("created_at", "The time at which the project was created.")


PROJECTS = define_listing(
    "Project",
    store.TABLE,
    ProjectFilter,
    {
        "NAME": ("name_key", "The name of the project, ignoring case."),
        "CREATED_AT": ("created_at", "The time at which the project was created."),
    },
)


@strawberry.type
class Queries:
    projects = connection(PROJECTS, description="All projects, sorted by name.")

    project = root_by_ref(
        "Project",
        ProjectRefInput,
        project_loader,
        description="The project with this id or name; null if there is none.",
    )


@strawberry.input(description="The data of a new project.")
class CreateProjectInput(CreatingInput):
    name: str = strawberry.field(
        description="The name of the project, as in `dbt_project.yml`, 200 characters at most; unique, ignoring case."
    )
    owners: list[TeamRefInput] = strawberry.field(description="The teams whose tables the project may sync.")
    schemas: list[str] | None = optional(
        "The schemas that the project may sync, as patterns of `database.schema`; every schema if left out."
    )


@strawberry.type(description="The result of `createProject`.")
class CreateProjectPayload(Payload):
    project: Project | None = payload_field("The project; null if refused.")


async def create_project(call: Call, arguments: CreateProjectInput) -> CreateProjectPayload:
    details = ProjectDetails(
        arguments.name, [owner.to_ref("owners") for owner in arguments.owners], or_none(arguments.schemas)
    )
    return CreateProjectPayload(project=Project.of(await projects.create(call.session, call.actor, details)))


@strawberry.input(description="The changes to a project; fields that are left out keep their value.")
class UpdateProjectInput(VersionedInput):
    project: ProjectRefInput = strawberry.field(description="The project to update, by id or name.")
    name: str | None = optional("The new name of the project.")
    owners: list[TeamRefInput] | None = optional("The new owners, which replace all of the old ones.")
    schemas: list[str] | None = optional("The new schemas, which replace all of the old ones; [] permits every schema.")


@strawberry.type(description="The result of `updateProject`.")
class UpdateProjectPayload(Payload):
    project: Project | None = payload_field("The project; null if refused.")


async def update_project(call: Call, arguments: UpdateProjectInput) -> UpdateProjectPayload:
    owners = or_keep(arguments.owners, "owners")
    details = ProjectDetails(
        or_keep(arguments.name, "name"),
        None if owners is None else [owner.to_ref("owners") for owner in owners],
        or_keep(arguments.schemas, "schemas"),
    )
    row = await projects.update(
        call.session,
        call.actor,
        arguments.project.to_ref(),
        details,
        expected_row_version=or_none(arguments.expected_row_version),
    )
    return UpdateProjectPayload(project=Project.of(row))


@strawberry.type
class Mutations:
    create_project: Any = mutation(create_project, "Create a project. Needs the scope ADMIN.")
    update_project: Any = mutation(
        update_project,
        "Change the name, the owners or the schemas of a project. Its keys have the new rights at once, and their open"
        " subscriptions end. Needs the scope ADMIN.",
    )
