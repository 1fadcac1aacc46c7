"""Relations from one noun to another: always through a loader, and always declared here, so that they can be found."""

from collections.abc import Callable
from operator import attrgetter
from typing import Annotated, Any, Optional

import strawberry

from tessera_gql.executor import DECLARED, Batch, Bound
from tessera_gql.graphql import nouns
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.loader import Loader
from tessera_gql.graphql.loaders import Loaders

Id = Annotated[strawberry.ID, strawberry.argument(description="Its id.")]


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


def by_id(kind: str, loader: Callable[[Loaders], Loader[Any, Any]], *, description: str) -> Any:
    """The root field of one thing, named by its id."""

    def bind(info: Info, **given: Any) -> Bound:
        return _found(kind, loader(info.context.loaders), local_id(given["id"], kind))

    batch = Batch(bind, ())

    async def resolve(root: Any, info: Info, id: Id) -> Any:  # noqa: A002 - the graph's name
        return await batch.resolve(root, info, id=id)

    return _root(kind, resolve, batch, description)


def by_ref(
    kind: str, ref: type, find: Callable[[Loaders, Any], tuple[Loader[Any, Any], Any]], *, description: str
) -> Any:
    """The root field of one thing, named by its id or by the name people use; `find` tells where it is found."""

    def bind(info: Info, **given: Any) -> Bound:
        return _found(kind, *find(info.context.loaders, given["by"].local("by")))

    batch = Batch(bind, ())

    async def resolve(root: Any, info: Info, by: Any) -> Any:
        return await batch.resolve(root, info, by=by)

    resolve.__annotations__["by"] = Annotated[ref, strawberry.argument(description="Which one.")]
    return _root(kind, resolve, batch, description)


def _found(kind: str, loader: Loader[Any, Any], key: Any) -> Bound:
    of = nouns.kind(kind).of
    return Bound(lambda _: key, loader.load_many, lambda _, row: None if row is None else of(row))


def _root(kind: str, resolve: Callable[..., Any], batch: Batch, description: str) -> Any:
    return strawberry.field(
        resolver=resolve,
        graphql_type=Optional[nouns.named(kind)],  # noqa: UP045 - as above
        description=description,
        metadata={DECLARED: batch},
    )
