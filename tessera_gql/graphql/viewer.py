"""The viewer: who calls, for which teams, and what waits for an answer from them."""

from typing import Any

import strawberry
from strawberry import UNSET

from tessera_gql.graphql.context import Info
from tessera_gql.graphql.lists import INBOX
from tessera_gql.graphql.nouns import computed, many, named, shown
from tessera_gql.graphql.pages import After, Before, First, Last, connection_field, paged, request
from tessera_gql.policy.access import Actor, Scope


async def _inbox(  # noqa: PLR0913 - the arguments of a connection
    root: Any,
    info: Info,
    *,
    first: First = UNSET,
    after: After = UNSET,
    last: Last = UNSET,
    before: Before = UNSET,
    where: Any = UNSET,
    order_by: Any = UNSET,
) -> Any:
    arguments = {"first": first, "after": after, "last": last, "before": before}
    asked = request(INBOX, arguments | {"where": where, "order_by": order_by})
    team = root.viewer.team_id
    return await paged(info.context.loaders, INBOX, ("consumer_team_id", team) if team else None, asked)


@strawberry.type(description="Who calls.")
class Viewer:
    viewer: strawberry.Private[Actor]
    actor: str = strawberry.field(description="The name that the audit log bears.")
    scopes: list[Scope] = strawberry.field(description="What the key is good for.")

    inbox = connection_field(
        _inbox, INBOX, "What waits for the viewer's answer; without a team, what waits for anybody's.", nested=True
    )

    @computed("The API key that calls; null if it is another kind of credential.", named("ApiKey") | None)
    async def api_key(self, info: Info) -> Any:
        key = self.viewer.key_id
        return shown("ApiKey", await info.context.loaders.api_key.load(key)) if key else None

    @computed("The team that the key belongs to; null for an administrator of no team.", named("Team") | None)
    async def team(self, info: Info) -> Any:
        team = self.viewer.team_id
        return shown("Team", await info.context.loaders.team.load(team)) if team else None

    @computed("The teams that the key acts for by itself.", many("Team"))
    async def teams(self, info: Info) -> Any:
        team = self.viewer.team_id
        return [shown("Team", await info.context.loaders.team.load(team))] if team else []


@strawberry.type
class Queries:
    @computed("Who calls, and what waits for them.")
    def viewer(self, info: Info) -> Viewer | None:
        actor = info.context.actor
        return Viewer(viewer=actor, actor=actor.name, scopes=sorted(actor.scopes, key=tuple(Scope).index))
