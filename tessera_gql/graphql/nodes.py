"""Root fields `node` and `nodes`: load objects of any type by global id."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import strawberry

from tessera_gql.errors import Invalid
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.dataloader import Loader
from tessera_gql.graphql.ids import Node, parse_global_id
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.type_registry import computed_field, to_type

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


async def load_node(loaders: Loaders, identity: str) -> Any:
    """Load an object by global id; None if it does not exist. Raise Invalid for a malformed id."""
    parsed_id = parse_global_id(identity)
    if parsed_id is None or parsed_id[0] not in LOADERS:
        raise Invalid(f"{identity[:100]!r} is not an id. Use an `id` as an answer gives it.", field=("id",))
    kind, key = parsed_id
    return to_type(kind, await LOADERS[kind](loaders).load(key))


@strawberry.type
class Queries:
    @computed_field("The object with this id, of any type; null if it does not exist.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The global id of the object.")],  # noqa: A002 - Relay's name
    ) -> Node | None:
        node: Node | None = await load_node(info.context.loaders, id)
        return node

    @computed_field("The objects with these ids, in the same order; null for each that does not exist.")
    async def nodes(
        self,
        info: Info,
        ids: Annotated[
            list[strawberry.ID], strawberry.argument(description="The global ids of the objects, 100 at most.")
        ],
    ) -> list[Node | None] | None:
        if len(ids) > MAX_IDS:
            raise Invalid(f"{len(ids)} ids were given; {MAX_IDS} is the limit. Ask in several calls.", field=("ids",))
        # Exceptions stay in the list: the executor turns each into an error of its own item.
        tasks = (load_node(info.context.loaders, id_) for id_ in ids)
        nodes: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
        return nodes
