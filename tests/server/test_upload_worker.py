"""A worker process keeps nothing of the jobs that it has executed."""

import asyncio
import io
import sys
from uuid import uuid4

import pytest

from tessera_gql.formats.raw_json import RawJson
from tessera_gql.policy.access import ANONYMOUS, Actor, ProjectScope, Scope
from tessera_gql.server.upload_worker.protocol import FrameKind, JobMessage, pack_frame
from tessera_gql.server.upload_worker.worker import Worker

from .live_objects import find_live_types
from .sample_schema import SampleBackend
from .test_websocket import until

NUMBER = b'{"query": "query ($file: Int!) {number(value: $file)}", "variables": {"file": null}}'
JOB_WITH_FILE = pack_frame(
    FrameKind.JOB, JobMessage(NUMBER, ("variables.file",), ANONYMOUS, {}, 30.0).encode()
) + pack_frame(FrameKind.FILE, b"x" * 300_000)


@pytest.mark.parametrize(
    "actor",
    [
        ANONYMOUS,
        Actor("team", uuid4(), frozenset({Scope.WRITE}), uuid4()),
        Actor(
            "project",
            None,
            frozenset({Scope.READ, Scope.WRITE}),
            uuid4(),
            ProjectScope(uuid4(), "shop", frozenset({uuid4(), uuid4()}), ("prod.marts", "prod.stg_*")),
        ),
    ],
    ids=lambda actor: actor.name,
)
def test_a_worker_executes_a_job_with_the_rights_of_its_caller(actor: Actor) -> None:
    job = JobMessage(NUMBER, ("variables.file",), actor, {"a": 1}, 30.0)
    assert JobMessage.decode(job.encode()) == job


@pytest.mark.usefixtures("no_collector")
async def test_a_worker_keeps_no_file_of_an_earlier_job(backend: SampleBackend) -> None:
    reader, out = asyncio.StreamReader(), io.BytesIO()
    worker = Worker(lambda _job, _report: backend.transport(), out, max_idle_bytes=sys.maxsize)
    running = asyncio.create_task(worker.run_jobs(reader))
    for _ in range(5):
        replied = out.tell()
        reader.feed_data(JOB_WITH_FILE)
        await until(lambda replied=replied: out.tell() > replied)
        assert b'"code":"BAD_REQUEST"' in out.getvalue()[replied:]
        await until(lambda: not find_live_types(RawJson))
    reader.feed_eof()
    await running


async def test_a_worker_that_has_grown_too_large_replies_and_ends(backend: SampleBackend) -> None:
    reader, out = asyncio.StreamReader(), io.BytesIO()
    reader.feed_data(JOB_WITH_FILE)
    worker = Worker(lambda _job, _report: backend.transport(), out, max_idle_bytes=1)
    running = asyncio.create_task(worker.run_jobs(reader))
    await until(lambda: out.tell() > 0)
    reader.feed_data(JOB_WITH_FILE)  # a server sends one job after the other
    async with asyncio.timeout(3):
        await running
    assert out.getvalue().count(b'[{"code":"BAD_REQUEST"},false]') == 1
