"""The number of concurrent queries is limited, and a query that waits for long releases its slot."""

import asyncio

import pytest

from tessera_gql.server import concurrency
from tessera_gql.server.concurrency import ConcurrencyLimiter


async def test_no_more_queries_run_than_there_are_slots_and_waiting_ones_follow_in_order() -> None:
    queue, running, maximum, ended = ConcurrencyLimiter(2), 0, 0, list[int]()

    async def query(number: int) -> None:
        nonlocal running, maximum
        async with queue.slot():
            running += 1
            maximum = max(maximum, running)
            await asyncio.sleep(0.001)
            running -= 1
            ended.append(number)

    await asyncio.gather(*map(query, range(9)))
    assert (maximum, ended) == (2, [*range(9)])


async def test_a_long_query_releases_its_slot_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "RELEASE_AFTER_SECONDS", 0.01)
    queue, slow_may_end, running = ConcurrencyLimiter(1), asyncio.Event(), 0

    async def slow() -> None:
        async with queue.slot():
            await slow_may_end.wait()

    async def quick() -> int:
        nonlocal running
        async with queue.slot():
            running += 1
            running_before = running
            await asyncio.sleep(0)
            running -= 1
            return running_before

    waiting = asyncio.create_task(slow())
    async with asyncio.timeout(5):
        assert await asyncio.gather(*(quick() for _ in range(3))) == [1, 1, 1]
        slow_may_end.set()
        await waiting
        assert await asyncio.gather(*(quick() for _ in range(3))) == [1, 1, 1]


async def test_a_cancelled_waiting_query_takes_no_slot() -> None:
    queue = ConcurrencyLimiter(1)
    async with queue.slot():
        leaving = asyncio.create_task(queue.slot().__aenter__())
        await asyncio.sleep(0)
        leaving.cancel()
    async with asyncio.timeout(5), queue.slot():
        with pytest.raises(asyncio.CancelledError):
            await leaving


async def test_callers_take_turns_however_many_queries_each_has_waiting() -> None:
    queue, ended = ConcurrencyLimiter(1), list[str]()

    async def query(caller: str) -> None:
        async with queue.slot(caller):
            await asyncio.sleep(0)
            ended.append(caller)

    burst = [asyncio.create_task(query("burst")) for _ in range(20)]
    await asyncio.sleep(0)
    tasks = [asyncio.create_task(query(name)) for name in ("a", "b")]
    await asyncio.gather(*burst, *tasks)
    assert {"a", "b"} <= set(ended[:5])
    assert len(ended) == 22
    async with asyncio.timeout(5), queue.slot():
        pass


async def test_no_slot_is_lost_when_waiting_queries_are_cancelled() -> None:
    queue = ConcurrencyLimiter(2)
    async with queue.slot("a"), queue.slot("a"):
        leaving = [asyncio.create_task(queue.slot(caller).__aenter__()) for caller in "aabbc"]
        await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
    async with asyncio.timeout(5), queue.slot("a"), queue.slot("b"):
        pass
