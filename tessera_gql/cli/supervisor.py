"""Supervisor of the server processes: forks them, restarts them when they die, and forwards stop signals.

The supervisor must have no thread and no event loop when it forks. All processes share one listening socket, so that
connections in its queue survive the death of a process.
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
MIN_RESTART_SECONDS = 0.1
MAX_RESTART_SECONDS = 30.0
CLEANUP_SECONDS = 15.0
"""Time for a process to clean up after SHUTDOWN_SECONDS, before it is killed."""

log = logging.getLogger(__name__)


@dataclass
class SupervisedProcess:
    """A server process and its restarts."""

    pid: int = 0
    """The id of the running process; 0 while none runs."""
    started_at: float = 0.0
    restart_at: float = 0.0
    failures: int = 0

    def schedule_restart(self, now: float) -> float:
        """Schedule the next process and return the delay in seconds, which doubles with each early death."""
        self.failures = 0 if now - self.started_at > STABLE_SECONDS else self.failures + 1
        pause = min(MIN_RESTART_SECONDS * 2.0**self.failures, MAX_RESTART_SECONDS)
        self.pid, self.restart_at = 0, now + pause
        return pause


@dataclass
class Supervisor:
    """Keeps processes running; each calls `serve`, which must return an exit code after SIGTERM."""

    process_count: int
    listener: socket.socket
    serve: Callable[[], int]
    shutdown_seconds: float
    kill_at: float | None = None
    """Monotonic time at which remaining processes are killed; None before a stop signal."""
    has_failed: bool = False
    processes: list[SupervisedProcess] = field(default_factory=list[SupervisedProcess])
    parent_pipe: tuple[int, int] = field(default_factory=os.pipe)
    """Pipe without data: its read end closes in the children when the supervisor dies."""
    wakeup_pipe: tuple[int, int] = field(default_factory=os.pipe)

    def run(self) -> int:
        """Run until all processes ended, and return 0 if each of them ended in time after a stop signal."""
        self.processes = [SupervisedProcess() for _ in range(self.process_count)]
        os.set_blocking(self.wakeup_pipe[1], False)
        signal.set_wakeup_fd(self.wakeup_pipe[1], warn_on_full_buffer=False)
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signal_number, self._handle_stop_signal)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # a handler makes it wake up `select`
        while self.kill_at is None or any(process.pid for process in self.processes):
            self._run_once()
        return int(self.has_failed)

    def _run_once(self) -> None:
        now = time.monotonic()
        for process in self.processes:
            if process.pid:
                self._reap(process, now)
            elif self.kill_at is None and now >= process.restart_at:
                self._start_process(process, now)
        if self.kill_at is not None and now > self.kill_at:
            self._kill_remaining()
        if select.select([self.wakeup_pipe[0]], [], [], 0.5)[0]:
            os.read(self.wakeup_pipe[0], 4096)

    def _start_process(self, process: SupervisedProcess, now: float) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        process.pid, process.started_at = os.fork(), now
        if process.pid == 0:
            code = 1
            try:
                self._reset_child()
                code = self.serve()
            except SystemExit as error:
                code = error.code if isinstance(error.code, int) else 1
            except BaseException:
                log.exception("A server process failed")
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)

    def _reset_child(self) -> None:
        """Undo the supervisor's signal handling in a child, and stop the child when the supervisor dies."""
        signal.set_wakeup_fd(-1)
        for signal_number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(signal_number, signal.SIG_DFL)
        for descriptor in (self.parent_pipe[1], *self.wakeup_pipe):
            os.close(descriptor)
        threading.Thread(target=_exit_with_parent, args=(self.parent_pipe[0],), daemon=True).start()

    def _reap(self, process: SupervisedProcess, now: float) -> None:
        pid, status = os.waitpid(process.pid, os.WNOHANG)
        if not pid:
            return
        code = os.waitstatus_to_exitcode(status)
        pause = process.schedule_restart(now)
        if self.kill_at is None:
            cause = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            log.warning("Server process %d %s; another one starts in %.1f seconds.", pid, cause, pause)
        elif code not in (0, -signal.SIGTERM, -signal.SIGINT):
            self.has_failed = True

    def _handle_stop_signal(self, _number: int, _frame: object) -> None:
        """Stop gracefully on the first signal, kill on the second."""
        if self.kill_at is None:
            self.kill_at = time.monotonic() + self.shutdown_seconds + CLEANUP_SECONDS
            self.listener.close()  # the kernel accepts connections while any copy is open
        else:
            self.kill_at = 0.0
        for process in self.processes:
            if process.pid:
                os.kill(process.pid, signal.SIGTERM)

    def _kill_remaining(self) -> None:
        for process in self.processes:
            if process.pid:
                log.error("Server process %d did not end in time and is killed.", process.pid)
                os.kill(process.pid, signal.SIGKILL)
                os.waitpid(process.pid, 0)
                process.pid, self.has_failed = 0, True


def _exit_with_parent(pipe_end: int) -> None:
    """Terminate this process when the supervisor's end of the pipe closes, even if it was killed."""
    os.read(pipe_end, 1)
    os.kill(os.getpid(), signal.SIGTERM)
