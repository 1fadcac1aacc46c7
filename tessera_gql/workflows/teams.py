"""Teams come to be and change their names."""

from typing import Any

from tessera_gql.errors import Conflict, Stale
from tessera_gql.policy import naming
from tessera_gql.policy.access import Actor, Verb, permit
from tessera_gql.policy.events import TeamCreated, TeamUpdated
from tessera_gql.store import teams
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Team, new_id
from tessera_gql.store.teams import TeamRef


async def create(session: Session, actor: Actor, *, name: str, metadata: Any = None) -> Team:
    """Raises Conflict for a name that exists in any case."""
    permit(actor, Verb.CREATE_TEAM, None)
    chosen = naming.team_name(name)
    await _require_free(session, chosen)
    team = Team(
        id=new_id(),
        name=chosen,
        name_key=teams.key(chosen),
        meta=naming.metadata(metadata),
        row_version=1,
        created_at=session.now,
    )
    await session.insert(team, clash=f"A team named {chosen} was created at this moment.")
    session.record(TeamCreated(teams=frozenset({team.id}), team_id=team.id, name=chosen))
    return team


async def update(
    session: Session,
    actor: Actor,
    ref: TeamRef,
    *,
    name: str | None = None,
    metadata: Any = None,
    expected_row_version: int | None = None,
) -> Team:
    """What is None stays as it is."""
    team = await teams.get(session, ref)
    permit(actor, Verb.UPDATE_TEAM, team.id)
    values: dict[str, Any] = {}
    if name is not None and (chosen := naming.team_name(name)) != team.name:
        if teams.key(chosen) != team.name_key:
            await _require_free(session, chosen)
        values |= {"name": chosen, "name_key": teams.key(chosen)}
    if metadata is not None and (given := naming.metadata(metadata)) != team.meta:
        values["meta"] = given
    expect(team.row_version, expected_row_version, "team")
    if not values:
        return team
    same = (teams.rows.c.id == team.id) & (teams.rows.c.row_version == team.row_version)
    if not await session.update(Team, same, **values, row_version=team.row_version + 1):
        raise Stale("Somebody changed this team at this moment. Read it again, then repeat your change.")
    changed = tuple(sorted({"metadata" if key == "meta" else key for key in values} - {"name_key"}))
    session.record(TeamUpdated(teams=frozenset({team.id}), team_id=team.id, changed=changed))
    return await teams.get(session, TeamRef(id=team.id))


def expect(current: int, expected: int | None, what: str) -> None:
    """Raises Stale when the caller has looked at an older version."""
    if expected is not None and expected != current:
        raise Stale(
            f"This {what} has rowVersion {current}, not {expected}: somebody changed it. Read it again, then decide.",
            field=("expectedRowVersion",),
        )


async def _require_free(session: Session, name: str) -> None:
    if taken := await teams.by_names(session, [name]):
        raise Conflict(
            f"A team named {taken[0].name} exists already (names ignore case). Use it, or choose another name.",
            field=("name",),
        )
