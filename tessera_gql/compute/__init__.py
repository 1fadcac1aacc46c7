"""Run CPU-bound pure functions in worker processes that can be ended, so that none of them holds the event loop.

    Pool        the worker processes of one server process
    Computer    the computations of one operation: remembers results, shares the pool fairly, enforces limits
    Deferred    raised in a write transaction that needs a result; the transaction is rolled back, the result
                computed without a lock, and the transaction run again

Without a pool (the command line, upload workers, tests) a Computer calls the function at once.
"""

from tessera_gql.compute.computer import Computer, Deferred, rerun
from tessera_gql.compute.pool import Pool

__all__ = ["Computer", "Deferred", "Pool", "rerun"]
