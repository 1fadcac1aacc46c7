"""Cache of parsed, measured and validated GraphQL documents. Client errors are returned, never raised."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphql import (
    GraphQLError,
    GraphQLSchema,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    Token,
    parse,
    specified_rules,
    validate,
)
from graphql.language import ast
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from tessera_gql.compute.collection_pause import pause_until_next_callback
from tessera_gql.config import Profile
from tessera_gql.executor import PlanCache
from tessera_gql.server import complexity
from tessera_gql.server.limits import Limits

VALIDATION_PASSES = (
    (
        *(rule for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule),
        MaybeNullValidationRule,
        OneOfInputValidationRule,
    ),
    (OverlappingFieldsCanBeMergedRule,),
)
"""Validation rules in two passes. The quadratic rule is last: cyclic or unused fragments must be refused before it."""


MAX_REMEMBERED_QUERIES = 10_000
"""Queries that were sent once and are not cached, of which only the hashes are kept."""


@dataclass(frozen=True)
class Operation:
    """One operation that passed every check before execution."""

    document: ast.DocumentNode
    node: ast.OperationDefinitionNode
    variables: dict[str, Any]
    cost: int = 0
    """Maximum number of objects in the reply; for a document of several operations, of the costliest one."""
    plans: PlanCache = field(default_factory=PlanCache, repr=False, compare=False)

    @property
    def text(self) -> str:
        """The document as it was sent. Documents of this server are always parsed with their source."""
        location: Any = self.document.loc
        text: str = location.source.body
        return text

    @property
    def kind(self) -> OperationType:
        return self.node.operation

    @property
    def name(self) -> str | None:
        return self.node.name.value if self.node.name else None

    def selects_only(self, name: str) -> bool:
        """Return whether this is the only root field. Root fragments are not expanded."""
        fields = self.node.selection_set.selections
        return len(fields) == 1 and isinstance(fields[0], ast.FieldNode) and fields[0].name.value == name

    def has_root_field(self, names: Collection[str]) -> bool:
        """Return whether a root field has one of these names. Root fragments are expanded."""
        fragments = complexity.collect_fragments(self.document)
        return any(node.name.value in names for node in complexity.iterate_fields([self.node.selection_set], fragments))

    def may_have_argument(self, argument: str) -> bool:
        """Return whether a root field may have a non-null argument of this name. A root fragment counts as yes."""
        return any(
            not isinstance(field, ast.FieldNode)
            or any(node.name.value == argument and not self._is_null(node.value) for node in field.arguments or ())
            for field in self.node.selection_set.selections
        )

    def argument_variable(self, argument: str) -> str | None:
        """Return the variable passed as this argument of the only root field, if it is used nowhere else."""
        fields = self.node.selection_set.selections
        arguments = [node for field in fields if isinstance(field, ast.FieldNode) for node in field.arguments or ()]
        names = [
            node.value.name.value
            for node in arguments
            if node.name.value == argument and isinstance(node.value, ast.VariableNode)
        ]
        if len(fields) != 1 or not names:
            return None
        uses = re.findall(rf"\${names[0]}\b", self.text)
        return names[0] if len(uses) == 2 else None  # the definition and the argument

    def _is_null(self, value: ast.ValueNode) -> bool:
        if isinstance(value, ast.VariableNode):
            name = value.name.value
            return self.variables.get(name) is None and (
                name in self.variables or name not in _default_values(self.node)
            )
        return isinstance(value, ast.NullValueNode)


PrepareResult: TypeAlias = Operation | list[GraphQLError]


@dataclass
class _CachedDocument:
    """A cached document with its errors, measurements and plans."""

    document: ast.DocumentNode | None
    size: int
    """Tokens, or the equivalent amount of memory."""
    errors: list[GraphQLError] | None = None
    """Validation errors, None before validation."""
    size_variables: tuple[str, ...] | None = None
    verdicts: dict[Hashable, GraphQLError | int] = field(default_factory=dict[Hashable, GraphQLError | int])
    plans: PlanCache = field(default_factory=PlanCache)
    weight: int = 0
    """The weight that the cache has counted for this entry."""

    def weigh(self) -> int:
        """Compute the weight including plans, variables and verdicts.

        A plan takes two thirds of its document's memory. Variables with their arguments, some of which may be literals
        of the document, take as much as four tokens and a quarter of the document.
        """
        plans, variables = len(self.plans), len(self.plans.variables)
        size = self.size * (1 + 2 * max(1, plans)) // 3
        return size + variables * (4 + self.size // 4) + len(self.verdicts)


def parse_operation(query: str, variables: dict[str, Any], operation_name: str | None) -> Operation:
    """Parse the operation of a document that another process has already validated."""
    document = parse(query)
    operation = _select_operation(document, operation_name)
    if isinstance(operation, GraphQLError):
        raise operation
    return Operation(document, operation, variables)


class DocumentCache:
    """An LRU cache of the prepared documents of one schema, bounded by tokens.

    A document is cached when it is sent for the second time. One that is sent only once, as with values in its text,
    would live long enough for the oldest generation of the garbage collector, and each collection of that holds the
    event loop.
    """

    def __init__(self, schema: GraphQLSchema, limits: Limits, profile: Profile) -> None:
        self._schema = schema
        self._limits = limits
        self._profile = profile
        self._entries: OrderedDict[str, _CachedDocument] = OrderedDict()
        self._sent_once: OrderedDict[int, None] = OrderedDict()
        self._weight = 0

    def prepare(
        self, query: str, variables: dict[str, Any] | None = None, operation_name: str | None = None
    ) -> PrepareResult:
        """Return the operation to run, or the errors of the document."""
        if (entry := self._find_entry(query)) is None:
            with pause_until_next_callback():  # parsing and validation leave cycles
                return self._prepare(self._add_entry(query), variables or {}, operation_name)
        return self._prepare(entry, variables or {}, operation_name)

    def _prepare(self, entry: _CachedDocument, variables: dict[str, Any], operation_name: str | None) -> PrepareResult:
        if entry.document is None:
            return entry.errors or []
        verdict = self._find_verdict(entry, entry.document, variables)
        if isinstance(verdict, GraphQLError):
            return [verdict]
        if entry.errors is None:
            entry.errors = self._validate(entry.document)
        if entry.errors:
            return entry.errors
        node = _select_operation(entry.document, operation_name)
        if isinstance(node, GraphQLError):
            return [node]
        return Operation(entry.document, node, variables, verdict, entry.plans)

    def find_operation(self, query: str, variables: dict[str, Any]) -> ast.OperationDefinitionNode | GraphQLError:
        """Return the only operation of a document, or the first error of the document."""
        prepared = self.prepare(query, variables)
        return prepared.node if isinstance(prepared, Operation) else prepared[0]

    def _find_entry(self, query: str) -> _CachedDocument | None:
        if (entry := self._entries.get(query)) is not None:
            self._entries.move_to_end(query)
            self._count_weight(entry)
        return entry

    def _add_entry(self, query: str) -> _CachedDocument:
        """Parse a query, and cache its document if the query was sent before."""
        entry = self._parse(query)
        if not self._is_first(query):
            self._entries[query] = entry
            self._count_weight(entry)
        return entry

    def _count_weight(self, entry: _CachedDocument) -> None:
        weight = entry.weigh()
        self._weight += weight - entry.weight
        entry.weight = weight
        while self._weight > self._limits.cached_tokens:
            self._weight -= self._entries.popitem(last=False)[1].weight

    def _is_first(self, query: str) -> bool:
        """Return whether a query was not sent before, and remember it."""
        key = hash(query)
        if key in self._sent_once:
            del self._sent_once[key]
            return False
        self._sent_once[key] = None
        if len(self._sent_once) > MAX_REMEMBERED_QUERIES:
            self._sent_once.popitem(last=False)
        return True

    def _parse(self, query: str) -> _CachedDocument:
        if len(query) > (limit := self._limits.document_bytes):
            return _CachedDocument(None, 2, [_complexity_error("document", limit, _TOO_LONG.format(f"{limit:,}"))])
        tokens, size = self._limits.tokens, 2 + len(query) // 500
        too_many_tokens = _complexity_error("tokens", tokens, _TOO_MANY_TOKENS.format(f"{tokens:,}"))
        if complexity.exceeds_tokens(query, tokens):
            return _CachedDocument(None, size, [too_many_tokens])
        try:
            document = parse(query, max_lexical_tokens=tokens, max_comments=tokens)
        except GraphQLError as error:
            if error.message.endswith("nested too deeply. Parsing aborted."):
                error = _complexity_error("depth", self._limits.depth, _TOO_NESTED)
            elif error.message.endswith("Parsing aborted."):
                error = too_many_tokens
            else:
                error = _with_code(error, "GRAPHQL_PARSE_FAILED")
            return _CachedDocument(None, size, [error])
        _unlink_tokens(document)
        return _CachedDocument(document, size + document.token_count)

    def _validate(self, document: ast.DocumentNode) -> list[GraphQLError]:
        limits, hide = self._limits, self._profile is Profile.LOCKED
        fragments = complexity.collect_fragments(document)
        pairs = sum(complexity.count_overlaps(node, fragments, limits.overlaps) for node in _operations(document))
        if pairs > limits.overlaps:
            return [_complexity_error("overlaps", limits.overlaps, _OVERLAPS.format(f"{limits.overlaps:,}"))]
        for rules in VALIDATION_PASSES:
            if errors := validate(self._schema, document, rules, limits.errors, hide):
                return [_with_code(error, "GRAPHQL_VALIDATION_FAILED") for error in errors]
        return []

    def _find_verdict(
        self, entry: _CachedDocument, document: ast.DocumentNode, variables: Mapping[str, Any]
    ) -> GraphQLError | int:
        """Return the error of the first exceeded limit, or the cost. Cached per combination of page sizes."""
        if entry.size_variables is not None and (key := _page_sizes(entry.size_variables, variables)) in entry.verdicts:
            return entry.verdicts[key]
        size_variables: set[str] = set()
        verdict = self._measure(document, variables, size_variables)
        entry.size_variables = (*size_variables,)
        if len(entry.verdicts) >= 100:
            entry.verdicts.clear()
        entry.verdicts[_page_sizes(entry.size_variables, variables)] = verdict
        return verdict

    def _measure(
        self, document: ast.DocumentNode, variables: Mapping[str, Any], size_variables: set[str]
    ) -> GraphQLError | int:
        fragments, limits, cost = complexity.collect_fragments(document), self._limits, 0
        pages = (limits.default_page, limits.list_length)
        for node in _operations(document):
            meter = complexity.OperationMeter(
                self._schema, fragments, variables, _default_values(node), *pages, size_variables
            )
            try:
                size = meter.measure_operation(node)
            except complexity.NestingTooDeep:
                size = complexity.OperationSize(depth=complexity.MAX_NESTING)
            if refusal := _check_limits(size, limits) or self._check_introspection(size):
                return refusal
            cost = max(cost, size.cost)
        return cost

    def _check_introspection(self, size: complexity.OperationSize) -> GraphQLError | None:
        if not size.introspections or self._profile is Profile.OPEN:
            return None
        return _with_code(GraphQLError(_INTROSPECTION_IS_OFF), "GRAPHQL_VALIDATION_FAILED")


_TOO_NESTED = "The document is nested too deeply to be read. Pass values in variables, or ask for less at once."
_TOO_MANY_TOKENS = "The document has more than {} tokens, which is the limit. Split it into several requests."
_INTROSPECTION_IS_OFF = (
    "Introspection is off on this server. Read the schema from /schema.graphql, or run a server in the open profile."
)
_TOO_LONG = "The document has more than {} characters, which is the limit. Pass values in variables."
_TOO_COMPLEX = {
    "depth": "The query is {} levels deep; the limit is {}. Split it into several requests.",
    "page": "{} items are asked for at once; the limit is {}. Page through them.",
    "cost": "The answer could hold {} objects; the limit is {}. Ask for smaller pages or fewer nested lists.",
    "aliases": "The query uses {} aliases; the limit is {}. Split it into several requests.",
    "directives": "{} directives are used; the limit is {}. Split it into several requests.",
}
"""Errors by the name of the figure in complexity.OperationSize and of its limit in Limits."""
_OVERLAPS = "The same fields are selected together more than {} times over, which is the limit. Select each only once."


def _page_sizes(names: tuple[str, ...], variables: Mapping[str, Any]) -> Hashable:
    return tuple(
        complexity.count_requested_items(variables[name]) if name in variables else "default" for name in names
    )


def _check_limits(size: complexity.OperationSize, limits: Limits) -> GraphQLError | None:
    for name, message in _TOO_COMPLEX.items():
        figure, limit = getattr(size, name), getattr(limits, name)
        if figure > limit:
            formatted_figure = f"{figure:,}" if figure < 10**9 else "more than a billion"
            return _complexity_error(name, limit, message.format(formatted_figure, f"{limit:,}"))
    return None


def _complexity_error(name: str, limit: int, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "QUERY_TOO_COMPLEX", "limit": name, "allowed": limit})


def _unlink_tokens(document: ast.DocumentNode) -> None:
    """Unlink the doubly linked list of tokens, which only the parser reads.

    It is a reference cycle: evicted documents would stay in memory until a full garbage collection.
    """
    token: Token | None = document.loc.start_token if document.loc else None
    while token is not None:
        following = token.next
        token.prev = token.next = None
        token = following


def _with_code(error: GraphQLError, code: str) -> GraphQLError:
    """Add an error code and drop tracebacks, which would keep 100 kB of parser frames in the cache per error."""
    error.extensions = {"code": code} | (error.extensions or {})
    for raised in (error, error.original_error, error.__context__):
        if raised is not None:
            raised.__traceback__ = raised.__context__ = None
    return error


def _default_values(node: ast.OperationDefinitionNode) -> dict[str, ast.ValueNode]:
    return {
        definition.variable.name.value: definition.default_value
        for definition in node.variable_definitions or ()
        if definition.default_value is not None
    }


def _operations(document: ast.DocumentNode) -> list[ast.OperationDefinitionNode]:
    return [node for node in document.definitions if isinstance(node, ast.OperationDefinitionNode)]


def _select_operation(document: ast.DocumentNode, name: str | None) -> ast.OperationDefinitionNode | GraphQLError:
    operations = _operations(document)
    if name is None:
        if len(operations) == 1:
            return operations[0]
        names = ", ".join(sorted(node.name.value for node in operations if node.name))
        problem = f"several operations ({names})" if operations else "no operation"
        message = f"The document has {problem}: say which to run in operationName."
        return GraphQLError(message, extensions={"code": "BAD_REQUEST"})
    for node in operations:
        if node.name and node.name.value == name:
            return node
    message = f"The document has no operation named {name[:100]!r}."
    return GraphQLError(message, extensions={"code": "BAD_REQUEST"})
