"""Create and update teams."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera_gql.errors import Conflict, Invalid, Stale
from tessera_gql.policy import validation
from tessera_gql.policy.access import (
    Action,
    Actor,
    acting_team,
    authorize,
    not_owner_error,
    require_owner,
    require_schema,
)
from tessera_gql.policy.archive import require_live_team
from tessera_gql.policy.delegation import Delegation, require_delegation_end
from tessera_gql.policy.event_changes import describe_changes, list_changed
from tessera_gql.policy.events import TeamCreated, TeamUpdated
from tessera_gql.store import teams
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Team, new_id
from tessera_gql.store.teams import TeamRef


async def create(session: Session, actor: Actor, *, name: str, metadata: Any = None) -> Team:
    """Create a team; raises Conflict for a name that exists in any case."""
    authorize(actor, Action.CREATE_TEAM, None)
    clean_name = validation.clean_team_name(name)
    await _require_free(session, clean_name)
    team = Team(
        id=new_id(),
        name=clean_name,
        name_key=teams.key(clean_name),
        meta=validation.clean_metadata(metadata),
        row_version=1,
        created_at=session.now,
        updated_at=session.now,
    )
    await session.insert(team, conflict_message=f"A team named {clean_name} was created at this moment.")
    session.record(TeamCreated(audience_team_ids=frozenset({team.id}), team_id=team.id, name=clean_name))
    return team


@dataclass(frozen=True)
class DelegateChange:
    """The new delegate of a team and the end of the delegation; without a team there is no delegate any more."""

    team: TeamRef | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class EscalationChange:
    """The new escalation team of a team; None if there is none any more."""

    team: TeamRef | None = None


@dataclass(frozen=True)
class SubstituteChanges:
    """Changes to the teams that may answer in a team's place; None leaves one unchanged."""

    delegate: DelegateChange | None = None
    escalation: EscalationChange | None = None


async def update(  # noqa: PLR0913 - one parameter for each attribute
    session: Session,
    actor: Actor,
    ref: TeamRef,
    *,
    name: str | None = None,
    metadata: Any = None,
    substitutes: SubstituteChanges | None = None,
    expected_row_version: int | None = None,
) -> Team:
    """Update a team; arguments that are None leave it unchanged."""
    team = await teams.get(session, ref)
    authorize(actor, Action.UPDATE_TEAM, team.id)
    values: dict[str, Any] = {}
    if name is not None and (clean_name := validation.clean_team_name(name)) != team.name:
        if teams.key(clean_name) != team.name_key:
            await _require_free(session, clean_name)
        values |= {"name": clean_name, "name_key": teams.key(clean_name)}
    if metadata is not None and (document := validation.clean_metadata(metadata)) != team.meta:
        values["meta"] = document
    values |= await _resolve_substitutes(session, team, substitutes or SubstituteChanges())
    require_row_version(team.row_version, expected_row_version, "team")
    if not values:
        return team
    if not await session.update_unchanged(Team, team, **values):
        raise Stale("Somebody changed this team at this moment. Read it again, then repeat your change.")
    event = TeamUpdated(
        audience_team_ids=frozenset({team.id}),
        team_id=team.id,
        changed=list_changed(values),
        changes=describe_changes(team, values),
    )
    session.record(event)
    return await teams.get(session, TeamRef(id=team.id))


async def _resolve_substitutes(session: Session, team: Team, changes: SubstituteChanges) -> dict[str, Any]:
    """Return the columns of the teams that may answer for a team, as far as they change."""
    values: dict[str, Any] = {}
    if changes.delegate is not None:
        delegation = await _resolve_delegation(session, team, changes.delegate)
        values |= {"delegate_team_id": delegation.delegate, "delegate_until": delegation.until}
    if changes.escalation is not None:
        escalation = await _find_substitute(session, team, changes.escalation.team, "escalationTeam")
        values["escalation_team_id"] = escalation.id if escalation else None
    return {name: value for name, value in values.items() if value != getattr(team, name)}


async def _resolve_delegation(session: Session, team: Team, change: DelegateChange) -> Delegation:
    delegate = await _find_substitute(session, team, change.team, "delegate")
    if delegate is None or change.until is None:
        return Delegation()
    require_delegation_end(change.until, session.now)
    return Delegation(delegate.id, change.until)


async def _find_substitute(session: Session, team: Team, ref: TeamRef | None, field: str) -> Team | None:
    if ref is None:
        return None
    substitute = await teams.get(session, ref, field=(field,))
    if substitute.id == team.id:
        raise Invalid(f"{team.name} can't answer in its own place. Name another team.", field=(field,))
    return substitute


async def require_owning_team(
    session: Session, actor: Actor, action: Action, asset: Asset, action_text: str, team: TeamRef | None = None
) -> UUID:
    """Authorize the actor as the team that owns the asset and return its id; a request may name the `team`.

    A project's key acts as the owner if that is an owner of the project, and only on assets in its schemas.
    """
    requested_team = await teams.get(session, team) if team else None
    owner = (await teams.by_ids(session, [asset.owner_team_id]))[0]
    if requested_team is not None:
        authorize(actor, action, requested_team.id)
        if requested_team.id != owner.id:
            raise not_owner_error(action_text, owner.name)
    require_owner(actor, action, owner.id, action_text=action_text, owner_name=owner.name)
    require_schema(actor, asset.fqn)
    return owner.id


async def resolve_acting_team(
    session: Session, actor: Actor, action: Action, team: TeamRef | None, *, field: tuple[str, ...] = ("team",)
) -> UUID:
    """Return the team that the call is made for: the requested `team`, else the key's own or its project's owner.

    Raises Conflict for an archived team.
    """
    requested_team = await teams.get(session, team, field=field) if team else None
    acting = acting_team(actor, action, requested_team.id if requested_team else None)
    if requested_team is not None:
        require_live_team(requested_team, field=field)
    return acting


def require_row_version(current: int, expected: int | None, noun: str) -> None:
    """Raise Stale if the caller has read an older row version."""
    if expected is not None and expected != current:
        raise Stale(
            f"This {noun} has rowVersion {current}, not {expected}: somebody changed it. Read it again, then decide.",
            field=("expectedRowVersion",),
        )


async def _require_free(session: Session, name: str) -> None:
    if duplicates := await teams.by_names(session, [name]):
        is_archived = duplicates[0].archived_at is not None
        advice = "It is archived: restore it with unarchiveTeam" if is_archived else "Use it"
        raise Conflict(
            f"A team named {duplicates[0].name} exists already (names ignore case). {advice}, or choose another name.",
            field=("name",),
        )
