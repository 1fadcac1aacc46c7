"""The rendering of a long page leaves the event loop to other requests."""

import asyncio
import time
from collections.abc import Iterator

from tessera_gql.console.rendering import SLICE_SECONDS, join_in_slices


async def test_a_long_page_is_rendered_in_slices_between_which_other_requests_run() -> None:
    finished = False
    turns = 0

    def parts() -> Iterator[str]:
        for number in range(10):
            time.sleep(SLICE_SECONDS * 1.1)
            yield str(number)

    async def count_turns() -> None:
        nonlocal turns
        while not finished:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    text = await join_in_slices(parts())
    finished = True
    await counting
    assert text == "0123456789"
    assert turns >= 10
