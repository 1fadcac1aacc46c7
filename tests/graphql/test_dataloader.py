"""A dataloader batches the loads of one moment and loads no key twice."""

import asyncio
import gc

import pytest

from tessera_gql.graphql.dataloader import Loader


class Asked:
    """A batch function that doubles numbers, records its calls, and fails for numbers below zero."""

    def __init__(self) -> None:
        self.questions: list[list[int]] = []
        self.began = asyncio.Event()

    async def __call__(self, keys: list[int]) -> list[int]:
        self.questions.append(keys)
        self.began.set()
        await asyncio.sleep(0)
        if min(keys) < 0:
            raise ValueError("below zero")
        return [key * 2 for key in keys]


async def test_keys_of_the_same_moment_are_one_batch_with_each_key_once() -> None:
    loader = Loader(asked := Asked())
    results = await asyncio.gather(loader.load(1), loader.load_many([2, 1, 2]), loader.load(3))
    assert results == [2, [4, 2, 4], 6]
    assert asked.questions == [[1, 2, 3]]


async def test_a_loaded_or_pending_key_is_not_loaded_again() -> None:
    loader = Loader(asked := Asked())
    first = asyncio.ensure_future(loader.load_many([1, 2]))
    await asked.began.wait()
    assert await loader.load_many([2, 3]) == [4, 6]
    assert await first == [2, 4]
    assert await loader.load(1) == 2
    assert asked.questions == [[1, 2], [3]]


async def test_a_failure_is_raised_to_all_waiters_and_not_cached() -> None:
    loader = Loader(asked := Asked())
    failed = await asyncio.gather(loader.load(-1), loader.load(1), return_exceptions=True)
    assert [str(error) for error in failed] == ["below zero", "below zero"]
    assert await loader.load(1) == 2
    with pytest.raises(ValueError, match="below zero"):
        await loader.load(-1)
    assert asked.questions == [[-1, 1], [1], [-1]]


async def test_no_batch_is_loaded_for_cancelled_waiters() -> None:
    loader = Loader(asked := Asked())
    left = asyncio.ensure_future(loader.load(1))
    await asyncio.sleep(0)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    for _ in range(5):
        await asyncio.sleep(0)
    assert asked.questions == []
    assert await loader.load(1) == 2


async def test_a_cancelled_waiter_does_not_cancel_the_batch() -> None:
    loader = Loader(asked := Asked())
    leaving, staying = asyncio.ensure_future(loader.load(1)), asyncio.ensure_future(loader.load(1))
    await asked.began.wait()
    leaving.cancel()
    assert await staying == 2
    assert asked.questions == [[1]]


async def test_the_failures_of_two_batches_are_both_retrieved(caplog: pytest.LogCaptureFixture) -> None:
    loader = Loader(Asked())
    first = asyncio.create_task(loader.load(-1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="below zero"):
        await loader.load_many([-1, -2])
    with pytest.raises(ValueError, match="below zero"):
        await first
    await asyncio.sleep(0.01)
    del loader, first
    gc.collect()
    assert not caplog.records
