"""Authorization: one table gives the scope that each action needs; an action without a row is denied to all callers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from uuid import UUID

from tessera_gql.errors import Forbidden
from tessera_gql.policy.validation import uniqueness_key


class Scope(StrEnum):
    """The scope of an API key. READ, WRITE and ADMIN include those before them; EVIDENCE stands beside them.

    EVIDENCE imports observed reads for the usage source of its key. It includes no other scope, and none includes it.
    """

    READ = "READ"
    WRITE = "WRITE"
    ADMIN = "ADMIN"
    EVIDENCE = "EVIDENCE"

    def includes(self, scope: "Scope") -> bool:
        """Return whether a key with this scope also has the given one."""
        if Scope.EVIDENCE in (self, scope):
            return self is scope
        return ADMIN_SCOPES.index(self) >= ADMIN_SCOPES.index(scope)


ADMIN_SCOPES = (Scope.READ, Scope.WRITE, Scope.ADMIN)
"""The scopes of an administrator, each of which includes those before it."""


@dataclass(frozen=True)
class ProjectScope:
    """What a project's key may sync: the tables of the owners, in the schemas.

    `schemas` are patterns of `database.schema` in lower case, in which `*` stands for any characters of a part; an
    empty tuple permits every schema.
    """

    id: UUID
    name: str
    owner_ids: frozenset[UUID]
    schemas: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", _to_plain_uuid(self.id))
        object.__setattr__(self, "owner_ids", frozenset(map(_to_plain_uuid, self.owner_ids)))

    def covers_schema_of(self, fqn: str) -> bool:
        """Return whether the table of this fully qualified name is in one of the schemas."""
        schema = uniqueness_key(fqn).rpartition(".")[0]
        return not self.schemas or any(_matches(schema, pattern) for pattern in self.schemas)


def _matches(schema: str, pattern: str) -> bool:
    parts, patterns = schema.split("."), pattern.split(".")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _to_plain_uuid(identifier: UUID) -> UUID:
    """Convert the subclass that a database driver makes, which can't be serialized as JSON."""
    return identifier if type(identifier) is UUID else UUID(int=identifier.int)


@dataclass(frozen=True)
class Actor:
    """The authenticated caller: a name for the event log, its team, project or usage source, and its scopes.

    Without these it is an administrator of no team. A project's key never has the scope ADMIN. The ids are plain UUIDs,
    because an actor is serialized as JSON.
    """

    name: str
    team_id: UUID | None = None
    scopes: frozenset[Scope] = field(default_factory=lambda: frozenset({Scope.READ}))
    key_id: UUID | None = None
    project: ProjectScope | None = None
    usage_source_id: UUID | None = None

    def __post_init__(self) -> None:
        for name in ("team_id", "key_id", "usage_source_id"):
            if (identifier := getattr(self, name)) is not None:
                object.__setattr__(self, name, _to_plain_uuid(identifier))
        if self.project is not None:
            object.__setattr__(self, "scopes", self.scopes - {Scope.ADMIN})

    @property
    def is_admin(self) -> bool:
        return Scope.ADMIN in self.scopes

    @property
    def project_id(self) -> UUID | None:
        return self.project.id if self.project else None

    @property
    def team_ids(self) -> frozenset[UUID]:
        """The teams that the caller acts for: its own, or the owners of its project."""
        if self.project is not None:
            return self.project.owner_ids
        return frozenset({self.team_id} if self.team_id else ())

    @property
    def default_team_id(self) -> UUID | None:
        """The team of a call that names none; None if there is none, or if a project has several owners."""
        return next(iter(self.team_ids)) if len(self.team_ids) == 1 else None

    @property
    def account(self) -> str:
        """An identifier that differs between callers of the same name."""
        return str(self.key_id) if self.key_id else self.name

    def has_scope(self, scope: Scope) -> bool:
        return any(granted.includes(scope) for granted in self.scopes)

    def may_grant(self, scope: Scope) -> bool:
        """Return whether the caller may create and revoke keys with this scope."""
        return self.is_admin if scope is Scope.EVIDENCE else self.has_scope(scope)


# The caller of a server without keys, as in development: everything is allowed.
ANONYMOUS = Actor("open", scopes=frozenset(ADMIN_SCOPES))


