"""What is to be done for an operation, worked out once: a selection for each type in each place, levels below levels.

A plan knows no values: it is kept beside its document and used by many executions at once.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any, cast
from weakref import proxy

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    VariableNode,
    get_named_type,
    is_abstract_type,
)
from graphql.execution.collect_fields import (
    FieldDetails,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues

from tessera_gql.executor.fields import (
    STRAWBERRY,
    Attribute,
    Batched,
    Called,
    Reading,
    Source,
    Through,
    source_of,
    waits,
)
from tessera_gql.executor.leaves import Build, Builder, Finish, finisher, is_leaf

MAX_SELECTIONS = 200
"""In one plan; a document may be small and yet, through its fragments, have far more of them than it has words."""

MAX_PLANS = 8
"""Of one document, which has one for each operation and outcome of its conditions."""


class Unsupported(Exception):  # noqa: N818 - as Unplanned
    """No plan is made for this operation."""


class Introspection(Unsupported):
    """It asks for the schema."""


@dataclass(frozen=True)
class Shape:
    """A type around a named one: may it be null, and of what is it a list."""

    nullable: bool
    item: "Shape | None" = None

    @classmethod
    def of(cls, kind: GraphQLOutputType) -> "Shape":
        inner = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        item = cls.of(inner.of_type) if isinstance(inner, GraphQLList) else None
        return cls(nullable=inner is kind, item=item)


@dataclass(eq=False)
class Step:
    """A field that takes more than an attribute."""

    key: str
    parent: GraphQLObjectType
    definition: GraphQLField
    nodes: list[FieldDetails]
    source: Source
    shape: Shape
    finish: Finish | None
    """Completes a value without selections; the others are completed by `branch`."""
    plan: "Plan"
    """A weak reference: in a cycle, plans of documents that are no longer cached would stay until a full collection."""
    branches: dict[str, "Selection"] = field(default_factory=dict[str, "Selection"])
    given: dict[str, Any] | None = None
    """The arguments, where they are the same for each execution."""

    @cached_property
    def field_nodes(self) -> list[FieldNode]:
        return [details.node for details in self.nodes]

    @cached_property
    def named(self) -> Any:
        return get_named_type(self.definition.type)

    @cached_property
    def abstract(self) -> GraphQLAbstractType | None:
        return self.named if is_abstract_type(self.named) else None

    @cached_property
    def waits(self) -> bool:
        """Whether something in it or below it is awaited, or may be."""
        if waits(self.source) or self.finish is not None:
            return waits(self.source)
        return self.abstract is not None or any(step.waits for step in self.branch(self.named).steps)

    def branch(self, kind: GraphQLObjectType) -> "Selection":
        """What is selected of a value of that type."""
        if (found := self.branches.get(kind.name)) is None:
            found = self.branches[kind.name] = self.plan.selection(kind, self.plan.below(kind, self.nodes))
        return found


@dataclass(eq=False)
class Selection:
    """What is asked of objects of one type in one place."""

    kind: GraphQLObjectType
    builder: Builder
    steps: tuple[Step, ...]

    @cached_property
    def build(self) -> Build:
        return self.builder.made()

    @cached_property
    def origin(self) -> type | None:
        """Instances of exactly this class are of the type without being asked; None has all of them asked."""
        declared = cast("Any", (self.kind.extensions or {}).get(STRAWBERRY))
        return declared.origin if declared is not None and not declared.is_type_of else None


@dataclass(eq=False)
class Reads:
    """Which attributes of objects of a type anything in the plan looks at, as paths, where that is known."""

    are_known: bool = True
    questions: int = 0
    """How often something is asked for, where that is known."""
    paths: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """By the name of the type."""
    whole: set[str] = field(default_factory=set[str])
    """The types of which anything may be looked at."""

    def of(self, kind: str) -> frozenset[str] | None:
        """None for all."""
        if not self.are_known or kind in self.whole or kind not in self.paths:
            return None
        return frozenset(self.paths[kind])

    def note(self, kind: GraphQLObjectType, source: Source) -> None:
        match source:
            case Attribute(name=name):
                found = _member(kind, name)
                if isinstance(found, Reading):
                    self.paths.setdefault(kind.name, set()).update(found.reads)
                elif isinstance(found, property):
                    self.whole.add(kind.name)
                else:
                    self.paths.setdefault(kind.name, set()).add(name)
            case Batched(batch=batch) if batch.reads is not None:
                self.questions += 1
                self.paths.setdefault(kind.name, set()).update(batch.reads)
            case Called(resolver=resolver) if not resolver.info_parameter:
                self.questions += resolver.is_async
                self.whole.add(kind.name)
            case _:
                self.are_known = False


@dataclass(eq=False)
class Plan:
    """One operation for one outcome of its conditions; `variables` holds no more than that outcome."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    variables: VariableValues
    reads: "Reads" = field(default_factory=Reads)
    _made: Iterator[int] = field(default_factory=lambda: count(1))

    @cached_property
    def root(self) -> Selection:
        kind = self.schema.query_type
        if kind is None:
            raise Unsupported("there is no query type")
        grouped = collect_fields(self.schema, self.fragments, self.variables, kind, self.operation)
        return self.selection(kind, grouped.grouped_field_set)

    @cached_property
    def definitions(self) -> dict[str, FragmentDefinitionNode]:
        return {name: details.definition for name, details in self.fragments.items()}

    def below(self, kind: GraphQLObjectType, nodes: list[FieldDetails]) -> GroupedFieldSet:
        collected = collect_subfields(self.schema, self.fragments, self.variables, self.operation, kind, nodes)
        return collected.grouped_field_set

    def selection(self, kind: GraphQLObjectType, grouped: GroupedFieldSet) -> Selection:
        if next(self._made) > MAX_SELECTIONS:
            raise Unsupported("too many selections")
        builder, steps = Builder(), list[Step]()
        for key, nodes in grouped.items():
            name = nodes[0].node.name.value
            if name == "__typename":
                builder.constant(key, kind.name)
                continue
            if name in {"__schema", "__type"}:
                raise Introspection(name)
            found = kind.fields[name]
            source = source_of(found)
            self.reads.note(kind, source)
            if isinstance(source, Attribute) and is_leaf(found.type):
                builder.attribute(key, _path(kind, source.name), found.type)
            else:
                builder.constant(key, None)
                steps.append(self._step(key, kind, found, nodes, source))
        return Selection(kind, builder, (*steps,))

    def _step(
        self, key: str, parent: GraphQLObjectType, found: GraphQLField, nodes: list[FieldDetails], source: Source
    ) -> Step:
        finish = finisher(cast("GraphQLOutputType", get_named_type(found.type))) if is_leaf(found.type) else None
        step = Step(key, parent, found, nodes, source, Shape.of(found.type), finish, proxy(self))
        if step.abstract is not None:
            self.reads.are_known = False
        elif finish is None:
            step.branch(step.named)
        return step


