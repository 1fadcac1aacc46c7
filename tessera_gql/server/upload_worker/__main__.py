"""The main program of a worker process: executes the server's jobs one at a time, and ends with the server."""

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
from tessera_gql.config import Profile
from tessera_gql.formats.raw_json import RawJson
from tessera_gql.graphql import context
from tessera_gql.graphql.context import Context
from tessera_gql.graphql.errors import to_graphql_error
from tessera_gql.graphql.schema import schema
from tessera_gql.server import uploads
from tessera_gql.server.codec import decode, parse_params
from tessera_gql.server.documents import Operation, parse_operation
from tessera_gql.server.limits import Limits
from tessera_gql.server.operations import Reply, error_reply, run_operation, to_encoded_reply
from tessera_gql.server.transport import Transport
from tessera_gql.server.upload_worker import protocol
from tessera_gql.server.upload_worker.protocol import FrameKind, JobMessage
from tessera_gql.store.database import Database
from tessera_gql.store.engine import DatabaseOptions
from tessera_gql.telemetry import logs
from tessera_gql.workflows.dbt.progress import Phase

NICENESS = 5
MAX_IDLE_BYTES = 1024**3
"""A process larger than this takes no further job, because Python rarely returns memory to the system."""
PROGRESS_SECONDS = 0.1
"""Minimum interval of progress reports within a phase."""
TOO_MUCH_MEMORY = {
    "message": "This takes more memory than one request may have. Split the project.",
    "extensions": {"code": "BAD_REQUEST"},
}


class Worker:
    """Executes jobs and writes their progress and replies as frames."""

    def __init__(self, database: Database, settings: dict[str, Any], out: BinaryIO) -> None:
        self._database = database
        self._out = out
        self._pool = Pool(processes=1, seconds=settings["compute_seconds"])
        """Compares schemas of jobs without files, which must hold locks only briefly.

        The many small comparisons of a manifest run in this process.
        """
        self._has_files = False
        self._git_sync_path = Path(settings["git_sync_path"]) if settings["git_sync_path"] else None
        self._reported_at = 0.0
        self._phase: Phase | None = None
        self._transport = Transport(
            schema=schema,
            authenticate=_reject,
            context=self._context,
            to_graphql_error=to_graphql_error,
            limits=Limits(**settings["limits"]),
            profile=Profile.OPEN if settings["is_open"] else Profile.LOCKED,
        )

    async def work(self, reader: asyncio.StreamReader) -> None:
        """Execute jobs until the server closes the stream or this process has grown too large."""
        frame = await protocol.read_frame(reader)
        while frame is not None:
            job = JobMessage.decode(frame[1])
            files = [await protocol.read_frame(reader) for _ in job.file_paths]
            if None in files:
                return
            next_frame = asyncio.create_task(protocol.read_frame(reader))
            running = asyncio.create_task(self._run(job, [file[1] for file in files if file]))
            del files
            if not await _may_continue(running, next_frame):
                next_frame.cancel()
                return
            frame = await next_frame

    async def _run(self, job: JobMessage, files: list[bytes]) -> bool:
        """Execute a job, send its reply, and return whether this process may take another one."""
        limits = replace(self._transport.limits, query_seconds=job.query_seconds)

        def charge(_identity: Identity, _operation: Operation) -> dict[str, Any]:
            return job.extensions

        transport = replace(self._transport, limits=limits, charge=charge)
        self._has_files = bool(files)
        answer = to_encoded_reply(transport, await self._reply(transport, job, files))
        stays = _resident_bytes() < MAX_IDLE_BYTES
        self._send(
            FrameKind.REPLY, orjson.dumps({"why": answer.error_extensions, "stays": stays}) + b"\n" + answer.body
        )
        return stays

    async def _reply(self, transport: Transport, job: JobMessage, files: list[bytes]) -> Reply:
        try:
            request = parse_params(decode(job.text))
            for path in reversed(job.file_paths):
                uploads.insert_file(request, path, RawJson(files.pop()))
            operation = parse_operation(request.query, request.variables, request.operation_name)
            return await run_operation(transport, operation, Identity(job.actor))
        except MemoryError:
            return {"errors": [TOO_MUCH_MEMORY]}
        except Exception as error:  # noqa: BLE001 - every error becomes a reply and is logged
            return error_reply(transport, error)

    @asynccontextmanager
    async def _context(self, identity: Identity) -> AsyncGenerator[Context]:
        pool = None if self._has_files else self._pool
        context_manager = context.open_context(
            self._database, identity.actor, git_sync_path=self._git_sync_path, pool=pool
        )
        async with context_manager as operation_context:
            operation_context.report_progress = self._report_progress
            yield operation_context

    def _report_progress(self, phase: Phase, finished: int, total: int) -> None:
        """Send the progress of a job; within a phase at most once per interval."""
        now = time.monotonic()
        if phase is self._phase and now - self._reported_at < PROGRESS_SECONDS:
            return
        self._phase, self._reported_at = phase, now
        self._send(FrameKind.PROGRESS, orjson.dumps([phase, finished, total]))

    def _send(self, kind: FrameKind, payload: bytes) -> None:
        self._out.write(protocol.pack_frame(kind, payload))
        self._out.flush()

    def close(self) -> None:
        """Close the pool of comparisons."""
        self._pool.close()


async def _may_continue(running: asyncio.Task[bool], next_frame: asyncio.Task[Any]) -> bool:
    """Wait for the job and return whether the process may take another one.

    A frame or the end of the stream before its end means that the server has given up the job: it is rolled back.
    """
    await asyncio.wait((running, next_frame), return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        return running.result()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return False


async def _reject(_authorization: str | None) -> Identity:
    raise AssertionError("the server authenticates the caller of a job")


def _resident_bytes() -> int:
    if sys.platform == "win32":
        return 0
    import resource  # noqa: PLC0415 - missing on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _limit_resources(memory_bytes: int) -> None:
    """Lower the process's priority below the server's and limit its memory."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - missing on Windows

    os.nice(NICENESS)
    with suppress(ValueError, OSError):  # a lower limit is in force
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


async def main() -> None:
    """Read the settings from standard input, then execute jobs until it is closed."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # other output on stdout would be read as a frame
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    frame = await protocol.read_frame(reader)
    if frame is None:
        return
    settings = orjson.loads(frame[1])
    logs.configure(**settings["log"])
    _limit_resources(settings["memory_bytes"])
    gc.freeze()
    # A manifest has a million objects without reference cycles, so that frequent collections would free nothing.
    gc.set_threshold(200_000, 50, 1000)
    database = Database(settings["database_url"], options=DatabaseOptions(**settings["options"]))
    worker = Worker(database, settings, out)
    try:
        await worker.work(reader)
    finally:
        worker.close()
        await database.dispose()


if __name__ == "__main__":
    asyncio.run(main())
