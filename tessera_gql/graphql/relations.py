"""Fields that refer to one object: relations of a type, and root fields by id or reference. All use loaders."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any, TypeAlias, cast

import strawberry
from strawberry import argument

from tessera_gql.executor import BATCH_KEY, Batch, BoundBatch
from tessera_gql.graphql import type_registry
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.dataloader import Loader
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.loaders import NODE_LOADERS, Loaders, RowLoader
from tessera_gql.graphql.refs import RefLoader
from tessera_gql.store.lookups import RowLookup

GetLoader: TypeAlias = Callable[[Loaders], Loader[Any, Any]]
FindKey: TypeAlias = Callable[[Loaders, Mapping[str, Any]], tuple[Loader[Any, Any], Any]]
"""Returns the loader of an object, and its key there, from the arguments of a field."""
IdArgument = Annotated[strawberry.ID, argument("The global id of the object.")]


@dataclass(frozen=True)
class RelationDeclaration:
    """The declaration of a field that loads an object by the key at an attribute path."""

    path: str
    get_loader: GetLoader

    @property
    def lookup(self) -> RowLookup | None:
        """How the loader finds the row; None if only the loader can."""
        return find_lookup(self.get_loader(DECLARED_LOADERS))


@dataclass(frozen=True)
class RootDeclaration:
    """The declaration of a root field that loads an object by its arguments."""

    type_name: str
    find_key: FindKey

    @property
    def lookup(self) -> RowLookup | None:
        """How the loader by id finds the row."""
        return find_lookup(NODE_LOADERS[self.type_name](DECLARED_LOADERS))

    def resolve(self, arguments: Mapping[str, Any]) -> tuple[RowLookup | None, Any]:
        """Return the lookup of the object and its key; raise Invalid for bad arguments."""
        loader, key = self.find_key(DECLARED_LOADERS, arguments)
        return find_lookup(loader), key


DECLARED_LOADERS = cast("Loaders", Loaders)
"""The class in place of an instance: its attributes are the declared loaders, not those of a request."""


def find_lookup(loader: Loader[Any, Any]) -> RowLookup | None:
    """Return the lookup of a declared loader."""
    declared: object = loader
    return declared.lookup if isinstance(declared, RowLoader) else None


def relation(
    type_name: str, path: str, description: str, *, nullable: bool = False, loader: GetLoader | None = None
) -> Any:
    """Declare a field that loads an object of the type by the key at an attribute path; null if the key is.

    The loader is the one by id unless another is given.
    """
    read_key, get_loader = attrgetter(path), loader or NODE_LOADERS[type_name]

    def bind(info: Info) -> BoundBatch:
        return BoundBatch(read_key, get_loader(info.context.loaders).load_many, _node_builder(type_name))

    batch = Batch(bind, (path,), RelationDeclaration(path, get_loader))

    async def resolve(root: Any, info: Info) -> Any:
        return await batch.resolve(root, info)

    return _batch_field(type_name, resolve, batch, description, nullable=nullable)


def root_by_id(type_name: str, description: str) -> Any:
    """Declare a root field that loads an object by its global id."""

    def find_key(loaders: Loaders, arguments: Mapping[str, Any]) -> tuple[Loader[Any, Any], Any]:
        return NODE_LOADERS[type_name](loaders), local_id(arguments["id"], type_name)

    batch = _root_batch(type_name, find_key)

    async def resolve(root: Any, info: Info, id: IdArgument) -> Any:  # noqa: A002 - the name in the schema
        return await batch.resolve(root, info, id=id)

    return _batch_field(type_name, resolve, batch, description)


def root_by_ref(type_name: str, ref: type, get_loader: RefLoader, description: str) -> Any:
    """Declare a root field that loads an object by a reference, from the loader and key that `get_loader` returns."""

    def find_key(loaders: Loaders, arguments: Mapping[str, Any]) -> tuple[Loader[Any, Any], Any]:
        return get_loader(loaders, arguments["by"].to_ref("by"))

    batch = _root_batch(type_name, find_key)

    async def resolve(root: Any, info: Info, by: Any) -> Any:
        return await batch.resolve(root, info, by=by)

    resolve.__annotations__["by"] = Annotated[ref, argument("The reference to the object, by id or name.")]
    return _batch_field(type_name, resolve, batch, description)


def _root_batch(type_name: str, find_key: FindKey) -> Batch:
    def bind(info: Info, **arguments: Any) -> BoundBatch:
        loader, key = find_key(info.context.loaders, arguments)
        return BoundBatch(lambda _: key, loader.load_many, _node_builder(type_name))

    return Batch(bind, (), RootDeclaration(type_name, find_key))


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
