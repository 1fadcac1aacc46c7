"""A worker process: execute the jobs that the server sends, one at a time. Ends with the server."""

import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from tessera_gql.auth import Identity
from tessera_gql.compute import Pool
from tessera_gql.graphql import context, uploads
from tessera_gql.graphql.context import Context
from tessera_gql.graphql.documents import Operation, Profile, parse_operation
from tessera_gql.graphql.errors import translate
from tessera_gql.graphql.limit_values import Limits
from tessera_gql.graphql.operations import Reply, failed, run, to_answer
from tessera_gql.graphql.scalars import RawJson
from tessera_gql.graphql.schema import schema
from tessera_gql.graphql.transport import Transport
from tessera_gql.graphql.wire import decode, params
from tessera_gql.observe import logs
from tessera_gql.store.database import Database
from tessera_gql.store.engine import Options
from tessera_gql.upload_worker import protocol
from tessera_gql.upload_worker.protocol import JobMessage, Kind
from tessera_gql.workflows.manifest_progress import Phase

NICENESS = 5
TOO_BIG_BYTES = 1024**3
"""A process that has grown beyond this takes no other job: Python gives memory back late or never."""
TELL_SECONDS = 0.1
TOO_MUCH_MEMORY = {
    "message": "This takes more memory than one request may have. Split the project.",
    "extensions": {"code": "BAD_REQUEST"},
}


class Worker:
    """`out` is for frames alone."""

    def __init__(self, database: Database, settings: dict[str, Any], out: BinaryIO) -> None:
        self._database = database
        self._out = out
        self._pool = Pool(processes=1, seconds=settings["compute_seconds"])
        """For comparisons, which must hold no lock for long; a manifest's are many, small, and made in this process."""
        self._has_files = False
        self._git_sync_path = Path(settings["git_sync_path"]) if settings["git_sync_path"] else None
        self._told_at = 0.0
        self._phase: Phase | None = None
        self._transport = Transport(
            schema=schema,
            authenticate=_nobody,
            context=self._context,
            translate=translate,
            limits=Limits(**settings["limits"]),
            profile=Profile.OPEN if settings["is_open"] else Profile.LOCKED,
        )

    async def work(self, reader: asyncio.StreamReader) -> None:
        """Until the server closes the stream, or this process has grown too big."""
        frame = await protocol.read_frame(reader)
        while frame is not None:
            job = JobMessage.decode(frame[1])
            files = [await protocol.read_frame(reader) for _ in job.places]
            if None in files:
                return
            coming = asyncio.create_task(protocol.read_frame(reader))
            running = asyncio.create_task(self._run(job, [file[1] for file in files if file]))
            del files
            if not await _ended_first(running, coming):
                coming.cancel()
                return
            frame = await coming

    async def _run(self, job: JobMessage, files: list[bytes]) -> bool:
        """Whether this process may take another job."""
        limits = replace(self._transport.limits, query_seconds=job.query_seconds)

        def admit(_identity: Identity, _operation: Operation) -> dict[str, Any]:
            return job.extensions

        transport = replace(self._transport, limits=limits, admit=admit)
        self._has_files = bool(files)
        answer = to_answer(transport, await self._reply(transport, job, files))
        stays = _resident_bytes() < TOO_BIG_BYTES
        self._send(Kind.ANSWER, orjson.dumps({"why": answer.why, "stays": stays}) + b"\n" + answer.body)
        return stays

    async def _reply(self, transport: Transport, job: JobMessage, files: list[bytes]) -> Reply:
        try:
            sent = params(decode(job.text))
            for place in reversed(job.places):
                uploads.put(sent, place, RawJson(files.pop()))
            operation = parse_operation(sent.query, sent.variables, sent.operation_name)
            return await run(transport, operation, Identity(job.actor))
        except MemoryError:
            return {"errors": [TOO_MUCH_MEMORY]}
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an error, and the log has it
            return failed(transport, error)

    @asynccontextmanager
    async def _context(self, identity: Identity) -> AsyncGenerator[Context]:
        pool = None if self._has_files else self._pool
        opened = context.opened(self._database, identity.actor, git_sync_path=self._git_sync_path, pool=pool)
        async with opened as operation_context:
            operation_context.tell = self._tell
            yield operation_context

    def _tell(self, phase: Phase, done: int, total: int) -> None:
        """Every phase, and within one no more often than a person can follow."""
        now = time.monotonic()
        if phase is self._phase and now - self._told_at < TELL_SECONDS:
            return
        self._phase, self._told_at = phase, now
        self._send(Kind.PROGRESS, orjson.dumps([phase, done, total]))

    def _send(self, kind: Kind, payload: bytes) -> None:
        self._out.write(protocol.pack(kind, payload))
        self._out.flush()

    def close(self) -> None:
        self._pool.close()


async def _ended_first(running: asyncio.Task[bool], coming: asyncio.Task[Any]) -> bool:
    """Whether the process may go on. A job that the server no longer waits for is rolled back."""
    await asyncio.wait((running, coming), return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        return running.result()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return False


async def _nobody(_authorization: str | None) -> Identity:
    raise AssertionError("the server authenticates the caller of a job")


def _resident_bytes() -> int:
    if sys.platform == "win32":
        return 0
    import resource  # noqa: PLC0415 - not everywhere

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _confine(memory_bytes: int) -> None:
    """The server goes first, and one request never takes the machine's memory."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not everywhere

    os.nice(NICENESS)
    with suppress(ValueError, OSError):  # there is a lower limit already
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


async def main() -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what else is printed must not be taken for a frame
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    frame = await protocol.read_frame(reader)
    if frame is None:
        return
    settings = orjson.loads(frame[1])
    logs.configure(**settings["log"])
    _confine(settings["memory_bytes"])
    gc.freeze()
    # A manifest is a million objects without a cycle: looking at them frees nothing.
    gc.set_threshold(200_000, 50, 1000)
    database = Database(settings["database_url"], options=Options(**settings["options"]))
    worker = Worker(database, settings, out)
    try:
        await worker.work(reader)
    finally:
        worker.close()
        await database.dispose()


if __name__ == "__main__":
    asyncio.run(main())
