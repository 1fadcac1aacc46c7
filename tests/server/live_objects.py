"""Find the objects that are still in memory, while other threads may run."""

import gc
import sys
import time

SECONDS = 1.0


def find_live_types(*types: type) -> set[str]:
    """Return the names of those types that still have instances.

    No other thread runs meanwhile: one that is just building a tuple would fail, since the list of all objects refers
    to that tuple as well.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SECONDS)
    time.sleep(0.01)  # threads that wait already do so with the interval of before
    try:
        return {type(item).__name__ for item in gc.get_objects() if type(item) in types}
    finally:
        sys.setswitchinterval(interval)
