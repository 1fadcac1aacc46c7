"""Measure how long the event loop is held, and log what holds it.

A timer is set again and again; how late it runs is how long clients waited. A thread looks at the timer from outside,
so that the stack of what holds the loop is in the log while it still does.
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

EVERY_SECONDS = 0.02
REPORTED_SECONDS = 0.5
"""Held for longer, the loop's stack is logged."""
QUIET_SECONDS = 10.0
"""Between two reports."""
FRAMES = 12

Observe: TypeAlias = Callable[[float, float], None]
"""Told, about fifty times a second, for how long the loop was held: by the clock, and in processor time of its thread.

The first is longer when other processes had the processor.
"""


class Watchdog:
    """Watches the running loop for as long as it is entered."""

    def __init__(self, observe: Observe) -> None:
        self._observe = observe
        self._due = 0.0
        self._cpu = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()
        self._thread_id = 0

    async def __aenter__(self) -> None:
        self._thread_id = threading.get_ident()
        self._set()
        threading.Thread(target=self._look, name="watchdog", daemon=True).start()

    async def __aexit__(self, *_: object) -> None:
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()

    def _set(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = time.monotonic() + EVERY_SECONDS
        self._cpu = time.thread_time()
        self._timer = loop.call_later(EVERY_SECONDS, self._tick)

    def _tick(self) -> None:
        late = max(0.0, time.monotonic() - self._due)
        self._observe(late, min(late, time.thread_time() - self._cpu))
        self._set()

    def _look(self) -> None:
        """In a thread of its own."""
        pause = REPORTED_SECONDS / 2
        while not self._stopped.wait(pause):
            pause = REPORTED_SECONDS / 2
            held = time.monotonic() - self._due
            if held > REPORTED_SECONDS:
                frames = sys._current_frames()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - it has no public name
                frame = frames.get(self._thread_id)
                log.warning("The event loop has been held for %.1f seconds by:\n%s", held, _stack(frame))
                pause = QUIET_SECONDS


def _stack(frame: FrameType | None) -> str:
    """The innermost frames: file, line and function, never a value."""
    return "".join(traceback.format_stack(frame, limit=FRAMES) if frame else ())
