"""`tessera mcp` and `/mcp` of a real server, called by the official client as an agent does."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.agents.agent_servers import Agent
from tests.e2e.forking import inherited_variables
from tests.e2e.pull_requests import ADMIN_KEY, CREATE_TEAM, Company
from tests.e2e.server import Running, environment, serving

pytestmark = pytest.mark.long

SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}, "note": {"type": "string"}}}
NARROW = {"type": "object", "properties": {"id": {"type": "integer"}}}
COMMAND = [sys.executable, "-m", "tessera_gql", "mcp"]
PUBLISH = "mutation($input: PublishContractInput!) { publishContract(input: $input) { errors { message } } }"
ASSET = "mutation($input: CreateAssetInput!) { createAsset(input: $input) { errors { message } } }"
REGISTER = "mutation($input: RegisterInput!) { register(input: $input) { errors { message } } }"
CREATE_KEY = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { token errors { message } } }"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def agents_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = {"ADMIN_KEY": ADMIN_KEY, "MCP": "on"}
    if request.param == "postgresql":
        settings["DATABASE_URL"] = request.getfixturevalue("shared_database").clean()
        request.getfixturevalue("shared_database").used = True
    with serving(tmp_path_factory.mktemp("agents"), **settings) as running:
        yield running
        assert "Traceback" not in running.log.read_text()


@dataclass
class Shop:
    """A table of the team `owner` with a column that the team `reader` reads."""

    server: Running
    fqn: str
    owner_key: str
    reader_key: str

    def propose(self, *, confirm: bool) -> dict[str, Any]:
        return {"asset": self.fqn, "json_schema": NARROW, "reason": "unused", "confirm": confirm}


@pytest.fixture
def shop(agents_server: Running, tmp_path: Path) -> Shop:
    company = Company(agents_server, tmp_path)
    owner, reader, fqn = company.name("owner"), company.name("reader"), f"shop.core.{company.name('orders')}"
    for name in (owner, reader):
        company.mutate(CREATE_TEAM, name=name)
    company.mutate(ASSET, fqn=fqn, owner={"name": owner})
    company.mutate(PUBLISH, asset={"fqn": fqn}, schema=SCHEMA, publishedBy={"name": owner})
    company.mutate(REGISTER, asset={"fqn": fqn}, team={"name": reader}, fields=["note"])
    tokens = [
        company.mutate(CREATE_KEY, name="agent", scopes=["WRITE"], team={"name": name})["token"]
        for name in (owner, reader)
    ]
    return Shop(agents_server, fqn, *tokens)


def variables(server_url: str, key: str | None) -> dict[str, str]:
    credential = {"TESSERA_API_KEY": key} if key else {}
    return environment(TESSERA_URL=server_url, TESSERA_RETRY_SECONDS="0", **credential)


@asynccontextmanager
async def by_stdio(server: Running, key: str | None) -> AsyncIterator[Agent]:
    parameters = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=variables(server.url, key))
    async with Client(stdio_client(parameters)) as client:
        yield Agent(client)


@asynccontextmanager
async def by_http(server: Running, key: str | None) -> AsyncIterator[Agent]:
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http_client,
        Client(streamable_http_client(f"{server.url}/mcp", http_client=http_client)) as client,
    ):
        yield Agent(client)


@pytest.mark.parametrize("connect", [by_stdio, by_http], ids=["stdio", "http"])
async def test_two_agents_use_all_tools(shop: Shop, connect: Any) -> None:
    async with connect(shop.server, shop.owner_key) as owner, connect(shop.server, shop.reader_key) as reader:
        assert len((await owner.client.list_tools()).tools) == 7
        matches = await reader.call("find_asset", query=shop.fqn)
        assert shop.fqn in [item["asset"] for item in matches["assets"]["items"]]
        assert (await reader.call("get_contract", asset=shop.fqn))["schema"] == SCHEMA
        impact = await owner.call("check_change", asset=shop.fqn, json_schema=NARROW)
        assert impact["asked"]["total"] == 1
        assert (await owner.call("who_reads", asset=shop.fqn, field="note"))["teams"]["total"] == 1
        assert (await owner.call("propose_change", **shop.propose(confirm=False)))["proposal"] is None
        assert (await reader.refusal("propose_change", **shop.propose(confirm=True))).startswith("FORBIDDEN: ")
        calls = [owner.call("propose_change", **shop.propose(confirm=True)) for _ in range(3)]
        proposals = {result["proposal"] for result in await asyncio.gather(*calls)}
        assert len(proposals) == 1
        asks = await reader.call("list_asks")
        assert [item["ask"] for item in asks["asks"]["items"]] == [*proposals]
        answer = {"ask": proposals.pop(), "response": "APPROVED"}
        assert (await owner.refusal("answer_ask", **answer, confirm=True)).split(":")[0] in {"FORBIDDEN", "CONFLICT"}
        for _ in range(2):
            answered = await reader.call("answer_ask", **answer, confirm=True)
            assert answered["tables"]["items"][0]["status"] == "APPROVED"


async def test_the_command_reports_a_server_that_is_away_and_a_key_that_is_wrong(shop: Shop) -> None:
    parameters = StdioServerParameters(
        command=COMMAND[0], args=COMMAND[1:], env=variables("http://127.0.0.1:9", "tsr_key")
    )
    async with Client(stdio_client(parameters)) as client:
        refusal = await Agent(client).refusal("find_asset", query="orders")
        assert refusal.startswith("UNAVAILABLE: http://127.0.0.1:9 can't be reached")
    async with by_stdio(shop.server, "tsr_aaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbb") as agent:
        assert (await agent.refusal("find_asset", query="orders")).startswith("UNAUTHENTICATED: ")


async def test_a_client_that_disconnects_leaves_the_server_as_it_was(shop: Shop) -> None:
    address = urlsplit(shop.server.url)
    arguments = shop.propose(confirm=True)
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "propose_change", "arguments": arguments},
    }
    body = json.dumps(message).encode()
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {shop.owner_key}\r\n"
        "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    for start in [head, head + body[:40], *[head + body] * 10]:
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(start)
        await writer.drain()
        writer.transport.abort()
    # A mutation that had begun ends after its client has gone; the others have not begun.
    async with by_http(shop.server, shop.owner_key) as owner:
        assert (await owner.call("propose_change", **arguments))["confirmed"]
    async with by_http(shop.server, shop.reader_key) as reader:
        assert (await reader.call("list_asks"))["asks"]["total"] == 1


def test_the_command_ends_with_its_input_and_at_a_signal(shop: Shop) -> None:
    initialize = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
    }
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_asks", "arguments": {}}}
    text = "".join(json.dumps(message) + "\n" for message in (initialize, call))
    env = {**inherited_variables(), **variables(shop.server.url, shop.reader_key)}
    completed = subprocess.run(
        COMMAND, check=False, input=text + "no json\n", env=env, capture_output=True, text=True, timeout=60
    )
    assert (completed.returncode, "Traceback" in completed.stderr) == (0, False), completed.stderr
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in completed.stdout.splitlines())
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(COMMAND, env=env, text=True, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(initialize) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(20) == -signal.SIGINT
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
