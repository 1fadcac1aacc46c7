"""Few queries run at a time, and one that waits long keeps nobody else from running."""

import asyncio

import pytest

from tessera_gql.graphql import turns
from tessera_gql.graphql.turns import Turns


async def test_no_more_than_there_are_places_run_and_the_others_follow_in_their_order() -> None:
    queue, running, most, ended = Turns(2), 0, 0, list[int]()

    async def query(number: int) -> None:
        nonlocal running, most
        async with queue.turn():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1
            ended.append(number)

    await asyncio.gather(*map(query, range(9)))
    assert (most, ended) == (2, [*range(9)])


async def test_a_query_that_takes_long_lends_its_place_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LENT_AFTER_SECONDS", 0.01)
    queue, slow_may_end, running = Turns(1), asyncio.Event(), 0

    async def slow() -> None:
        async with queue.turn():
            await slow_may_end.wait()

    async def quick() -> int:
        nonlocal running
        async with queue.turn():
            running += 1
            here = running
            await asyncio.sleep(0)
            running -= 1
            return here

    waiting = asyncio.create_task(slow())
    async with asyncio.timeout(5):
        assert await asyncio.gather(*(quick() for _ in range(3))) == [1, 1, 1]
        slow_may_end.set()
        await waiting
        assert await asyncio.gather(*(quick() for _ in range(3))) == [1, 1, 1]


async def test_one_who_leaves_while_waiting_takes_no_place() -> None:
    queue = Turns(1)
    async with queue.turn():
        leaving = asyncio.create_task(queue.turn().__aenter__())
        await asyncio.sleep(0)
        leaving.cancel()
    async with asyncio.timeout(5), queue.turn():
        with pytest.raises(asyncio.CancelledError):
            await leaving
