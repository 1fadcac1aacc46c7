"""Compute depth, cost and aliases of an operation. Runs before validation, so it must tolerate invalid documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from operator import add
from typing import Any, NamedTuple

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    get_named_type,
    get_nullable_type,
    is_list_type,
)
from graphql.language import ast

_TOKENS = re.compile(
    r"(?:[\s,\ufeff]++|#[^\n\r]*+)++"
    r'|("""(?:[^"\\]++|\\(?:""")?|"(?!""))*+(?:""")?|"(?:[^"\\\n\r]++|\\.)*+"?'
    r"|[_A-Za-z][_0-9A-Za-z]*+|-?[0-9][0-9.eE+-]*+|\.\.\.|[!$&()*:=@\[\]{|}])"
)
"""Matches ignored text, or a token as a group. It matches the tokens of a valid document exactly.

An unterminated string is one token up to the end of the text, since searching for its end would take quadratic time.
"""

MAX_NESTING = 150
"""Nested selection sets and fragments that the recursion may visit within Python's stack limit."""

INTROSPECTION_COST = {"__schema": 1000, "__type": 100}


class NestingTooDeep(Exception):  # noqa: N818 - internal; becomes an error about the depth
    """The document is nested too deeply to be measured."""


class OperationSize(NamedTuple):
    """Depth, cost and counts of an operation, a selection set or a field, with fragments expanded."""

    depth: int = 0
    cost: int = 0
    """Maximum number of objects in the reply."""
    per_item: int = 0
    """Further objects for each item of the enclosing connection's page."""
    aliases: int = 0
    directives: int = 0
    introspections: int = 0
    page: int = 0
    """The largest requested page."""

    def combine(self, sibling: OperationSize) -> OperationSize:
        total = OperationSize(*map(add, self, sibling))
        return total._replace(depth=max(self.depth, sibling.depth), page=max(self.page, sibling.page))


EMPTY_SIZE = OperationSize()


@dataclass
class OperationMeter:
    """One pass over an operation; each fragment is measured once, whatever the number of its spreads."""

    schema: GraphQLSchema
    fragments: Mapping[str, ast.FragmentDefinitionNode]
    variables: Mapping[str, Any]
    defaults: Mapping[str, ast.ValueNode]
    default_page: int
    list_length: int
    """Items assumed in a list of objects that takes no page argument."""
    size_variables: set[str] = field(default_factory=set[str])
    """The variables that the cost depends on; filled while measuring."""
    _fragment_sizes: dict[str, OperationSize] = field(default_factory=dict[str, OperationSize])

    def measure_operation(self, node: ast.OperationDefinitionNode) -> OperationSize:
        inner = self._measure_selections(node.selection_set, self.schema.get_root_type(node.operation), 0)
        return inner._replace(directives=inner.directives + len(node.directives or ()))

    def measure_fragment(self, name: str, level: int = 0) -> OperationSize:
        if name in self._fragment_sizes:
            return self._fragment_sizes[name]
        self._fragment_sizes[name] = EMPTY_SIZE  # a cycle or an unknown fragment adds nothing: validation reports it
        if (node := self.fragments.get(name)) is not None:
            kind = self.schema.get_type(node.type_condition.name.value)
            inner = self._measure_selections(node.selection_set, kind, level)
            self._fragment_sizes[name] = inner._replace(directives=inner.directives + len(node.directives or ()))
        return self._fragment_sizes[name]

    def _measure_selections(
        self, node: ast.SelectionSetNode, parent: GraphQLNamedType | None, level: int
    ) -> OperationSize:
        if level > MAX_NESTING:
            raise NestingTooDeep
        total = EMPTY_SIZE
        for selection in node.selections:
            total = total.combine(self._measure_selection(selection, parent, level + 1))
        return total

    def _measure_selection(self, node: ast.SelectionNode, parent: GraphQLNamedType | None, level: int) -> OperationSize:
        match node:
            case ast.FieldNode():
                size = self._measure_field(node, parent, level)
            case ast.FragmentSpreadNode():
                size = self.measure_fragment(node.name.value, level)
            case ast.InlineFragmentNode():
                narrowed = node.type_condition
                type_ = self.schema.get_type(narrowed.name.value) if narrowed else parent
                size = self._measure_selections(node.selection_set, type_, level)
            case _:
                size = EMPTY_SIZE
        return size._replace(directives=size.directives + len(node.directives or ())) if node.directives else size

    def _measure_field(self, node: ast.FieldNode, parent: GraphQLNamedType | None, level: int) -> OperationSize:
        aliases = 1 if node.alias else 0
        if node.selection_set is None:
            return OperationSize(depth=1, aliases=aliases)
        name = node.name.value
        definition = self._find_definition(name, parent)
        type_ = get_named_type(definition.type) if definition else None
        inner = self._measure_selections(node.selection_set, type_, level)
        inner = inner._replace(depth=inner.depth + 1, aliases=inner.aliases + aliases)
        if name in INTROSPECTION_COST:
            return inner._replace(depth=1, cost=INTROSPECTION_COST[name], per_item=0, introspections=1, page=0)
        return self._multiply(node, definition, parent, inner)

    def _multiply(
        self,
        node: ast.FieldNode,
        definition: GraphQLField | None,
        parent: GraphQLNamedType | None,
        inner: OperationSize,
    ) -> OperationSize:
        """Multiply the size of a field's object by the number of objects that the field may return."""
        type_ = get_named_type(definition.type) if definition else None
        item_cost = (0 if _is_page_structure(type_) else 1) + inner.cost
        requested = self._requested_items(node, definition)
        if _is_connection(type_):
            page = self.default_page if requested is None else requested
            return inner._replace(cost=inner.cost + inner.per_item * page, per_item=0, page=max(page, inner.page))
        if requested is not None:
            return inner._replace(cost=requested * item_cost, page=max(requested, inner.page))
        if definition is None or not is_list_type(get_nullable_type(definition.type)):
            return inner._replace(cost=item_cost)
        if _is_connection(parent):
            return inner._replace(cost=0, per_item=item_cost)
        return inner._replace(cost=self.list_length * item_cost)

    def _find_definition(self, name: str, parent: GraphQLNamedType | None) -> GraphQLField | None:
        if parent is not None and name in INTROSPECTION_COST:
            meta = self.schema.get_type("__Schema" if name == "__schema" else "__Type")
            return GraphQLField(GraphQLNonNull(meta)) if isinstance(meta, GraphQLObjectType) else None
        return parent.fields.get(name) if isinstance(parent, (GraphQLObjectType, GraphQLInterfaceType)) else None

    def _requested_items(self, node: ast.FieldNode, definition: GraphQLField | None) -> int | None:
        """Return the number of requested items, or the default page size; None without a page argument or a size."""
        accepted = definition.args if definition else {}
        size_arguments = accepted.keys() & {"first", "last", "ids"}
        if not size_arguments:
            return None
        sizes = [
            extent
            for argument in node.arguments or ()
            if argument.name.value in size_arguments and (extent := self._find_extent(argument.value)) is not None
        ]
        if sizes:
            return max(1, *sizes)
        # A list that is whole without a size is measured as one that takes none.
        is_whole = "first" in accepted and accepted["first"].default_value in {None, Undefined}
        return None if is_whole else self.default_page

    def _find_extent(self, node: ast.ValueNode) -> int | None:
        match node:
            case ast.IntValueNode():
                return int(node.value) if len(node.value) < 19 else 10**18
            case ast.ListValueNode():
                return len(node.values)
            case ast.VariableNode():
                name = node.name.value
                self.size_variables.add(name)
                if name not in self.variables and (default := self.defaults.get(name)) is not None:
                    return self._find_extent(default)
                return count_requested_items(self.variables.get(name))
            case _:
                return None


