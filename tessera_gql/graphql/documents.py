"""Parse, measure and validate a client's document, each once; a client's mistake is returned, never raised."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    NullValueNode,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    Token,
    ValueNode,
    VariableNode,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from tessera_gql.executor import Plans
from tessera_gql.graphql.limit_values import Limits
from tessera_gql.graphql.limits import MAX_NESTING, Measure, Size, TooNested, extent, fragments_of, is_crowded, overlaps

RULES = (
    (
        *(rule for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule),
        MaybeNullValidationRule,
        OneOfInputValidationRule,
    ),
    (OverlappingFieldsCanBeMergedRule,),
)
"""The quadratic rule by itself: it must not see fragments that are cyclic, or unused and so never measured."""


class Profile(StrEnum):
    """OPEN is for development; only there are introspection, GraphiQL, GET and "did you mean" to be had."""

    OPEN = "open"
    LOCKED = "locked"


@dataclass(frozen=True)
class Operation:
    """One operation that passed every check before execution."""

    document: DocumentNode
    node: OperationDefinitionNode
    variables: dict[str, Any]
    cost: int = 0
    """Objects the answer may hold; of several operations in the document, what the costliest may."""
    plans: Plans = field(default_factory=Plans, repr=False, compare=False)
    """Of the document: how its queries are executed."""

    @property
    def kind(self) -> OperationType:
        return self.node.operation

    @property
    def name(self) -> str | None:
        return self.node.name.value if self.node.name else None

    def asks_only(self, name: str) -> bool:
        """Whether its one root field is this; a fragment at the root is not looked into."""
        fields = self.node.selection_set.selections
        return len(fields) == 1 and isinstance(fields[0], FieldNode) and fields[0].name.value == name

    def calls(self, names: Collection[str]) -> bool:
        """Whether a root field has one of these names, in fragments as well."""
        fragments, waiting, seen = fragments_of(self.document), [self.node.selection_set], set[str]()
        while waiting:
            for selection in waiting.pop().selections:
                match selection:
                    case FieldNode(name=name):
                        if name.value in names:
                            return True
                    case FragmentSpreadNode(name=name) if name.value not in seen:
                        seen.add(name.value)
                        waiting.append(fragments[name.value].selection_set)
                    case InlineFragmentNode(selection_set=inner):
                        waiting.append(inner)
                    case _:
                        pass
        return False

    def gives(self, argument: str) -> bool:
        """Whether a root field may be given this argument; a fragment at the root is not looked into."""
        return any(
            not isinstance(field, FieldNode)
            or any(given.name.value == argument and not self._is_null(given.value) for given in field.arguments or ())
            for field in self.node.selection_set.selections
        )

    def variable_of(self, argument: str) -> str | None:
        """The variable that gives this argument of the one root field, if it is good for nothing else."""
        fields = self.node.selection_set.selections
        given = [one for field in fields if isinstance(field, FieldNode) for one in field.arguments or ()]
        names = [
            one.value.name.value for one in given if one.name.value == argument and isinstance(one.value, VariableNode)
        ]
        if len(fields) != 1 or not names or self.document.loc is None:
            return None
        uses = re.findall(rf"\${names[0]}\b", self.document.loc.source.body)
        return names[0] if len(uses) == 2 else None  # its definition and this

    def _is_null(self, value: ValueNode) -> bool:
        if isinstance(value, VariableNode):
            name = value.name.value
            return self.variables.get(name) is None and (name in self.variables or name not in _defaults(self.node))
        return isinstance(value, NullValueNode)


Prepared: TypeAlias = Operation | list[GraphQLError]


@dataclass
class _Entry:
    document: DocumentNode | None
    size: int
    """In tokens, or what takes as much memory."""
    errors: list[GraphQLError] | None = None
    """None until validated."""
    sizing: tuple[str, ...] | None = None
    verdicts: dict[Hashable, GraphQLError | int] = field(default_factory=dict[Hashable, GraphQLError | int])
    plans: Plans = field(default_factory=Plans)
    weight: int = 0
    """As the cache counts it."""

    def weigh(self) -> int:
        """The weight with what has been remembered meanwhile: a plan takes two thirds of what it is made from."""
        return self.size * (1 + 2 * max(1, len(self.plans))) // 3 + len(self.verdicts)


def parse_operation(query: str, variables: dict[str, Any], operation_name: str | None) -> Operation:
    """The operation of a document that another process has checked already."""
    document = parse(query)
    chosen = _chosen(document, operation_name)
    if isinstance(chosen, GraphQLError):
        raise chosen
    return Operation(document, chosen, variables)


class Documents:
    """The documents of one schema, the latest used kept."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, profile: Profile) -> None:
        self._schema = schema
        self._limits = limits
        self._profile = profile
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._weight = 0

    def prepare(
        self, query: str, variables: dict[str, Any] | None = None, operation_name: str | None = None
    ) -> Prepared:
        """The operation to run, or why there is none."""
        entry = self._entry(query)
        variables = variables or {}
        if entry.document is None:
            return entry.errors or []
        verdict = self._verdict(entry, entry.document, variables)
        if isinstance(verdict, GraphQLError):
            return [verdict]
        if entry.errors is None:
            entry.errors = self._validate(entry.document)
        if entry.errors:
            return entry.errors
        chosen = _chosen(entry.document, operation_name)
        if isinstance(chosen, GraphQLError):
            return [chosen]
        return Operation(entry.document, chosen, variables, verdict, entry.plans)

    def _entry(self, query: str) -> _Entry:
        if (entry := self._entries.get(query)) is None:
            entry = self._entries[query] = self._parsed(query)
        else:
            self._entries.move_to_end(query)
        weight = entry.weigh()
        self._weight += weight - entry.weight
        entry.weight = weight
        while self._weight > self._limits.cached_tokens:
            self._weight -= self._entries.popitem(last=False)[1].weight
        return entry

    def _parsed(self, query: str) -> _Entry:
        if len(query) > (limit := self._limits.document_bytes):
            return _Entry(None, 2, [_too_complex("document", limit, _TOO_LONG.format(f"{limit:,}"))])
        tokens, size = self._limits.tokens, 2 + len(query) // 500
        crowded = f"The document has more than {tokens:,} tokens, which is the limit. Split it into several requests."
        if is_crowded(query, tokens):
            return _Entry(None, size, [_too_complex("tokens", tokens, crowded)])
        try:
            document = parse(query, max_lexical_tokens=tokens, max_comments=tokens)
        except GraphQLError as error:
            if error.message.endswith("nested too deeply. Parsing aborted."):
                refused = _too_complex("depth", self._limits.depth, _TOO_NESTED)
            elif error.message.endswith("Parsing aborted."):
                refused = _too_complex("tokens", tokens, crowded)
            else:
                refused = _coded(error, "GRAPHQL_PARSE_FAILED")
            return _Entry(None, size, [refused])
        _unlink_tokens(document)
        return _Entry(document, size + document.token_count)

    def _validate(self, document: DocumentNode) -> list[GraphQLError]:
        limits, hide = self._limits, self._profile is Profile.LOCKED
        fragments = fragments_of(document)
        pairs = sum(overlaps(node, fragments, limits.overlaps) for node in _operations(document))
        if pairs > limits.overlaps:
            return [_too_complex("overlaps", limits.overlaps, _OVERLAPS.format(f"{limits.overlaps:,}"))]
        for rules in RULES:
            if errors := validate(self._schema, document, rules, limits.errors, hide):
                return [_coded(error, "GRAPHQL_VALIDATION_FAILED") for error in errors]
        return []

    def _verdict(self, entry: _Entry, document: DocumentNode, variables: Mapping[str, Any]) -> GraphQLError | int:
        """The first limit that an operation passes, else what they cost; remembered for these sizes of pages."""
        if entry.sizing is not None and (key := _sizes(entry.sizing, variables)) in entry.verdicts:
            return entry.verdicts[key]
        sizing: set[str] = set()
        verdict = self._measured(document, variables, sizing)
        entry.sizing = (*sizing,)
        if len(entry.verdicts) >= 100:
            entry.verdicts.clear()
        entry.verdicts[_sizes(entry.sizing, variables)] = verdict
        return verdict

    def _measured(self, document: DocumentNode, variables: Mapping[str, Any], sizing: set[str]) -> GraphQLError | int:
        fragments, limits, cost = fragments_of(document), self._limits, 0
        pages = (limits.default_page, limits.list_length)
        for node in _operations(document):
            measure = Measure(self._schema, fragments, variables, _defaults(node), *pages, sizing)
            try:
                size = measure.operation(node)
            except TooNested:
                size = Size(depth=MAX_NESTING)
            if refusal := _exceeded(size, limits) or self._introspects(size):
                return refusal
            cost = max(cost, size.cost)
        return cost

    def _introspects(self, size: Size) -> GraphQLError | None:
        if not size.introspections or self._profile is Profile.OPEN:
            return None
        message = (
            "Introspection is off on this server. Read the schema from its schema.graphql, "
            "or run a server in the open profile."
        )
        return _coded(GraphQLError(message), "GRAPHQL_VALIDATION_FAILED")