class Action(StrEnum):
    """An action that can be authorized; its value completes the sentence "this key may not …"."""

    READ = "read"
    READ_KEYS = "see API keys"
    READ_WEBHOOKS = "see webhooks"
    CREATE_TEAM = "create teams"
    UPDATE_TEAM = "update a team"
    ARCHIVE_TEAM = "archive teams"
    UNARCHIVE_TEAM = "restore teams"
    CREATE_PROJECT = "create projects"
    UPDATE_PROJECT = "update projects"
    CREATE_ASSET = "create assets"
    UPDATE_ASSET = "update assets"
    TRANSFER_ASSET = "give assets to another team"
    RENAME_ASSET = "rename assets"
    ARCHIVE_ASSET = "archive assets"
    UNARCHIVE_ASSET = "restore assets"
    SET_ASSET_TIER = "set the tier of assets"
    SET_LABELS = "label assets"
    ADD_DEPENDENCY = "add dependencies"
    REMOVE_DEPENDENCY = "remove dependencies"
    PUBLISH_CONTRACT = "publish contracts"
    FORCE_CONTRACT = "publish by force"
    RETIRE_CONTRACT = "retire contracts"
    PROPOSE_RETIREMENT = "retire assets"
    DEPRECATE = "deprecate assets"
    END_DEPRECATION = "end deprecations"
    REGISTER = "register consumers"
    UPDATE_REGISTRATION = "update registrations"
    UNREGISTER = "unregister consumers"
    ACKNOWLEDGE_PROPOSAL = "answer proposals"
    ACKNOWLEDGE_CHANGE_SET = "answer change sets"
    ACKNOWLEDGE_DEBT = "acknowledge debts"
    WITHDRAW_PROPOSAL = "withdraw proposals"
    PUBLISH_PROPOSAL = "publish proposals"
    EXTEND_PROPOSAL = "extend proposals"
    SET_ASK_POLICY = "set policies of asks"
    COMMENT = "comment on proposals"
    WITHDRAW_CHANGE_SET = "withdraw change sets"
    PUBLISH_CHANGE_SET = "publish change sets"
    SYNC_DBT_MANIFEST = "sync a manifest"
    PUSH_TO_GIT = "push to git"
    PULL_FROM_GIT = "pull from git"
    CREATE_API_KEY = "create API keys"
    REVOKE_API_KEY = "revoke API keys"
    CREATE_USAGE_SOURCE = "create usage sources"
    MAP_PRINCIPAL = "map principals to teams"
    UNMAP_PRINCIPAL = "remove rules of principals"
    REGISTER_OBSERVED_READER = "register teams for what their principals read"
    IMPORT_USAGE = "import observed reads"
    CREATE_WEBHOOK = "create webhooks"
    UPDATE_WEBHOOK = "update webhooks"
    DELETE_WEBHOOK = "delete webhooks"
    REDELIVER_WEBHOOK = "redeliver webhooks"
    TEST_WEBHOOK = "test webhooks"


@dataclass(frozen=True)
class ScopeRule:
    """The scope that an action needs on the key's own team, and on another team or no team.

    The own teams of a project's key are the owners of the project, if the rule is also `for_projects`.
    """

    own_team: Scope
    other_team: Scope
    for_projects: bool = False


ANY_READER = ScopeRule(own_team=Scope.READ, other_team=Scope.READ, for_projects=True)
OWNER_OR_ADMIN = ScopeRule(own_team=Scope.WRITE, other_team=Scope.ADMIN)
OWNER_PROJECT_OR_ADMIN = ScopeRule(own_team=Scope.WRITE, other_team=Scope.ADMIN, for_projects=True)
ADMIN_ONLY = ScopeRule(own_team=Scope.ADMIN, other_team=Scope.ADMIN)

