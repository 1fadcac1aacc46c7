"""Who may do what. A key acts for its own team only; ADMIN acts for any."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from tessera_gql.errors import Forbidden


class Scope(StrEnum):
    READ = "READ"
    WRITE = "WRITE"
    ADMIN = "ADMIN"


@dataclass(frozen=True)
class Actor:
    """Who calls: a name for the log, the team it belongs to (None for an administrator of no team), and its scopes."""

    name: str
    team_id: UUID | None = None
    scopes: frozenset[Scope] = field(default_factory=lambda: frozenset({Scope.READ}))

    @property
    def is_admin(self) -> bool:
        return Scope.ADMIN in self.scopes

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or self.is_admin


# Without keys, on the machine of a developer: everything is allowed and the log says so.
OPEN_ACTOR = Actor("open", scopes=frozenset(Scope))


def require(actor: Actor, scope: Scope, what: str) -> None:
    """`what` completes "… may …": the refusal tells what was tried."""
    if not actor.may(scope):
        raise Forbidden(f"This key may not {what}: it lacks the scope {scope}. Use a key that has it.")


def acting_team(actor: Actor, named: UUID | None, *, default: UUID | None = None) -> UUID:
    """The team the call is made for: the one named, else the key's own, else (for an administrator) `default`."""
    require(actor, Scope.WRITE, "change anything")
    team = named or actor.team_id or (default if actor.is_admin else None)
    if team is None:
        raise Forbidden("This key belongs to no team, so say which team acts.", field=("team",))
    if team != actor.team_id and not actor.is_admin:
        raise Forbidden("A key acts for its own team only. Use a key of that team.", field=("team",))
    return team


def require_owner(team: UUID, owner: UUID, *, what: str, owner_name: str) -> None:
    """Only the owning team goes on; the refusal names it."""
    if team != owner:
        raise Forbidden(f"Only the owning team, {owner_name}, may {what}. Ask them, or act as that team.")