_TOO_NESTED = "The document is nested too deeply to be read. Pass values in variables, or ask for less at once."
_TOO_LONG = "The document has more than {} characters, which is the limit. Pass values in variables."
_OVERLAPS = "The same fields are selected together more than {} times over, which is the limit. Select each only once."


def _sizes(names: tuple[str, ...], variables: Mapping[str, Any]) -> Hashable:
    return tuple(extent(variables[name]) if name in variables else "default" for name in names)


def _exceeded(size: Size, limits: Limits) -> GraphQLError | None:
    split = "Split it into several requests."
    figures = (
        ("depth", size.depth, limits.depth, "The query is {} levels deep; the limit is {}. " + split),
        ("page", size.page, limits.page, "{} items are asked for at once; the limit is {}. Page through them."),
        (
            "cost",
            size.cost,
            limits.cost,
            "The answer could hold {} objects; the limit is {}. Ask for smaller pages or fewer nested lists.",
        ),
        ("aliases", size.aliases, limits.aliases, "The query uses {} aliases; the limit is {}. " + split),
        ("directives", size.directives, limits.directives, "{} directives are used; the limit is {}. " + split),
    )
    for name, figure, limit, message in figures:
        if figure > limit:
            shown = f"{figure:,}" if figure < 10**9 else "more than a billion"
            return _too_complex(name, limit, message.format(shown, f"{limit:,}"))
    return None


