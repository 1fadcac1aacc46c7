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

    def has_scope(self, scope: Scope) -> bool:
        return any(granted.rank >= scope.rank for granted in self.scopes)


# The caller of a server without keys, as in development: everything is allowed.
ANONYMOUS = Actor("open", scopes=frozenset(Scope))


class Action(StrEnum):
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
    ACKNOWLEDGE_DEBT = "acknowledge debts"
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
class ScopeRule:
    """The scope that an action needs on the key's own team, and on another team or no team."""

    own_team: Scope
    other_team: Scope


ANY_READER = ScopeRule(own_team=Scope.READ, other_team=Scope.READ)
OWNER_OR_ADMIN = ScopeRule(own_team=Scope.WRITE, other_team=Scope.ADMIN)
ADMIN_ONLY = ScopeRule(own_team=Scope.ADMIN, other_team=Scope.ADMIN)

ACTION_SCOPES: Mapping[Action, ScopeRule] = {
    Action.READ: ANY_READER,
    Action.READ_KEYS: OWNER_OR_ADMIN,
    Action.READ_WEBHOOKS: OWNER_OR_ADMIN,
    Action.CREATE_TEAM: ADMIN_ONLY,
    Action.UPDATE_TEAM: OWNER_OR_ADMIN,
    Action.CREATE_ASSET: OWNER_OR_ADMIN,
    Action.UPDATE_ASSET: OWNER_OR_ADMIN,
    Action.ADD_DEPENDENCY: OWNER_OR_ADMIN,  # of the dependent asset
    Action.REMOVE_DEPENDENCY: OWNER_OR_ADMIN,
    Action.PUBLISH_CONTRACT: OWNER_OR_ADMIN,
    Action.FORCE_CONTRACT: ADMIN_ONLY,
    Action.RETIRE_CONTRACT: OWNER_OR_ADMIN,
    Action.REGISTER: OWNER_OR_ADMIN,  # the consumer team
    Action.UPDATE_REGISTRATION: OWNER_OR_ADMIN,
    Action.UNREGISTER: OWNER_OR_ADMIN,
    Action.ACKNOWLEDGE_PROPOSAL: OWNER_OR_ADMIN,  # the asked team
    Action.ACKNOWLEDGE_DEBT: OWNER_OR_ADMIN,  # the team that was not asked
    Action.WITHDRAW_PROPOSAL: OWNER_OR_ADMIN,
    Action.PUBLISH_PROPOSAL: OWNER_OR_ADMIN,
    Action.SYNC_DBT_MANIFEST: OWNER_OR_ADMIN,  # table by table: those of other teams are skipped
    Action.PUSH_TO_GIT: ADMIN_ONLY,
    Action.PULL_FROM_GIT: ADMIN_ONLY,
    Action.CREATE_API_KEY: OWNER_OR_ADMIN,  # with its own scopes at most
    Action.REVOKE_API_KEY: OWNER_OR_ADMIN,
    Action.CREATE_WEBHOOK: OWNER_OR_ADMIN,
    Action.UPDATE_WEBHOOK: OWNER_OR_ADMIN,
    Action.DELETE_WEBHOOK: OWNER_OR_ADMIN,
    Action.REDELIVER_WEBHOOK: OWNER_OR_ADMIN,
    Action.TEST_WEBHOOK: OWNER_OR_ADMIN,
}


def is_allowed(actor: Actor, action: Action, team: UUID | None) -> bool:
    """Whether the actor may do this to what belongs to that team (None: to no team)."""
    rule = ACTION_SCOPES[action]
    own = team is not None and team == actor.team_id
    return actor.has_scope(rule.own_team if own else rule.other_team)


def authorize(actor: Actor, action: Action, team: UUID | None) -> None:
    """Authorize an action. Raises Forbidden with the action that was tried and the key that it needs."""
    if is_allowed(actor, action, team):
        return
    require_scope(actor, action)
    raise Forbidden("A key acts for its own team only. Use a key of that team.", field=("team",))


def require_scope(actor: Actor, action: Action) -> None:
    """Raise Forbidden for a caller who may do this to no team at all.

    Call it before private rows are looked up: the error must not depend on whether they exist.
    """
    if not actor.has_scope(needed := ACTION_SCOPES[action].own_team):
        raise Forbidden(f"This key may not {action}: it lacks the scope {needed}. Use a key that has it.")


def acting_team(actor: Actor, action: Action, requested_team: UUID | None) -> UUID:
    """The team that the call is made for: the requested team, else the key's own. Raises Forbidden."""
    team = requested_team or actor.team_id
    authorize(actor, action, team)
    if team is None:
        raise Forbidden("This key belongs to no team, so say which team acts.", field=("team",))
    return team


def require_owner(actor: Actor, action: Action, owner: UUID, *, action_text: str, owner_name: str) -> None:
    """Authorize the owning team; to a key of another team the error names the owner."""
    if actor.has_scope(ACTION_SCOPES[action].own_team) and not is_allowed(actor, action, owner):
        raise not_owner_error(action_text, owner_name)
    authorize(actor, action, owner)


def not_owner_error(action_text: str, owner_name: str) -> Forbidden:
    return Forbidden(f"Only the owning team, {owner_name}, may {action_text}. Ask them, or act as that team.")
