"""Create and revoke API keys of teams, projects, usage sources and administrators.

A token is returned once, in `CreatedKey`, and never stored.
"""

import secrets
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tessera_gql.errors import Conflict, Forbidden, Invalid, NotFound
from tessera_gql.policy.access import (
    ADMIN_SCOPES,
    ANONYMOUS,
    Action,
    Actor,
    Scope,
    authorize,
    is_allowed,
    require_scope,
)
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.policy.private_events import ApiKeyCreated, ApiKeyRevoked
from tessera_gql.policy.visibility import API_KEY_MARKER, KEY_PREFIX_LENGTH, visibility_of
from tessera_gql.store import keys, projects, teams, usage
from tessera_gql.store.projects import ProjectRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import ApiKey, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.store.usage import UsageSourceRef
from tessera_gql.workflows.archiving import require_live_teams

MAX_NAME = 100


@dataclass(frozen=True)
class KeyRequest:
    """A request for a key of a team, or of a project or a usage source, which only an administrator may make.

    Without these the key gets the caller's team; an administrator's request gets no team. A key of a usage source has
    the scopes READ and EVIDENCE.
    """

    name: str
    scopes: Collection[Scope] = (Scope.READ,)
    team: TeamRef | None = None
    expires_at: datetime | None = None
    project: ProjectRef | None = None
    usage_source: UsageSourceRef | None = None


@dataclass(frozen=True)
class _Holder:
    """To whom a key belongs: a team, a project, a usage source, or none of them.

    The teams are those that may see and revoke it.
    """

    team_id: UUID | None = None
    project_id: UUID | None = None
    usage_source_id: UUID | None = None
    team_ids: frozenset[UUID] = frozenset()


@dataclass(frozen=True)
class CreatedKey:
    """A new key and its token, which is excluded from `repr`, so that it is not logged by accident."""

    key: ApiKey
    token: str = field(repr=False)


async def create(session: Session, actor: Actor, request: KeyRequest) -> CreatedKey:
    """Create a key. It can't have more rights than the key that creates it."""
    holder = await _find_holder(session, actor, request)
    name, scopes = _clean_name(request.name), _expand_scopes(request.scopes, holder)
    if excess := [scope for scope in scopes if not actor.may_grant(scope)]:
        raise Forbidden(f"A key can't give the right {excess[0]}, which it lacks. Ask for less.", field=("scopes",))
    _require_holder(holder, scopes)
    if request.expires_at is not None and request.expires_at <= session.now:
        raise Invalid("`expiresAt` has passed already. Give a later moment, or leave it out.", field=("expires_at",))
    return await _insert(session, name, holder, scopes, request.expires_at)


def _require_holder(holder: _Holder, scopes: Collection[Scope]) -> None:
    """Raise Invalid for scopes that a key of this holder can't have."""
    if holder.usage_source_id is not None:
        return
    if not holder.team_ids and Scope.ADMIN not in scopes:
        raise Invalid("Only an ADMIN key belongs to no team. Give `team`, or the scope ADMIN.", field=("team",))
    if holder.project_id is not None and Scope.ADMIN in scopes:
        raise Invalid("The key of a project can't be an ADMIN key. Give it the scope WRITE.", field=("scopes",))


async def _find_holder(session: Session, actor: Actor, request: KeyRequest) -> _Holder:
    """Find to whom the new key belongs, and authorize the actor to create it."""
    if request.usage_source is not None:
        return await _find_usage_source(session, actor, request, request.usage_source)
    if request.project is not None:
        if request.team is not None:
            raise Invalid("A key belongs to a team or to a project. Give one of the two.", field=("project",))
        require_scope(actor, Action.CREATE_API_KEY)
        if not is_allowed(actor, Action.CREATE_API_KEY, None):
            message = "The key of a project writes for all of its owners, so only an administrator creates it. Ask one."
            raise Forbidden(message, field=("project",))
        project = await projects.get(session, request.project)
        return _Holder(project_id=project.id, team_ids=(await projects.load_scope(session, project)).owner_ids)
    requested_team = await teams.get(session, request.team) if request.team else None
    team_id = requested_team.id if requested_team else None if actor.is_admin else actor.team_id
    authorize(actor, Action.CREATE_API_KEY, team_id)
    return _holder_of_team(team_id)


async def _find_usage_source(session: Session, actor: Actor, request: KeyRequest, ref: UsageSourceRef) -> _Holder:
    if request.team is not None or request.project is not None:
        raise Invalid(
            "The key of a usage source belongs to no team and no project, which it could testify for. Leave them out.",
            field=("usage_source",),
        )
    require_scope(actor, Action.CREATE_API_KEY)
    if not actor.is_admin:
        message = "No team testifies for itself, so only an administrator creates the key of a usage source. Ask one."
        raise Forbidden(message, field=("usage_source",))
    return _Holder(usage_source_id=(await usage.get_source(session, ref, field=("usage_source",))).id)


