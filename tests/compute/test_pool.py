"""Worker processes return results, enforce their limits, and do not delay other calls."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tessera_gql.compute import Computer, Deferred, Pool, run_deferrable
from tessera_gql.diff import Certainty, Mode, SchemaError, compare
from tessera_gql.errors import Invalid, Unavailable
from tessera_gql.policy.compatibility import Terms, judge

ENDLESS = ("^(a|a)*b$", "a" * 60)
"""A pattern and a text on which Python's `re` never returns, in one call that no thread can interrupt."""


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(processes=2, seconds=1)
    yield pool
    pool.close()


def endless() -> None:
    re.match(*ENDLESS)


def large(size: int) -> int:
    return len(bytearray(size))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse() -> None:
    raise SchemaError("it is no schema", pointer="/a", side="old")


async def test_results_and_errors_come_back_whole(pool: Pool) -> None:
    assert await pool.run("a", len, [1, 2]) == 2
    with pytest.raises(SchemaError, match=r"The old schema: it is no schema \(at /a\)"):
        await pool.run("a", refuse)
    old, new = ({"properties": {name: {"type": "string"}}} for name in "ab")
    judgement = await pool.run("a", judge, Terms(old, None, Mode.BACKWARD), Terms(new, None, Mode.BACKWARD))
    assert [change.as_json() for change in judgement.changes] == [
        change.as_json() for change in compare(old, new).changes
    ]
    assert {change.certainty for change in judgement.breaking} == {Certainty.PROVEN}


async def test_a_call_that_does_not_end_is_ended_and_the_next_one_runs(pool: Pool) -> None:
    with pytest.raises(Invalid, match="longer than 1 seconds"):
        await pool.run("a", endless)
    assert await pool.run("a", len, "abc") == 3


async def test_a_call_is_refused_if_it_takes_too_much_memory_or_its_process_dies() -> None:
    pool = Pool(processes=1, seconds=5, memory_bytes=1024**3)
    try:
        with pytest.raises(Invalid, match="more memory"):
            await pool.run("a", large, 2 * 1024**3)
        with pytest.raises(Invalid, match="more memory"):
            await pool.run("a", die)
        assert await pool.run("a", len, "abc") == 3
    finally:
        pool.close()


async def test_cancelling_ends_the_process(pool: Pool) -> None:
    await pool.run("a", len, "")
    running = asyncio.create_task(pool.run("a", endless))
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await pool.run("a", len, "abc") == 3


async def test_one_account_never_occupies_all_processes(pool: Pool) -> None:
    busy = [asyncio.create_task(pool.run("attacker", endless)) for _ in range(2)]
    await asyncio.sleep(0.3)
    assert await pool.run("other", len, "abc") == 3
    assert not all(task.done() for task in busy)  # both would have ended, had they run at the same time
    results = await asyncio.gather(*busy, return_exceptions=True)
    assert {type(result) for result in results} == {Invalid}


async def test_calls_of_one_account_are_limited_and_cancelled_ones_do_not_count(pool: Pool) -> None:
    await pool.run("a", len, "")
    busy = [asyncio.create_task(pool.run("a", endless)) for _ in range(12)]
    await asyncio.sleep(0.1)
    with pytest.raises(Unavailable, match="12 comparisons of this key"):
        await pool.run("a", len, "")
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)
    assert await pool.run("a", len, "abc") == 3


async def test_a_transaction_is_run_again_for_a_result_and_the_result_is_computed_once(pool: Pool) -> None:
    computer = Computer(pool, "a")
    attempts: list[bool] = []

    async def attempt(may_defer: bool) -> int:
        attempts.append(may_defer)
        first = await computer.run(len, "abc", key="first", may_defer=may_defer)
        return first + await computer.run(len, "ab", key="second", may_defer=may_defer)

    assert await run_deferrable(computer, attempt) == 5
    assert attempts == [True, True, True]
    with pytest.raises(Deferred):
        await computer.run(len, "", key="third", may_defer=True)


async def test_a_transaction_that_always_needs_something_new_ends(pool: Pool) -> None:
    computer = Computer(pool, "a")
    attempts: list[bool] = []

    async def attempt(may_defer: bool) -> int:
        attempts.append(may_defer)
        return await computer.run(len, "abc", key=len(attempts), may_defer=may_defer)

    assert await run_deferrable(computer, attempt) == 3
    assert attempts[-1] is False


async def test_a_failure_is_stored_like_a_result(pool: Pool) -> None:
    computer = Computer(pool, "a")
    for _ in range(3):
        with pytest.raises(Invalid):
            await computer.run(endless, key="endless")
    assert pool._running.total() == 0


async def test_processes_that_cannot_be_started_are_unavailable_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, pool: Pool
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no more processes")

    with monkeypatch.context() as patch:
        patch.setattr("tessera_gql.compute.pool._start_processes", fail)
        with pytest.raises(Unavailable, match="can't be started"):
            await pool.run("a", len, "abc")
    assert await pool.run("a", len, "abc") == 3


async def test_without_a_pool_functions_are_called_at_once() -> None:
    computer = Computer()
    assert await computer.run(len, "abc", key="a", may_defer=True) == 3
    assert await computer.run(len, "abc", local_function=lambda: 4) == 4


CHILD = """
import asyncio, sys
from tessera_gql.compute import Pool
from tests.compute.test_pool import endless
async def main():
    pool = Pool(processes=1, seconds=1)
    print(await pool.run("a", __import__("os").getpid), flush=True)
    await pool.run("a", endless)
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL, no interval timer and no /proc")
def test_no_process_outlives_a_killed_server() -> None:
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True, cwd=root) as server:
        assert server.stdout is not None
        worker = int(server.stdout.readline())
        time.sleep(0.2)
        server.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()
