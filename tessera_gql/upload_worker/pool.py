"""The server's side: start worker processes, hand them jobs, pass their answers on, and end them."""

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
"""For a free process."""
JOB_SECONDS = 600.0
CHUNK_BYTES = 256 * 1024
GRACE_SECONDS = 5.0
"""A process that does not end a job by itself is ended so much later."""
MEMORY_BYTES = 6 * 1024**3
"""Of address space, libraries included; the largest manifest takes about a third of it."""


class WorkerEndedError(Exception):
    """The process ended; its job is undone, or its outcome unknown."""


@dataclass(frozen=True)
class Settings:
    """What a process needs to execute an operation as the server would."""

    database_url: str = field(repr=False)
    limits: Limits
    is_open: bool
    log: LogOptions
    options: Options = DEFAULT
    git_sync_path: Path | None = None
    compute_seconds: float = SECONDS
    """For one comparison of schemas."""
    job_seconds: float = JOB_SECONDS
    memory_bytes: int = MEMORY_BYTES


@dataclass(eq=False)
class Process:
    """`is_well` while it waits for a job."""

    child: Child
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    is_well: bool = False
    jobs: int = 0

    async def send(self, kind: Kind, payload: bytes) -> None:
        """Raises WorkerEndedError, as everything does that talks to the process."""
        await self._write(protocol.pack(kind, payload))

    async def send_file(self, file: UploadFile) -> None:
        await self._write(protocol.head(Kind.FILE, file.size or 0))
        while chunk := await file.read(CHUNK_BYTES):
            await self._write(chunk)

    async def _write(self, data: bytes) -> None:
        try:
            self.stdin.write(data)
            await self.stdin.drain()
        except (ConnectionError, RuntimeError):  # uvloop raises the latter for a pipe that is closed
            raise WorkerEndedError from None

    async def receive(self) -> tuple[Kind, bytes]:
        frame = await protocol.read_frame(self.stdout)
        if frame is None:
            raise WorkerEndedError
        return frame

    def dismiss(self) -> None:
        """A process without a job ends by itself then."""
        self.stdin.close()

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self.child.kill()
        self.dismiss()
        await self.child.wait()


async def start(settings: Settings) -> Process:
    """In a session of its own: Ctrl-C at the terminal is for the server, which then ends what it has begun."""
    words = (sys.executable, "-P", "-m", "tessera_gql.upload_worker")
    try:
        child = await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=PIPE, start_new_session=True)
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
    """`on_commit` is called after each job: it may have changed something."""

    settings: Settings
    on_commit: Callable[[], None]
    _idle: list[Process] = field(default_factory=list[Process])
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PROCESSES))
    _callers: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary[str, asyncio.Lock])

    async def run(self, job: Job, extensions: dict[str, Any], tell: Tell) -> Answer:
        """Raises a coded GraphQLError when no process could do it. A cancelled job ends with its process."""
        seconds = self._seconds(job.operation)
        message = JobMessage(job.text, (*job.files,), job.identity.actor, extensions, seconds)
        async with self._place(job.account):
            try:
                async with self._process() as process, asyncio.timeout(seconds + GRACE_SECONDS):
                    await process.send(Kind.JOB, message.encode())
                    for file in job.files.values():
                        await process.send_file(file)
                    return await _answer(process, tell)
            except WorkerEndedError:
                raise _unavailable("ended before it was done, perhaps because it ran out of memory") from None
            except TimeoutError:
                raise _unavailable(f"was ended: it took longer than {seconds:g} seconds") from None
            finally:
                self.on_commit()

    def _seconds(self, operation: Operation) -> float:
        if operation.kind is OperationType.QUERY and not operation.calls(MANIFEST_FIELDS):
            return min(self.settings.limits.query_seconds, self.settings.job_seconds)
        return self.settings.job_seconds

    @asynccontextmanager
    async def _place(self, account: str) -> AsyncGenerator[None]:
        """The right to a process. A caller has one at a time, so that it never keeps all others waiting."""
        if (lock := self._callers.get(account)) is None:
            lock = self._callers[account] = asyncio.Lock()
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await stack.enter_async_context(lock)
                    await stack.enter_async_context(self._places)
            except TimeoutError:
                raise _unavailable(f"was not free within {WAIT_SECONDS:g} seconds") from None
            yield

    @asynccontextmanager
    async def _process(self) -> AsyncGenerator[Process]:
        process = next((one for one in self._taken() if one.child.returncode is None), None)
        process = process or await start(self.settings)
        process.is_well = False
        try:
            yield process
        finally:
            await self._put_back(process)

    def _taken(self) -> Generator[Process]:
        while self._idle:
            yield self._idle.pop()

    async def _put_back(self, process: Process) -> None:
        """Kept for a while: the next job may come soon."""
        if not process.is_well:
            await process.end()
            return
        process.jobs += 1
        self._idle.append(process)
        asyncio.get_running_loop().call_later(IDLE_SECONDS, self._forget, process, process.jobs)

    def _forget(self, process: Process, jobs: int) -> None:
        if process in self._idle and process.jobs == jobs:
            self._idle.remove(process)
            process.dismiss()

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().end()


async def _answer(process: Process, tell: Tell) -> Answer:
    while True:
        kind, payload = await process.receive()
        if kind is Kind.ANSWER:
            head, _, body = payload.partition(b"\n")
            facts = orjson.loads(head)
            process.is_well = facts["stays"]
            return Answer(body, facts["why"])
        phase, done, total = orjson.loads(payload)
        tell(Phase(phase), done, total)


def _unavailable(why: str) -> GraphQLError:
    log.error("A worker process for large requests %s", why)
    message = (
        f"The process for this request {why}. Send less at once, or try again; with the same idempotencyKey nothing"
        " is done twice."
    )
    return GraphQLError(message, extensions={"code": "UNAVAILABLE", "retryable": True})
