"""A semaphore for threads that admits them in the order of their arrival; `threading.Semaphore` may starve a thread."""

from collections import deque
from threading import Lock


class FairSemaphore:
    """Context manager that at most `permits` threads hold at a time."""

    def __init__(self, permits: int) -> None:
        self._free = permits
        self._lock = Lock()
        self._waiters: deque[Lock] = deque()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            waiter = Lock()
            waiter.acquire()
            self._waiters.append(waiter)
        try:
            waiter.acquire()  # until a leaving thread passes its permit on
        except BaseException:  # interrupted by Ctrl-C
            self._cancel(waiter)
            raise

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._pass_on()

    def _pass_on(self) -> None:
        """Give a permit to the thread that has waited longest."""
        if self._waiters:
            self._waiters.popleft().release()
        else:
            self._free += 1

    def _cancel(self, waiter: Lock) -> None:
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            else:
                self._pass_on()
