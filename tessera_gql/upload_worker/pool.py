"""Pool of worker processes on the server's side: start them, send jobs, receive replies, stop them."""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import PIPE
from asyncio.subprocess import Process as Child
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast
from weakref import WeakValueDictionary

import orjson
from graphql import GraphQLError, OperationType
from starlette.datastructures import UploadFile

from tessera_gql.compute.pool import SECONDS
from tessera_gql.graphql.documents import Operation
from tessera_gql.graphql.limit_values import Limits
from tessera_gql.graphql.transport import Answer, Job
from tessera_gql.graphql.uploads import MANIFEST_FIELDS
from tessera_gql.observe.logs import LogOptions
from tessera_gql.store.engine import DEFAULT, Options
from tessera_gql.upload_worker import protocol
from tessera_gql.upload_worker.protocol import JobMessage, Kind
from tessera_gql.workflows.manifest_progress import Phase, Tell

log = logging.getLogger(__name__)

PROCESSES = 2
IDLE_SECONDS = 60.0
WAIT_SECONDS = 300.0
"""Timeout of the wait for a free process."""
JOB_SECONDS = 600.0
CHUNK_BYTES = 256 * 1024
GRACE_SECONDS = 5.0
"""Time after a job's timeout until its process is killed."""
MEMORY_BYTES = 6 * 1024**3
"""Limit of the address space, libraries included. The largest manifest needs about a third of it."""


class WorkerEndedError(Exception):
    """The process ended. Its job was not executed, or its outcome is unknown."""


@dataclass(frozen=True)
class Settings:
    """Settings that a process needs to execute operations like the server."""

    database_url: str = field(repr=False)
    limits: Limits
    is_open: bool
    log: LogOptions
    options: Options = DEFAULT
    git_sync_path: Path | None = None
    compute_seconds: float = SECONDS
    """Timeout of one schema comparison."""
    job_seconds: float = JOB_SECONDS
    memory_bytes: int = MEMORY_BYTES


@dataclass(eq=False)
class Process:
    """One worker process. `is_well` is true while it waits for a job."""

    child: Child
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    is_well: bool = False
    jobs: int = 0

    async def send(self, kind: Kind, payload: bytes) -> None:
        """Send a frame. Raises WorkerEndedError, like all communication with the process."""
        await self._write(protocol.pack(kind, payload))

    async def send_file(self, file: UploadFile) -> None:
        """Send a file in chunks, as one frame."""
        await self._write(protocol.head(Kind.FILE, file.size or 0))
        while chunk := await file.read(CHUNK_BYTES):
            await self._write(chunk)

    async def _write(self, data: bytes) -> None:
        try:
            self.stdin.write(data)
            await self.stdin.drain()
        except (ConnectionError, RuntimeError):  # uvloop raises RuntimeError for a closed pipe
            raise WorkerEndedError from None

    async def receive(self) -> tuple[Kind, bytes]:
        """Receive the next frame. Raises WorkerEndedError."""
        frame = await protocol.read_frame(self.stdout)
        if frame is None:
            raise WorkerEndedError
        return frame

    def dismiss(self) -> None:
        """Close the pipe, which makes a process without a job exit."""
        self.stdin.close()

    async def end(self) -> None:
        """Kill the process and wait for its exit."""
        with suppress(ProcessLookupError):
            self.child.kill()
        self.dismiss()
        await self.child.wait()


async def start(settings: Settings) -> Process:
    """Start a process in its own session, so that Ctrl-C reaches only the server, which then stops the process."""
    command = (sys.executable, "-P", "-m", "tessera_gql.upload_worker")
    try:
        child = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
    except OSError as error:
        raise WorkerEndedError from error
    process = Process(child, cast("asyncio.StreamWriter", child.stdin), cast("asyncio.StreamReader", child.stdout))
    try:
        await process.send(Kind.SETTINGS, orjson.dumps(asdict(settings), default=str))
    except BaseException:
        await process.end()
        raise
    return process


