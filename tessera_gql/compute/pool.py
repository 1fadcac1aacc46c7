"""Worker processes for CPU-bound functions, with limits of time and memory for each call."""

import asyncio
import gc
import logging
import multiprocessing
import os
import signal
import sys
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from pebble import ProcessExpired, ProcessPool

from tessera_gql.errors import Invalid, Unavailable

T = TypeVar("T")

log = logging.getLogger(__name__)

PROCESSES = 2
SECONDS = 10.0
MEMORY_BYTES = 2 * 1024**3
"""Limit of the address space of one worker process."""
MAX_TASKS = 500
"""Calls after which a worker process is replaced, because Python returns memory late or never."""
WAITING_PER_ACCOUNT = 12
"""Maximum number of an account's calls that run or wait."""
NICENESS = 5
WALL_CLOCK_FACTOR = 3
"""Limit of a call's wall-clock time as a multiple of its processor time, for a machine that is busy."""
TIMEOUT_EXIT_CODE = -getattr(signal, "SIGPROF", 0)
"""Exit code of a worker process that exceeded its processor time."""
PRELOADED = ("tessera_gql.policy.compatibility", "tessera_gql.policy.affected_teams")
"""Modules that the fork server imports once, before it forks worker processes."""


class Pool:
    """A pool of worker processes, started with the first call. One account never occupies all of them."""

    def __init__(
        self, *, processes: int = PROCESSES, seconds: float = SECONDS, memory_bytes: int = MEMORY_BYTES
    ) -> None:
        """`seconds` is the processor time of one call, after which its process is killed."""
        self.seconds = seconds
        self._processes = processes
        self._memory_bytes = memory_bytes
        self._pool: ProcessPool | None = None
        self._starting = asyncio.Lock()
        self._running: Counter[str] = Counter()
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()

    async def run(self, account: str, function: Callable[..., T], *args: Any) -> T:
        """Call the function with picklable arguments in a worker process, which cancelling kills.

        Raises what the function raises, Invalid if it exceeds its limits, and Unavailable if the account has too many
        calls already.
        """
        await self._acquire(account)
        try:
            return await self._call(function, args)
        finally:
            self._release(account)

    async def _get_processes(self) -> ProcessPool:
        async with self._starting:
            if self._pool is None:
                try:
                    self._pool = await asyncio.to_thread(_start_processes, self._processes, self._memory_bytes)
                except (ProcessExpired, OSError, RuntimeError) as error:
                    log.exception("The processes that compare schemas can't be started")
                    raise Unavailable(
                        "Schemas can't be compared now: the processes for it can't be started. Try again later."
                    ) from error
            return self._pool

    def close(self) -> None:
        """Kill all worker processes."""
        if self._pool is not None:
            _stop_processes(self._pool)
            self._pool = None

    async def _acquire(self, account: str) -> None:
        """Wait for a free process that this account may use."""
        calls = self._running[account] + sum(name == account for name, _ in self._waiting)
        if calls >= WAITING_PER_ACCOUNT:
            raise Unavailable(
                f"{calls} comparisons of this key are under way, which is the limit. Wait for their answers, then send"
                " the next."
            )
        if self._may_run(account):
            self._running[account] += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((account, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release(account)
            else:
                self._waiting.remove((account, turn))
            raise

    def _may_run(self, account: str) -> bool:
        is_free = self._running.total() < self._processes
        return is_free and self._running[account] < max(1, self._processes - 1)

    def _release(self, account: str) -> None:
        self._running[account] -= 1
        if not self._running[account]:
            del self._running[account]
        for waiting in [*self._waiting]:
            name, turn = waiting
            if self._may_run(name) and not turn.done():  # done if its caller was cancelled just now
                self._waiting.remove(waiting)
                self._running[name] += 1
                turn.set_result(None)

    async def _call(self, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        pool = await self._get_processes()
        future = pool.schedule(
            _call_with_timer, (self.seconds, function, args), timeout=WALL_CLOCK_FACTOR * self.seconds
        )
        try:
            return await asyncio.wrap_future(future)
        except TimeoutError:
            raise self._timeout_error() from None
        except ProcessExpired as error:
            raise (self._timeout_error() if error.exitcode == TIMEOUT_EXIT_CODE else _memory_error()) from None
        except MemoryError:
            raise _memory_error() from None

    def _timeout_error(self) -> Invalid:
        return Invalid(
            f"This takes longer than {self.seconds:g} seconds to work out, which is the limit. Simplify the schema:"
            " fewer alternatives (anyOf, oneOf, allOf), shorter patterns, fewer columns."
        )


def _memory_error() -> Invalid:
    return Invalid("This takes more memory to work out than one request may have. Simplify the schema, or split it.")


def _start_processes(processes: int, memory_bytes: int) -> ProcessPool:
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["__main__", *PRELOADED])
    pool = ProcessPool(
        max_workers=processes,
        max_tasks=MAX_TASKS,
        initializer=_init_worker,
        initargs=[memory_bytes],
        context=cast("Any", context),
    )
    try:
        pool.schedule(int).result()  # the first call starts the processes, which takes a while
    except BaseException:
        _stop_processes(pool)
        raise
    return pool


def _stop_processes(pool: ProcessPool) -> None:
    half_typed = cast("Any", pool)
    half_typed.stop()
    half_typed.join()


def _init_worker(memory_bytes: int) -> None:
    """Lower a worker process's priority and limit its memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server handles Ctrl-C and stops its workers itself
    gc.freeze()
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - missing on Windows

        os.nice(NICENESS)
        with suppress(ValueError, OSError):  # a lower limit is set already
            resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _call_with_timer(seconds: float, function: Callable[..., T], args: tuple[Any, ...]) -> T:
    """Call the function under a timer of the operating system, which kills the worker even if the server has died."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return function(*args)
    finally:
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_PROF, 0)
