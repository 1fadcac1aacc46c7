"""The computations of one operation."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from tessera_gql.compute.pool import Pool

T = TypeVar("T")

MAX_RERUNS = 10
"""Times that a transaction is run again for a result; after that it waits for results while it holds its locks."""


class Deferred(Exception):  # noqa: N818 - no fault: the transaction is to be run again
    """A write transaction needs a result that takes long to compute, and must not hold its locks meanwhile."""

    def __init__(self, key: Hashable, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        super().__init__("compute this, then run the transaction again")
        self.key = key
        self.function = function
        self.arguments = args


@dataclass
class Computer:
    """Runs functions in the pool, or at once without one. Results are kept for as long as the operation lasts."""

    pool: Pool | None = None
    account: str = ""
    _results: dict[Hashable, "_Outcome"] = field(default_factory=dict[Hashable, "_Outcome"])

    async def run(
        self,
        function: Callable[..., T],
        *args: Any,
        key: Hashable = None,
        here: Callable[[], T] | None = None,
        defers: bool = False,
    ) -> T:
        """Call the function, or return the result it had under this key before.

        `here`: the same, to be called instead where there is no pool. `defers`: the caller holds locks, so raise
        Deferred unless the result is known. Raises what `Pool.run` raises.
        """
        if self.pool is None:
            return here() if here else function(*args)
        if key is not None and key in self._results:
            return cast("T", self._results[key].unwrap())
        if defers and key is not None:
            raise Deferred(key, function, args)
        return cast("T", (await self._compute(self.pool, key, function, args)).unwrap())

    async def finish(self, deferred: Deferred) -> None:
        """Compute what a transaction was rolled back for. What the function raises is raised when it runs again."""
        pool = cast("Pool", self.pool)  # nothing is deferred without one
        await self._compute(pool, deferred.key, deferred.function, deferred.arguments)

    async def _compute(
        self, pool: Pool, key: Hashable, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> "_Outcome":
        """A failure is kept as well: a second execution of the operation must not wait for it again."""
        try:
            outcome = _Outcome(await pool.run(self.account, function, *args))
        except Exception as error:  # noqa: BLE001 - raised by `get`
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


async def rerun(computer: Computer, attempt: Callable[[bool], Awaitable[T]]) -> T:
    """Run a transaction until it needs nothing more that takes long to compute.

    `attempt` takes whether it may defer: the last time it may not, so that it ends.
    """
    for _ in range(MAX_RERUNS):
        try:
            return await attempt(True)  # noqa: FBT003 - the only argument
        except Deferred as deferred:
            await computer.finish(deferred)
    return await attempt(False)  # noqa: FBT003