ACTION_SCOPES: Mapping[Action, ScopeRule] = {
    Action.READ: ANY_READER,
    Action.READ_KEYS: OWNER_OR_ADMIN,
    Action.READ_WEBHOOKS: OWNER_OR_ADMIN,
    Action.CREATE_TEAM: ADMIN_ONLY,
    Action.UPDATE_TEAM: OWNER_OR_ADMIN,
    Action.ARCHIVE_TEAM: ADMIN_ONLY,
    Action.UNARCHIVE_TEAM: ADMIN_ONLY,
    Action.CREATE_PROJECT: ADMIN_ONLY,
    Action.UPDATE_PROJECT: ADMIN_ONLY,
    Action.CREATE_ASSET: OWNER_PROJECT_OR_ADMIN,
    Action.UPDATE_ASSET: OWNER_PROJECT_OR_ADMIN,
    Action.TRANSFER_ASSET: OWNER_OR_ADMIN,  # the team that owns it now
    Action.RENAME_ASSET: OWNER_PROJECT_OR_ADMIN,  # both names in the schemas of the project
    Action.ARCHIVE_ASSET: OWNER_OR_ADMIN,
    Action.UNARCHIVE_ASSET: OWNER_OR_ADMIN,
    Action.SET_ASSET_TIER: ADMIN_ONLY,
    Action.SET_LABELS: OWNER_PROJECT_OR_ADMIN,
    Action.ADD_DEPENDENCY: OWNER_OR_ADMIN,  # of the dependent asset
    Action.REMOVE_DEPENDENCY: OWNER_OR_ADMIN,
    Action.PUBLISH_CONTRACT: OWNER_PROJECT_OR_ADMIN,
    Action.FORCE_CONTRACT: ADMIN_ONLY,
    Action.RETIRE_CONTRACT: OWNER_OR_ADMIN,
    Action.PROPOSE_RETIREMENT: OWNER_PROJECT_OR_ADMIN,
    Action.DEPRECATE: OWNER_PROJECT_OR_ADMIN,
    Action.END_DEPRECATION: OWNER_PROJECT_OR_ADMIN,
    Action.REGISTER: OWNER_PROJECT_OR_ADMIN,  # the consumer team
    Action.UPDATE_REGISTRATION: OWNER_OR_ADMIN,
    Action.UNREGISTER: OWNER_OR_ADMIN,
    Action.ACKNOWLEDGE_PROPOSAL: OWNER_OR_ADMIN,  # the asked team
    Action.ACKNOWLEDGE_CHANGE_SET: OWNER_OR_ADMIN,
    Action.ACKNOWLEDGE_DEBT: OWNER_OR_ADMIN,  # the team that was not asked
    Action.WITHDRAW_PROPOSAL: OWNER_PROJECT_OR_ADMIN,
    Action.PUBLISH_PROPOSAL: OWNER_PROJECT_OR_ADMIN,
    Action.EXTEND_PROPOSAL: OWNER_PROJECT_OR_ADMIN,
    Action.SET_ASK_POLICY: ADMIN_ONLY,
    Action.COMMENT: OWNER_OR_ADMIN,  # the commenting team, whatever the proposal
    Action.WITHDRAW_CHANGE_SET: OWNER_PROJECT_OR_ADMIN,  # the owner of each asset with an open proposal
    Action.PUBLISH_CHANGE_SET: OWNER_PROJECT_OR_ADMIN,
    Action.SYNC_DBT_MANIFEST: OWNER_PROJECT_OR_ADMIN,  # table by table: those of other teams are skipped
    Action.PUSH_TO_GIT: ADMIN_ONLY,
    Action.PULL_FROM_GIT: ADMIN_ONLY,
    Action.CREATE_API_KEY: OWNER_OR_ADMIN,  # with its own scopes at most
    Action.REVOKE_API_KEY: OWNER_OR_ADMIN,
    Action.CREATE_USAGE_SOURCE: ADMIN_ONLY,
    Action.MAP_PRINCIPAL: ADMIN_ONLY,
    Action.UNMAP_PRINCIPAL: ADMIN_ONLY,
    Action.REGISTER_OBSERVED_READER: ADMIN_ONLY,
    Action.IMPORT_USAGE: ADMIN_ONLY,  # and the keys of the usage source, see authorize_import
    Action.CREATE_WEBHOOK: OWNER_OR_ADMIN,
    Action.UPDATE_WEBHOOK: OWNER_OR_ADMIN,
    Action.DELETE_WEBHOOK: OWNER_OR_ADMIN,
    Action.REDELIVER_WEBHOOK: OWNER_OR_ADMIN,
    Action.TEST_WEBHOOK: OWNER_OR_ADMIN,
}


def is_allowed(actor: Actor, action: Action, team: UUID | None) -> bool:
    """Whether the actor may do this to what belongs to that team (None: to no team)."""
    rule = ACTION_SCOPES[action]
    if actor.project is not None and not rule.for_projects:
        return False
    return actor.has_scope(rule.own_team if team in actor.team_ids else rule.other_team)


def is_allowed_on_asset(actor: Actor, action: Action, fqn: str, owner: UUID) -> bool:
    """Whether the actor may do this to an asset: for a project's key, only to one in the project's schemas."""
    is_covered = actor.project is None or actor.project.covers_schema_of(fqn)
    return is_covered and is_allowed(actor, action, owner)


def may_sync_table(actor: Actor, fqn: str, owner: UUID) -> bool:
    """Whether the actor may sync a table of that owner, new or known, with its contract, lineage and reads."""
    return is_allowed_on_asset(actor, Action.SYNC_DBT_MANIFEST, fqn, owner)


