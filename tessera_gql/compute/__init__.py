"""CPU-bound pure functions in worker processes that can be killed, so that none of them blocks the event loop.

Without a pool (the command line, upload workers, tests) a Computer calls the function directly.
"""

from tessera_gql.compute.computer import Computer, Deferred, LocksMissing, run_deferrable
from tessera_gql.compute.pool import Pool

__all__ = ["Computer", "Deferred", "LocksMissing", "Pool", "run_deferrable"]
