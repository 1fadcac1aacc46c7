"""Execute large requests in a worker process: charge the caller, pass the request on, and report progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

import orjson

from tessera_gql.server.operations import build_exception_reply, to_encoded_reply
from tessera_gql.server.transport import EncodedReply, Job, Message, Transport
from tessera_gql.workflows.dbt.progress import Phase, ReportProgress, ignore_progress


async def run_job(transport: Transport, job: Job, report_progress: ReportProgress = ignore_progress) -> EncodedReply:
    """Execute a job in a worker process and return its reply. Never raises; cancelling it cancels the worker's job."""
    with transport.observe_operation(job.operation, job.identity) as observe_reply:
        try:
            extensions = transport.charge_rate_limit(job.identity, job.operation)
            reply = await transport.execute_in_worker(job, extensions, report_progress)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an error, and our failures are logged
            reply = to_encoded_reply(transport, build_exception_reply(transport, error))
        failure = reply.error_extensions
        observe_reply({"data": {}} if failure is None else {"errors": [{"message": "", "extensions": failure}]})
    return reply


async def stream_job(transport: Transport, job: Job) -> AsyncGenerator[Message]:
    """Yield the latest progress of a job while it runs, then its reply, as messages of an event stream."""
    latest: dict[str, bytes] = {}
    changed = asyncio.Event()

    def report_progress(phase: Phase, finished: int, total: int) -> None:
        latest["progress"] = orjson.dumps({"phase": phase, "done": finished, "total": total})
        changed.set()

    running = asyncio.create_task(run_job(transport, job, report_progress))
    running.add_done_callback(lambda _: changed.set())
    try:
        while not running.done():
            await changed.wait()
            changed.clear()
            if (body := latest.pop("progress", None)) is not None:
                yield Message("progress", body)
        yield Message("next", running.result().body)
    finally:
        if not running.done():
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
