"""Things by their global id, whatever their type."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import strawberry

from tessera_gql.errors import Invalid
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.ids import Node, parsed
from tessera_gql.graphql.loader import Loader
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.nouns import computed, shown

MAX_IDS = 100

LOADERS: dict[str, Callable[[Loaders], Loader[UUID, Any]]] = {
    "Acknowledgment": lambda loaders: loaders.acknowledgment,
    "ApiKey": lambda loaders: loaders.api_key,
    "Asset": lambda loaders: loaders.asset,
    "AssetDependency": lambda loaders: loaders.dependency,
    "Contract": lambda loaders: loaders.contract,
    "Event": lambda loaders: loaders.event,
    "Proposal": lambda loaders: loaders.proposal,
    "Registration": lambda loaders: loaders.registration,
    "Team": lambda loaders: loaders.team,
    "Webhook": lambda loaders: loaders.webhook,
    "WebhookDelivery": lambda loaders: loaders.webhook_delivery,
}


async def find(loaders: Loaders, identity: str) -> Any:
    """None for what does not exist; raises Invalid for what is no id."""
    found = parsed(identity)
    if found is None or found[0] not in LOADERS:
        raise Invalid(f"{identity[:100]!r} is not an id. Use an `id` as an answer gives it.", field=("id",))
    kind, key = found
    return shown(kind, await LOADERS[kind](loaders).load(key))


@strawberry.type
class Queries:
    @computed("Anything by its id; null if it does not exist.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")],  # noqa: A002 - Relay's name
    ) -> Node | None:
        found: Node | None = await find(info.context.loaders, id)
        return found

    @computed("Many things by their ids, in that order; null for each that does not exist.")
    async def nodes(
        self, info: Info, ids: Annotated[list[strawberry.ID], strawberry.argument(description="At most 100 ids.")]
    ) -> list[Node | None] | None:
        if len(ids) > MAX_IDS:
            raise Invalid(f"{len(ids)} ids were given; {MAX_IDS} is the limit. Ask in several calls.", field=("ids",))
        # An id that is none fails in its own place: the executor makes an error of an exception in a list.
        tasks = (find(info.context.loaders, one) for one in ids)
        found: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
        return found
