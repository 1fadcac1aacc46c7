"""A pause of garbage collection that ends with the next callback of the event loop."""

import asyncio
import gc
from contextlib import AbstractContextManager

from tessera_gql.garbage_collection import pause_garbage_collection


def pause_until_next_callback() -> AbstractContextManager[None]:
    """Collect nothing until the next callback, so that the collection does not prolong the current one."""
    return pause_garbage_collection(_enable_soon)


def _enable_soon() -> None:
    try:
        asyncio.get_running_loop().call_soon(gc.enable)
    except RuntimeError:  # this thread has no event loop, or it is closed
        gc.enable()
