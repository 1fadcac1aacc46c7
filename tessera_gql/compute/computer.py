"""Run CPU-bound functions for one operation; a transaction that needs a long one is rolled back and run again."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from uuid import UUID

from tessera_gql.compute.pool import Pool

T = TypeVar("T")

MAX_RERUNS = 10
"""Number of times that a transaction is run again; after that it holds its locks while it waits for results."""


class Deferred(Exception):  # noqa: N818 - not an error: the transaction is run again
    """A write transaction needs a result that takes long to compute, and must not hold locks meanwhile."""

    def __init__(self, key: Hashable, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        super().__init__("compute this, then run the transaction again")
        self.key = key
        self.function = function
        self.arguments = args


class LocksMissing(Exception):  # noqa: N818 - not an error: the transaction is run again
    """A write transaction needs locks of more rows, and could not take them in order without a deadlock.

    `asset_ids` are those that it holds and those that it needs: the next attempt locks all of them first.
    """

    def __init__(self, asset_ids: frozenset[UUID]) -> None:
        super().__init__("lock these assets, then run the transaction again")
        self.asset_ids = asset_ids


@dataclass
class Computer:
    """Runs functions in the pool, or directly without one, and caches their results for one operation.

    `asset_ids_to_lock` are assets that the next attempt of the operation locks first; see LocksMissing.
    """

    pool: Pool | None = None
    account: str = ""
    asset_ids_to_lock: frozenset[UUID] = frozenset()
    _results: dict[Hashable, "_Outcome"] = field(default_factory=dict[Hashable, "_Outcome"])

    async def run(
        self,
        function: Callable[..., T],
        *args: Any,
        key: Hashable = None,
        local_function: Callable[[], T] | None = None,
        may_defer: bool = False,
    ) -> T:
        """Call the function, or return the cached result of this key.

        Without a pool it calls `local_function`, if given, in place of the function. With `may_defer`, for a caller
        that holds locks, it raises Deferred unless the result is cached. Raises what `Pool.run` raises.
        """
        if self.pool is None:
            return local_function() if local_function else function(*args)
        if key is not None and key in self._results:
            return cast("T", self._results[key].unwrap())
        if may_defer and key is not None:
            raise Deferred(key, function, args)
        return cast("T", (await self._compute(self.pool, key, function, args)).unwrap())

    async def finish(self, deferred: Deferred) -> None:
        """Compute a deferred result. An exception of the function is cached and raised when the transaction reruns."""
        pool = cast("Pool", self.pool)  # without a pool nothing is deferred
        await self._compute(pool, deferred.key, deferred.function, deferred.arguments)

    async def _compute(
        self, pool: Pool, key: Hashable, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> "_Outcome":
        """Call the function in the pool and cache its outcome, also a failure, so that a rerun fails at once."""
        try:
            outcome = _Outcome(await pool.run(self.account, function, *args))
        except Exception as error:  # noqa: BLE001 - raised by `unwrap`
            outcome = _Outcome(None, error)
        if key is not None:
            self._results[key] = outcome
        return outcome


@dataclass(frozen=True)
class _Outcome:
    result: Any
    error: Exception | None = None

    def unwrap(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.result


async def run_deferrable(computer: Computer, attempt: Callable[[bool], Awaitable[T]]) -> T:
    """Run a transaction again for each result that it defers, and with more locks if it lacks some.

    `attempt` takes whether it may defer; the last attempt may not, so that this ends.
    """
    for _ in range(MAX_RERUNS):
        try:
            return await attempt(True)  # noqa: FBT003 - the only argument
        except Deferred as deferred:
            await computer.finish(deferred)
        except LocksMissing as missing:
            computer.asset_ids_to_lock |= missing.asset_ids
    return await attempt(False)  # noqa: FBT003
