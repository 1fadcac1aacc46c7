"""Fields that refer to one object: relations of a type, and root fields by id or reference. All use loaders."""

from collections.abc import Callable
from operator import attrgetter
from typing import Annotated, Any, TypeAlias

import strawberry
from strawberry import argument

from tessera_gql.executor import BATCH_KEY, Batch, BoundBatch
from tessera_gql.graphql import type_registry
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.dataloader import Loader
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.loaders import NODE_LOADERS, Loaders
from tessera_gql.graphql.refs import RefLoader

GetLoader: TypeAlias = Callable[[Loaders], Loader[Any, Any]]
IdArgument = Annotated[strawberry.ID, argument("The global id of the object.")]


def relation(
    type_name: str, path: str, description: str, *, nullable: bool = False, loader: GetLoader | None = None
) -> Any:
    """Declare a field that loads an object of the type by the key at an attribute path; null if the key is.

    The loader is the one by id unless another is given.
    """
    read_key, get_loader = attrgetter(path), loader or NODE_LOADERS[type_name]

    def bind(info: Info) -> BoundBatch:
        return BoundBatch(read_key, get_loader(info.context.loaders).load_many, _node_builder(type_name))

    batch = Batch(bind, (path,))

    async def resolve(root: Any, info: Info) -> Any:
        return await batch.resolve(root, info)

    return _batch_field(type_name, resolve, batch, description, nullable=nullable)


def root_by_id(type_name: str, description: str) -> Any:
    """Declare a root field that loads an object by its global id."""

    def bind(info: Info, **arguments: Any) -> BoundBatch:
        return _bind_key(type_name, NODE_LOADERS[type_name](info.context.loaders), local_id(arguments["id"], type_name))

    batch = Batch(bind, ())

    async def resolve(root: Any, info: Info, id: IdArgument) -> Any:  # noqa: A002 - the name in the schema
        return await batch.resolve(root, info, id=id)

    return _batch_field(type_name, resolve, batch, description)


def root_by_ref(type_name: str, ref: type, get_loader: RefLoader, description: str) -> Any:
    """Declare a root field that loads an object by a reference, from the loader and key that `get_loader` returns."""

    def bind(info: Info, **arguments: Any) -> BoundBatch:
        return _bind_key(type_name, *get_loader(info.context.loaders, arguments["by"].to_ref("by")))

    batch = Batch(bind, ())

    async def resolve(root: Any, info: Info, by: Any) -> Any:
        return await batch.resolve(root, info, by=by)

    resolve.__annotations__["by"] = Annotated[ref, argument("The reference to the object, by id or name.")]
    return _batch_field(type_name, resolve, batch, description)


def _bind_key(type_name: str, loader: Loader[Any, Any], key: Any) -> BoundBatch:
    return BoundBatch(lambda _: key, loader.load_many, _node_builder(type_name))


def _node_builder(type_name: str) -> Callable[[Any, Any], Any]:
    to_node = type_registry.load_type(type_name).of
    return lambda _, row: None if row is None else to_node(row)


def _batch_field(
    type_name: str, resolve: Callable[..., Any], batch: Batch, description: str, *, nullable: bool = True
) -> Any:
    type_ = type_registry.lazy_type(type_name)
    return strawberry.field(
        resolver=resolve,
        graphql_type=type_ | None if nullable else type_,
        description=description,
        metadata={BATCH_KEY: batch},
    )
