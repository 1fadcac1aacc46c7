"""Operations on projects, whose keys sync the tables of several teams in CI."""

from collections.abc import Sequence
from typing import Any, TypeAlias, TypedDict

from typing_extensions import Unpack

from tessera_gql.client.global_ids import is_global_id
from tessera_gql.client.models import JsonObject, Project, ProjectSummary
from tessera_gql.client.operation import (
    Operation,
    PaginatedQuery,
    RootField,
    TeamRef,
    build_filter,
    build_nullable_variables,
    build_team_ref,
    build_variables,
)

ProjectRef: TypeAlias = str | ProjectSummary
"""A project, its name, or its id."""

PROJECT = RootField("project", Project, {"by": "ProjectRef!"})


def create_project(name: str, *, owners: Sequence[TeamRef], schemas: Sequence[str] = ()) -> Operation[Project]:
    """Create a project, whose keys sync the tables of the owners. Needs the scope ADMIN.

    `schemas` are patterns of `database.schema`, such as `prod.stg_*`; without them every schema is permitted.
    Raises Conflict if the name is taken, NotFound for an owner that does not exist.

    Example:
        project = tessera.create_project("lake", owners=["finance"], schemas=["lake.*"])
        assert project.schemas == ("lake.*",)
    """
    input_ = build_variables(name=name, owners=list(map(build_team_ref, owners)), schemas=[*schemas])
    return RootField("createProject", Project).build_idempotent_mutation(input_, payload_field="project")


class ProjectChanges(TypedDict, total=False):
    """Attributes to change; `owners` and `schemas` replace the old ones. Raises Stale for an old row version."""

    name: str
    owners: Sequence[TeamRef]
    schemas: Sequence[str]
    expected_row_version: int


def update_project(project: ProjectRef, **changes: Unpack[ProjectChanges]) -> Operation[Project]:
    """Change the given attributes of a project; owners and schemas replace the old ones.

    Its keys have the new rights at once.

    Raises Stale for an old `expected_row_version`, NotFound if there is no such project.

    Example:
        project = tessera.update_project("lake", owners=["finance", "growth"])
        assert len(project.owners) == 2
    """
    values: dict[str, Any] = {**changes}
    if "owners" in changes:
        values["owners"] = list(map(build_team_ref, changes["owners"]))
    input_ = {"project": _build_project_ref(project), **build_nullable_variables(values)}
    return RootField("updateProject", Project).build_mutation(input_, payload_field="project")


def get_project(project: ProjectRef) -> Operation[Project]:
    """Get a project with its owners and schemas.

    Raises NotFound if there is no such project.

    Example:
        print(tessera.get_project("lake").owners)
    """
    missing = f"There is no project {getattr(project, 'name', project)!r}. `projects()` lists them all."
    return PROJECT.build_get_query({"by": _build_project_ref(project)}, missing)


def find_project(project: ProjectRef) -> Operation[Project | None]:
    """Get a project, or None if it does not exist.

    Raises Unavailable if the server can't be reached, as all methods do.

    Example:
        assert tessera.find_project("no-such-project") is None
    """
    return PROJECT.build_find_query({"by": _build_project_ref(project)})


def projects(*, name_contains: str | None = None) -> PaginatedQuery[Project]:
    """List all projects, or those whose name contains a text.

    Raises Invalid for a text that is too long.

    Example:
        names = [project.name for project in tessera.projects()]
    """
    filter_ = build_filter(name=("contains", name_contains))
    return RootField("projects", Project, {"filter": "ProjectFilter"}).build_paginated_query(filter=filter_)


def _build_project_ref(project: ProjectRef) -> JsonObject:
    if isinstance(project, ProjectSummary):
        return {"id": project.id}
    return {"id" if is_global_id(project, "Project") else "name": project}
