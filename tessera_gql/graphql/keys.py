"""API keys. The token is in the payload of `createApiKey` only: no list, event or retry returns it again."""

from datetime import datetime
from typing import Any, NoReturn

import strawberry

from tessera_gql.errors import Conflict
from tessera_gql.graphql.connections import Connection, connection, define_listing
from tessera_gql.graphql.filters import (
    DateTimeFilter,
    IdFilter,
    StringFilter,
    filter_by,
    filter_input,
    optional,
    or_none,
)
from tessera_gql.graphql.ids import Node, local_id
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation, payload_field
from tessera_gql.graphql.refs import ProjectRefInput, TeamRefInput, UsageSourceRefInput, project_ref, team_ref
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.policy.access import Action, Scope
from tessera_gql.policy.visibility import KEY_PREFIX_LENGTH
from tessera_gql.store import keys as store
from tessera_gql.store import tables
from tessera_gql.workflows import keys
from tessera_gql.workflows.keys import KeyRequest


@from_row(scopes=lambda row: [Scope(scope) for scope in row.scopes])
@strawberry.type(description="A key by which a program authenticates. Its token is not stored and can't be read again.")
class ApiKey(Node):
    row: strawberry.Private[tables.ApiKey]
    name: str = strawberry.field(description="The name of the key, to recognise it by.")
    prefix: str = strawberry.field(description="The first characters of the token, to recognise it by.")
    scopes: list[Scope] = strawberry.field(description="The scopes of the key.")
    created_by: str = strawberry.field(
        description="The creator: a name, or `key` and the prefix of an API key, whose name only administrators see."
    )
    created_at: datetime = strawberry.field(description="The time at which the key was created.")
    expires_at: datetime | None = strawberry.field(description="The time at which the key expires; null for never.")
    revoked_at: datetime | None = strawberry.field(description="The time at which the key was revoked, or null.")
    last_used_at: datetime | None = strawberry.field(
        description="The time of the last use, to the minute; null if it was never used."
    )

    team = relation(
        "Team",
        "row.team_id",
        "The team that the key acts for; null for the key of a project, a usage source or an administrator.",
        nullable=True,
    )
    project = relation(
        "Project",
        "row.project_id",
        "The project whose tables the key syncs; null for the key of a team or an administrator.",
        nullable=True,
    )
    usage_source = relation(
        "UsageSource",
        "row.usage_source_id",
        "The usage source whose reads the key imports; null for any other key.",
        nullable=True,
    )


@strawberry.type(description="One page of a list of API keys.")
class ApiKeyConnection(Connection[ApiKey]): ...


@filter_input("Conditions on API keys; a key must meet all of them.")
class ApiKeyFilter:
    name: StringFilter | None = filter_by("name", "The name of the key.")
    prefix: StringFilter | None = filter_by("prefix", "The first characters of the token.")
    team: IdFilter | None = filter_by("team_id", "The team that the key acts for.", type_name="Team")
    project: IdFilter | None = filter_by("project_id", "The project whose tables the key syncs.", type_name="Project")
    usage_source: IdFilter | None = filter_by(
        "usage_source_id", "The usage source whose reads the key imports.", type_name="UsageSource"
    )
    created_at: DateTimeFilter | None = filter_by("created_at", "The time at which the key was created.")


API_KEYS = define_listing(
    "ApiKey",
    store.TABLE,
    ApiKeyFilter,
    {
        "CREATED_AT": ("created_at", "The time at which the key was created."),
        "NAME": ("name", "The name of the key; upper case sorts before lower case."),
    },
    descending=True,
)


@strawberry.type
class Queries:
    api_keys = connection(
        API_KEYS,
        description="The API keys, the newest first: all for an administrator, those of its own team and of the"
        " projects that the team owns for a key with the scope WRITE.",
        action=Action.READ_KEYS,
    )


class Token(str):
    """A token of which only the prefix is stored under an idempotency key."""

    __slots__ = ()

    def to_json(self) -> str:
        return self[:KEY_PREFIX_LENGTH]


def _refuse_replay(prefix: str) -> NoReturn:
    raise Conflict(
        f"This call made the key {prefix}… before, and its token was shown once, in the first answer."
        " If you have lost it, revoke that key and make another with a new idempotencyKey.",
        field=("idempotency_key",),
    )


@strawberry.input(description="The data of a new API key.")
class CreateApiKeyInput(CreatingInput):
    name: str = strawberry.field(description="The name of the key, 100 characters at most.")
    team: TeamRefInput | None = optional(
        "The key's team; the caller's own if left out. Without a team and a project, an administrator creates an ADMIN"
        " key of no team."
    )
    project: ProjectRefInput | None = optional(
        "The key's project, in place of a team: the key syncs the tables of its owners in its schemas. Only an"
        " administrator creates it, with the scope READ or WRITE."
    )
    usage_source: UsageSourceRefInput | None = optional(
        "The key's usage source, in place of a team: the key imports its reads, with the scopes READ and EVIDENCE. Only"
        " an administrator creates it."
    )
    scopes: list[Scope] | None = optional(
        "The scopes of the key, at most those of the caller; if left out, READ, and EVIDENCE for a usage source."
    )
    expires_at: datetime | None = optional("The time at which the key expires; it never does if left out.")


@strawberry.type(description="The result of `createApiKey`.")
class CreateApiKeyPayload(Payload):
    api_key: ApiKey | None = payload_field("The API key; null if refused.")
    token: str | None = payload_field(
        "The token, for `Authorization: Bearer TOKEN`. Returned once: a retry is refused with CONFLICT.",
        load=_refuse_replay,
    )


async def create_api_key(call: Call, arguments: CreateApiKeyInput) -> CreateApiKeyPayload:
    usage_source = arguments.usage_source or None
    new_key = KeyRequest(
        name=arguments.name,
        scopes=(Scope.READ,) if or_none(arguments.scopes) is None else tuple(arguments.scopes or ()),
        team=team_ref(arguments.team),
        expires_at=or_none(arguments.expires_at),
        project=project_ref(arguments.project or None),
        usage_source=usage_source.to_ref("usage_source") if usage_source else None,
    )
    created_key = await keys.create(call.session, call.actor, new_key)
    return CreateApiKeyPayload(api_key=ApiKey.of(created_key.key), token=Token(created_key.token))


@strawberry.input(description="The API key to revoke.")
class RevokeApiKeyInput(Input):
    api_key: strawberry.ID = strawberry.field(description="The id of the API key.")


@strawberry.type(description="The result of `revokeApiKey`.")
class RevokeApiKeyPayload(Payload):
    api_key: ApiKey | None = payload_field("The API key; null if refused.")


async def revoke_api_key(call: Call, arguments: RevokeApiKeyInput) -> RevokeApiKeyPayload:
    identity = local_id(arguments.api_key, "ApiKey", field=("api_key",))
    return RevokeApiKeyPayload(api_key=ApiKey.of(await keys.revoke(call.session, call.actor, identity)))


@strawberry.type
class Mutations:
    create_api_key: Any = mutation(create_api_key, "Create an API key with at most the caller's own rights.")
    revoke_api_key: Any = mutation(
        revoke_api_key,
        "Revoke an API key for good. Its requests are refused from now on, and its open subscriptions end.",
    )
