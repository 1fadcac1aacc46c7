"""Authentication, retries and streams work alike on every database, with several processes and a replica."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.security.deployments import ADMIN_KEY, TEAM, Caller, Table

pytestmark = pytest.mark.long

FIND = "query ($name: String!) { teams(filter: {name: {eq: $name}}) { nodes { name } } }"
EVENTS = "subscription { events(filter: {kind: {in: [TEAM_CREATED]}}) { cursor actor } }"
TIMES = 6
"""On connections of their own, so that each process is likely to be asked."""


def fresh(word: str) -> str:
    return f"{word}-{uuid.uuid4().hex[:8]}"


def test_a_retry_with_the_same_key_has_one_effect(caller: Caller, table: Table) -> None:
    with table.cell(caller.deployment, "idempotency"):
        name = fresh("team")
        ids = {caller.data(TEAM, name=name, key=name)["createTeam"]["team"]["id"] for _ in range(TIMES)}
        assert len(ids) == 1


def test_a_caller_reads_its_own_writes(caller: Caller, table: Table) -> None:
    with table.cell(caller.deployment, "own writes"):
        for _ in range(TIMES):
            name = fresh("team")
            caller.data(TEAM, name=name)
            assert caller.data(FIND, name=name)["teams"]["nodes"] == [{"name": name}]


def test_an_event_stream_delivers_events_of_any_process_and_resumes(caller: Caller, table: Table) -> None:
    with table.cell(caller.deployment, "event stream"):
        headers = caller.headers | {"Accept": "text/event-stream"}
        with httpx.stream("POST", caller.url, json={"query": EVENTS}, headers=headers, timeout=30) as stream:
            lines = stream.iter_lines()
            for _ in range(3):
                caller.data(TEAM, name=fresh("team"))
            messages = [json.loads(next(line for line in lines if "data: {" in line)[6:]) for _ in range(3)]
        values = [item["data"]["events"] for item in messages]
        assert len({value["actor"] for value in values}) == 1
        assert len({value["cursor"] for value in values}) == 3


def test_a_websocket_delivers_events_of_any_process(caller: Caller, table: Table) -> None:
    with table.cell(caller.deployment, "websocket"), socket(caller) as ws:
        caller.data(TEAM, name=fresh("team"))
        message = json.loads(ws.recv(timeout=20))
        assert message["type"] == "next"


@contextmanager
def socket(caller: Caller) -> Iterator[ClientConnection]:
    """A websocket that is subscribed to teams."""
    with connect(caller.url.replace("http", "ws", 1), subprotocols=[Subprotocol("graphql-transport-ws")]) as ws:
        ws.send(json.dumps({"type": "connection_init", "payload": caller.headers}))
        assert json.loads(ws.recv(timeout=20))["type"] == "connection_ack"
        ws.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": EVENTS}}))
        time.sleep(0.3)
        yield ws


def test_a_large_schema_is_published_and_read_back(caller: Caller, table: Table) -> None:
    with table.cell(caller.deployment, "large schema"):
        name, fqn = fresh("team"), f"a.{fresh('t').replace('-', '_')}.orders"
        caller.data(TEAM, name=name)
        columns = {f"column_{number:05d}": {"type": "string", "description": "What it is."} for number in range(4_000)}
        schema = {"type": "object", "properties": columns}
        make = """mutation ($fqn: String!, $team: String!) {
          createAsset(input: {fqn: $fqn, owner: {name: $team}}) { errors { message } } }"""
        publish = """mutation ($fqn: String!, $schema: JSON!) {
          publishContract(input: {asset: {fqn: $fqn}, schema: $schema}) { outcome errors { message } } }"""
        assert caller.data(make, fqn=fqn, team=name)["createAsset"]["errors"] == []
        assert caller.data(publish, fqn=fqn, schema=schema)["publishContract"] == {"outcome": "PUBLISHED", "errors": []}
        read = "query ($fqn: String!) { asset(by: {fqn: $fqn}) { currentContract { version schema } } }"
        values = caller.data(read, fqn=fqn)["asset"]["currentContract"]
        assert values == {"version": "1.0.0", "schema": schema}


def test_a_rate_limited_caller_is_told_when_to_retry(caller: Caller, table: Table) -> None:
    if (caller := caller.another()) is None:
        pytest.skip("there is no other credential to be used up")
    with table.cell(caller.deployment, "rate limit"):
        query = "{ assets(first: 100) { nodes { registrations(first: 40) { nodes { id } } } } }"
        for _ in range(100):
            answer = caller.post(query)
            if answer.status_code == 429 or "errors" in answer.json():
                break
        (error,) = answer.json()["errors"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert error["extensions"]["retryAfter"] > 0


def test_a_revoked_key_is_refused_and_its_streams_end(caller: Caller, table: Table) -> None:
    if caller.key_id is None or (caller := caller.another()) is None:
        pytest.skip("only keys of the database are revoked")
    with table.cell(caller.deployment, "revocation"), socket(caller) as ws:
        admin = {"Authorization": f"Bearer {ADMIN_KEY}"}
        revoke = "mutation ($id: ID!) { revokeApiKey(input: {apiKey: $id}) { errors { message } } }"
        reply = caller.post(revoke, admin, id=caller.key_id).json()
        assert reply["data"]["revokeApiKey"]["errors"] == []
        with pytest.raises(ConnectionClosedError, match="4403"):
            list(ws)
        time.sleep(0.5)
        assert {caller.post("{ viewer { actor } }").status_code for _ in range(TIMES)} == {401}
