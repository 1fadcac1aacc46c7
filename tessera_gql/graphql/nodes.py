"""Root fields `node` and `nodes`: load objects of any type by global id."""

import asyncio
from typing import Annotated, Any

import strawberry
from strawberry import argument

from tessera_gql.errors import Invalid
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.loaders import NODE_LOADERS, Loaders
from tessera_gql.graphql.type_registry import computed_field, to_type
from tessera_gql.policy.global_ids import decode_global_id

MAX_IDS = 100


async def load_node(loaders: Loaders, global_id: str) -> Any:
    """Load an object by global id; None if it does not exist. Raise Invalid for a malformed id."""
    parsed_id = decode_global_id(global_id)
    if parsed_id is None or parsed_id[0] not in NODE_LOADERS:
        raise Invalid(f"{global_id[:100]!r} is not an id. Use an `id` as an answer gives it.", field=("id",))
    type_name, row_id = parsed_id
    return to_type(type_name, await NODE_LOADERS[type_name](loaders).load(row_id))


@strawberry.type
class Queries:
    @computed_field("The object with this id, of any type; null if it does not exist.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, argument("The global id of the object.")],  # noqa: A002 - Relay's name
    ) -> Node | None:
        node: Node | None = await load_node(info.context.loaders, id)
        return node

    @computed_field("The objects with these ids, in the same order; null for each that does not exist.")
    async def nodes(
        self, info: Info, ids: Annotated[list[strawberry.ID], argument("The global ids of the objects, 100 at most.")]
    ) -> list[Node | None] | None:
        if len(ids) > MAX_IDS:
            raise Invalid(f"{len(ids)} ids were given; {MAX_IDS} is the limit. Ask in several calls.", field=("ids",))
        # Exceptions stay in the list: the executor turns each into an error of its own item.
        tasks = (load_node(info.context.loaders, id_) for id_ in ids)
        nodes: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
        return nodes
