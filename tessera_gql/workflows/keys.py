"""API keys are made and revoked. The token leaves here once, in `Minted`, and is kept nowhere."""

import secrets
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tessera_gql.errors import Conflict, Forbidden, Invalid, NotFound
from tessera_gql.policy.access import OPEN_ACTOR, Actor, Scope, Verb, permit, require_scope
from tessera_gql.policy.events import ApiKeyCreated, ApiKeyRevoked
from tessera_gql.policy.visibility import KEY_MARK, PREFIX_LENGTH, view_of
from tessera_gql.store import keys, teams
from tessera_gql.store.session import Session
from tessera_gql.store.tables import ApiKey, new_id
from tessera_gql.store.teams import TeamRef

MAX_NAME = 100


@dataclass(frozen=True)
class NewKey:
    """What is asked for. Without a team it is the caller's own; an administrator's call makes a key of no team."""

    name: str
    scopes: Collection[Scope] = (Scope.READ,)
    team: TeamRef | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Minted:
    """`token` is not shown by accident: it is left out of the representation."""

    key: ApiKey
    token: str = field(repr=False)


async def create(session: Session, actor: Actor, asked: NewKey) -> Minted:
    """A key never has more rights than the one that makes it."""
    named = await teams.get(session, asked.team) if asked.team else None
    team_id = named.id if named else None if actor.is_admin else actor.team_id
    permit(actor, Verb.CREATE_API_KEY, team_id)
    name, scopes = _name(asked.name), _scopes(asked.scopes)
    if excess := [scope for scope in scopes if not actor.may(scope)]:
        raise Forbidden(f"A key can't give the right {excess[0]}, which it lacks. Ask for less.", field=("scopes",))
    if team_id is None and Scope.ADMIN not in scopes:
        raise Invalid("Only an ADMIN key belongs to no team. Give `team`, or the scope ADMIN.", field=("team",))
    if asked.expires_at is not None and asked.expires_at <= session.now:
        raise Invalid("`expiresAt` has passed already. Give a later moment, or leave it out.", field=("expires_at",))
    return await _insert(session, name, team_id, scopes, asked.expires_at)


async def _insert(
    session: Session, name: str, team_id: UUID | None, scopes: list[Scope], expires_at: datetime | None
) -> Minted:
    token = KEY_MARK + secrets.token_urlsafe(32)
    key = ApiKey(
        id=new_id(),
        name=name,
        prefix=token[:PREFIX_LENGTH],
        token_hash=keys.digest(token),
        team_id=team_id,
        scopes=[scope.value for scope in scopes],
        created_by=session.actor,
        expires_at=expires_at,
        created_at=session.now,
    )
    await session.insert(key)
    session.record(
        ApiKeyCreated(
            teams=frozenset({team_id} if team_id else ()),
            api_key_id=key.id,
            name=name,
            key_team_id=team_id,
            scopes=tuple(key.scopes),
            expires_at=expires_at,
        )
    )
    return Minted(key, token)


async def revoke(session: Session, actor: Actor, identity: UUID) -> ApiKey:
    """For good. A key that is revoked already stays as it is: repeating the call has the desired outcome.

    Raises NotFound for a key of another team, as for one that does not exist.
    """
    require_scope(actor, Verb.REVOKE_API_KEY)
    key = await keys.get(session, identity, view_of(actor))
    permit(actor, Verb.REVOKE_API_KEY, key.team_id)
    if stronger := [scope for scope in key.scopes if not actor.may(Scope(scope))]:
        raise Forbidden(f"This key has the right {stronger[0]}, which yours lacks. Ask an administrator to revoke it.")
    unrevoked = (keys.rows.c.id == key.id) & keys.rows.c.revoked_at.is_(None)
    if await session.update(ApiKey, unrevoked, revoked_at=session.now):
        concerned = frozenset({key.team_id} if key.team_id else ())
        session.record(ApiKeyRevoked(teams=concerned, api_key_id=key.id, name=key.name))
    return await keys.get(session, identity, view_of(actor))


async def by_prefix(session: Session, prefix: str) -> ApiKey:
    """The key whose token begins so."""
    found = await keys.by_prefix(session, prefix)
    match found:
        case [key]:
            return key
        case []:
            raise NotFound(f"No key that is still good begins with {prefix}. List them with `tessera keys list`.")
        case _:
            ids = ", ".join(str(one.id) for one in found)
            raise Conflict(f"{len(found)} keys begin with {prefix}. Name one of them by its id: {ids}.")


async def bootstrap(session: Session) -> Minted | None:
    """The first key of a server that has none: an administrator's. None if there is any key, even a revoked one."""
    if await keys.any_exists(session):
        return None
    return await create(session, OPEN_ACTOR, NewKey("first administrator", scopes=(Scope.ADMIN,)))


def _name(text: str) -> str:
    name = unicodedata.normalize("NFC", text).strip()
    if not 0 < len(name) <= MAX_NAME or any(unicodedata.category(char).startswith("C") for char in name):
        raise Invalid(f"A key's name has 1 to {MAX_NAME} visible characters, for example ci-orders.", field=("name",))
    return name


def _scopes(wanted: Collection[Scope]) -> list[Scope]:
    """Each includes those before it, so that a reader of the list sees all that the key may do."""
    if not wanted:
        raise Invalid("A key needs a scope: READ, WRITE or ADMIN.", field=("scopes",))
    highest = max(scope.rank for scope in wanted)
    return [scope for scope in Scope if scope.rank <= highest]
