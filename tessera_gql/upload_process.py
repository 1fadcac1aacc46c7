"""The main program of a worker process for large requests: puts its parts together, as `app` does for a server."""

import asyncio
import gc
import os
import sys
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tessera_gql.compute import Pool
from tessera_gql.config import Profile
from tessera_gql.diff import Mode
from tessera_gql.executor import core_schema
from tessera_gql.graphql.context import Context, Resources
from tessera_gql.graphql.errors import to_graphql_error
from tessera_gql.graphql.schema import schema
from tessera_gql.policy.access import Actor
from tessera_gql.server.documents import DocumentCache, Operation
from tessera_gql.server.limits import Limits
from tessera_gql.server.transport import Transport
from tessera_gql.server.upload_worker import protocol
from tessera_gql.server.upload_worker.protocol import JobMessage
from tessera_gql.server.upload_worker.worker import Worker
from tessera_gql.store.database import Database
from tessera_gql.store.engine import DatabaseOptions
from tessera_gql.telemetry import logs
from tessera_gql.telemetry.logs import LogOptions
from tessera_gql.workflows.dbt.progress import ReportProgress

NICENESS = 5
MEMORY_BYTES = 6 * 1024**3
"""Limit of the address space, libraries included. The largest manifest needs about a third of it."""


@dataclass(frozen=True)
class ProcessSettings:
    """Settings that a process needs to execute operations like the server."""

    database_url: str = field(repr=False)
    database_options: DatabaseOptions
    limits: Limits
    profile: Profile
    log: LogOptions
    git_sync_path: Path | None
    compute_seconds: float
    """Timeout of one schema comparison."""
    default_mode: Mode | None = None
    """The compatibility mode of new assets."""
    usage_retention_days: int | None = None
    """The number of days for which reads are kept by day."""

    def encode(self) -> bytes:
        return _SETTINGS.dump_json(self)


_SETTINGS = TypeAdapter(ProcessSettings)


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
    settings = _SETTINGS.validate_json(frame[1])
    logs.configure(level=settings.log.level, is_json=settings.log.is_json, secrets=settings.log.secrets)
    _limit_resources()
    gc.freeze()
    # A manifest has a million objects without reference cycles, so that frequent collections would free nothing.
    gc.set_threshold(200_000, 50, 1000)
    database = Database(settings.database_url, options=settings.database_options)
    pool = Pool(processes=1, seconds=settings.compute_seconds)
    documents = DocumentCache(core_schema(schema), settings.limits, settings.profile)

    def create_transport(job: JobMessage, report_progress: ReportProgress) -> Transport:
        resources = Resources(
            git_sync_path=settings.git_sync_path,
            pool=None if job.file_paths else pool,  # the many small comparisons of a manifest run in this process
            find_operation=documents.find_operation,
            report_progress=report_progress,
            default_mode=settings.default_mode,
            usage_retention_days=settings.usage_retention_days,
        )

        def open_operation_context(actor: Actor) -> AbstractAsyncContextManager[Context]:
            return Context(database, actor, resources)

        def return_extensions(_actor: Actor, _operation: Operation) -> dict[str, Any]:
            """Return the extensions that the server made when it charged the rate limit."""
            return job.extensions

        return Transport(
            schema=core_schema(schema),
            authenticate=_reject,
            open_operation_context=open_operation_context,
            to_graphql_error=to_graphql_error,
            charge_rate_limit=return_extensions,
            limits=replace(settings.limits, query_seconds=job.query_seconds),
            profile=settings.profile,
        )

    try:
        await Worker(create_transport, out).run_jobs(reader)
    finally:
        pool.close()
        await database.dispose()


async def _reject(_authorization: str | None) -> Any:
    raise AssertionError("the server authenticates the caller of a job")


def _limit_resources() -> None:
    """Lower the process's priority below the server's and limit its memory."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - missing on Windows

    os.nice(NICENESS)
    with suppress(ValueError, OSError):  # a lower limit is in force
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    asyncio.run(main())
