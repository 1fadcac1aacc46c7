"""Decide which parts of a query the database returns as JSON text, and load them.

A part is pushed down only if all of it is on this list: global ids, columns with a text, time, number, truth value or
enum, `__typename`, relations, and connections. What depends on the caller is not: private rows, fields with a resolver,
and lists that need a right. JSON columns are not either, since their text differs from what the server encodes.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, cast

from graphql import GraphQLEnumType, GraphQLNonNull
from strawberry.types import get_object_definition

from tessera_gql.executor import (
    BoundBatch,
    JsonFragment,
    LeafAttribute,
    PathProperty,
    Pushdown,
    PushdownFailed,
    Selection,
    Step,
)
from tessera_gql.executor.fields import AttributeRead, BatchLoad, ResolverCall
from tessera_gql.executor.plan import class_member
from tessera_gql.graphql.connections import Connection, ConnectionDeclaration, parse_page_request
from tessera_gql.graphql.context import Context
from tessera_gql.graphql.relations import RelationDeclaration, RootDeclaration
from tessera_gql.graphql.row_types import GlobalIdProperty
from tessera_gql.store.json_queries import JsonQuery, ListRequest
from tessera_gql.store.json_trees import (
    MAX_LISTS,
    MAX_MEMBERS,
    MAX_RELATION_DEPTH,
    MAX_RELATIONS,
    Constant,
    CursorMember,
    Edges,
    GlobalId,
    Items,
    JsonList,
    JsonObject,
    Leaf,
    ListMember,
    NotPushable,
    ObjectMember,
    PageInfo,
    PageMember,
    RelatedObject,
    TotalCount,
    check_source,
    is_never_null,
    plain_type,
)
from tessera_gql.store.lookups import RowLookup
from tessera_gql.store.rows import TableLike
from tessera_gql.store.session import Session

log = logging.getLogger("tessera_gql.graphql")

ROOT_KEYS = (None,)
PAGE_MEMBERS = frozenset(member.value for member in PageMember)
TOTAL_COUNTS = {"total_count": TotalCount.TOTAL, "is_total_count_exact": TotalCount.IS_EXACT}
SCALARS = {str: "String", datetime: "DateTime", bool: "Boolean", int: "Int"}
"""The scalar of each type of values that the database writes as the server does."""


def plan_pushdown(step: Step) -> Pushdown | None:
    """Return the pushdown of a step with all that is selected below it; None if some of it must be loaded."""
    try:
        return _plan(step)
    except NotPushable as reason:
        log.debug("%s is not pushed down: %s", step.key, reason)
        return None


def _plan(step: Step) -> Pushdown:
    builder = _TreeBuilder()
    match cast("BatchLoad", step.source).batch.declaration:
        case ConnectionDeclaration() as declaration:
            tree = builder.list(step, declaration)
            return _ListPushdown(builder.list_steps, builder.lists, JsonQuery(tree), declaration)
        case RelationDeclaration(path=path) as declaration:
            lookup = _require_lookup(declaration.lookup)
            item = builder.nested_object(step, lookup)
            return _RelationPushdown(builder.list_steps, builder.lists, JsonQuery(item, lookup), attrgetter(path))
        case RootDeclaration() as declaration:
            lookup = _require_lookup(declaration.lookup)
            item = builder.nested_object(step, lookup)
            return _RootPushdown([step, *builder.list_steps], builder.lists, lookup.table, item, declaration)
        case _:
            raise NotPushable("only its loader knows how")


def _require_lookup(lookup: RowLookup | None) -> RowLookup:
    if lookup is None or not lookup.is_unique:
        raise NotPushable("a loader without a lookup")
    check_source(lookup.table)
    return lookup


@dataclass
class _TreeBuilder:
    """Turns selections of a plan into a tree. Raises NotPushable for all that is not on the list."""

    lists: list[JsonList] = field(default_factory=list[JsonList])
    list_steps: list[Step] = field(default_factory=list[Step])
    relation_count: int = 0
    member_count: int = 0

    def nested_object(self, step: Step, lookup: RowLookup) -> JsonObject:
        """Return the tree of an object with others below it; the loader is as fast for a single row."""
        tree = self.object(_selection(step), lookup.table)
        if not self.relation_count and not self.lists:
            raise NotPushable("a single row")
        return tree

    def object(self, selection: Selection, source: TableLike) -> JsonObject:
        tree = JsonObject(tuple((key, self._member(selection, source, key)) for key in selection.members))
        self.member_count += len(tree.members)
        if self.member_count > MAX_MEMBERS or tree.relation_depth() > MAX_RELATION_DEPTH:
            raise NotPushable("too large")
        return tree

    def _member(self, selection: Selection, source: TableLike, key: str) -> ObjectMember:
        match selection.members[key]:
            case str() as text:
                return Constant(text)
            case LeafAttribute() as leaf:
                return _leaf(selection, source, leaf)
            case Step(source=BatchLoad(batch=batch)) as step:
                match batch.declaration:
                    case ConnectionDeclaration(parent=str()) as declaration:
                        _require_column(source, declaration.key)
                        return self.list(step, declaration)
                    case RelationDeclaration() as declaration:
                        return self._relation(step, declaration, source)
                    case _:
                        raise NotPushable("only its loader knows how")
            case _:
                raise NotPushable(f"{key} has a resolver")

    def _relation(self, step: Step, declaration: RelationDeclaration, source: TableLike) -> RelatedObject:
        lookup, key = _require_lookup(declaration.lookup), declaration.path.removeprefix("row.")
        _require_column(source, key)
        self.relation_count += 1
        if self.relation_count > MAX_RELATIONS:
            raise NotPushable("too many relations")
        if not step.shape.nullable and not (is_never_null(source, key) and lookup.always_finds(source.c[key])):
            raise NotPushable(f"nothing ensures that {step.key} is there")
        return RelatedObject(key, lookup, self.object(_selection(step), lookup.table), step.shape.nullable)

    def list(self, step: Step, declaration: ConnectionDeclaration) -> JsonList:
        source = declaration.listing.source
        check_source(source)
        number = len(self.list_steps)
        self.list_steps.append(step)
        if number >= MAX_LISTS:
            raise NotPushable("too many lists")
        if not is_never_null(source, "id") or not is_never_null(source, declaration.listing.order_by):
            raise NotPushable("a list of rows that may have no position")
        members = tuple(self._list_members(_selection(step), source))
        tree = JsonList(number, source, declaration.parent, declaration.key, members)
        if not tree.reads_rows():
            raise NotPushable("a list of which nothing is read, though its loader would fail if it can't be")
        self.lists.append(tree)
        self.lists.sort(key=attrgetter("number"))
        return tree

    def _list_members(self, selection: Selection, source: TableLike) -> Iterator[tuple[str, ListMember]]:
        for key, member in selection.members.items():
            match member:
                case str():
                    yield key, Constant(member)
                case Step(source=AttributeRead(name="nodes")) as step:
                    yield key, Items(self.object(_selection(step), source))
                case Step(source=ResolverCall(resolver=resolver)) as step:
                    match _connection_resolvers().get(resolver.wrapped_func):
                        case "edges":
                            yield key, Edges(tuple(self._edge_members(_selection(step), source)))
                        case "page_info":
                            yield key, PageInfo(tuple(_page_members(_selection(step))))
                        case str() as name if name in TOTAL_COUNTS:
                            yield key, TOTAL_COUNTS[name]
                        case _:
                            raise NotPushable(f"{key} has a resolver")
                case _:
                    raise NotPushable(f"{key} is not a member of all lists")

    def _edge_members(
        self, selection: Selection, source: TableLike
    ) -> Iterator[tuple[str, Constant | CursorMember | JsonObject]]:
        for key, member in selection.members.items():
            match member:
                case str():
                    yield key, Constant(member)
                case LeafAttribute(name="cursor"):
                    yield key, CursorMember.CURSOR
                case Step(source=AttributeRead(name="node")) as step:
                    yield key, self.object(_selection(step), source)
                case _:
                    raise NotPushable(f"{key} is not a member of all edges")


def _page_members(selection: Selection) -> Iterator[tuple[str, Constant | PageMember]]:
    for key, member in selection.members.items():
        match member:
            case str():
                yield key, Constant(member)
            case LeafAttribute(name=name) if name in PAGE_MEMBERS:
                yield key, PageMember(name)
            case _:
                raise NotPushable(f"{key} is not a member of all pages")


@cache
def _connection_resolvers() -> Mapping[Callable[..., Any], str]:
    """Return the resolvers of the fields that all connections have, with the names of the fields."""
    fields = get_object_definition(Connection, strict=True).fields
    resolvers = ((item.base_resolver, item.python_name) for item in fields)
    return {cast("Any", resolver).wrapped_func: name for resolver, name in resolvers if resolver is not None}


def _selection(step: Step) -> Selection:
    if step.abstract_type is not None:
        raise NotPushable(f"{step.key} may have several types")
    return step.selection_for(step.named_type)


def _require_column(source: TableLike, name: str) -> None:
    if name not in source.c:
        raise NotPushable(f"{name} is not a column")


def _leaf(selection: Selection, source: TableLike, leaf: LeafAttribute) -> ObjectMember:
    member, is_required = class_member(selection.object_type, leaf.name), isinstance(leaf.type_, GraphQLNonNull)
    name = member.path.removeprefix("row.") if isinstance(member, PathProperty) else leaf.name
    if isinstance(member, GlobalIdProperty):
        name = "id"
    elif not isinstance(member, PathProperty) or name == member.path:
        raise NotPushable(f"{leaf.name} is computed")
    _require_column(source, name)
    if is_required and not is_never_null(source, name):
        raise NotPushable(f"nothing ensures that {leaf.name} has a value")
    if isinstance(member, GlobalIdProperty):
        return GlobalId(member.type_name)
    type_: Any = leaf.type_.of_type if isinstance(leaf.type_, GraphQLNonNull) else leaf.type_
    if not _is_written_alike(plain_type(source, name), type_):
        raise NotPushable(f"the values of {leaf.name} are converted")
    return Leaf(name)


def _is_written_alike(value_type: type | None, type_: Any) -> bool:
    """Whether the database writes values of a type as the server does: enums are stored by their values."""
    if value_type is None or not issubclass(value_type, Enum):
        return value_type is not None and str(type_) == SCALARS.get(value_type)
    return isinstance(type_, GraphQLEnumType) and all(
        type_.coerce_output_value(member) == member.value for member in value_type
    )


@dataclass(eq=False)
class _TreePushdown:
    """The lists of a tree and the steps whose arguments ask for their pages."""

    loads_by_key = True
    steps: Sequence[Step]
    lists: Sequence[JsonList]
    _fixed_requests: list[ListRequest] | None = field(default=None, init=False)
    """The pages, if they are the same for all executions."""

    def _list_requests(self, list_arguments: Sequence[Mapping[str, Any]]) -> list[ListRequest]:
        """Return the pages that the arguments ask for. Raise Invalid as the lists would."""
        if self._fixed_requests is not None:
            return self._fixed_requests
        steps, requests = self.steps[len(self.steps) - len(self.lists) :], list[ListRequest]()
        for step, tree, arguments in zip(steps, self.lists, list_arguments, strict=True):
            declaration = cast("ConnectionDeclaration", cast("BatchLoad", step.source).batch.declaration)
            requests.append(ListRequest.of(tree, parse_page_request(declaration.listing, arguments)))
        if all(step.fixed_arguments is not None for step in steps):
            self._fixed_requests = requests
        return requests


async def _load_fragments(
    context: Context, query: JsonQuery, keys: Sequence[Any], requests: Sequence[ListRequest]
) -> list[JsonFragment | None]:
    async def fetch(session: Session) -> list[str | None]:
        return await query.fetch(session, keys, requests)

    try:
        texts = await context.loaders.run_query(fetch)
    except Exception as error:
        raise PushdownFailed from error
    return [None if text is None else JsonFragment(text) for text in texts]


def _keep(_key: Any, fragment: JsonFragment | None) -> JsonFragment | None:
    return fragment


@dataclass(eq=False)
class _KeyedPushdown(_TreePushdown):
    query: JsonQuery

    def _bind(self, context: Context, requests: Sequence[ListRequest], key: Callable[[Any], Any]) -> BoundBatch:
        async def load_many(keys: Sequence[Any]) -> list[JsonFragment | None]:
            return await _load_fragments(context, self.query, keys, requests)

        return BoundBatch(key, load_many, _keep)


@dataclass(eq=False)
class _ListPushdown(_KeyedPushdown):
    """A connection of all rows, or of each parent."""

    loads_by_key = False
    declaration: ConnectionDeclaration

    def bind(self, context: Context, arguments: Sequence[Mapping[str, Any]]) -> BoundBatch:
        if self.declaration.parent is None:
            return self._bind(context, self._list_requests(arguments), lambda _: ROOT_KEYS)
        return self._bind(context, self._list_requests(arguments), attrgetter(f"row.{self.declaration.key}"))


@dataclass(eq=False)
class _RelationPushdown(_KeyedPushdown):
    """The related object of each parent."""

    get_key: Callable[[Any], Any]

    def bind(self, context: Context, arguments: Sequence[Mapping[str, Any]]) -> BoundBatch:
        return self._bind(context, self._list_requests(arguments), self.get_key)


@dataclass(eq=False)
class _RootPushdown(_TreePushdown):
    """The object that the arguments of a root field name."""

    table: TableLike
    item: JsonObject
    declaration: RootDeclaration
    _queries: dict[RowLookup, JsonQuery] = field(default_factory=dict[RowLookup, JsonQuery])
    """The query by each of the keys by which the object can be named."""

    def bind(self, context: Context, arguments: Sequence[Mapping[str, Any]]) -> BoundBatch:
        lookup, key = self.declaration.resolve(arguments[0])
        if lookup is None or lookup.table is not self.table or not lookup.is_unique:
            raise PushdownFailed from NotPushable("a loader without a lookup")
        requests = self._list_requests(arguments[1:])
        if (query := self._queries.get(lookup)) is None:
            query = self._queries[lookup] = JsonQuery(self.item, lookup, has_single_key=True)

        async def load_many(keys: Sequence[Any]) -> list[JsonFragment | None]:
            return await _load_fragments(context, query, keys, requests)

        return BoundBatch(lambda _: key, load_many, _keep)
