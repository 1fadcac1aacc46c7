"""Measure how long the event loop is blocked, and log the stack of the blocking code.

The delay of a repeated timer is the time that clients waited. A thread checks the timer, so that it can log the stack
while the loop is still blocked.
"""

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import TypeAlias

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.01
"""A block that begins within the interval is measured from its end, so that it counts for up to so much less."""
REPORT_AFTER_SECONDS = 0.5
"""Blocks longer than this are logged."""
REPORT_PAUSE_SECONDS = 10.0
"""Minimal time between two log messages."""
MAX_FRAMES = 12

ObserveBlock: TypeAlias = Callable[[float, float], None]
"""Called a hundred times a second with the duration of the block by the clock, and in CPU time of the loop's thread.

The first is longer if other processes used the CPU.
"""


class Watchdog:
    """Context manager that watches the running event loop."""

    def __init__(self, observe: ObserveBlock) -> None:
        self._observe = observe
        self._due_time = 0.0
        self._cpu_start_time = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()
        self._thread_id = 0

    async def __aenter__(self) -> None:
        self._thread_id = threading.get_ident()
        self._schedule()
        threading.Thread(target=self._report_blocks, name="watchdog", daemon=True).start()

    async def __aexit__(self, *_: object) -> None:
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()
            self._observe_delay()  # a block may end just before

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        self._due_time = time.monotonic() + INTERVAL_SECONDS
        self._cpu_start_time = time.thread_time()
        self._timer = loop.call_later(INTERVAL_SECONDS, self._tick)

    def _tick(self) -> None:
        self._observe_delay()
        self._schedule()

    def _observe_delay(self) -> None:
        delay_seconds = max(0.0, time.monotonic() - self._due_time)
        self._observe(delay_seconds, min(delay_seconds, time.thread_time() - self._cpu_start_time))

    def _report_blocks(self) -> None:
        """Log blocks of the loop; runs in its own thread."""
        pause_seconds = REPORT_AFTER_SECONDS / 2
        while not self._stopped.wait(pause_seconds):
            pause_seconds = REPORT_AFTER_SECONDS / 2
            blocked_seconds = time.monotonic() - self._due_time
            if blocked_seconds > REPORT_AFTER_SECONDS:
                frames = sys._current_frames()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - it has no public name
                stack = _format_stack(frames.get(self._thread_id))
                log.warning("The event loop has been held for %.1f seconds by:\n%s", blocked_seconds, stack)
                pause_seconds = REPORT_PAUSE_SECONDS


def _format_stack(frame: FrameType | None) -> str:
    """Format the innermost frames: file, line and function, never a value."""
    return "".join(traceback.format_stack(frame, limit=MAX_FRAMES) if frame else ())
