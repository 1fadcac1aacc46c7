"""Servers, writers, subscribers and webhook receivers of the chaos test. All addresses are loopback."""

import asyncio
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import websockets
from websockets.asyncio.client import connect

from tessera_gql.policy.global_ids import decode_global_id
from tessera_gql.store.tables import EventRow

TESSERA = (sys.executable, "-m", "tessera_gql")
DROP_PROBABILITY = 1 / 150
FAILURE_PROBABILITY = 0.3


@dataclass(frozen=True)
class Load:
    """The size of a run."""

    subscribers: int
    changes: int
    writers: int


@dataclass
class Server:
    """`tessera serve` in its own process; restarts use the same port."""

    database_url: str
    port: int
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start the process unless it runs, and wait until it responds."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                self._spawn()
            with suppress(httpx.TransportError):
                async with httpx.AsyncClient(trust_env=False) as client:
                    if (await client.get(f"{self.url}/healthz", timeout=5)).status_code == 200:
                        return
            await asyncio.sleep(0.2)
        raise RuntimeError(f"the server at {self.url} does not start:\n{self.log.read_text()[-2000:]}")

    def _spawn(self) -> None:
        inherited = {
            name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH", "PYTHONPATH") if name in os.environ
        }
        settings = {
            "DATABASE_URL": self.database_url,
            "API_PORT": str(self.port),
            "WEBHOOK_ALLOW_PRIVATE": "true",
            "NO_COLOR": "1",
        }
        with self.log.open("ab") as stderr:
            self.process = subprocess.Popen(
                [*TESSERA, "serve"],
                cwd=self.log.parent,
                env=inherited | settings,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def logged_exceptions(self) -> list[str]:
        """Return the last line of each traceback in the log."""
        lines = self.log.read_text(errors="replace").splitlines()
        is_in_traceback, exceptions = False, list[str]()
        for line in lines:
            if line.startswith("Traceback"):
                is_in_traceback = True
            elif is_in_traceback and line and not line.startswith((" ", "Traceback")):
                exceptions.append(line[:160])
                is_in_traceback = False
        return exceptions


async def call(urls: list[str], document: str, variables: dict[str, Any], *, seconds: float = 60) -> dict[str, Any]:
    """Return the data of an operation, retried on any server until one responds; it must be safe to repeat."""
    deadline = time.monotonic() + seconds
    body = {"query": document, "variables": variables}
    while True:
        with suppress(httpx.TransportError, orjson.JSONDecodeError):
            async with httpx.AsyncClient(trust_env=False) as client:
                reply = orjson.loads(
                    (await client.post(f"{random.choice(urls)}/graphql", json=body, timeout=20)).content
                )
            if "errors" not in reply:
                data: dict[str, Any] = reply["data"]
                return data
            if reply["errors"][0].get("extensions", {}).get("code") not in {"UNAVAILABLE", "INTERNAL"}:
                raise RuntimeError(str(reply["errors"])[:500])
        if time.monotonic() > deadline:
            raise TimeoutError("no server answers")
        await asyncio.sleep(random.uniform(0.05, 0.3))


def _database_id(identity: str) -> UUID:
    parsed_id = decode_global_id(identity)
    assert parsed_id is not None
    return parsed_id[1]


PUBLISH = """mutation($input: PublishContractInput!) { publishContract(input: $input) {
  outcome contract { id } proposal { id } errors { code message } } }"""
ACKNOWLEDGE = """mutation($input: AcknowledgeProposalInput!) { acknowledgeProposal(input: $input) {
  proposal { status contract { id } } errors { code message } } }"""


@dataclass
class Writer:
    """Publishes one asset again and again, with breaking changes that its consumers approve."""

    number: int
    urls: list[str]
    asset_id: str = ""
    completed_changes: int = 0
    repeated_calls: int = 0
    contracts: list[str] = field(default_factory=list[str])

    @property
    def asset_database_id(self) -> UUID:
        return _database_id(self.asset_id)

    @property
    def teams(self) -> list[str]:
        return [f"team-{self.number}-{number}" for number in range(3)]

    async def create_world(self) -> None:
        for team in self.teams:
            await self._create("createTeam", "CreateTeamInput", {"name": team}, "team")
        owner = {"name": self.teams[0]}
        fqn = f"chaos.core.asset_{self.number}"
        self.asset_id = await self._create("createAsset", "CreateAssetInput", {"fqn": fqn, "owner": owner}, "asset")
        await self._publish(0, note=True)
        for team in self.teams[1:]:
            arguments = {"asset": {"id": self.asset_id}, "team": {"name": team}}
            await self._create("register", "RegisterInput", arguments, "registration")

    async def _create(self, mutation: str, input_type: str, arguments: dict[str, Any], entity: str) -> str:
        selection = f"{{ {entity} {{ id }} errors {{ message }} }}"
        document = f"mutation($input: {input_type}!) {{ {mutation}(input: $input) {selection} }}"
        payload = (await call(self.urls, document, {"input": arguments | {"idempotencyKey": str(arguments)}}))[mutation]
        assert payload[entity], payload
        identity: str = payload[entity]["id"]
        return identity

    async def write(self, changes: int) -> None:
        """Repeat two patches, a breaking change with the approval of two teams, and the return of the column."""
        steps = itertools.cycle((self._patch, self._patch, self._break_and_acknowledge, self._restore))
        revision = itertools.count(1)
        while self.completed_changes < changes:
            await next(steps)(next(revision), changes)

    async def _patch(self, revision: int, _changes: int) -> None:
        await self._publish(revision, note=True)

    async def _restore(self, revision: int, changes: int) -> None:
        if self.completed_changes < changes:
            await self._publish(revision, note=True)

    async def _break_and_acknowledge(self, revision: int, changes: int) -> None:
        proposal_payload = await self._publish(revision, note=False)
        for team in self.teams[1:]:
            arguments = {"proposal": proposal_payload["proposal"]["id"], "team": {"name": team}, "response": "APPROVED"}
            payload = (await call(self.urls, ACKNOWLEDGE, {"input": arguments}))["acknowledgeProposal"]
            if payload["errors"]:
                # The response to the first try was lost: the proposal has been published meanwhile.
                assert payload["errors"][0]["code"] == "CONFLICT", payload
                self.repeated_calls += 1
            elif payload["proposal"]["contract"]:
                self.contracts.append(str(_database_id(payload["proposal"]["contract"]["id"])))
            self.completed_changes += self.completed_changes < changes

    async def _publish(self, revision: int, *, note: bool) -> dict[str, Any]:
        columns = {"id": {"type": "integer"}} | ({"note": {"type": "string"}} if note else {})
        arguments = {
            "asset": {"id": self.asset_id},
            "schema": {"type": "object", "description": f"revision {revision}", "properties": columns},
            "idempotencyKey": f"{self.number}-{revision}",
            "publishWhenApproved": True,
        }
        payload: dict[str, Any] = (await call(self.urls, PUBLISH, {"input": arguments}))["publishContract"]
        assert not payload["errors"], payload
        if payload["contract"] and payload["outcome"] == "PUBLISHED":
            self.contracts.append(str(_database_id(payload["contract"]["id"])))
        self.completed_changes += revision > 0
        return payload


LISTEN = (
    "subscription($where: EventFilter, $after: String) { events(filter: $where, after: $after) { cursor sequence } }"
)
LISTEN_FROM_NOW = "subscription($where: EventFilter) { events(filter: $where) { cursor sequence } }"


@dataclass
class Subscriber:
    """Records the sequences it receives, and resumes after the last one when its socket is lost."""

    urls: list[str]
    filter: dict[str, Any] | None
    asset: UUID | None
    after: str | None
    sequences: list[int] = field(default_factory=list[int])
    connection_count: int = 0
    drop_count: int = 0

    def expected_sequences(self, log: list[EventRow]) -> list[int]:
        """Return the visible events of the log, from the first received one unless it subscribed from the start."""
        visible = [row.sequence for row in log if self.asset is None or row.asset_id == self.asset]
        if self.is_from_start:
            return visible
        return [sequence for sequence in visible if self.sequences and sequence >= self.sequences[0]]

    def is_missing_events(self, log: list[EventRow]) -> bool:
        return not self.sequences or len(self.sequences) < len(self.expected_sequences(log))

    def __post_init__(self) -> None:
        self.is_from_start = self.after is not None

    async def listen(self) -> None:
        while True:
            with suppress(OSError, TimeoutError, websockets.WebSocketException, orjson.JSONDecodeError):
                await self._listen_once()
            await asyncio.sleep(random.uniform(0.02, 0.3))

    async def _listen_once(self) -> None:
        url = random.choice(self.urls).replace("http", "ws", 1) + "/graphql"
        async with connect(
            url,
            subprotocols=[websockets.Subprotocol("graphql-transport-ws")],
            compression=None,
            proxy=None,
            close_timeout=1,
        ) as connection:
            await connection.send('{"type":"connection_init"}')
            await connection.recv()
            variables = {"where": self.filter} | ({"after": self.after} if self.after else {})
            payload = {"query": LISTEN if self.after else LISTEN_FROM_NOW, "variables": variables}
            await connection.send(orjson.dumps({"id": "1", "type": "subscribe", "payload": payload}).decode())
            self.connection_count += 1
            async for frame in connection:
                message = orjson.loads(frame)
                if message["type"] == "ping":
                    await connection.send('{"type":"pong"}')
                elif message["type"] != "next" or not message["payload"].get("data"):
                    return
                else:
                    event = message["payload"]["data"]["events"]
                    self.sequences.append(event["sequence"])
                    self.after = event["cursor"]
                    if random.random() < DROP_PROBABILITY:
                        self.drop_count += 1
                        connection.transport.abort()
                        return


@dataclass
class Receiver:
    """A webhook receiver that fails three of ten requests, with a status or by closing the connection."""

    url: str = ""
    request_count: int = 0
    failure_count: int = 0
    accepted: set[int] = field(default_factory=set[int])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            size = int(head.partition("content-length:")[2].split("\r\n")[0])
            body = orjson.loads(await reader.readexactly(size))
            self.request_count += 1
            if random.random() < FAILURE_PROBABILITY:
                self.failure_count += 1
                if random.random() < 0.5:
                    writer.write(b"HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n")
            else:
                self.accepted.add(body["data"]["sequence"])
                writer.write(b"HTTP/1.1 204 x\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
        writer.close()


@asynccontextmanager
async def run_receivers(count: int) -> AsyncGenerator[list[Receiver]]:
    receivers = [Receiver() for _ in range(count)]
    async with AsyncExitStack() as stack:
        for receiver in receivers:
            server = await stack.enter_async_context(await asyncio.start_server(receiver.serve, "127.0.0.1", 0))
            receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        yield receivers