def _holder_of_team(team_id: UUID | None) -> _Holder:
    return _Holder(team_id, team_ids=frozenset({team_id} if team_id else ()))


async def _load_holder(session: Session, key: ApiKey) -> _Holder:
    if key.usage_source_id is not None:
        return _Holder(usage_source_id=key.usage_source_id)
    if key.project_id is None:
        return _holder_of_team(key.team_id)
    owners = await projects.list_owners(session, [key.project_id])
    return _Holder(project_id=key.project_id, team_ids=frozenset(row.team_id for row in owners))


async def _insert(
    session: Session, name: str, holder: _Holder, scopes: list[Scope], expires_at: datetime | None
) -> CreatedKey:
    token = API_KEY_MARKER + secrets.token_urlsafe(32)
    key = ApiKey(
        id=new_id(),
        name=name,
        prefix=token[:KEY_PREFIX_LENGTH],
        token_hash=keys.hash_token(token),
        team_id=holder.team_id,
        project_id=holder.project_id,
        usage_source_id=holder.usage_source_id,
        scopes=[scope.value for scope in scopes],
        created_by=session.actor,
        expires_at=expires_at,
        created_at=session.now,
    )
    await session.insert(key)
    if holder.team_id is not None:
        await require_live_teams(session, holder.team_id)
    event = ApiKeyCreated(
        audience_team_ids=holder.team_ids,
        api_key_id=key.id,
        name=name,
        key_team_id=holder.team_id,
        project_id=holder.project_id,
        usage_source_id=holder.usage_source_id,
        scopes=tuple(key.scopes),
        expires_at=expires_at,
    )
    session.record(event)
    return CreatedKey(key, token)


async def revoke(session: Session, actor: Actor, key_id: UUID) -> ApiKey:
    """Revoke a key for good; a revoked key stays as it is, so that the call can be repeated.

    An owner of a project revokes the project's keys. Raises NotFound for a key of another team, as for one that does
    not exist.
    """
    require_scope(actor, Action.REVOKE_API_KEY)
    key = await keys.get(session, key_id, visibility_of(actor))
    holder = await _load_holder(session, key)
    authorize(actor, Action.REVOKE_API_KEY, actor.team_id if actor.team_id in holder.team_ids else key.team_id)
    if stronger := [scope for scope in key.scopes if not actor.may_grant(Scope(scope))]:
        raise Forbidden(f"This key has the right {stronger[0]}, which yours lacks. Ask an administrator to revoke it.")
    if await keys.revoke(session, key.id):
        session.record(ApiKeyRevoked(audience_team_ids=holder.team_ids, api_key_id=key.id, name=key.name))
    return await keys.get(session, key_id, visibility_of(actor))


async def get_by_prefix(session: Session, prefix: str) -> ApiKey:
    """The valid key whose token begins with the prefix; raises NotFound, or Conflict if there are several."""
    matches = await keys.list_by_prefix(session, prefix)
    match matches:
        case [key]:
            return key
        case []:
            raise NotFound(f"No key that is still good begins with {prefix}. List them with `tessera keys list`.")
        case _:
            ids = ", ".join(encode_global_id("ApiKey", key.id) for key in matches)
            raise Conflict(f"{len(matches)} keys begin with {prefix}. Name one of them by its id: {ids}.")


async def create_first_key(session: Session) -> CreatedKey | None:
    """Create an administrator's key if the database has no key, not even a revoked one."""
    if await keys.any_exists(session):
        return None
    return await create(session, ANONYMOUS, KeyRequest("first administrator", scopes=(Scope.ADMIN,)))


def _clean_name(text: str) -> str:
    name = unicodedata.normalize("NFC", text).strip()
    if not 0 < len(name) <= MAX_NAME or any(unicodedata.category(char).startswith("C") for char in name):
        raise Invalid(f"A key's name has 1 to {MAX_NAME} visible characters, for example ci-orders.", field=("name",))
    return name


def _expand_scopes(scopes: Collection[Scope], holder: _Holder) -> list[Scope]:
    """Add the scopes that the highest one includes, so that the stored list is complete."""
    if not scopes:
        raise Invalid("A key needs a scope: READ, WRITE or ADMIN.", field=("scopes",))
    if holder.usage_source_id is not None:
        if excess := [scope for scope in scopes if scope not in (Scope.READ, Scope.EVIDENCE)]:
            raise Invalid(
                f"The key of a usage source has the scope EVIDENCE and can't have {excess[0]}. Leave `scopes` out.",
                field=("scopes",),
            )
        return [Scope.READ, Scope.EVIDENCE]
    if Scope.EVIDENCE in scopes:
        raise Invalid(
            "The scope EVIDENCE belongs to the key of a usage source, because no team testifies for itself. Give"
            " `usageSource`, or leave the scope out.",
            field=("scopes",),
        )
    return [scope for scope in ADMIN_SCOPES if any(requested.includes(scope) for requested in scopes)]
