"""Where a field's value comes from. A field with permissions or extensions keeps the resolver that asks them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from operator import attrgetter
from typing import Any, Protocol, TypeAlias, cast

from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FieldNode,
    FloatValueNode,
    GraphQLField,
    GraphQLResolveInfo,
    GraphQLSchema,
    IntValueNode,
    NullValueNode,
    StringValueNode,
    default_field_resolver,
)
from graphql.execution.values import get_argument_values
from strawberry import UNSET
from strawberry.types.arguments import convert_arguments

from tessera_gql.executor.batch import DECLARED, Batch

STRAWBERRY = "strawberry-definition"
"""The key under which Strawberry keeps its definition of a type or field in graphql-core's."""


PLAIN_NODES = (BooleanValueNode, EnumValueNode, FloatValueNode, IntValueNode, NullValueNode, StringValueNode)

ResolveInfo: TypeAlias = GraphQLResolveInfo[Any]


class Resolver(Protocol):
    """Strawberry's resolver; a parameter is None, or has a `name`."""

    wrapped_func: Callable[..., Any]
    is_async: bool
    self_parameter: Any
    parent_parameter: Any
    root_parameter: Any
    info_parameter: Any


class Declared(Protocol):
    """Strawberry's field."""

    python_name: str
    base_resolver: Resolver | None
    default_resolver: Callable[[Any, str], Any]
    extensions: Sequence[Any]
    arguments: list[Any]
    metadata: Mapping[Any, Any]


class Reading(property):
    """A property that is worked out from these attributes alone, each told as a path (`row.name`)."""

    def __init__(self, get: Callable[[Any], Any], *reads: str) -> None:
        super().__init__(get)
        self.reads = reads


class Through(Reading):
    """A property that is an attribute of an attribute, as `path` tells, and nothing else."""

    def __init__(self, path: str) -> None:
        super().__init__(attrgetter(path), path)
        self.path = path


@dataclass(frozen=True)
class Attribute:
    """An attribute of the parent, and nothing else."""

    name: str


@dataclass(frozen=True)
class Called:
    """A resolver, called as Strawberry would, but with arguments that are read once for all parents."""

    declared: Declared
    resolver: Resolver


@dataclass(frozen=True)
class Batched:
    declared: Declared
    batch: Batch


@dataclass(frozen=True)
class Opaque:
    """Whatever graphql-core would call."""

    resolve: Callable[..., Any]


Source: TypeAlias = Attribute | Called | Batched | Opaque


def source_of(field: GraphQLField) -> Source:
    declared = cast("Declared | None", (field.extensions or {}).get(STRAWBERRY))
    if declared is None or declared.extensions:
        return Opaque(field.resolve or default_field_resolver)
    if isinstance(batch := declared.metadata.get(DECLARED), Batch):
        return Batched(declared, batch)
    if declared.base_resolver is not None:
        return Called(declared, declared.base_resolver)
    if declared.default_resolver is getattr:
        return Attribute(declared.python_name)
    return Opaque(field.resolve or default_field_resolver)


def waits(source: Source) -> bool:
    """Whether its values are awaited, or may be."""
    match source:
        case Attribute():
            return False
        case Called(resolver=resolver):
            return resolver.is_async
        case _:
            return True


def shown_info(declared: Declared, info: ResolveInfo) -> Any:
    """Strawberry's `info`."""
    return _strawberry(info.schema).config.info_class(_raw_info=info, _field=declared)


def arguments(field: GraphQLField, info: ResolveInfo) -> dict[str, Any]:
    """As graphql-core reads them."""
    node = info.field_nodes[0]
    return get_argument_values(field, node, info.variable_values) if field.args or node.arguments else {}


def python_arguments(declared: Declared, field: GraphQLField, info: ResolveInfo, shown: Any) -> dict[str, Any]:
    """As Strawberry converts them."""
    if not declared.arguments:
        return {}
    schema = _strawberry(info.schema)
    registry = schema.schema_converter.scalar_registry
    return convert_arguments(arguments(field, info), declared.arguments, registry, schema.config, shown)


def is_plain(node: FieldNode, values: Iterable[Any]) -> bool:
    """Whether arguments are told by the document alone, and nobody could change what they came to."""
    return all(isinstance(one.value, PLAIN_NODES) for one in node.arguments or ()) and all(
        value is None or value is UNSET or isinstance(value, str | int | float | Enum) for value in values
    )


def caller(source: Called | Opaque, field: GraphQLField, info: ResolveInfo) -> Callable[[Any], Any]:
    """What gives the value for a parent."""
    if isinstance(source, Opaque):
        resolve, given = source.resolve, arguments(field, info)
        return lambda parent: resolve(parent, info, **given)
    resolver, shown = source.resolver, shown_info(source.declared, info)
    function, given = resolver.wrapped_func, python_arguments(source.declared, field, info, shown)
    if resolver.info_parameter:
        given[resolver.info_parameter.name] = shown
    roots = [one.name for one in (resolver.parent_parameter, resolver.root_parameter) if one]
    if resolver.self_parameter and not roots:
        return partial(function, **given) if given else function
    if resolver.self_parameter:
        return lambda parent: function(parent, **given, **dict.fromkeys(roots, parent))
    return lambda parent: function(**given, **dict.fromkeys(roots, parent))


def _strawberry(schema: GraphQLSchema) -> Any:
    return cast("Any", schema)._strawberry_schema  # noqa: SLF001 - where Strawberry itself looks for it
