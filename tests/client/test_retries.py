"""Which calls the SDK repeats when replies are lost by a proxy, and which it never repeats."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from threading import Thread
from typing import Any

import httpx
import pytest

from tessera_gql.client import (
    AcknowledgmentResponse,
    BadRequest,
    Conflict,
    ProposalStatus,
    ServerFault,
    Unauthenticated,
    Unavailable,
)
from tessera_gql.client.effects import HttpResponse
from tessera_gql.client.endpoint import Endpoint
from tessera_gql.client.http_exchange import iter_backoff_delays, parse_response
from tests.client.conftest import Open
from tests.client.test_sync_and_async import fresh, proposed
from tests.e2e.server import Running


@contextmanager
def losing(url: str, answers: list[int]) -> Iterator[str]:
    """A proxy that answers the first requests with these statuses, 0 for no reply, after passing them on."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            names = ("Content-Type", "Accept", "GraphQL-Require-Preflight")
            headers = {name: self.headers[name] for name in names if name in self.headers}
            reply = httpx.post(f"{url}/graphql", content=body, headers=headers, timeout=30)
            status = answers.pop(0) if answers else reply.status_code
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(reply.content)) if status == reply.status_code else "0")
            self.end_headers()
            if status == reply.status_code:
                self.wfile.write(reply.content)

        def log_message(self, *_words: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as front:
        thread = Thread(target=front.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{front.server_address[1]}"
        finally:
            front.shutdown()
            thread.join()


async def test_a_creation_whose_replies_are_lost_happens_once(connect: Open, server: Running) -> None:
    name = fresh("lost")
    with losing(server.url, [0, 503, 502]) as url:
        client = await connect(url)
        team = await client.create_team(name)
        assert team.name == name
        with pytest.raises(Conflict):
            await client.create_team(name)


async def test_an_acknowledgment_whose_reply_is_lost_is_recorded_once(
    connect: Open, server: Running, tessera: Any
) -> None:
    _, reader, proposal = await proposed(tessera)
    with losing(server.url, [0]) as url:
        client = await connect(url)
        result = await client.acknowledge(proposal.id, AcknowledgmentResponse.APPROVED, team=reader)
    assert result.acknowledgment.response is AcknowledgmentResponse.APPROVED
    answered = [event async for event in tessera.events(proposal_id=proposal.id, kinds=["PROPOSAL_ANSWERED"])]
    assert len(answered) == 1


async def test_a_mutation_without_a_key_is_never_sent_twice(connect: Open, server: Running, tessera: Any) -> None:
    _, _, proposal = await proposed(tessera)
    with losing(server.url, [0]) as url:
        client = await connect(url)
        with pytest.raises(Unavailable, match="It may have been done: look before you repeat it") as lost:
            await client.withdraw_proposal(proposal.id)
    assert (lost.value.maybe_done, lost.value.idempotency_key) == (True, None)
    assert (await tessera.get_proposal(proposal.id)).status is ProposalStatus.WITHDRAWN


async def test_a_lost_creation_is_repeated_with_the_key_of_its_error(
    connect: Open, server: Running, tessera: Any
) -> None:
    name = fresh("lost")
    with losing(server.url, [0]) as url:
        client = await connect(url, retry_seconds=0)
        with pytest.raises(Unavailable, match="repeat it with idempotency_key=") as lost:
            await client.create_team(name)
    assert lost.value.maybe_done
    key = lost.value.idempotency_key
    team = await tessera.create_team(name, idempotency_key=key)
    assert (team.name, team.idempotency_key) == (name, key)
    with pytest.raises(Conflict) as other_input:
        await tessera.create_team(f"{name}-2", idempotency_key=key)
    assert other_input.value.idempotency_key == key


async def test_a_server_that_stays_unreachable_raises_after_the_total(connect: Open, server: Running) -> None:
    answers = [503] * 100
    with losing(server.url, answers) as url:
        client = await connect(url, retry_seconds=2)
        start = time.monotonic()
        with pytest.raises(Unavailable, match="answers 503"):
            await client.viewer()
    assert 1 <= time.monotonic() - start <= 2
    assert 90 <= len(answers) <= 97


def test_each_backoff_delay_is_longer_and_random() -> None:
    delays = [[*islice(iter_backoff_delays(20), 12)] for _ in range(20)]
    assert all(0.1 * 2**attempt <= pauses[attempt] <= 0.2 * 2**attempt for pauses in delays for attempt in range(6))
    assert all(10 <= pauses[-1] <= 20 for pauses in delays)
    assert len({pauses[0] for pauses in delays}) > 1


@pytest.mark.parametrize(
    ("came", "kind"),
    [
        (HttpResponse(200, b"<html>"), BadRequest),
        (HttpResponse(404, b'{"detail": "Not Found"}'), BadRequest),
        (HttpResponse(401, b""), Unauthenticated),
        (HttpResponse(502, b"Bad Gateway"), Unavailable),
        (
            HttpResponse(500, b'{"errors": [{"message": "x", "extensions": {"code": "INTERNAL", "reference": 7}}]}'),
            ServerFault,
        ),
        (HttpResponse(200, b'{"errors": [{"message": "x", "extensions": {"code": "QUERY_TOO_COMPLEX"}}]}'), BadRequest),
        (HttpResponse(200, b'{"errors": [{}]}'), BadRequest),
        (HttpResponse(503, b'{"errors": [{"message": "x", "extensions": {"code": "UNAVAILABLE"}}]}'), Unavailable),
        (HttpResponse(429, b'{"errors": [{"message": "x", "extensions": {"code": "RATE_LIMITED"}}]}'), Unavailable),
    ],
)
def test_every_malformed_reply_is_a_typed_error(came: HttpResponse, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        parse_response(came, Endpoint("http://localhost"))


@pytest.mark.parametrize("with_progress", [False, True])
async def test_a_sync_whose_replies_are_lost_happens_once_and_reports_progress(
    connect: Open, server: Running, *, with_progress: bool
) -> None:
    prefix = fresh("lost")
    about = {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json", "project_name": prefix}
    node = {"unique_id": "model.a.b", "resource_type": "model", "database": "lost", "schema": prefix, "name": "b"}
    manifest = {"metadata": about, "nodes": {"model.a.b": node | {"config": {"meta": {"owner": prefix}}}}}
    progress: list[str] = []
    options = {"on_progress": lambda said: progress.append(said.phase)} if with_progress else {}
    with losing(server.url, [502, 0, 200]) as url:
        client = await connect(url)
        report = await client.sync_dbt(manifest, create_teams=True, **options)
    assert [model.outcome for model in report.models] == ["CREATED"]
    assert (progress[:3] == ["UPLOAD"] * 3) is with_progress
