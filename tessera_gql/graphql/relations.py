"""Relations from one noun to another: always through a loader, and always declared here, so that they can be found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

import strawberry
from strawberry.dataloader import DataLoader

from tessera_gql.graphql.context import Info
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.nouns import named, shown


@dataclass(frozen=True)
class Relation:
    """How to get from a row to the row it points at; kept in the field's metadata under `relation`."""

    kind: str
    loader: Callable[[Loaders], DataLoader[Any, Any]]
    key: str


def one(
    kind: str, loader: Callable[[Loaders], DataLoader[Any, Any]], key: str, *, description: str, nullable: bool = False
) -> Any:
    """The thing of type `kind` that `loader` finds under the row's `key`; a key that is None points at nothing."""

    async def resolve(root: Any, info: Info) -> Any:
        wanted = getattr(root.row, key)
        return None if wanted is None else shown(kind, await loader(info.context.loaders).load(wanted))

    found = named(kind)
    return strawberry.field(
        resolver=resolve,
        graphql_type=Optional[found] if nullable else found,  # noqa: UP045 - an annotation made at run time
        description=description,
        metadata={"relation": Relation(kind, loader, key)},
    )