def may_act_for_project(actor: Actor, project_name: str | None, project: ProjectScope | None) -> bool:
    """Whether the actor may end what an earlier manifest of the project brought: its tables, reads and exposures.

    `project` is the project with the name that the manifest gives itself, None if there is none. That name proves
    nothing: a project belongs to its keys, its owners' keys and administrators. What belongs to no project can be
    synced by any key that may write, each table still by its owner only.
    """
    if not actor.has_scope(ACTION_SCOPES[Action.SYNC_DBT_MANIFEST].own_team):
        return False
    if actor.is_admin or project_name is None:
        return True
    if actor.project is not None:
        return project is not None and project.id == actor.project.id
    return project is None or actor.team_id in project.owner_ids


def authorize(actor: Actor, action: Action, team: UUID | None) -> None:
    """Authorize an action. Raises Forbidden with the action that was tried and the key that it needs."""
    if is_allowed(actor, action, team):
        return
    require_scope(actor, action)
    if actor.project is not None:
        raise Forbidden(
            f"The project {actor.project.name} may not act for this team, which is none of its owners. Use a key of"
            " that team, or ask an administrator to add the team with updateProject.",
            field=("team",),
        )
    raise Forbidden("A key acts for its own team only. Use a key of that team.", field=("team",))


def require_import_scope(actor: Actor) -> None:
    """Raise Forbidden unless the caller is an administrator, or its key belongs to a usage source."""
    if not actor.is_admin and (actor.usage_source_id is None or not actor.has_scope(Scope.EVIDENCE)):
        raise Forbidden(
            "Only an administrator and a key of the usage source may import its reads, because no team testifies for"
            " itself. Ask an administrator for a key with the scope EVIDENCE.",
            field=("source",),
        )


def authorize_import(actor: Actor, source_id: UUID, source_name: str) -> None:
    """Authorize an import of reads that a usage source has observed. Raises Forbidden with the reason.

    Only an administrator binds a key to a source: a team that could import would testify for itself.
    """
    require_import_scope(actor)
    if not actor.is_admin and actor.usage_source_id != source_id:
        raise Forbidden(
            f"This key imports for another usage source than {source_name}. Use a key of {source_name}.",
            field=("source",),
        )


def authorize_for_own_teams(actor: Actor, action: Action) -> None:
    """Authorize an action on what belongs to any of the caller's teams, or to no team. Raises Forbidden."""
    if not any(is_allowed(actor, action, team) for team in actor.team_ids):
        authorize(actor, action, None)


def require_scope(actor: Actor, action: Action) -> None:
    """Raise Forbidden for a caller who may do this to no team at all.

    Call it before private rows are looked up: the error must not depend on whether they exist.
    """
    rule = ACTION_SCOPES[action]
    if actor.project is not None and not rule.for_projects:
        raise Forbidden(f"The key of a project may not {action}. Use the key of a team.")
    if not actor.has_scope(rule.own_team):
        raise Forbidden(f"This key may not {action}: it lacks the scope {rule.own_team}. Use a key that has it.")


def require_schema(actor: Actor, fqn: str) -> None:
    """Raise Forbidden for a project's key if the asset is in none of the project's schemas."""
    if (project := actor.project) is not None and not project.covers_schema_of(fqn):
        raise Forbidden(
            f"The project {project.name} may not change {fqn}: its schemas are {', '.join(project.schemas)}. Use a key"
            " of the owning team, or ask an administrator to add the schema with updateProject.",
            field=("asset",),
        )


def require_consumer_asset(actor: Actor, fqn: str | None) -> None:
    """Raise Forbidden for a project's key that registers a team without an asset in the project's schemas."""
    if actor.project is not None and fqn is None:
        raise Forbidden(
            "The key of a project registers what the project's tables read. Give `consumerAsset`, or use the key of a"
            " team.",
            field=("consumer_asset",),
        )
    if fqn is not None:
        require_schema(actor, fqn)


def acting_team(actor: Actor, action: Action, requested_team: UUID | None) -> UUID:
    """The team that the call is made for: the requested team, else the key's own. Raises Forbidden."""
    team = requested_team or actor.default_team_id
    if team is None and actor.project is not None:
        require_scope(actor, action)
        raise Forbidden(
            f"The project {actor.project.name} has several owners, so say which team acts.", field=("team",)
        )
    authorize(actor, action, team)
    if team is None:
        raise Forbidden("This key belongs to no team, so say which team acts.", field=("team",))
    return team


def require_owner(actor: Actor, action: Action, owner: UUID, *, action_text: str, owner_name: str) -> None:
    """Authorize the owning team; to a key of another team the error names the owner."""
    require_scope(actor, action)
    if not is_allowed(actor, action, owner):
        raise not_owner_error(action_text, owner_name)


def not_owner_error(action_text: str, owner_name: str) -> Forbidden:
    return Forbidden(f"Only the owning team, {owner_name}, may {action_text}. Ask them, or act as that team.")
