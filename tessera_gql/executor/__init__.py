"""The breadth-first GraphQL executor: resolves a field for all objects of a level at once.

Its results equal those of graphql-core. Any field is supported; a field with a `Batch` loads all its parents' values
with one query.
"""

from tessera_gql.executor.batch import BATCH_KEY, Batch, BoundBatch
from tessera_gql.executor.execution import ExecutorCounts, Fallback, PlannedQuery, execute_query
from tessera_gql.executor.fields import ComputedProperty, PathProperty, core_schema
from tessera_gql.executor.mutations import MutationExecutor
from tessera_gql.executor.plan import AttributeReads, LeafAttribute, Plan, PlanCache, Selection, Step
from tessera_gql.executor.pushdown import JsonFragment, PlanPushdown, Pushdown, PushdownFailed, decode_fragments
from tessera_gql.executor.reference import ReferenceExecutor

__all__ = [
    "BATCH_KEY",
    "AttributeReads",
    "Batch",
    "BoundBatch",
    "ComputedProperty",
    "ExecutorCounts",
    "Fallback",
    "JsonFragment",
    "LeafAttribute",
    "MutationExecutor",
    "PathProperty",
    "Plan",
    "PlanCache",
    "PlanPushdown",
    "PlannedQuery",
    "Pushdown",
    "PushdownFailed",
    "ReferenceExecutor",
    "Selection",
    "Step",
    "core_schema",
    "decode_fragments",
    "execute_query",
]
