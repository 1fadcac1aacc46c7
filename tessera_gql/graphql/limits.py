"""How large an operation's answer may become, measured before validation, so an invalid document must be survived."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)
from graphql.language import FragmentSpreadNode, IntValueNode, ListValueNode

_WORDS = re.compile(
    r"(?:[\s,\ufeff]++|#[^\n\r]*+)++"
    r'|("""(?:[^"\\]++|\\(?:""")?|"(?!""))*+(?:""")?|"(?:[^"\\\n\r]++|\\.)*+"?'
    r"|[_A-Za-z][_0-9A-Za-z]*+|-?[0-9][0-9.eE+-]*+|\.\.\.|[!$&()*:=@\[\]{|}])"
)
"""What is ignored, or in a group a token. Of a document without mistakes every token and nothing else;
a string without an end is taken whole, or looking for ends would take forever."""

MAX_NESTING = 150
"""Selection sets and fragments inside each other: what the recursion below may take of Python's stack."""

INTROSPECTION_COST = {"__schema": 1000, "__type": 100}


class TooNested(Exception):  # noqa: N818 - never shown; becomes a refusal
    """The document is nested deeper than it can be measured."""


class Size(NamedTuple):
    """What an operation, a selection set or a field amounts to, its fragments followed."""

    depth: int = 0
    cost: int = 0
    """Objects the answer may hold."""
    per_item: int = 0
    """Further objects for each item of the page that the enclosing connection returns."""
    aliases: int = 0
    directives: int = 0
    introspections: int = 0
    page: int = 0
    """The widest page asked for."""

    def beside(self, other: Size) -> Size:
        return Size(
            max(self.depth, other.depth),
            self.cost + other.cost,
            self.per_item + other.per_item,
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.introspections + other.introspections,
            max(self.page, other.page),
        )


NOTHING = Size()


@dataclass
class Measure:
    """One pass over an operation; each fragment is measured once, whatever the number of its spreads."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    defaults: Mapping[str, ValueNode]
    default_page: int
    list_length: int
    """Items assumed in a list of objects that takes no page argument."""
    sizing: set[str] = field(default_factory=set[str])
    """Out: the variables that the cost depends on."""
    _known: dict[str, Size] = field(default_factory=dict[str, Size])

    def operation(self, node: OperationDefinitionNode) -> Size:
        inner = self._selections(node.selection_set, self.schema.get_root_type(node.operation), 0)
        return inner._replace(directives=inner.directives + len(node.directives or ()))

    def fragment(self, name: str, level: int = 0) -> Size:
        if name in self._known:
            return self._known[name]
        self._known[name] = NOTHING  # a cycle or an unknown fragment adds nothing: validation reports it
        if (node := self.fragments.get(name)) is not None:
            kind = self.schema.get_type(node.type_condition.name.value)
            inner = self._selections(node.selection_set, kind, level)
            self._known[name] = inner._replace(directives=inner.directives + len(node.directives or ()))
        return self._known[name]

    def _selections(self, node: SelectionSetNode, parent: GraphQLNamedType | None, level: int) -> Size:
        if level > MAX_NESTING:
            raise TooNested
        total = NOTHING
        for selection in node.selections:
            total = total.beside(self._selection(selection, parent, level + 1))
        return total

    def _selection(self, node: SelectionNode, parent: GraphQLNamedType | None, level: int) -> Size:
        match node:
            case FieldNode():
                size = self._field(node, parent, level)
            case FragmentSpreadNode():
                size = self.fragment(node.name.value, level)
            case InlineFragmentNode():
                narrowed = node.type_condition
                kind = self.schema.get_type(narrowed.name.value) if narrowed else parent
                size = self._selections(node.selection_set, kind, level)
            case _:
                size = NOTHING
        return size._replace(directives=size.directives + len(node.directives or ())) if node.directives else size

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None, level: int) -> Size:
        aliases = 1 if node.alias else 0
        if node.selection_set is None:
            return Size(depth=1, aliases=aliases)
        name = node.name.value
        definition = self._definition(name, parent)
        kind = get_named_type(definition.type) if definition else None
        inner = self._selections(node.selection_set, kind, level)
        inner = inner._replace(depth=inner.depth + 1, aliases=inner.aliases + aliases)
        if name in INTROSPECTION_COST:
            return inner._replace(depth=1, cost=INTROSPECTION_COST[name], per_item=0, introspections=1, page=0)
        return self._multiplied(node, definition, parent, inner)

    def _multiplied(
        self, node: FieldNode, definition: GraphQLField | None, parent: GraphQLNamedType | None, inner: Size
    ) -> Size:
        """The field's own objects and what is selected in them, as often as the field may return them."""
        kind = get_named_type(definition.type) if definition else None
        each = (0 if _is_scaffold(kind) else 1) + inner.cost
        asked = self._asked(node, definition)
        if _is_connection(kind):
            page = self.default_page if asked is None else asked
            return inner._replace(cost=inner.cost + inner.per_item * page, per_item=0, page=max(page, inner.page))
        if asked is not None:
            return inner._replace(cost=asked * each, page=max(asked, inner.page))
        if definition is None or not is_list_type(get_nullable_type(definition.type)):
            return inner._replace(cost=each)
        if _is_connection(parent):
            return inner._replace(cost=0, per_item=each)
        return inner._replace(cost=self.list_length * each)

    def _definition(self, name: str, parent: GraphQLNamedType | None) -> GraphQLField | None:
        if parent is not None and name in INTROSPECTION_COST:
            meta = self.schema.get_type("__Schema" if name == "__schema" else "__Type")
            return GraphQLField(GraphQLNonNull(meta)) if isinstance(meta, GraphQLObjectType) else None
        return parent.fields.get(name) if isinstance(parent, (GraphQLObjectType, GraphQLInterfaceType)) else None

    def _asked(self, node: FieldNode, definition: GraphQLField | None) -> int | None:
        """The number of items asked for; the default page where a page could have been; None for other fields."""
        takes = definition.args if definition else {}
        sizing = takes.keys() & {"first", "last", "ids"}
        if not sizing:
            return None
        given = [
            extent
            for argument in node.arguments or ()
            if argument.name.value in sizing and (extent := self._extent(argument.value)) is not None
        ]
        return max(1, *given) if given else self.default_page

    def _extent(self, node: ValueNode) -> int | None:
        match node:
            case IntValueNode():
                return int(node.value) if len(node.value) < 19 else 10**18
            case ListValueNode():
                return len(node.values)
            case VariableNode():
                name = node.name.value
                self.sizing.add(name)
                if name not in self.variables and (default := self.defaults.get(name)) is not None:
                    return self._extent(default)
                return extent(self.variables.get(name))
            case _:
                return None