def _too_complex(name: str, limit: int, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "QUERY_TOO_COMPLEX", "limit": name, "allowed": limit})


def _unlink_tokens(document: DocumentNode) -> None:
    """Take apart the list that links every token to the next and the previous one.

    Only the parser reads it. As cycles, documents that left the cache would stay until a full garbage collection.
    """
    token: Token | None = document.loc.start_token if document.loc else None
    while token is not None:
        following = token.next
        token.prev = token.next = None
        token = following


def _coded(error: GraphQLError, code: str) -> GraphQLError:
    """To be kept, so without the frames of the parser that a traceback holds on to: a hundred kilobytes each."""
    error.extensions = {"code": code} | (error.extensions or {})
    for raised in (error, error.original_error, error.__context__):
        if raised is not None:
            raised.__traceback__ = raised.__context__ = None
    return error


def _defaults(node: OperationDefinitionNode) -> dict[str, ValueNode]:
    return {
        definition.variable.name.value: definition.default_value
        for definition in node.variable_definitions or ()
        if definition.default_value is not None
    }


def _operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]


def _chosen(document: DocumentNode, name: str | None) -> OperationDefinitionNode | GraphQLError:
    operations = _operations(document)
    if name is None:
        if len(operations) == 1:
            return operations[0]
        names = ", ".join(sorted(node.name.value for node in operations if node.name))
        what = f"several operations ({names})" if operations else "no operation"
        return _coded(GraphQLError(f"The document has {what}: say which to run in operationName."), "BAD_REQUEST")
    for node in operations:
        if node.name and node.name.value == name:
            return node
    return _coded(GraphQLError(f"The document has no operation named {name[:100]!r}."), "BAD_REQUEST")
