"""Those who take part in the chaos proof: servers, writers, subscribers, receivers. Only loopback addresses."""

import asyncio
import itertools
import os
import random
import signal
import socket
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

from tessera_gql.graphql.ids import parsed
from tessera_gql.store.tables import EventRow

TESSERA = (sys.executable, "-m", "tessera_gql")
DROPS = 1 / 150
FAILS = 0.3


@dataclass(frozen=True)
class Load:
    subscribers: int
    changes: int
    writers: int


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass
class Server:
    """`tessera serve` in a process of its own; started again on the same port."""

    database_url: str
    port: int
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Until it answers; one that runs already stays."""
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
        kept = {
            name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH", "PYTHONPATH") if name in os.environ
        }
        told = {
            "DATABASE_URL": self.database_url,
            "API_PORT": str(self.port),
            "WEBHOOK_ALLOW_PRIVATE": "true",
            "NO_COLOR": "1",
        }
        with self.log.open("ab") as stderr:
            self.process = subprocess.Popen(
                [*TESSERA, "serve"], cwd=self.log.parent, env=kept | told, stdout=subprocess.DEVNULL, stderr=stderr
            )

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def faults(self) -> list[str]:
        """What ended each traceback in its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        inside, found = False, list[str]()
        for line in lines:
            if line.startswith("Traceback"):
                inside = True
            elif inside and line and not line.startswith((" ", "Traceback")):
                found.append(line[:160])
                inside = False
        return found


async def call(urls: list[str], document: str, variables: dict[str, Any], *, seconds: float = 60) -> dict[str, Any]:
    """The data, asked of any server until one answers: the call must be safe to repeat."""
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


def _local(identity: str) -> UUID:
    found = parsed(identity)
    assert found is not None
    return found[1]


PUBLISH = """mutation($input: PublishContractInput!) { publishContract(input: $input) {
  outcome contract { id } proposal { id } errors { code message } } }"""
ANSWER = """mutation($input: AcknowledgeProposalInput!) { acknowledgeProposal(input: $input) {
  proposal { status contract { id } } errors { code message } } }"""


@dataclass
class Writer:
    """Publishes one asset, proposes to break it, and has its consumers answer, over and over."""

    number: int
    urls: list[str]
    asset_id: str = ""
    done: int = 0
    repeated: int = 0
    contracts: list[str] = field(default_factory=list[str])

    @property
    def local_asset_id(self) -> UUID:
        return _local(self.asset_id)

    @property
    def teams(self) -> list[str]:
        return [f"team-{self.number}-{place}" for place in range(3)]

    async def settle(self) -> None:
        for team in self.teams:
            await self._made("createTeam", "CreateTeamInput", {"name": team}, "team")
        owner = {"name": self.teams[0]}
        fqn = f"chaos.core.asset_{self.number}"
        self.asset_id = await self._made("createAsset", "CreateAssetInput", {"fqn": fqn, "owner": owner}, "asset")
        await self._publish(0, note=True)
        for team in self.teams[1:]:
            asked = {"asset": {"id": self.asset_id}, "team": {"name": team}}
            await self._made("register", "RegisterInput", asked, "registration")

    async def _made(self, verb: str, kind: str, asked: dict[str, Any], thing: str) -> str:
        document = f"mutation($input: {kind}!) {{ {verb}(input: $input) {{ {thing} {{ id }} errors {{ message }} }} }}"
        done = (await call(self.urls, document, {"input": asked | {"idempotencyKey": str(asked)}}))[verb]
        assert done[thing], done
        identity: str = done[thing]["id"]
        return identity

    async def write(self, changes: int) -> None:
        """A patch, another, a break that two teams must agree to, their answers, and the column back again."""
        steps = itertools.cycle((self._patch, self._patch, self._break_and_answer, self._restore))
        revision = itertools.count(1)
        while self.done < changes:
            await next(steps)(next(revision), changes)

    async def _patch(self, revision: int, _changes: int) -> None:
        await self._publish(revision, note=True)

    async def _restore(self, revision: int, changes: int) -> None:
        if self.done < changes:
            await self._publish(revision, note=True)

    async def _break_and_answer(self, revision: int, changes: int) -> None:
        done = await self._publish(revision, note=False)
        for team in self.teams[1:]:
            asked = {"proposal": done["proposal"]["id"], "team": {"name": team}, "response": "APPROVED"}
            answered = (await call(self.urls, ANSWER, {"input": asked}))["acknowledgeProposal"]
            if answered["errors"]:
                # The reply to the first try was lost on its way: the proposal has been published meanwhile.
                assert answered["errors"][0]["code"] == "CONFLICT", answered
                self.repeated += 1
            elif answered["proposal"]["contract"]:
                self.contracts.append(str(_local(answered["proposal"]["contract"]["id"])))
            self.done += self.done < changes

    async def _publish(self, revision: int, *, note: bool) -> dict[str, Any]:
        columns = {"id": {"type": "integer"}} | ({"note": {"type": "string"}} if note else {})
        asked = {
            "asset": {"id": self.asset_id},
            "schema": {"type": "object", "description": f"revision {revision}", "properties": columns},
            "idempotencyKey": f"{self.number}-{revision}",
            "publishWhenApproved": True,
        }
        done: dict[str, Any] = (await call(self.urls, PUBLISH, {"input": asked}))["publishContract"]
        assert not done["errors"], done
        if done["contract"] and done["outcome"] == "PUBLISHED":
            self.contracts.append(str(_local(done["contract"]["id"])))
        self.done += revision > 0
        return done


