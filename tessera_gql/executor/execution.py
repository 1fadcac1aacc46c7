"""Execute a query by its plan, and fall back to graphql-core on any error.

The fallback makes errors identical to graphql-core's. It is safe because queries have no side effects.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from graphql import DocumentNode, ExecutionResult, GraphQLSchema, OperationDefinitionNode

from tessera_gql.executor.levels import PlanExecution
from tessera_gql.executor.plan import AttributeReads, IntrospectionOperation, Plan, PlanCache, UnsupportedOperation
from tessera_gql.executor.pushdown import PlanPushdown, PushdownFailed

log = logging.getLogger("tessera_gql.executor")

RunReference: TypeAlias = Callable[[], Awaitable[ExecutionResult]]
"""Executes the same query with graphql-core on the same database snapshot."""


class Fallback(StrEnum):
    """The reason why the reference executor was used."""

    FAILED = "failed"
    UNPLANNED = "unplanned"
    """The result has no errors, but plans do not support one of its values or resolvers."""
    UNSUPPORTED = "unsupported"
    INTROSPECTION = "introspection"


@dataclass
class ExecutorCounts:
    """Counts of queries by executor and reason of the fallback."""

    planned: int = 0
    pushed_down: int = 0
    """Those of the planned queries of which a part was pushed down."""
    fallbacks: Counter[Fallback] = field(default_factory=Counter[Fallback])


@dataclass(frozen=True)
class PlannedQuery:
    """A query with its variables, plans and callbacks."""

    schema: GraphQLSchema
    document: DocumentNode
    operation: OperationDefinitionNode
    variables: dict[str, Any]
    plans: PlanCache
    plan_pushdown: PlanPushdown | None = None
    """Decides which subtrees the database returns as JSON text; without it, none."""
    select_columns: Callable[[AttributeReads], None] = lambda _reads: None
    """Called with the attributes that the plan reads, before it is executed, so that no other columns are loaded."""
    on_cpu_seconds: Callable[[float], None] = lambda _seconds: None
    """Called with seconds of CPU time as they are used."""


async def execute_query(
    query: PlannedQuery, context: Any, run_reference: RunReference, counts: ExecutorCounts
) -> ExecutionResult:
    """Execute a query, by its plan if possible, and count the outcome."""
    reason: Fallback | None = None
    try:
        plan, data = await _execute_plan(query, context)
    except IntrospectionOperation:
        reason = Fallback.INTROSPECTION
    except UnsupportedOperation:
        reason = Fallback.UNSUPPORTED
    except PushdownFailed as error:
        query.plans.suspend_pushdown()
        log.warning("A query of a pushdown failed because of %s", type(error.__cause__).__name__)
    except Exception as error:  # noqa: BLE001 - the reference executor reports every error
        log.debug("The plan was given up because of %s", type(error).__name__)  # the text could leak a value
    else:
        counts.planned += 1
        counts.pushed_down += plan.has_pushdown
        return ExecutionResult(data, None)
    result = await run_reference()
    counts.fallbacks[reason or (Fallback.FAILED if result.errors else Fallback.UNPLANNED)] += 1
    return result


async def _execute_plan(query: PlannedQuery, context: Any) -> tuple[Plan, dict[str, Any]]:
    variables = query.plans.variables.coerce(query.schema, query.operation, query.variables)
    count = len(query.plans)
    plan = query.plans.get(query.schema, query.document, query.operation, variables.values, query.plan_pushdown)
    if len(query.plans) > count:  # others get their turn before its statements are compiled
        await asyncio.sleep(0)
    query.select_columns(plan.reads)
    return plan, await PlanExecution(plan, context, variables, query.on_cpu_seconds).execute()
