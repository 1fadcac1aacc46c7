"""Coerce the variables of an operation, once for equal values."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLSchema, OperationDefinitionNode
from graphql.execution.values import VariableValues, get_variable_values

MAX_CACHED = 20
"""Maximum combinations of values that are kept for a document, and maximum variables of one."""
MAX_LENGTH = 100
"""Maximum length of a text that is kept."""
MAX_INT = 2**31


@dataclass(eq=False)
class CoercedVariables:
    """Coerced variables, with the arguments that follow from them."""

    values: VariableValues
    arguments: dict[Hashable, dict[str, Any]] = field(default_factory=dict[Hashable, dict[str, Any]])
    """The Python arguments of steps that load rows. Executions share them, so they must not be changed."""


class VariableCache:
    """The latest variables of one document, if they are few and short.

    In a profile of a query for one asset, the coercion and conversion of one argument took an eighth of the time.
    """

    def __init__(self) -> None:
        self._entries: dict[Hashable, CoercedVariables] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def coerce(
        self, schema: GraphQLSchema, operation: OperationDefinitionNode, variables: dict[str, Any]
    ) -> CoercedVariables:
        """Coerce the variables of an execution. Raises the first error."""
        key = _cache_key(operation, variables)
        coerced = None if key is None else self._entries.pop(key, None)
        if coerced is None:
            values = get_variable_values(schema, operation.variable_definitions or (), variables, max_errors=1)
            if isinstance(values, list):
                raise values[0]
            coerced = CoercedVariables(values)
        if key is not None:
            if len(self._entries) >= MAX_CACHED:
                del self._entries[next(iter(self._entries))]
            self._entries[key] = coerced
        return coerced


def _cache_key(operation: OperationDefinitionNode, variables: dict[str, Any]) -> Hashable | None:
    """Return the key of some values; None if they are not kept. It has their types, since 1 equals true."""
    if len(variables) > MAX_CACHED or not all(map(_is_short, variables.values())):
        return None
    return id(operation), *((name, type(value), value) for name, value in variables.items())


def _is_short(value: object) -> bool:
    if type(value) is str:
        return len(value) <= MAX_LENGTH
    return value is None or type(value) is bool or (type(value) is int and abs(value) <= MAX_INT)