class Plans:
    """Those of one document; the one that has been unused for longest gives way."""

    def __init__(self) -> None:
        self._conditions: tuple[str, ...] | None = None
        self._plans: dict[Hashable, Plan | Unsupported] = {}

    def __len__(self) -> int:
        return len(self._plans)

    def get(
        self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, values: VariableValues
    ) -> Plan:
        """Raises Unsupported, each time."""
        if self._conditions is None:
            self._conditions = tuple(sorted(_conditions(document)))
        coerced = {name: values.coerced[name] for name in self._conditions if name in values.coerced}
        key = (id(operation), *(coerced.get(name, Undefined) for name in self._conditions))
        if (found := self._plans.pop(key, None)) is None:
            sources = {name: values.sources[name] for name in coerced}
            found = _planned(Plan(schema, operation, _fragments(document), VariableValues(sources, coerced)))
            if len(self._plans) >= MAX_PLANS:
                del self._plans[next(iter(self._plans))]
        self._plans[key] = found
        if isinstance(found, Unsupported):
            raise found.with_traceback(None)
        return found


def _path(kind: GraphQLObjectType, name: str) -> str:
    """The attribute, or the attribute of an attribute that it stands for."""
    found = _member(kind, name)
    return found.path if isinstance(found, Through) else name


def _member(kind: GraphQLObjectType, name: str) -> Any:
    """What the class behind the type has under that name."""
    declared = cast("Any", (kind.extensions or {}).get(STRAWBERRY))
    return getattr(declared and declared.origin, name, None)


def _planned(plan: Plan) -> Plan | Unsupported:
    try:
        _ = plan.root
    except Unsupported as error:
        return error.with_traceback(None)
    return plan


def _fragments(document: DocumentNode) -> dict[str, FragmentDetails]:
    found = (node for node in document.definitions if isinstance(node, FragmentDefinitionNode))
    return {node.name.value: FragmentDetails(node) for node in found}


def _conditions(document: DocumentNode) -> set[str]:
    """The variables that decide what is selected."""
    found = set[str]()
    waiting: list[Any] = [*document.definitions]
    while waiting:
        node = waiting.pop()
        for directive in node.directives or ():
            found |= {one.value.name.value for one in directive.arguments or () if isinstance(one.value, VariableNode)}
        below: SelectionSetNode | None = None if isinstance(node, FragmentSpreadNode) else node.selection_set
        waiting.extend(below.selections if below else ())
    return found