@dataclass
class WorkerPool:
    """A pool of worker processes. `on_commit` is called after each job, which may have committed changes."""

    settings: Settings
    on_commit: Callable[[], None]
    _idle: list[Process] = field(default_factory=list[Process])
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PROCESSES))
    _callers: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary[str, asyncio.Lock])

    async def run(self, job: Job, extensions: dict[str, Any], report_progress: Tell) -> Answer:
        """Execute a job and return its reply. Cancelling it kills the process.

        Raises a coded GraphQLError if no process could execute it.
        """
        seconds = self._timeout_seconds(job.operation)
        message = JobMessage(job.text, (*job.files,), job.identity.actor, extensions, seconds)
        async with self._acquire_slot(job.account):
            try:
                async with self._acquire_process() as process, asyncio.timeout(seconds + GRACE_SECONDS):
                    await process.send(Kind.JOB, message.encode())
                    for file in job.files.values():
                        await process.send_file(file)
                    return await _receive_reply(process, report_progress)
            except WorkerEndedError:
                raise _unavailable("ended before it was done, perhaps because it ran out of memory") from None
            except TimeoutError:
                raise _unavailable(f"was ended: it took longer than {seconds:g} seconds") from None
            finally:
                self.on_commit()

    def _timeout_seconds(self, operation: Operation) -> float:
        if operation.kind is OperationType.QUERY and not operation.calls(MANIFEST_FIELDS):
            return min(self.settings.limits.query_seconds, self.settings.job_seconds)
        return self.settings.job_seconds

    @asynccontextmanager
    async def _acquire_slot(self, account: str) -> AsyncGenerator[None]:
        """Hold a slot for one process. An account has at most one, so that it never blocks all other callers."""
        if (lock := self._callers.get(account)) is None:
            lock = self._callers[account] = asyncio.Lock()
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await stack.enter_async_context(lock)
                    await stack.enter_async_context(self._slots)
            except TimeoutError:
                raise _unavailable(f"was not free within {WAIT_SECONDS:g} seconds") from None
            yield

    @asynccontextmanager
    async def _acquire_process(self) -> AsyncGenerator[Process]:
        """Take an idle process, or start one."""
        running = (process for process in self._pop_idle() if process.child.returncode is None)
        process = next(running, None) or await start(self.settings)
        process.is_well = False
        try:
            yield process
        finally:
            await self._release_process(process)

    def _pop_idle(self) -> Generator[Process]:
        while self._idle:
            yield self._idle.pop()

    async def _release_process(self, process: Process) -> None:
        """Return a process to the pool, which stops it after an idle time, or kill it if it can't be reused."""
        if not process.is_well:
            await process.end()
            return
        process.jobs += 1
        self._idle.append(process)
        asyncio.get_running_loop().call_later(IDLE_SECONDS, self._stop_if_idle, process, process.jobs)

    def _stop_if_idle(self, process: Process, jobs: int) -> None:
        if process in self._idle and process.jobs == jobs:
            self._idle.remove(process)
            process.dismiss()

    async def close(self) -> None:
        """Kill all idle processes."""
        while self._idle:
            await self._idle.pop().end()


async def _receive_reply(process: Process, report_progress: Tell) -> Answer:
    """Receive the reply of a job, passing on its progress until then."""
    while True:
        kind, payload = await process.receive()
        if kind is Kind.ANSWER:
            head, _, body = payload.partition(b"\n")
            metadata = orjson.loads(head)
            process.is_well = metadata["stays"]
            return Answer(body, metadata["why"])
        phase, finished, total = orjson.loads(payload)
        report_progress(Phase(phase), finished, total)


def _unavailable(reason: str) -> GraphQLError:
    """Log and create the retryable error of a job that could not be executed."""
    log.error("A worker process for large requests %s", reason)
    message = (
        f"The process for this request {reason}. Send less at once, or try again; with the same idempotencyKey nothing"
        " is done twice."
    )
    return GraphQLError(message, extensions={"code": "UNAVAILABLE", "retryable": True})
