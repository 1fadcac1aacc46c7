"""API keys: the token is in one answer only, the first; no list, no event and no retry ever shows it again."""

from datetime import datetime
from typing import Any, NoReturn

import strawberry

from tessera_gql.errors import Conflict
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import DateTimeFilter, IdFilter, StringFilter, by, given, optional
from tessera_gql.graphql.ids import Node, local_id
from tessera_gql.graphql.mutations import Call, CreatingInput, Input, Payload, mutation
from tessera_gql.graphql.nouns import computed, named, shown
from tessera_gql.graphql.pages import Connection, Listing, ordering, pages
from tessera_gql.graphql.refs import TeamRefInput, team_ref
from tessera_gql.graphql.rows import from_row
from tessera_gql.policy.access import Scope, Verb
from tessera_gql.policy.visibility import PREFIX_LENGTH
from tessera_gql.store import keys as store
from tessera_gql.store import tables
from tessera_gql.workflows import keys
from tessera_gql.workflows.keys import NewKey


@from_row(scopes=lambda row: [Scope(scope) for scope in row.scopes])
@strawberry.type(description="What lets a program in. Its token is kept nowhere.")
class ApiKey(Node):
    row: strawberry.Private[tables.ApiKey]
    name: str = strawberry.field(description="What it is for.")
    prefix: str = strawberry.field(description="How its token begins, to recognise it.")
    scopes: list[Scope] = strawberry.field(description="What it is good for.")
    created_by: str = strawberry.field(
        description="Who made it: a name, or `key` and the prefix of an API key; its name for administrators only."
    )
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(description="When it runs out by itself, if it does.")
    revoked_at: datetime | None = strawberry.field(description="When it was revoked, if it was.")
    last_used_at: datetime | None = strawberry.field(description="When it was last used, to the minute.")

    @computed("The team it acts for; null for an administrator's key.", named("Team") | None)
    async def team(self, info: Info) -> Any:
        team = self.row.team_id
        return shown("Team", await info.context.loaders.team.load(team)) if team else None


@strawberry.type(description="A page of API keys.")
class ApiKeyConnection(Connection[ApiKey]):
    pass


@strawberry.input(description="Which API keys.")
class ApiKeyFilter:
    name: StringFilter | None = by("name", "Its name.")
    prefix: StringFilter | None = by("prefix", "How its token begins.")
    team: IdFilter | None = by("team_id", "The team it acts for.", kind="Team")
    created_at: DateTimeFilter | None = by("created_at", "When it was made.")


API_KEYS = Listing(
    "ApiKey",
    store.rows,
    "created_at",
    descending=True,
    filter=ApiKeyFilter,
    order=ordering(
        "ApiKey", {"CREATED_AT": ("created_at", "When it was made."), "NAME": ("name", "The name, as it is written.")}
    ),
)


@strawberry.type
class Queries:
    api_keys = pages(
        API_KEYS,
        description="All API keys for an administrator, those of its own team for a key with the scope WRITE;"
        " newest first.",
        verb=Verb.READ_KEYS,
    )


class Token(str):
    """Remembered under an idempotency key by its beginning only."""

    __slots__ = ()

    def memory(self) -> str:
        return self[:PREFIX_LENGTH]


def _was_shown(prefix: str) -> NoReturn:
    raise Conflict(
        f"This call made the key {prefix}… before, and its token was shown once, in the first answer."
        " If you have lost it, revoke that key and make another with a new idempotencyKey.",
        field=("idempotency_key",),
    )


@strawberry.input(description="A new API key.")
class CreateApiKeyInput(CreatingInput):
    name: str = strawberry.field(description="What it is for; 100 characters at most.")
    team: TeamRefInput | None = optional(
        "The team it acts for. By default the caller's own; an administrator's call then makes an ADMIN key of no team."
    )
    scopes: list[Scope] | None = optional("What it is good for, READ by default; never more than the caller's own key.")
    expires_at: datetime | None = optional("When it runs out by itself; never if left out.")


@strawberry.type(description="The API key that was made.")
class CreateApiKeyPayload(Payload):
    api_key: ApiKey | None = strawberry.field(default=None, description="Null if it was refused.")
    token: str | None = strawberry.field(
        default=None,
        description="To be sent as `Authorization: Bearer TOKEN`. Shown this once: a retry is refused with CONFLICT.",
        metadata={"recall": _was_shown},
    )


async def create_api_key(call: Call, asked: CreateApiKeyInput) -> CreateApiKeyPayload:
    wanted = NewKey(
        name=asked.name,
        scopes=(Scope.READ,) if given(asked.scopes) is None else tuple(asked.scopes or ()),
        team=team_ref(given(asked.team)),
        expires_at=given(asked.expires_at),
    )
    minted = await keys.create(call.session, call.actor, wanted)
    return CreateApiKeyPayload(api_key=ApiKey.of(minted.key), token=Token(minted.token))


@strawberry.input(description="An API key that is to open nothing any more.")
class RevokeApiKeyInput(Input):
    api_key: strawberry.ID = strawberry.field(description="Its id.")


@strawberry.type(description="The API key that was revoked.")
class RevokeApiKeyPayload(Payload):
    api_key: ApiKey | None = strawberry.field(default=None, description="Null if it was refused.")


async def revoke_api_key(call: Call, asked: RevokeApiKeyInput) -> RevokeApiKeyPayload:
    identity = local_id(asked.api_key, "ApiKey", field=("api_key",))
    return RevokeApiKeyPayload(api_key=ApiKey.of(await keys.revoke(call.session, call.actor, identity)))


@strawberry.type
class Mutations:
    create_api_key: Any = mutation(create_api_key, "Makes an API key with at most the rights of the caller's.")
    revoke_api_key: Any = mutation(
        revoke_api_key, "Revokes an API key for good: it is refused from now on, and what lives on it ends."
    )
