"""Garbage collection in a server, where each collection holds the event loop."""

import gc
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

THRESHOLDS = (10_000, 2, 10)
"""New objects per collection of the youngest generation, such collections per one of the second, and so on.

Of the youngest generation a collection takes up to 8 ms with a threshold of 10,000 objects and 53 ms with 50,000 (pages
of proposals), and in sum the same. One of the second takes up to 75 ms after ten of the youngest, while 10,000 sockets
connect, 40 ms after five, and 20 ms after two. One of all objects examines what has survived since the last: while
contracts are published 63,000 objects in 44 ms after a million new ones.
"""
MAX_SURVIVORS = 2_000_000
"""Objects that are excluded until a collection examines them again, which takes a second: 10,000 sockets have 600,000.

In twenty minutes of mixed use with many different documents, 7,000 of 210,000 excluded objects were garbage.
"""
MAX_EXAMINED = 30_000
"""Objects of the oldest generation that are examined. Where more survive, as those of new sockets, most are in use."""
COUNTED = 20
"""Of so many collections of all objects one counts those that are excluded, which takes some milliseconds."""


class Survivors:
    """Excludes objects that have survived a collection of all objects from those that follow: a callback of `gc`.

    Such a collection examines each object, so in a server with many cached documents it took 200 ms, and with 10,000
    sockets 640 ms. What is excluded is freed by reference counting, but kept if it becomes part of a reference cycle.
    """

    def __init__(self) -> None:
        self._limit = gc.get_freeze_count() + MAX_SURVIVORS
        self._collections = 0
        self._examines_all = False

    def __call__(self, phase: str, info: Mapping[str, Any]) -> None:
        if phase != "stop" or info["generation"] == 0:
            return
        if info["generation"] == 1:
            if not self._examines_all and len(gc.get_objects(generation=2)) > MAX_EXAMINED:
                gc.freeze()
            return
        self._collections += 1
        if self._examines_all:
            gc.freeze()
            self._limit, self._examines_all = gc.get_freeze_count() + MAX_SURVIVORS, False
        elif self._collections % COUNTED == 0 and gc.get_freeze_count() > self._limit:
            gc.unfreeze()
            self._examines_all = True
        else:
            gc.freeze()


def tune_garbage_collection() -> None:
    """Exclude what lives now from collections, and from then on what survives them, until there is much of it."""
    gc.collect()
    gc.freeze()
    gc.collect()  # of nothing: the next one waits until a quarter as many objects are new as have survived this one
    gc.set_threshold(*THRESHOLDS)
    gc.callbacks[:] = [callback for callback in gc.callbacks if not isinstance(callback, Survivors)]
    gc.callbacks.append(Survivors())


@contextmanager
def pause_garbage_collection(resume: Callable[[], object] = gc.enable) -> Generator[None]:
    """Collect nothing while objects are made that would survive, as in a large artifact, or that soon are garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            resume()
