"""Queries of teams by id and name."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from tessera_gql.errors import Invalid, NotFound
from tessera_gql.policy import validation
from tessera_gql.policy.delegation import Delegation
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import Team, table

TABLE = table(Team)
by_ids = RowQuery(Team, "id")
by_name_keys = RowQuery(Team, "name_key")


@dataclass(frozen=True)
class TeamRef:
    """A reference to a team by exactly one of its id and its name."""

    id: UUID | None = None
    name: str | None = None

    def __str__(self) -> str:
        return self.name or (encode_global_id("Team", self.id) if self.id else "")


def key(name: str) -> str:
    """Fold a team's name to the key that is unique."""
    return validation.uniqueness_key(name)


async def by_names(session: Session, names: Sequence[str]) -> list[Team]:
    """Load the teams with these names, ignoring case."""
    return await by_name_keys(session, [key(name) for name in names])


async def list_all(session: Session) -> list[Team]:
    """Load all teams, in any order."""
    return await session.list(select(TABLE), Team)


async def find(session: Session, ref: TeamRef) -> Team | None:
    """Find the team that is referred to; raise Invalid unless the reference has exactly one part."""
    if (ref.id is None) == (ref.name is None):
        raise Invalid("Name a team by its id or by its name, one of the two.", field=("team",))
    return await (by_ids.find(session, ref.id) if ref.id else by_name_keys.find(session, key(ref.name or "")))


async def get(session: Session, ref: TeamRef, *, field: tuple[str, ...] = ("team",)) -> Team:
    """Return the team that is referred to; raise NotFound for the input `field` if there is none."""
    team = await find(session, ref)
    if team is None:
        raise NotFound(
            f"There is no team {ref}. Create it with createTeam, or look it up with teams(filter:).", field=field
        )
    return team


async def load_delegations(session: Session, team_ids: Sequence[UUID]) -> dict[UUID, Delegation]:
    """Load the delegations of teams by the team, those that have ended included."""
    return {team.id: to_delegation(team) for team in await by_ids(session, team_ids)}


def to_delegation(team: Team) -> Delegation:
    """Convert a row to the value that `policy.delegation` takes."""
    return Delegation(team.delegate_team_id, team.delegate_until)


async def lock(session: Session, ref: TeamRef, *, field: tuple[str, ...] = ("team",)) -> Team:
    """Lock a team until the commit and return it. Writes of rows that refer to the team wait here as well."""
    team = await get(session, ref, field=field)
    locked = await session.find(select(TABLE).where(TABLE.c.id == team.id).with_for_update(), Team)
    return locked or team


async def join_names(session: Session, team_ids: Sequence[UUID]) -> str:
    """Join the names of the teams for a message, in alphabetical order."""
    return ", ".join(sorted(team.name for team in await by_ids(session, team_ids)))
