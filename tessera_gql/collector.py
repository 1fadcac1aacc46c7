"""Garbage collection in a server, where each collection holds the event loop."""

import gc
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

THRESHOLDS = (10_000, 5, 20)
"""New objects per collection of the youngest generation, such collections per one of the second, and so on.

Of the youngest generation a collection takes up to 8 ms with a threshold of 10,000 objects and 53 ms with 50,000 (pages
of proposals), and in sum the same. While 10,000 sockets connect, one of the second generation takes up to 75 ms after
ten of the youngest and 40 ms after five.
"""
MAX_SURVIVORS = 500_000
"""Objects that are excluded from collections until one examines them again, which takes half a second."""


class Survivors:
    """Excludes objects that have survived a collection of all objects from those that follow: a callback of `gc`.

    Such a collection examines each object, so in a server with many cached documents it took 200 ms, and with 10,000
    sockets 640 ms. What is excluded is freed by reference counting, but kept if it becomes part of a reference cycle.
    """

    def __init__(self) -> None:
        self.limit = gc.get_freeze_count() + MAX_SURVIVORS

    def __call__(self, phase: str, info: Mapping[str, Any]) -> None:
        if phase != "stop" or info["generation"] != 2:
            return
        excluded = gc.get_freeze_count()
        if excluded > self.limit:
            gc.unfreeze()
            return
        gc.freeze()
        if not excluded:  # all have been examined
            self.limit = gc.get_freeze_count() + MAX_SURVIVORS


def tune_collector() -> None:
    """Exclude what lives now from collections, and from then on what survives them, until there is much of it."""
    gc.collect()
    gc.freeze()
    gc.collect()  # of nothing: the next one waits until a quarter as many objects are new as have survived this one
    gc.set_threshold(*THRESHOLDS)
    gc.callbacks[:] = [callback for callback in gc.callbacks if not isinstance(callback, Survivors)]
    gc.callbacks.append(Survivors())


@contextmanager
def pause_garbage_collection() -> Generator[None]:
    """Collect nothing while objects are made that would survive, as in a large artifact, or that soon are garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
