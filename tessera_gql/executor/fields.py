"""Classify fields by the source of their values, and call their resolvers as Strawberry would.

A field with permissions or extensions keeps graphql-core's resolver, which applies them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from operator import attrgetter
from typing import Any, Protocol, TypeAlias, cast

import strawberry
from graphql import GraphQLField, GraphQLResolveInfo, GraphQLSchema, default_field_resolver
from graphql.execution.values import get_argument_values
from graphql.language import ast
from strawberry import UNSET
from strawberry.types.arguments import convert_arguments

from tessera_gql.executor.batch import BATCH_KEY, Batch

STRAWBERRY = "strawberry-definition"
"""Key of Strawberry's definition in the extensions of a graphql-core type or field."""

PLAIN_NODES = (
    ast.BooleanValueNode,
    ast.EnumValueNode,
    ast.FloatValueNode,
    ast.IntValueNode,
    ast.NullValueNode,
    ast.StringValueNode,
)

ResolveInfo: TypeAlias = GraphQLResolveInfo[Any]


class StrawberryResolver(Protocol):
    """Interface of Strawberry's resolver. A parameter is None or has a `name`."""

    wrapped_func: Callable[..., Any]
    is_async: bool
    self_parameter: Any
    parent_parameter: Any
    root_parameter: Any
    info_parameter: Any


class StrawberryField(Protocol):
    """Interface of Strawberry's field definition."""

    python_name: str
    base_resolver: StrawberryResolver | None
    default_resolver: Callable[[Any, str], Any]
    extensions: Sequence[Any]
    arguments: list[Any]
    metadata: Mapping[Any, Any]


class ComputedProperty(property):
    """A property computed from the given attribute paths (`row.name`) alone, so that a plan knows what it reads."""

    def __init__(self, get: Callable[[Any], Any], *reads: str) -> None:
        super().__init__(get)
        self.reads = reads


class PathProperty(ComputedProperty):
    """A property that returns the attribute at a path without computing anything."""

    def __init__(self, path: str) -> None:
        super().__init__(attrgetter(path), path)
        self.path = path


@dataclass(frozen=True)
class AttributeRead:
    name: str


@dataclass(frozen=True)
class ResolverCall:
    """A source that calls a Strawberry resolver, with arguments converted once for all parents."""

    declared: StrawberryField
    resolver: StrawberryResolver


@dataclass(frozen=True)
class BatchLoad:
    declared: StrawberryField
    batch: Batch


@dataclass(frozen=True)
class CoreResolver:
    resolve: Callable[..., Any]


ValueSource: TypeAlias = AttributeRead | ResolverCall | BatchLoad | CoreResolver


def find_source(field: GraphQLField) -> ValueSource:
    declared = cast("StrawberryField | None", (field.extensions or {}).get(STRAWBERRY))
    if declared is None or declared.extensions:
        return CoreResolver(field.resolve or default_field_resolver)
    if isinstance(batch := declared.metadata.get(BATCH_KEY), Batch):
        return BatchLoad(declared, batch)
    if declared.base_resolver is not None:
        return ResolverCall(declared, declared.base_resolver)
    if declared.default_resolver is getattr:
        return AttributeRead(declared.python_name)
    return CoreResolver(field.resolve or default_field_resolver)


def may_await(source: ValueSource) -> bool:
    match source:
        case AttributeRead():
            return False
        case ResolverCall(resolver=resolver):
            return resolver.is_async
        case _:
            return True


def create_strawberry_info(declared: StrawberryField, info: ResolveInfo) -> Any:
    return _strawberry_schema(info.schema).config.info_class(_raw_info=info, _field=declared)


def read_arguments(field: GraphQLField, info: ResolveInfo) -> dict[str, Any]:
    """Read the arguments of a field as graphql-core does."""
    node = info.field_nodes[0]
    return get_argument_values(field, node, info.variable_values) if field.args or node.arguments else {}


def to_python_arguments(
    declared: StrawberryField, field: GraphQLField, info: ResolveInfo, strawberry_info: Any
) -> dict[str, Any]:
    """Convert the arguments of a field to Python values as Strawberry does."""
    if not declared.arguments:
        return {}
    schema = _strawberry_schema(info.schema)
    registry = schema.schema_converter.scalar_registry
    return convert_arguments(read_arguments(field, info), declared.arguments, registry, schema.config, strawberry_info)


def are_literals(node: ast.FieldNode, values: Iterable[Any]) -> bool:
    """Return whether arguments are literals with immutable values, so that all executions can share them."""
    return all(isinstance(argument.value, PLAIN_NODES) for argument in node.arguments or ()) and all(
        value is None or value is UNSET or isinstance(value, str | int | float | Enum) for value in values
    )


def create_caller(source: ResolverCall | CoreResolver, field: GraphQLField, info: ResolveInfo) -> Callable[[Any], Any]:
    """Return a function that resolves the field for a parent."""
    if isinstance(source, CoreResolver):
        resolve, values = source.resolve, read_arguments(field, info)
        return lambda parent: resolve(parent, info, **values)
    resolver, strawberry_info = source.resolver, create_strawberry_info(source.declared, info)
    function, values = resolver.wrapped_func, to_python_arguments(source.declared, field, info, strawberry_info)
    if resolver.info_parameter:
        values[resolver.info_parameter.name] = strawberry_info
    roots = [parameter.name for parameter in (resolver.parent_parameter, resolver.root_parameter) if parameter]
    if resolver.self_parameter and not roots:
        return partial(function, **values) if values else function
    if resolver.self_parameter:
        return lambda parent: function(parent, **values, **dict.fromkeys(roots, parent))
    return lambda parent: function(**values, **dict.fromkeys(roots, parent))


def core_schema(schema: strawberry.Schema) -> GraphQLSchema:
    """Return the schema of graphql-core. Operations bypass Strawberry's pipeline, so schema extensions are rejected."""
    if schema.extensions or schema.directives:
        raise ValueError("The executors run neither schema extensions nor operation directives: remove them.")
    return schema._schema  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - it has no public name


def _strawberry_schema(schema: GraphQLSchema) -> Any:
    return cast("Any", schema)._strawberry_schema  # noqa: SLF001 - Strawberry itself reads it from there
