"""Answers a query by its plan; errors are the reference executor's to tell, so where one is met it answers it all.

That costs nothing but time: queries change nothing.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from graphql import DocumentNode, ExecutionResult, GraphQLSchema, OperationDefinitionNode
from graphql.execution.values import get_variable_values

from tessera_gql.executor.levels import Run
from tessera_gql.executor.plan import Introspection, Plans, Reads, Unsupported

log = logging.getLogger("tessera_gql.executor")

Reference: TypeAlias = Callable[[], Awaitable[ExecutionResult]]
"""Has graphql-core answer the same query, from the same state."""


class Fallback(StrEnum):
    """Why the reference executor answered."""

    FAILED = "failed"
    """The answer has errors."""
    UNPLANNED = "unplanned"
    """The answer has no errors, but a value or a resolver did what the plan doesn't know."""
    UNSUPPORTED = "unsupported"
    """No plan was made."""
    INTROSPECTION = "introspection"


@dataclass
class Tally:
    """How queries were answered."""

    planned: int = 0
    fallbacks: Counter[Fallback] = field(default_factory=Counter[Fallback])


def _untold(_reads: Reads) -> None: ...


def _unspent(_seconds: float) -> None: ...


@dataclass(frozen=True)
class Query:
    """What is asked."""

    schema: GraphQLSchema
    document: DocumentNode
    operation: OperationDefinitionNode
    variables: dict[str, Any]
    plans: Plans
    """Of the document; filled here."""
    told: Callable[[Reads], None] = _untold
    """Told before it is answered by a plan what will be looked at."""
    spend: Callable[[float], None] = _unspent
    """Told of seconds of computing, as they are spent."""


async def answer(query: Query, context: Any, reference: Reference, tally: Tally) -> ExecutionResult:
    unable: Fallback | None = None
    try:
        data = await _planned(query, context)
    except Introspection:
        unable = Fallback.INTROSPECTION
    except Unsupported:
        unable = Fallback.UNSUPPORTED
    except Exception as error:  # noqa: BLE001 - whatever it is, the reference executor tells it
        log.debug("The plan was given up because of %s", type(error).__name__)  # its text may quote a value
    else:
        tally.planned += 1
        return ExecutionResult(data, None)
    result = await reference()
    tally.fallbacks[unable or (Fallback.FAILED if result.errors else Fallback.UNPLANNED)] += 1
    return result


async def _planned(query: Query, context: Any) -> dict[str, Any]:
    definitions = query.operation.variable_definitions or ()
    variables = get_variable_values(query.schema, definitions, query.variables, max_errors=1)
    if isinstance(variables, list):
        raise variables[0]
    plan = query.plans.get(query.schema, query.document, query.operation, variables)
    query.told(plan.reads)
    return await Run(plan, context, variables, query.spend).data()
