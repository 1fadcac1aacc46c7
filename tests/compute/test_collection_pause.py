"""A pause of garbage collection ends with the next callback of the event loop, or at once without one."""

import asyncio
import gc

from tessera_gql.compute.collection_pause import pause_until_next_callback


async def test_garbage_is_collected_again_from_the_next_callback_on() -> None:
    with pause_until_next_callback():
        with pause_until_next_callback():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert not gc.isenabled()
    await asyncio.sleep(0)
    assert gc.isenabled()


async def test_garbage_is_collected_again_at_once_in_another_thread() -> None:
    def pause() -> bool:
        with pause_until_next_callback():
            assert not gc.isenabled()
        return gc.isenabled()

    assert await asyncio.to_thread(pause)


def test_garbage_is_collected_again_at_once_without_an_event_loop() -> None:
    with pause_until_next_callback():
        assert not gc.isenabled()
    assert gc.isenabled()