LISTEN = (
    "subscription($where: EventFilter, $after: String) { events(filter: $where, after: $after) { cursor sequence } }"
)
FRESH = "subscription($where: EventFilter) { events(filter: $where) { cursor sequence } }"


@dataclass
class Subscriber:
    """Keeps what it is sent, as it is sent; goes on behind the last of it after every loss of its socket."""

    urls: list[str]
    where: dict[str, Any] | None
    asset: UUID | None
    after: str | None
    seen: list[int] = field(default_factory=list[int])
    connected: int = 0
    dropped: int = 0

    def expected(self, log: list[EventRow]) -> list[int]:
        """From its first event on if it began with whatever came, else all."""
        mine = [row.sequence for row in log if self.asset is None or row.asset_id == self.asset]
        if self.from_the_start:
            return mine
        return [one for one in mine if self.seen and one >= self.seen[0]]

    def lacks(self, log: list[EventRow]) -> bool:
        return not self.seen or len(self.seen) < len(self.expected(log))

    def __post_init__(self) -> None:
        self.from_the_start = self.after is not None

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
        ) as socket_:
            await socket_.send('{"type":"connection_init"}')
            await socket_.recv()
            variables = {"where": self.where} | ({"after": self.after} if self.after else {})
            payload = {"query": LISTEN if self.after else FRESH, "variables": variables}
            await socket_.send(orjson.dumps({"id": "1", "type": "subscribe", "payload": payload}).decode())
            self.connected += 1
            async for frame in socket_:
                message = orjson.loads(frame)
                if message["type"] == "ping":
                    await socket_.send('{"type":"pong"}')
                elif message["type"] != "next" or not message["payload"].get("data"):
                    return
                else:
                    event = message["payload"]["data"]["events"]
                    self.seen.append(event["sequence"])
                    self.after = event["cursor"]
                    if random.random() < DROPS:
                        self.dropped += 1
                        socket_.transport.abort()
                        return


@dataclass
class Receiver:
    """Takes posts, and fails three of ten: with a status, or by hanging up."""

    url: str = ""
    posts: int = 0
    failed: int = 0
    accepted: set[int] = field(default_factory=set[int])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            size = int(head.partition("content-length:")[2].split("\r\n")[0])
            body = orjson.loads(await reader.readexactly(size))
            self.posts += 1
            if random.random() < FAILS:
                self.failed += 1
                if random.random() < 0.5:
                    writer.write(b"HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n")
            else:
                self.accepted.add(body["data"]["sequence"])
                writer.write(b"HTTP/1.1 204 x\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving(number: int) -> AsyncGenerator[list[Receiver]]:
    found = [Receiver() for _ in range(number)]
    async with AsyncExitStack() as stack:
        for one in found:
            server = await stack.enter_async_context(await asyncio.start_server(one.serve, "127.0.0.1", 0))
            one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        yield found
