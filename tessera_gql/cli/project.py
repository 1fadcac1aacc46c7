"""`tessera project`: projects, whose keys sync the tables of several teams in CI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import connect
from tessera_gql.cli.completion import complete_team
from tessera_gql.cli.terminal import JsonOption, fail, print_json, print_properties, print_table

if TYPE_CHECKING:
    from tessera_gql.client.models import Project
    from tessera_gql.client.operations.projects import ProjectChanges

OwnerOption = Annotated[
    list[str] | None,
    typer.Option(help="Team whose tables the project syncs; repeatable.", autocompletion=complete_team),
]
SchemaOption = Annotated[
    list[str] | None,
    typer.Option(help="Schema that the project syncs, such as prod.marts or 'prod.stg_*'; repeatable."),
]

app = typer.Typer(help="Create, change, list and show projects.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the project, as in dbt_project.yml.")],
    owner: Annotated[
        list[str], typer.Option(help="Team whose tables the project syncs; repeatable.", autocompletion=complete_team)
    ],
    schema: SchemaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a project. Without --schema it syncs every schema of its owners. Needs an administrator's key.

    Example: tessera project create warehouse --owner shop --owner finance --schema 'prod.*'
    """
    with connect() as client:
        project = client.create_project(name, owners=owner, schemas=schema or ())
    _print_project(project, as_json=as_json)


@app.command()
def update(
    name: Annotated[str, typer.Argument(help="Name of the project, or its id.")],
    rename: Annotated[str | None, typer.Option(help="New name of the project.")] = None,
    owner: OwnerOption = None,
    schema: SchemaOption = None,
    any_schema: Annotated[bool, typer.Option("--any-schema", help="Permit every schema of the owners.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Change a project; owners and schemas replace all of the old ones. Its keys have the new rights at once.

    Example: tessera project update warehouse --owner shop --owner growth
    """
    if schema and any_schema:
        raise fail("--schema and --any-schema exclude each other. Give one of them.")
    changes: ProjectChanges = {}
    if rename is not None:
        changes["name"] = rename
    if owner:
        changes["owners"] = owner
    if schema or any_schema:
        changes["schemas"] = schema or []
    if not changes:
        raise fail("Nothing to change. Give --rename, --owner, --schema or --any-schema.")
    with connect() as client:
        project = client.update_project(name, **changes)
    _print_project(project, as_json=as_json)


@app.command("list")
def list_(
    contains: Annotated[str | None, typer.Option(help="Only projects whose name contains this text.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List projects with their owners and schemas."""
    with connect() as client:
        projects = list(client.projects(name_contains=contains))
    if as_json:
        print_json(projects)
    else:
        rows = ((project.name, _join_owners(project), _join_schemas(project), project.id) for project in projects)
        print_table(("project", "owners", "schemas", "id"), rows, none="No projects.")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the project, or its id.")], as_json: JsonOption = False
) -> None:
    """Show a project with its owners and schemas."""
    with connect() as client:
        project = client.get_project(name)
    _print_project(project, as_json=as_json)


def _print_project(project: Project, *, as_json: bool) -> None:
    if as_json:
        print_json(project)
        return
    print_properties(
        id=project.id,
        name=project.name,
        owners=_join_owners(project),
        schemas=_join_schemas(project),
        row_version=project.row_version,
    )


def _join_owners(project: Project) -> str:
    return ", ".join(owner.name for owner in project.owners)


def _join_schemas(project: Project) -> str:
    return ", ".join(project.schemas) or "every schema"
