"""Execute large requests in a worker process: charge the caller, pass the request on, and report progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

import orjson
from graphql import GraphQLError

from tessera_gql.graphql.operations import failed, to_answer
from tessera_gql.graphql.transport import Answer, Job, Message, Transport
from tessera_gql.workflows.manifest_progress import Phase, Tell, silent

NO_WORKER = GraphQLError(
    "This server takes no large requests. Send less at once.", extensions={"code": "UNAVAILABLE", "retryable": False}
)


async def run_job(transport: Transport, job: Job, tell: Tell = silent) -> Answer:
    """Never raises; a job that is cancelled is taken back by its worker."""
    with transport.watch(job.operation, job.identity) as watched:
        try:
            answer = await _run(transport, job, tell)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an error, and our failures are logged
            answer = to_answer(transport, failed(transport, error))
        why = answer.why
        watched({"data": {}} if why is None else {"errors": [{"message": "", "extensions": why}]})
    return answer


async def _run(transport: Transport, job: Job, tell: Tell) -> Answer:
    extensions = transport.admit(job.identity, job.operation)
    if transport.worker is None:
        raise NO_WORKER
    return await transport.worker(job, extensions, tell)


async def stream_job(transport: Transport, job: Job) -> AsyncGenerator[Message]:
    """The reply as an event stream sends it, and before it how far the job has come: the latest state only."""
    latest: dict[str, bytes] = {}
    changed = asyncio.Event()

    def tell(phase: Phase, done: int, total: int) -> None:
        latest["progress"] = orjson.dumps({"phase": phase, "done": done, "total": total})
        changed.set()

    running = asyncio.create_task(run_job(transport, job, tell))
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
