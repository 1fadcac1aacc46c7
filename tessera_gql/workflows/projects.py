"""Create and update projects, as an administrator."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tessera_gql.errors import Conflict, Invalid, Stale
from tessera_gql.policy.access import Action, Actor, authorize
from tessera_gql.policy.events import ProjectCreated, ProjectUpdated
from tessera_gql.policy.projects import clean_project_name, clean_schema_patterns
from tessera_gql.store import projects, teams
from tessera_gql.store.projects import ProjectRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Project, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.archiving import require_live_teams
from tessera_gql.workflows.teams import require_row_version

MAX_OWNERS = 200


@dataclass(frozen=True)
class ProjectDetails:
    """Attributes of a project; None means "unchanged" on update. No schemas permit every schema."""

    name: str | None = None
    owners: Sequence[TeamRef] | None = None
    schemas: Sequence[str] | None = None


async def create(session: Session, actor: Actor, details: ProjectDetails) -> Project:
    """Create a project; raises Conflict for a name that exists in any case, NotFound for an unknown owner."""
    authorize(actor, Action.CREATE_PROJECT, None)
    name = clean_project_name(details.name or "")
    await _require_free(session, name)
    owner_ids = await _load_owner_ids(session, details.owners or ())
    project = Project(
        id=new_id(),
        name=name,
        name_key=projects.key(name),
        schemas=clean_schema_patterns(details.schemas or ()),
        row_version=1,
        created_at=session.now,
    )
    await session.insert(project, conflict_message=f"A project named {name} was created at this moment.")
    await _replace_owners(session, project, owner_ids)
    event = ProjectCreated(
        audience_team_ids=owner_ids, project_id=project.id, name=name, owners=owner_ids, schemas=tuple(project.schemas)
    )
    session.record(event)
    return project


async def update(
    session: Session, actor: Actor, ref: ProjectRef, details: ProjectDetails, *, expected_row_version: int | None = None
) -> Project:
    """Update a project. Its keys have the new owners and schemas at once."""
    authorize(actor, Action.UPDATE_PROJECT, None)
    project = await projects.get(session, ref)
    known_owners = (await projects.load_scope(session, project)).owner_ids
    owner_ids = known_owners if details.owners is None else await _load_owner_ids(session, details.owners)
    values = await _changed_values(session, project, details)
    require_row_version(project.row_version, expected_row_version, "project")
    if not values and owner_ids == known_owners:
        return project
    if not await session.update_unchanged(Project, project, **values):
        raise Stale("This project was changed at this moment. Read it again, then repeat your change.")
    changes = {
        name: {"before": getattr(project, name), "after": value} for name, value in values.items() if name != "name_key"
    }
    if owner_ids != known_owners:
        await _replace_owners(session, project, owner_ids)
        changes["owners"] = {"before": known_owners, "after": owner_ids}
    event = ProjectUpdated(
        audience_team_ids=known_owners | owner_ids,
        project_id=project.id,
        changed=tuple(sorted(changes)),
        changes=changes,
    )
    session.record(event)
    return await projects.get(session, ProjectRef(id=project.id))


async def _replace_owners(session: Session, project: Project, owner_ids: frozenset[UUID]) -> None:
    await projects.replace_owners(session, project.id, owner_ids)
    await require_live_teams(session, *owner_ids, field=("owners",))


async def _changed_values(session: Session, project: Project, details: ProjectDetails) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if details.name is not None and (name := clean_project_name(details.name)) != project.name:
        if projects.key(name) != project.name_key:
            await _require_free(session, name)
        values |= {"name": name, "name_key": projects.key(name)}
    if details.schemas is not None and (schemas := clean_schema_patterns(details.schemas)) != project.schemas:
        values["schemas"] = schemas
    return values


async def _load_owner_ids(session: Session, refs: Sequence[TeamRef]) -> frozenset[UUID]:
    """Return the ids of the owners; raise NotFound for an unknown team, Invalid for none or too many."""
    if not 0 < len(refs) <= MAX_OWNERS:
        raise Invalid(
            f"A project has 1 to {MAX_OWNERS} owners, the teams whose tables it syncs. Name them.", field=("owners",)
        )
    return frozenset([(await teams.get(session, ref, field=("owners",))).id for ref in refs])


async def _require_free(session: Session, name: str) -> None:
    if duplicates := await projects.by_names(session, [name]):
        raise Conflict(
            f"A project named {duplicates[0].name} exists already (names ignore case). Change it with updateProject, or"
            " choose another name.",
            field=("name",),
        )
