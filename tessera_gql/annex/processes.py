"""The server's side: starts processes, hands them jobs, passes their answers on, and ends them."""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import PIPE
from asyncio.subprocess import Process as Child
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import orjson
from graphql import GraphQLError

from tessera_gql.annex import frames
from tessera_gql.annex.frames import Kind
from tessera_gql.graphql.documents import Limits, Operation
from tessera_gql.graphql.large import answer
from tessera_gql.graphql.operations import failed
from tessera_gql.graphql.transport import Answer, Identity, Job, Transport
from tessera_gql.graphql.uploads import TooLarge, Upload
from tessera_gql.graphql.wire import Malformed, Params
from tessera_gql.observe.logs import LogOptions
from tessera_gql.store.engine import DEFAULT, Options
from tessera_gql.workflows.manifest_progress import Phase, Tell

log = logging.getLogger(__name__)

PROCESSES = 2
IDLE_SECONDS = 60.0
JOB_SECONDS = 600.0
MEMORY_BYTES = 6 * 1024**3
"""Of address space, libraries included; the largest manifest takes about a third of it."""


class Died(Exception):  # noqa: N818 - what it says
    """The process is gone, and the job undone or its end unknown."""


@dataclass(frozen=True)
class Settings:
    """What a process needs to run an operation as the server would."""

    database_url: str = field(repr=False)
    limits: Limits
    is_open: bool
    log: LogOptions
    options: Options = DEFAULT
    job_seconds: float = JOB_SECONDS
    memory_bytes: int = MEMORY_BYTES


@dataclass(eq=False)
class Process:
    """`is_well` while it is known to wait for a job."""

    child: Child
    way_in: asyncio.StreamWriter
    way_out: asyncio.StreamReader
    is_well: bool = False
    jobs: int = 0

    async def send(self, kind: Kind, value: object) -> None:
        self.way_in.write(frames.packed(kind, orjson.dumps(value)))
        with suppress(ConnectionError):  # it is learnt by receiving
            await self.way_in.drain()

    async def receive(self) -> tuple[Kind, bytes]:
        """Raises Died."""
        found = await frames.read(self.way_out)
        if found is None:
            raise Died
        return found

    def dismiss(self) -> None:
        """It ends by itself when it has nobody to work for."""
        self.way_in.close()

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self.child.kill()
        self.dismiss()
        await self.child.wait()


async def start(settings: Settings) -> Process:
    """In a session of its own: Ctrl-C at the terminal is for the server, which then ends what it has begun."""
    words = (sys.executable, "-P", "-m", "tessera_gql.annex")
    child = await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=PIPE, start_new_session=True)
    process = Process(child, cast("asyncio.StreamWriter", child.stdin), cast("asyncio.StreamReader", child.stdout))
    await process.send(Kind.SETTINGS, asdict(settings))
    return process


@dataclass
class Annex:
    """`committed` is called after each job: it may have changed something."""

    settings: Settings
    committed: Callable[[], None]
    _idle: list[Process] = field(default_factory=list[Process])
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PROCESSES))

    @asynccontextmanager
    async def open(self, transport: Transport, upload: Upload) -> AsyncGenerator[Job]:
        """Raises Malformed, TooLarge, and a coded GraphQLError if the process did not live to read it."""
        async with self._turns:
            process = await self._process()
            try:
                yield _Job(transport, process, await _shape(process, upload, self.settings.job_seconds), self)
            finally:
                await self._put_back(process)

    async def _process(self) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.child.returncode is None:
                process.is_well = False
                return process
        return await start(self.settings)

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


async def _shape(process: Process, upload: Upload, seconds: float) -> Params:
    files = {place: str(path) for place, path in upload.files.items()}
    await process.send(Kind.JOB, {"body": str(upload.body), "files": files, "form": upload.form})
    try:
        async with asyncio.timeout(seconds):
            kind, payload = await process.receive()
    except (Died, TimeoutError):
        raise _undone() from None
    process.is_well = True
    match kind:
        case Kind.SHAPE:
            return Params(**orjson.loads(payload))
        case Kind.TOO_LARGE:
            raise TooLarge(orjson.loads(payload))
        case _:
            raise Malformed(payload.decode())


def _undone() -> GraphQLError:
    log.error("A process of the annex ended before its job was done")
    message = (
        "The process that took this request ended before it was done: it ran out of memory or time. Send less at"
        " once, or try again; with the same idempotencyKey nothing is done twice."
    )
    return GraphQLError(message, extensions={"code": "UNAVAILABLE", "retryable": True})


@dataclass(frozen=True)
class _Job:
    transport: Transport
    process: Process
    shape: Params
    annex: Annex

    async def run(self, shape: Operation, identity: Identity, tell: Tell) -> Answer:
        with self.transport.watch(shape, identity) as watched:
            found = await self._run(shape, identity, tell)
            watched({"data": {}} if found.why is None else {"errors": [{"message": "", "extensions": found.why}]})
        return found

    async def _run(self, shape: Operation, identity: Identity, tell: Tell) -> Answer:
        try:
            told = self.transport.admit(identity, shape)
            self.process.is_well = False
            await self.process.send(Kind.RUN, {"actor": _facts(identity), "told": told})
            async with asyncio.timeout(self.annex.settings.job_seconds):
                return await self._answer(tell)
        except (Died, TimeoutError):
            return answer(self.transport, failed(self.transport, _undone()))
        except GraphQLError as refusal:
            return answer(self.transport, failed(self.transport, refusal))
        finally:
            self.annex.committed()

    async def _answer(self, tell: Tell) -> Answer:
        while True:
            kind, payload = await self.process.receive()
            if kind is Kind.ANSWER:
                head, _, body = payload.partition(b"\n")
                about = orjson.loads(head)
                self.process.is_well = about["stays"]
                return Answer(body, about["why"])
            phase, done, total = orjson.loads(payload)
            tell(Phase(phase), done, total)


def _facts(identity: Identity) -> dict[str, Any]:
    actor = identity.actor
    return {"name": actor.name, "team_id": actor.team_id, "scopes": [*actor.scopes], "key_id": actor.key_id}