def is_crowded(query: str, tokens: int) -> bool:
    """Whether the text has more tokens; a parser takes thirty times as long to find out."""
    found = (word for word in _WORDS.finditer(query) if word.lastindex)
    return next(islice(found, tokens, None), None) is not None


def overlaps(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode], enough: int) -> int:
    """Pairs of selections of one name in one place, counted to `enough`.

    The rule that such fields can be merged compares them all: a second of work for 2,000 tokens.
    """
    pairs = seen = 0
    places: list[list[SelectionSetNode]] = [[operation.selection_set]]
    while places and pairs <= enough and seen < 10 * enough:  # a cycle has no end; validation reports it
        found: dict[str, list[SelectionSetNode | None]] = {}
        for node in _fields(places.pop(), fragments):
            seen += 1
            found.setdefault((node.alias or node.name).value, []).append(node.selection_set)
        for same in found.values():
            pairs += len(same) * (len(same) - 1) // 2
            if inner := [selections for selections in same if selections]:
                places.append(inner)
    return pairs


def _fields(sets: list[SelectionSetNode], fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[FieldNode]:
    """The fields of one place, each of its fragments taken once."""
    waiting, taken = [*sets], set[str]()
    while waiting:
        for node in waiting.pop().selections:
            match node:
                case FieldNode():
                    yield node
                case InlineFragmentNode():
                    waiting.append(node.selection_set)
                case FragmentSpreadNode() if node.name.value not in taken and node.name.value in fragments:
                    taken.add(node.name.value)
                    waiting.append(fragments[node.name.value].selection_set)
                case _:
                    pass


def extent(value: object) -> int | None:
    """How many items a variable's value asks for: the number itself, or a list's length."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
        case list():
            return len(value)
        case _:
            return None


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def _is_connection(kind: GraphQLNamedType | None) -> bool:
    return isinstance(kind, GraphQLObjectType) and "pageInfo" in kind.fields


def _is_scaffold(kind: GraphQLNamedType | None) -> bool:
    """Edges and page information: the shape of a page, not objects in it."""
    return isinstance(kind, GraphQLObjectType) and (
        "hasNextPage" in kind.fields or ("node" in kind.fields and "cursor" in kind.fields)
    )
