"""Authorization: one table gives the scope that each action needs; an action without a row is denied to all callers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from tessera_gql.errors import Forbidden


class Scope(StrEnum):
    """The scope of an API key; each scope includes those before it."""

    READ = "READ"
    WRITE = "WRITE"
    ADMIN = "ADMIN"

    @property
    def rank(self) -> int:
        return list(Scope).index(self)


@dataclass(frozen=True)
class Actor:
    """The authenticated caller: a name for the event log, its team (None: an administrator of no team) and its scopes.

    The ids are plain UUIDs, never the subclass that a database driver makes, because an actor is serialized as JSON.
    """

    name: str
    team_id: UUID | None = None
    scopes: frozenset[Scope] = field(default_factory=lambda: frozenset({Scope.READ}))
    key_id: UUID | None = None

    def __post_init__(self) -> None:
        for name in ("team_id", "key_id"):
            identifier: UUID | None = getattr(self, name)
            if identifier is not None and type(identifier) is not UUID:
                object.__setattr__(self, name, UUID(int=identifier.int))

    @property
    def is_admin(self) -> bool:
        return Scope.ADMIN in self.scopes

    @property
    def account(self) -> str:
        """An identifier that differs between callers of the same name."""
        return str(self.key_id) if self.key_id else self.name

    def may(self, scope: Scope) -> bool:
        return any(granted.rank >= scope.rank for granted in self.scopes)


# The caller of a server without keys, as in development: everything is allowed.
OPEN_ACTOR = Actor("open", scopes=frozenset(Scope))


class Verb(StrEnum):
    """An action that can be authorized; its value completes the sentence "this key may not …"."""

    READ = "read"
    READ_KEYS = "see API keys"
    READ_WEBHOOKS = "see webhooks"
    CREATE_TEAM = "create teams"
    UPDATE_TEAM = "update a team"
    CREATE_ASSET = "create assets"
    UPDATE_ASSET = "update assets"
    ADD_DEPENDENCY = "add dependencies"
    REMOVE_DEPENDENCY = "remove dependencies"
    PUBLISH_CONTRACT = "publish contracts"
    FORCE_CONTRACT = "publish by force"
    RETIRE_CONTRACT = "retire contracts"
    REGISTER = "register consumers"
    UPDATE_REGISTRATION = "update registrations"
    UNREGISTER = "unregister consumers"
    ACKNOWLEDGE_PROPOSAL = "answer proposals"
    WITHDRAW_PROPOSAL = "withdraw proposals"
    PUBLISH_PROPOSAL = "publish proposals"
    SYNC_DBT_MANIFEST = "sync a manifest"
    PUSH_TO_GIT = "push to git"
    PULL_FROM_GIT = "pull from git"
    CREATE_API_KEY = "create API keys"
    REVOKE_API_KEY = "revoke API keys"
    CREATE_WEBHOOK = "create webhooks"
    UPDATE_WEBHOOK = "update webhooks"
    DELETE_WEBHOOK = "delete webhooks"
    REDELIVER_WEBHOOK = "redeliver webhooks"
    TEST_WEBHOOK = "test webhooks"


@dataclass(frozen=True)
class Right:
    """The scope that an action needs on the key's own team, and on another team or no team."""

    own: Scope
    other: Scope


EVERYBODY = Right(own=Scope.READ, other=Scope.READ)
OWNERS = Right(own=Scope.WRITE, other=Scope.ADMIN)
ADMINISTRATORS = Right(own=Scope.ADMIN, other=Scope.ADMIN)

RIGHTS: Mapping[Verb, Right] = {
    Verb.READ: EVERYBODY,
    Verb.READ_KEYS: OWNERS,
    Verb.READ_WEBHOOKS: OWNERS,
    Verb.CREATE_TEAM: ADMINISTRATORS,
    Verb.UPDATE_TEAM: OWNERS,
    Verb.CREATE_ASSET: OWNERS,
    Verb.UPDATE_ASSET: OWNERS,
    Verb.ADD_DEPENDENCY: OWNERS,  # of the dependent asset
    Verb.REMOVE_DEPENDENCY: OWNERS,
    Verb.PUBLISH_CONTRACT: OWNERS,
    Verb.FORCE_CONTRACT: ADMINISTRATORS,
    Verb.RETIRE_CONTRACT: OWNERS,
    Verb.REGISTER: OWNERS,  # the consumer team
    Verb.UPDATE_REGISTRATION: OWNERS,
    Verb.UNREGISTER: OWNERS,
    Verb.ACKNOWLEDGE_PROPOSAL: OWNERS,  # the asked team
    Verb.WITHDRAW_PROPOSAL: OWNERS,
    Verb.PUBLISH_PROPOSAL: OWNERS,
    Verb.SYNC_DBT_MANIFEST: OWNERS,  # table by table: those of other teams are skipped
    Verb.PUSH_TO_GIT: ADMINISTRATORS,
    Verb.PULL_FROM_GIT: ADMINISTRATORS,
    Verb.CREATE_API_KEY: OWNERS,  # with its own scopes at most
    Verb.REVOKE_API_KEY: OWNERS,
    Verb.CREATE_WEBHOOK: OWNERS,
    Verb.UPDATE_WEBHOOK: OWNERS,
    Verb.DELETE_WEBHOOK: OWNERS,
    Verb.REDELIVER_WEBHOOK: OWNERS,
    Verb.TEST_WEBHOOK: OWNERS,
}


def allows(actor: Actor, verb: Verb, team: UUID | None) -> bool:
    """Whether the actor may do this to what belongs to that team (None: to no team)."""
    right = RIGHTS[verb]
    own = team is not None and team == actor.team_id
    return actor.may(right.own if own else right.other)


def permit(actor: Actor, verb: Verb, team: UUID | None) -> None:
    """Authorize an action. Raises Forbidden with the action that was tried and the key that it needs."""
    if allows(actor, verb, team):
        return
    require_scope(actor, verb)
    raise Forbidden("A key acts for its own team only. Use a key of that team.", field=("team",))


def require_scope(actor: Actor, verb: Verb) -> None:
    """Raise Forbidden for a caller who may do this to no team at all.

    Call it before private rows are looked up: the error must not depend on whether they exist.
    """
    if not actor.may(needed := RIGHTS[verb].own):
        raise Forbidden(f"This key may not {verb}: it lacks the scope {needed}. Use a key that has it.")


def acting_team(actor: Actor, verb: Verb, requested_team: UUID | None) -> UUID:
    """The team that the call is made for: the requested team, else the key's own. Raises Forbidden."""
    team = requested_team or actor.team_id
    permit(actor, verb, team)
    if team is None:
        raise Forbidden("This key belongs to no team, so say which team acts.", field=("team",))
    return team


def require_owner(actor: Actor, verb: Verb, owner: UUID, *, what: str, owner_name: str) -> None:
    """Authorize like `permit`; to a key of another team the error names the owning team."""
    if actor.may(RIGHTS[verb].own) and not allows(actor, verb, owner):
        raise not_the_owner(what, owner_name)
    permit(actor, verb, owner)


def not_the_owner(what: str, owner_name: str) -> Forbidden:
    return Forbidden(f"Only the owning team, {owner_name}, may {what}. Ask them, or act as that team.")
