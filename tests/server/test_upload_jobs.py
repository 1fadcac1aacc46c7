"""Large requests are executed by a worker, and its failures reach the client, also on an event stream."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from graphql import GraphQLError

from tessera_gql.server import sse
from tessera_gql.server.http import Transport
from tessera_gql.server.transport import EncodedReply, Job, Message
from tessera_gql.server.uploads import LARGE_BYTES
from tessera_gql.workflows.dbt.progress import ReportProgress

from .sample_schema import SampleBackend

Serve = Callable[[Transport], AbstractAsyncContextManager[str]]
LARGE = {"query": "{hello}", "variables": {"x": "y" * LARGE_BYTES}}


async def works(job: Job, _extensions: dict[str, Any], _tell: ReportProgress) -> EncodedReply:
    assert job.operation.variables == {}
    assert json.loads(job.text) == LARGE
    return EncodedReply(b'{"data":{"hello":"from the worker"}}', None)


async def fails(_job: Job, _extensions: dict[str, Any], _tell: ReportProgress) -> EncodedReply:
    raise ValueError("the secret")


async def is_away(_job: Job, _extensions: dict[str, Any], _tell: ReportProgress) -> EncodedReply:
    raise GraphQLError("It is away.", extensions={"code": "UNAVAILABLE"})


async def post(serve: Serve, transport: Transport, accept: str = "application/json") -> httpx.Response:
    async with serve(transport) as address, httpx.AsyncClient() as client:
        return await client.post(f"http://{address}/graphql", json=LARGE, headers={"Accept": accept}, timeout=20)


async def test_a_large_request_is_executed_by_the_worker(backend: SampleBackend, serve: Serve) -> None:
    answer = await post(serve, replace(backend.transport(), execute_in_worker=works))
    assert answer.json() == {"data": {"hello": "from the worker"}}


@pytest.mark.parametrize(("worker", "status", "code"), [(fails, 500, "INTERNAL"), (is_away, 503, "UNAVAILABLE")])
async def test_a_worker_that_fails_is_a_coded_error(
    backend: SampleBackend, serve: Serve, worker: Any, status: int, code: str
) -> None:
    answer = await post(serve, replace(backend.transport(), execute_in_worker=worker))
    assert answer.status_code == status
    streamed = await post(serve, replace(backend.transport(), execute_in_worker=worker), "text/event-stream")
    event = next(line for line in streamed.text.splitlines() if line.startswith("data: {"))
    for reply in (answer.json(), json.loads(event[6:])):
        (error,) = reply["errors"]
        assert error["extensions"]["code"] == code
        assert "secret" not in error["message"]
        assert ("reference" in error["extensions"]) == (code == "INTERNAL")
    assert streamed.text.endswith("event: complete\ndata:\n\n")


async def test_without_a_worker_a_large_request_is_refused(backend: SampleBackend, serve: Serve) -> None:
    assert (await post(serve, backend.transport())).json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


async def test_a_stream_whose_source_fails_ends_with_an_error_event(
    backend: SampleBackend, caplog: pytest.LogCaptureFixture
) -> None:
    async def source() -> AsyncGenerator[Message]:
        yield Message("next", b'{"data":{}}')
        raise ValueError("the secret")

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        return {}

    messages: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    await sse.stream(backend.transport(), source(), None, receive, send)
    last = messages[-1]["body"].decode()
    (error,) = json.loads(last.splitlines()[1][6:])["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert error["extensions"]["reference"] in caplog.text
    assert "secret" not in last
    assert not messages[-1]["more_body"]
