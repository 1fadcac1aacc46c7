"""Relations from one noun to another: always through a loader, and always declared here, so that they can be found."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Optional

import strawberry

from tessera_gql.executor import DECLARED, Batch, Bound
from tessera_gql.graphql import nouns
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.loader import Loader
from tessera_gql.graphql.loaders import Loaders


def one(
    kind: str, loader: Callable[[Loaders], Loader[Any, Any]], key: str, *, description: str, nullable: bool = False
) -> Any:
    """The thing of type `kind` that `loader` finds under the row's `key`; a key that is None points at nothing."""

    pointer = attrgetter(f"row.{key}")

    def bind(info: Info) -> Bound:
        of = nouns.kind(kind).of
        return Bound(pointer, loader(info.context.loaders).load_many, lambda _, row: None if row is None else of(row))

    batch = Batch(bind, (f"row.{key}",))

    async def resolve(root: Any, info: Info) -> Any:
        return await batch.resolve(root, info)

    found = nouns.named(kind)
    return strawberry.field(
        resolver=resolve,
        graphql_type=Optional[found] if nullable else found,  # noqa: UP045 - an annotation made at run time
        description=description,
        metadata={DECLARED: batch},
    )
