"""CPU-bound pure functions in worker processes that can be killed, so that none of them blocks the event loop.

    Pool        the worker processes of one server process, with limits for each call and each account
    Computer    the computations of one operation, with a cache of their results
    Deferred    raised in a write transaction that needs a result; the transaction is rolled back, the result
                computed without a lock, and the transaction run again

Without a pool (the command line, upload workers, tests) a Computer calls the function directly.
"""

from tessera_gql.compute.computer import Computer, Deferred, run_deferrable
from tessera_gql.compute.pool import Pool

__all__ = ["Computer", "Deferred", "Pool", "run_deferrable"]
