"""A worker process's side: executes the server's jobs one at a time, and ends with the server."""

import asyncio
import gc
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeAlias

import orjson

from tessera_gql.formats.raw_json import RawJson
from tessera_gql.server import uploads
from tessera_gql.server.codec import decode, parse_params
from tessera_gql.server.documents import parse_operation
from tessera_gql.server.operations import Reply, build_exception_reply, run_for_encoding, to_encoded_reply
from tessera_gql.server.transport import Transport
from tessera_gql.server.upload_worker import protocol
from tessera_gql.server.upload_worker.protocol import FrameKind, JobMessage
from tessera_gql.workflows.dbt.progress import Phase, ReportProgress

MAX_IDLE_BYTES = 1024**3
"""A process larger than this takes no further job, because Python rarely returns memory to the system."""
PROGRESS_SECONDS = 0.1
"""Minimum interval of progress reports within a phase."""
TOO_MUCH_MEMORY = {
    "message": "This takes more memory than one request may have. Split the project.",
    "extensions": {"code": "BAD_REQUEST"},
}

CreateTransport: TypeAlias = Callable[[JobMessage, ReportProgress], Transport]
"""Creates the transport of one job. Its context gets the caller as an Actor."""


@dataclass
class Worker:
    """Executes jobs and writes their progress and replies as frames."""

    create_transport: CreateTransport
    out: BinaryIO
    max_idle_bytes: int = MAX_IDLE_BYTES
    _reported_at: float = field(default=0.0, init=False)
    _phase: Phase | None = field(default=None, init=False)

    async def run_jobs(self, reader: asyncio.StreamReader) -> None:
        """Execute jobs until the server closes the stream or this process has grown too large."""
        frame = await protocol.read_frame(reader)
        while frame is not None:
            job = JobMessage.decode(frame[1])
            files = [await protocol.read_frame(reader) for _ in job.file_paths]
            if None in files:
                return
            next_frame = asyncio.create_task(protocol.read_frame(reader))
            running = asyncio.create_task(self._run(job, [file[1] for file in files if file]))
            del frame, job, files
            if not await _may_continue(running, next_frame):
                next_frame.cancel()
                return
            del running
            gc.collect()  # the errors and loaders of a job are reference cycles that keep its manifest
            frame = await next_frame

    async def _run(self, job: JobMessage, files: list[bytes]) -> bool:
        """Execute a job, send its reply, and return whether this process may take another one."""
        transport = self.create_transport(job, self._report_progress)
        reply = to_encoded_reply(transport, await self._reply(transport, job, files))
        is_reusable = _resident_bytes() < self.max_idle_bytes
        head = orjson.dumps([reply.error_extensions, is_reusable])
        self._send(FrameKind.REPLY, head + b"\n" + reply.body)
        return is_reusable

    async def _reply(self, transport: Transport, job: JobMessage, files: list[bytes]) -> Reply:
        try:
            request = parse_params(decode(job.text))
            for path in reversed(job.file_paths):
                uploads.insert_file(request, path, RawJson(files.pop()))
            operation = parse_operation(request.query, request.variables, request.operation_name)
            return await run_for_encoding(transport, operation, job.actor)
        except MemoryError:
            return {"errors": [TOO_MUCH_MEMORY]}
        except Exception as error:  # noqa: BLE001 - every error becomes a reply and is logged
            return build_exception_reply(transport, error)

    def _report_progress(self, phase: Phase, finished: int, total: int) -> None:
        """Send the progress of a job; within a phase at most once per interval."""
        now = time.monotonic()
        if phase is self._phase and now - self._reported_at < PROGRESS_SECONDS:
            return
        self._phase, self._reported_at = phase, now
        self._send(FrameKind.PROGRESS, orjson.dumps([phase, finished, total]))

    def _send(self, kind: FrameKind, payload: bytes) -> None:
        self.out.write(protocol.pack_frame(kind, payload))
        self.out.flush()


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


def _resident_bytes() -> int:
    if sys.platform == "win32":
        return 0
    import resource  # noqa: PLC0415 - missing on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
