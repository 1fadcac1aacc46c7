"""The breadth-first GraphQL executor: what graphql-core would answer, worked out for all objects of a place at once.

A field needs nothing to take part; one that declares a `Batch` is answered for all its parents by one question.
"""

from tessera_gql.executor.answer import Fallback, Query, Tally, answer
from tessera_gql.executor.batch import DECLARED, Batch, Bound
from tessera_gql.executor.fields import Reading, Through
from tessera_gql.executor.plan import Plans, Reads

__all__ = ["DECLARED", "Batch", "Bound", "Fallback", "Plans", "Query", "Reading", "Reads", "Tally", "Through", "answer"]
