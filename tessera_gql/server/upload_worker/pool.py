"""Pool of worker processes on the server's side: start them, send jobs, receive replies, stop them."""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import PIPE
from asyncio.subprocess import Process as Child
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast
from weakref import WeakValueDictionary

import orjson
from graphql import GraphQLError, OperationType
from starlette.datastructures import UploadFile

from tessera_gql.server.documents import Operation
from tessera_gql.server.transport import EncodedReply, Job
from tessera_gql.server.upload_worker import protocol
from tessera_gql.server.upload_worker.protocol import FrameKind, JobMessage
from tessera_gql.server.uploads import UPLOAD_FIELDS
from tessera_gql.workflows.dbt.progress import Phase, ReportProgress

log = logging.getLogger(__name__)

PROCESSES = 2
IDLE_SECONDS = 60.0
WAIT_SECONDS = 300.0
"""Timeout of the wait for a free process."""
JOB_SECONDS = 600.0
CHUNK_BYTES = 256 * 1024
GRACE_SECONDS = 5.0
"""Time after a job's timeout until its process is killed."""


class WorkerEndedError(Exception):
    """The process ended. Its job was not executed, or its outcome is unknown."""


@dataclass(eq=False)
class WorkerProcess:
    """One worker process. `is_reusable` is true while it waits for a job. Its methods raise WorkerEndedError."""

    child: Child
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    is_reusable: bool = False
    jobs: int = 0

    async def send(self, kind: FrameKind, payload: bytes) -> None:
        await self._write(protocol.pack_frame(kind, payload))

    async def send_file(self, file: UploadFile) -> None:
        await self._write(protocol.pack_head(FrameKind.FILE, file.size or 0))
        while chunk := await file.read(CHUNK_BYTES):
            await self._write(chunk)

    async def _write(self, data: bytes) -> None:
        try:
            self.stdin.write(data)
            await self.stdin.drain()
        except (ConnectionError, RuntimeError):  # uvloop raises RuntimeError for a closed pipe
            raise WorkerEndedError from None

    async def receive(self) -> tuple[FrameKind, bytes]:
        frame = await protocol.read_frame(self.stdout)
        if frame is None:
            raise WorkerEndedError
        return frame

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.child.kill()
        self.stdin.close()
        await self.child.wait()


async def start_process(module: str, settings: bytes) -> WorkerProcess:
    """Start a process in its own session, so that Ctrl-C reaches only the server, which then stops the process."""
    command = (sys.executable, "-P", "-m", module)
    try:
        child = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
    except OSError as error:
        raise WorkerEndedError from error
    process = WorkerProcess(
        child, cast("asyncio.StreamWriter", child.stdin), cast("asyncio.StreamReader", child.stdout)
    )
    try:
        await process.send(FrameKind.SETTINGS, settings)
    except BaseException:
        await process.kill()
        raise
    return process


@dataclass
class WorkerPool:
    module: str
    """The main module of a process, which reads `settings` from the SETTINGS frame."""
    settings: bytes = field(repr=False)
    query_seconds: float
    on_commit: Callable[[], None]
    """Called after each job, which may have committed changes."""
    _idle: list[WorkerProcess] = field(default_factory=list[WorkerProcess])
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PROCESSES))
    _callers: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary[str, asyncio.Lock])

    async def run(self, job: Job, extensions: dict[str, Any], report_progress: ReportProgress) -> EncodedReply:
        """Execute a job and return its reply. Cancelling it kills the process.

        Raises a coded GraphQLError if no process could execute it.
        """
        seconds = self._timeout_seconds(job.operation)
        message = JobMessage(job.text, (*job.files,), job.identity.actor, extensions, seconds)
        async with self._acquire_slot(job.account):
            try:
                async with self._acquire_process() as process, asyncio.timeout(seconds + GRACE_SECONDS):
                    await process.send(FrameKind.JOB, message.encode())
                    for file in job.files.values():
                        await process.send_file(file)
                    return await _receive_reply(process, report_progress)
            except WorkerEndedError:
                raise _unavailable(
                    "ended before it was done, perhaps because it ran out of memory", maybe_done=True
                ) from None
            except TimeoutError:
                raise _unavailable(f"was ended: it took longer than {seconds:g} seconds", maybe_done=True) from None
            finally:
                self.on_commit()

    def _timeout_seconds(self, operation: Operation) -> float:
        if operation.kind is OperationType.QUERY and not operation.has_root_field(UPLOAD_FIELDS):
            return min(self.query_seconds, JOB_SECONDS)
        return JOB_SECONDS

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
                raise _unavailable(f"was not free within {WAIT_SECONDS:g} seconds", maybe_done=False) from None
            yield

    @asynccontextmanager
    async def _acquire_process(self) -> AsyncGenerator[WorkerProcess]:
        """Take an idle process, or start one."""
        self._idle = [process for process in self._idle if process.child.returncode is None]
        process = self._idle.pop() if self._idle else await start_process(self.module, self.settings)
        process.is_reusable = False
        try:
            yield process
        finally:
            await self._release_process(process)

    async def _release_process(self, process: WorkerProcess) -> None:
        """Return a process to the pool, which stops it after an idle time, or kill it if it can't be reused."""
        if not process.is_reusable:
            await process.kill()
            return
        process.jobs += 1
        self._idle.append(process)
        asyncio.get_running_loop().call_later(IDLE_SECONDS, self._stop_if_idle, process, process.jobs)

    def _stop_if_idle(self, process: WorkerProcess, jobs: int) -> None:
        if process in self._idle and process.jobs == jobs:
            self._idle.remove(process)
            process.stdin.close()  # a process without a job exits then

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().kill()


async def _receive_reply(process: WorkerProcess, report_progress: ReportProgress) -> EncodedReply:
    """Receive the reply of a job, passing on its progress until then."""
    while True:
        kind, payload = await process.receive()
        if kind is FrameKind.REPLY:
            head, _, body = payload.partition(b"\n")
            error_extensions, process.is_reusable = orjson.loads(head)
            return EncodedReply(body, error_extensions)
        phase, finished, total = orjson.loads(payload)
        report_progress(Phase(phase), finished, total)


def _unavailable(reason: str, *, maybe_done: bool) -> GraphQLError:
    """Log and create the retryable error of a job. It may have committed before its process ended."""
    log.error("A worker process for large requests %s", reason)
    message = (
        f"The process for this request {reason}. Send less at once, or try again; with the same idempotencyKey nothing"
        " is done twice."
    )
    return GraphQLError(message, extensions={"code": "UNAVAILABLE", "retryable": True, "maybeDone": maybe_done})
