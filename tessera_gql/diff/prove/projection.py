"""What a reader of the old schema sees of a value: at every object, only the properties that the old schema names."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

from tessera_gql.diff.read.forms import COMPARES_WHOLE, COUNTS_NAMES, IS_UNSTABLE
from tessera_gql.diff.read.in_place import conditional_schemas, in_place_schemas
from tessera_gql.diff.read.schema import Schema
from tessera_gql.diff.values.json import Json
from tessera_gql.diff.values.regular_languages import matches


def counts_names(node: Schema) -> bool:
    """Return whether a value may be valid or not because of properties that the schema doesn't name."""
    return bool(node.cache.meanings.traits_of(node.key) & COUNTS_NAMES)


def is_stable(node: Schema) -> bool:
    """Return whether a value that is valid stays so when properties are left out that the schema doesn't name."""
    return not node.cache.meanings.traits_of(node.key) & IS_UNSTABLE


def compares_whole(node: Schema) -> bool:
    """Return whether keywords of the schema are asked of whole values instead of what a reader sees of them."""
    return bool(node.cache.meanings.traits_of(node.key) & COMPARES_WHOLE)


class ProjectionTable:
    """The projections of one comparison; equal ones are the same object."""

    def __init__(self) -> None:
        self.projections: dict[frozenset[int], Projection] = {}

    def project(self, nodes: Iterable[Schema]) -> "Projection | None":
        """Return the projection onto what the schemas of a value name; None if they accept a value and its projection
        alike, because nothing in them counts or excludes properties that they don't name.
        """
        listed = {id(node): node for node in nodes}
        if not any(map(counts_names, listed.values())):
            return None
        key = frozenset(listed)
        if key not in self.projections:
            self.projections[key] = Projection(self, listed.values())
        return self.projections[key]

    def is_refused(self, nodes: Sequence[Schema], value: Json, accepts: Callable[[Json], bool | None]) -> bool:
        """Return whether a validator of the schemas surely refuses what they name of a value.

        Nothing is sure if the validator sees less than the whole value and the schemas ask about that.
        """
        projection = self.project(nodes)
        visible = value if projection is None else projection.apply(value)
        return accepts(visible) is False and (visible == value or not any(map(compares_whole, nodes)))


class Projection:
    """The projection of a value onto the properties that some schemas of it name, and of its parts onto theirs."""

    def __init__(self, table: ProjectionTable, nodes: Iterable[Schema]) -> None:
        self.table = table
        applied = (schema for node in nodes for schema in (*in_place_schemas(node), *conditional_schemas(node)))
        self.nodes = tuple({id(schema): schema for schema in applied}.values())
        self.properties: dict[str, Projection | None] = {}

    @cached_property
    def names(self) -> frozenset[str] | None:
        """The names that are seen besides those that match `patterns`; None if every name is seen."""
        if any(node.is_opaque or _reads_all_names(node) for node in self.nodes):
            return None
        return frozenset(name for node in self.nodes for name in _mentioned_names(node))

    @cached_property
    def patterns(self) -> frozenset[str]:
        return frozenset(pattern for node in self.nodes for pattern in node.pattern_properties)

    @cached_property
    def items(self) -> "Projection | None":
        """The projection of the items of an array, all alike."""
        return self.table.project(schema for node in self.nodes for schema in _item_schemas(node))

    @cached_property
    def undeclared(self) -> "Projection | None":
        """The projection of a property with any name, which other schemas may declare."""
        declared = (node.property_schema(name) for node in self.nodes for name in node.properties)
        undeclared = (schema for node in self.nodes for schema in _undeclared_schemas(node))
        return self.table.project((*declared, *undeclared))

    def property(self, name: str) -> "Projection | None":
        if name not in self.properties:
            declared = (node.property_schema(name) for node in self.nodes if name in node.properties)
            undeclared = (schema for node in self.nodes for schema in _undeclared_schemas(node))
            self.properties[name] = self.table.project((*declared, *undeclared))
        return self.properties[name]

    def shows(self, name: str) -> bool:
        """Return whether a property of this name is seen."""
        is_named = self.names is None or name in self.names
        return is_named or any(matches(pattern, name) is not False for pattern in self.patterns)

    def apply(self, value: Json) -> Json:
        """Return what is seen of a value."""
        if isinstance(value, list):
            return [item if self.items is None else self.items.apply(item) for item in value]
        if not isinstance(value, dict):
            return value
        visible = ((name, item, self.property(name)) for name, item in value.items() if self.shows(name))
        return {name: item if part is None else part.apply(item) for name, item, part in visible}


def _reads_all_names(node: Schema) -> bool:
    """Return whether a keyword describes undeclared properties, so that they are read too."""
    children = map(node.child, ("additionalProperties", "unevaluatedProperties"))
    return any(child is not None and not isinstance(child.raw, bool) for child in children)


def _mentioned_names(node: Schema) -> Iterator[str]:
    yield from node.properties
    yield from node.required
    for name, dependents in node.dependent_names.items():
        yield from (name, *dependents)
    yield from (name for name, _ in node.dependent_schemas())


def _item_schemas(node: Schema) -> Iterator[Schema]:
    yield from node.item_schemas()
    yield from (child for keyword in ("contains", "unevaluatedItems") if (child := node.child(keyword)) is not None)


def _undeclared_schemas(node: Schema) -> Iterator[Schema]:
    yield from node.undeclared_schemas()
    if (unevaluated := node.child("unevaluatedProperties")) is not None:
        yield unevaluated
