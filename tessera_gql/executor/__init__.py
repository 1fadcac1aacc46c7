"""The breadth-first GraphQL executor: resolves a field for all objects of a level at once.

Its results equal those of graphql-core. Any field is supported; a field with a `Batch` loads all its parents' values
with one query.
"""

from tessera_gql.executor.answer import ExecutorCounts, Fallback, PlannedQuery, execute_query
from tessera_gql.executor.batch import DECLARED, Batch, Bound
from tessera_gql.executor.fields import Reading, Through
from tessera_gql.executor.plan import PlanCache, Reads

__all__ = [
    "DECLARED",
    "Batch",
    "Bound",
    "ExecutorCounts",
    "Fallback",
    "PlanCache",
    "PlannedQuery",
    "Reading",
    "Reads",
    "Through",
    "execute_query",
]