def exceeds_tokens(query: str, tokens: int) -> bool:
    """Return whether a document has more tokens than this, in a thirtieth of the time that a parser takes."""
    matches = (match for match in _TOKENS.finditer(query) if match.lastindex)
    return next(islice(matches, tokens, None), None) is not None


def count_overlaps(
    operation: ast.OperationDefinitionNode, fragments: Mapping[str, ast.FragmentDefinitionNode], maximum: int
) -> int:
    """Count pairs of selections with the same response key in the same parent, up to `maximum`.

    The validation rule for mergeable fields compares all of them: a second of work for 2,000 tokens.
    """
    pairs = visited = 0
    pending: list[list[ast.SelectionSetNode]] = [[operation.selection_set]]
    while pending and pairs <= maximum and visited < 10 * maximum:  # a fragment cycle is endless; validation reports it
        by_key: dict[str, list[ast.SelectionSetNode | None]] = {}
        for node in iterate_fields(pending.pop(), fragments):
            visited += 1
            by_key.setdefault((node.alias or node.name).value, []).append(node.selection_set)
        for same_key in by_key.values():
            pairs += len(same_key) * (len(same_key) - 1) // 2
            if inner := [selections for selections in same_key if selections]:
                pending.append(inner)
    return pairs


def iterate_fields(
    sets: list[ast.SelectionSetNode], fragments: Mapping[str, ast.FragmentDefinitionNode]
) -> Iterator[ast.FieldNode]:
    """Iterate over the fields of selection sets, expanding each fragment once."""
    pending, expanded = [*sets], set[str]()
    while pending:
        for node in pending.pop().selections:
            match node:
                case ast.FieldNode():
                    yield node
                case ast.InlineFragmentNode():
                    pending.append(node.selection_set)
                case ast.FragmentSpreadNode() if node.name.value not in expanded and node.name.value in fragments:
                    expanded.add(node.name.value)
                    pending.append(fragments[node.name.value].selection_set)
                case _:
                    pass


def count_requested_items(value: object) -> int | None:
    """Return the number of items that a variable requests: the number itself, or the length of a list."""
    match value:
        case int() if not isinstance(value, bool):
            return value
        case float() if value.is_integer():
            return int(value)
        case list():
            return len(value)
        case _:
            return None


def collect_fragments(document: ast.DocumentNode) -> dict[str, ast.FragmentDefinitionNode]:
    return {node.name.value: node for node in document.definitions if isinstance(node, ast.FragmentDefinitionNode)}


def _is_connection(type_: GraphQLNamedType | None) -> bool:
    return isinstance(type_, GraphQLObjectType) and "pageInfo" in type_.fields


def _is_page_structure(type_: GraphQLNamedType | None) -> bool:
    """Return whether a type is an edge or page information, which cost nothing."""
    return isinstance(type_, GraphQLObjectType) and (
        "hasNextPage" in type_.fields or ("node" in type_.fields and "cursor" in type_.fields)
    )
