"""Execution plans: the collected fields of an operation as a tree of selections, one per type and level.

A plan holds no values of an execution. It is cached with its document and shared by concurrent executions.
"""

import time
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any, cast
from weakref import proxy

from graphql import (
    GraphQLAbstractType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    Undefined,
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
from graphql.language import ast

from tessera_gql.compute.collection_pause import pause_until_next_callback
from tessera_gql.executor.fields import (
    STRAWBERRY,
    AttributeRead,
    BatchLoad,
    ComputedProperty,
    PathProperty,
    ResolverCall,
    ValueSource,
    find_source,
    may_await,
)
from tessera_gql.executor.leaves import BuildObjects, CompleteValue, ObjectBuilder, create_leaf_completer, is_leaf
from tessera_gql.executor.pushdown import PlanPushdown, Pushdown
from tessera_gql.executor.variables import VariableCache

MAX_SELECTIONS = 200
"""Maximum selections in a plan. Through fragments, a small document may have exponentially many."""

MAX_PLANS = 8
"""Maximum plans of a document, which has one for each operation and combination of `@skip` and `@include` values."""


MAX_EQUAL_FIELDS = 2
"""Maximum times that one field of an object is pushed down if a loader would load the values of all with one query."""

SUSPENSION_SECONDS = 60.0
"""Time for which nothing of a document is pushed down after a query of a pushdown has failed."""


class UnsupportedOperation(Exception):  # noqa: N818 - not a failure, like UnplannedValue
    """The operation has a part that plans do not support."""


class IntrospectionOperation(UnsupportedOperation):
    """The operation reads the schema by introspection, which plans do not support either; it is counted apart."""


@dataclass(frozen=True)
class TypeShape:
    """The nullability and list levels of an output type."""

    nullable: bool
    item: "TypeShape | None" = None

    @classmethod
    def of(cls, type_: GraphQLOutputType) -> "TypeShape":
        inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        item = cls.of(inner.of_type) if isinstance(inner, GraphQLList) else None
        return cls(nullable=inner is type_, item=item)


@dataclass(eq=False)
class Step:
    """A field whose value is more than a leaf attribute."""

    key: str
    parent: GraphQLObjectType
    definition: GraphQLField
    nodes: list[FieldDetails]
    source: ValueSource
    shape: TypeShape
    complete: CompleteValue | None
    """Completes a leaf value; None for objects, which have a branch per type."""
    plan: "Plan"
    """A weak reference, because evicted plans in a reference cycle would stay until a full garbage collection."""
    branches: dict[str, "Selection"] = field(default_factory=dict[str, "Selection"])
    fixed_arguments: dict[str, Any] | None = None
    """The converted arguments if they are the same for all executions."""
    pushdown: Pushdown | None = None
    """Loads the values and all that is below them as JSON text; None if they are loaded level by level."""

    @cached_property
    def field_nodes(self) -> list[ast.FieldNode]:
        return [details.node for details in self.nodes]

    @cached_property
    def named_type(self) -> Any:
        return get_named_type(self.definition.type)

    @cached_property
    def abstract_type(self) -> GraphQLAbstractType | None:
        return self.named_type if is_abstract_type(self.named_type) else None

    @cached_property
    def may_await(self) -> bool:
        """Whether the field or a field below it may be awaited."""
        if may_await(self.source) or self.complete is not None:
            return may_await(self.source)
        return self.abstract_type is not None or any(
            step.may_await for step in self.selection_for(self.named_type).steps
        )

    def selection_for(self, object_type: GraphQLObjectType) -> "Selection":
        """Return the selection for values of an object type."""
        if (selection := self.branches.get(object_type.name)) is None:
            selection = self.branches[object_type.name] = self.plan.create_selection(
                object_type, self.plan.collect_subfields(object_type, self.nodes)
            )
            if self.abstract_type is not None:  # the plan is complete but for the types behind it
                self.plan.push_down(selection)
        return selection


@dataclass(frozen=True)
class LeafAttribute:
    """A leaf field that reads an attribute."""

    name: str
    type_: GraphQLOutputType


@dataclass(eq=False)
class Selection:
    """The selected fields of objects of one type at one level: leaf attributes and steps."""

    object_type: GraphQLObjectType
    builder: ObjectBuilder
    members: dict[str, "str | LeafAttribute | Step"]
    """The value of each key of the reply in its order; a text is a constant."""
    sources: list[ValueSource]

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        return tuple(member for member in self.members.values() if isinstance(member, Step))

    @cached_property
    def build(self) -> BuildObjects:
        return self.builder.compile()

    @cached_property
    def origin(self) -> type | None:
        """The Python class whose exact instances need no `is_type_of` check; None if all need it."""
        declared = cast("Any", (self.object_type.extensions or {}).get(STRAWBERRY))
        return declared.origin if declared is not None and not declared.is_type_of else None


@dataclass(eq=False)
class AttributeReads:
    """The attributes that a plan reads of each type, as paths, if they are known."""

    are_known: bool = True
    load_count: int = 0
    paths: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    unrestricted_types: set[str] = field(default_factory=set[str])
    """Names of types whose attributes may all be read."""

    def paths_of(self, type_name: str) -> frozenset[str] | None:
        """Return the attribute paths of a type; None for all attributes."""
        if not self.are_known or type_name in self.unrestricted_types or type_name not in self.paths:
            return None
        return frozenset(self.paths[type_name])

    def record_all(self, selection: Selection) -> None:
        """Record what is read for a selection and the levels below it, but for what is pushed down."""
        for source in selection.sources:
            self.record(selection.object_type, source)
        for step in selection.steps:
            self.are_known &= step.abstract_type is None
            for branch in step.branches.values() if step.pushdown is None else ():
                self.record_all(branch)

    def record(self, object_type: GraphQLObjectType, source: ValueSource) -> None:
        match source:
            case AttributeRead(name=name):
                member = class_member(object_type, name)
                if isinstance(member, ComputedProperty):
                    self.paths.setdefault(object_type.name, set()).update(member.reads)
                elif isinstance(member, property):
                    self.unrestricted_types.add(object_type.name)
                else:
                    self.paths.setdefault(object_type.name, set()).add(name)
            case BatchLoad(batch=batch) if batch.reads is not None:
                self.load_count += 1
                self.paths.setdefault(object_type.name, set()).update(batch.reads)
            case ResolverCall(resolver=resolver) if not resolver.info_parameter:
                self.load_count += resolver.is_async
                self.unrestricted_types.add(object_type.name)
            case _:
                self.are_known = False


@dataclass(eq=False)
class Plan:
    """The plan of an operation for one combination of its conditions, whose values `variables` holds."""

    schema: GraphQLSchema
    operation: ast.OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    variables: VariableValues
    plan_pushdown: PlanPushdown | None = None
    has_pushdown: bool = False
    reads: "AttributeReads" = field(default_factory=AttributeReads)
    _selection_counter: Iterator[int] = field(default_factory=lambda: count(1))

    @cached_property
    def root(self) -> Selection:
        """Plan the selection of the root type. Raises UnsupportedOperation."""
        root_type = self.schema.get_root_type(self.operation.operation)
        if root_type is None:
            raise UnsupportedOperation("there is no such root type")
        grouped = collect_fields(self.schema, self.fragments, self.variables, root_type, self.operation)
        selection = self.create_selection(root_type, grouped.grouped_field_set)
        self.push_down(selection)
        self.reads.record_all(selection)
        return selection

    def push_down(self, selection: Selection) -> None:
        """Choose the largest subtrees that can be pushed down."""
        if self.plan_pushdown is None:
            return
        field_counts = Counter(id(step.definition) for step in selection.steps)
        for step in selection.steps:
            if isinstance(step.source, BatchLoad):
                pushdown, times = self.plan_pushdown(step), field_counts[id(step.definition)]
                if pushdown is not None and (times <= MAX_EQUAL_FIELDS or not pushdown.loads_by_key):
                    step.pushdown, self.has_pushdown = pushdown, True
            for branch in step.branches.values() if step.pushdown is None else ():
                self.push_down(branch)

    @cached_property
    def definitions(self) -> dict[str, ast.FragmentDefinitionNode]:
        return {name: details.definition for name, details in self.fragments.items()}

    def collect_subfields(self, object_type: GraphQLObjectType, nodes: list[FieldDetails]) -> GroupedFieldSet:
        collected = collect_subfields(self.schema, self.fragments, self.variables, self.operation, object_type, nodes)
        return collected.grouped_field_set

    def create_selection(self, object_type: GraphQLObjectType, grouped: GroupedFieldSet) -> Selection:
        """Plan the fields of an object type. Raises UnsupportedOperation."""
        if next(self._selection_counter) > MAX_SELECTIONS:
            raise UnsupportedOperation("too many selections")
        builder, members, sources = ObjectBuilder(), dict[str, str | LeafAttribute | Step](), list[ValueSource]()
        for key, nodes in grouped.items():
            name = nodes[0].node.name.value
            if name == "__typename":
                builder.constant(key, object_type.name)
                members[key] = object_type.name
                continue
            if name in {"__schema", "__type"}:
                raise IntrospectionOperation(name)
            definition = object_type.fields[name]
            source = find_source(definition)
            sources.append(source)
            if isinstance(source, AttributeRead) and is_leaf(definition.type):
                builder.attribute(key, _attribute_path(object_type, source.name), definition.type)
                members[key] = LeafAttribute(source.name, definition.type)
            else:
                builder.constant(key, None)
                members[key] = self._create_step(key, object_type, nodes, source)
        return Selection(object_type, builder, members, sources)

    def _create_step(self, key: str, parent: GraphQLObjectType, nodes: list[FieldDetails], source: ValueSource) -> Step:
        definition = parent.fields[nodes[0].node.name.value]
        type_ = definition.type
        complete = create_leaf_completer(cast("GraphQLOutputType", get_named_type(type_))) if is_leaf(type_) else None
        step = Step(key, parent, definition, nodes, source, TypeShape.of(type_), complete, proxy(self))
        if step.abstract_type is None and complete is None:
            step.selection_for(step.named_type)
        return step


class PlanCache:
    """An LRU cache of the plans of one document, with one of its variables."""

    def __init__(self) -> None:
        self.variables = VariableCache()
        self._conditions: tuple[str, ...] | None = None
        self._plans: dict[Hashable, Plan | UnsupportedOperation] = {}
        self._pushdown_resumes_at = 0.0

    def __len__(self) -> int:
        return len(self._plans)

    def get(
        self,
        schema: GraphQLSchema,
        document: ast.DocumentNode,
        operation: ast.OperationDefinitionNode,
        values: VariableValues,
        plan_pushdown: PlanPushdown | None = None,
    ) -> Plan:
        """Return the plan for the given variables, creating it if needed. Raises UnsupportedOperation on each call."""
        if plan_pushdown is not None and time.monotonic() < self._pushdown_resumes_at:
            plan_pushdown = None
        if self._conditions is None:
            self._conditions = tuple(sorted(_condition_variables(document)))
        coerced = {name: values.coerced[name] for name in self._conditions if name in values.coerced}
        key = (id(operation), plan_pushdown, *(coerced.get(name, Undefined) for name in self._conditions))
        if (plan := self._plans.pop(key, None)) is None:
            sources = {name: values.sources[name] for name in coerced}
            variables = VariableValues(sources, coerced)
            plan = _build_plan(Plan(schema, operation, _collect_fragments(document), variables, plan_pushdown))
            if len(self._plans) >= MAX_PLANS:
                del self._plans[next(iter(self._plans))]
        self._plans[key] = plan
        if isinstance(plan, UnsupportedOperation):
            raise type(plan)(*plan.args)  # the cached one would keep the frames, and with them the context
        return plan

    def suspend_pushdown(self) -> None:
        """Push nothing down for a while, after a query of a pushdown has failed."""
        self._pushdown_resumes_at = time.monotonic() + SUSPENSION_SECONDS


def _attribute_path(object_type: GraphQLObjectType, name: str) -> str:
    member = class_member(object_type, name)
    return member.path if isinstance(member, PathProperty) else name


def class_member(object_type: GraphQLObjectType, name: str) -> Any:
    """Return a member of the Python class of a GraphQL type, or None."""
    declared = cast("Any", (object_type.extensions or {}).get(STRAWBERRY))
    return getattr(declared and declared.origin, name, None)


def _build_plan(plan: Plan) -> Plan | UnsupportedOperation:
    """Build all selections of a plan; an error is returned so that it is cached."""
    try:
        with pause_until_next_callback():
            _ = plan.root
    except UnsupportedOperation as error:
        return error.with_traceback(None)
    return plan


def _collect_fragments(document: ast.DocumentNode) -> dict[str, FragmentDetails]:
    definitions = (node for node in document.definitions if isinstance(node, ast.FragmentDefinitionNode))
    return {node.name.value: FragmentDetails(node) for node in definitions}


def _condition_variables(document: ast.DocumentNode) -> set[str]:
    """Return the names of variables in directives, which decide the selected fields."""
    names = set[str]()
    pending: list[Any] = [*document.definitions]
    while pending:
        node = pending.pop()
        for directive in node.directives or ():
            values = [argument.value for argument in directive.arguments or ()]
            names |= {value.name.value for value in values if isinstance(value, ast.VariableNode)}
        inner: ast.SelectionSetNode | None = None if isinstance(node, ast.FragmentSpreadNode) else node.selection_set
        pending.extend(inner.selections if inner else ())
    return names
