"""Several processes on one socket: a parent that serves nothing, replaces whoever dies, and ends when all have ended.

The parent must have no thread and no event loop when it forks. The socket is shared rather than one for each process:
connections that wait in its queue outlive a process that dies.
"""

import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

STABLE_SECONDS = 10.0
PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 30.0
GRACE_SECONDS = 15.0
"""In which a process puts its things away when its requests have ended; then it is killed."""

log = logging.getLogger(__name__)


@dataclass
class Place:
    """Where one process runs after the other."""

    pid: int = 0
    """0 while nobody is there."""
    since: float = 0.0
    due: float = 0.0
    failures: int = 0

    def vacate(self, now: float) -> float:
        """After how many seconds the next one starts: at once, unless one after the other dies young."""
        self.failures = 0 if now - self.since > STABLE_SECONDS else self.failures + 1
        pause = min(PAUSE_SECONDS * 2.0**self.failures, LONGEST_PAUSE_SECONDS)
        self.pid, self.due = 0, now + pause
        return pause


@dataclass
class Supervisor:
    """`work` serves until SIGTERM and returns its exit code; it runs in each process."""

    number: int
    listener: socket.socket
    work: Callable[[], int]
    shutdown_seconds: float
    ends: float | None = None
    """When those who have not ended are killed."""
    failed: bool = False
    places: list[Place] = field(default_factory=list[Place])
    alive: tuple[int, int] = field(default_factory=os.pipe)
    """Nothing is ever written to it: it ends with the parent."""
    woken: tuple[int, int] = field(default_factory=os.pipe)

    def run(self) -> int:
        """The exit code: 0 if every process ended by itself when it was asked to."""
        self.places = [Place() for _ in range(self.number)]
        os.set_blocking(self.woken[1], False)
        signal.set_wakeup_fd(self.woken[1], warn_on_full_buffer=False)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, self._stop)
        signal.signal(signal.SIGCHLD, _wake)
        while self.ends is None or any(place.pid for place in self.places):
            self._step()
        return int(self.failed)

    def _step(self) -> None:
        now = time.monotonic()
        for place in self.places:
            if place.pid:
                self._look(place, now)
            elif self.ends is None and now >= place.due:
                self._start(place, now)
        if self.ends is not None and now > self.ends:
            self._kill()
        if select.select([self.woken[0]], [], [], 0.5)[0]:
            os.read(self.woken[0], 4096)

    def _start(self, place: Place, now: float) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        place.pid, place.since = os.fork(), now
        if place.pid == 0:
            code = 1
            try:
                self._become()
                code = self.work()
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 1
            except BaseException:
                log.exception("A server process failed")
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)

    def _become(self) -> None:
        """What the parent has set up is not the child's; and without a parent it ends as well."""
        signal.set_wakeup_fd(-1)
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(one, signal.SIG_DFL)
        for end in (self.alive[1], *self.woken):
            os.close(end)
        threading.Thread(target=_outlive, args=(self.alive[0],), daemon=True).start()

    def _look(self, place: Place, now: float) -> None:
        pid, status = os.waitpid(place.pid, os.WNOHANG)
        if not pid:
            return
        code = os.waitstatus_to_exitcode(status)
        pause = place.vacate(now)
        if self.ends is None:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            log.warning("Server process %d %s; another one starts in %.1f seconds.", pid, how, pause)
        elif code not in (0, -signal.SIGTERM, -signal.SIGINT):
            self.failed = True

    def _stop(self, _number: int, _frame: object) -> None:
        """Once: everybody ends in peace. Twice: at once."""
        if self.ends is None:
            self.ends = time.monotonic() + self.shutdown_seconds + GRACE_SECONDS
            self.listener.close()  # while one copy is open, the system goes on taking connections
        else:
            self.ends = 0.0
        for place in self.places:
            if place.pid:
                os.kill(place.pid, signal.SIGTERM)

    def _kill(self) -> None:
        for place in self.places:
            if place.pid:
                log.error("Server process %d did not end in time and is killed.", place.pid)
                os.kill(place.pid, signal.SIGKILL)
                os.waitpid(place.pid, 0)
                place.pid, self.failed = 0, True


def _wake(_number: int, _frame: object) -> None:
    """That a process has ended is enough to know: the parent looks."""


def _outlive(parent: int) -> None:
    """The other end is never written to: it ends with the parent, however that ends."""
    os.read(parent, 1)
    os.kill(os.getpid(), signal.SIGTERM)
