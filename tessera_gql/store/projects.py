"""Queries of projects and of their owners."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete

from tessera_gql.errors import Invalid, NotFound
from tessera_gql.policy.access import ProjectScope
from tessera_gql.policy.validation import uniqueness_key
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import Project, ProjectOwner, table

TABLE = table(Project)
OWNERS = table(ProjectOwner)
by_ids = RowQuery(Project, "id")
list_owners = RowQuery(ProjectOwner, "project_id", order_by=(OWNERS.c.team_id,))
"""The owners of projects, by project id."""
by_name_keys = RowQuery(Project, "name_key")


@dataclass(frozen=True)
class ProjectRef:
    """A reference to a project by exactly one of its id and its name."""

    id: UUID | None = None
    name: str | None = None


def key(name: str) -> str:
    """Fold a project's name to the key that is unique."""
    return uniqueness_key(name)


async def by_names(session: Session, names: Sequence[str]) -> list[Project]:
    """Load the projects with these names, ignoring case."""
    return await by_name_keys(session, [key(name) for name in names])


async def get(session: Session, ref: ProjectRef) -> Project:
    """Return the project that is referred to; raise NotFound if there is none, Invalid unless the ref has one part."""
    if (ref.id is None) == (ref.name is None):
        raise Invalid("Name a project by its id or by its name, one of the two.", field=("project",))
    project = await (by_ids.find(session, ref.id) if ref.id else by_name_keys.find(session, key(ref.name or "")))
    if project is None:
        raise NotFound(
            f"There is no project {ref.name or ref.id!s}. Look it up with projects(filter:), or ask an administrator to"
            " create it with createProject.",
            field=("project",),
        )
    return project


async def load_scope(session: Session, project: Project) -> ProjectScope:
    """Load what a project's keys may sync."""
    owners = await list_owners(session, [project.id])
    return ProjectScope(project.id, project.name, frozenset(row.team_id for row in owners), tuple(project.schemas))


async def find_scope(session: Session, name: str) -> ProjectScope | None:
    """Load what the keys of the project with this name may sync; None if there is no such project."""
    project = await by_name_keys.find(session, key(name))
    return await load_scope(session, project) if project else None


async def replace_owners(session: Session, project_id: UUID, owner_ids: Collection[UUID]) -> None:
    """Make these teams the owners of a project."""
    await session.execute(delete(OWNERS).where(OWNERS.c.project_id == project_id))
    await session.insert_all([ProjectOwner(project_id=project_id, team_id=team) for team in sorted(owner_ids)])
