"""Ten minutes of a usual day: catalog reads, CI that publishes, 300 sockets, on two processes and a PostgreSQL.

`python -m bench.soak [--seconds 600]`. Nothing may fail, every socket must get every event, and the memory of the
processes at the end lies within a tenth of what it was after the first minute.
"""

import argparse
import asyncio
import base64
import itertools
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, quantiles
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import orjson

from bench import _servers
from bench._graph import Graph, build, schema
from bench._results import Line, tell
from bench.load import IMPACT
from tessera_gql.store import migration

SOCKETS, READERS, PUBLISHERS = 300, 8, 2
READ_PAUSE_SECONDS, PUBLISH_PAUSE_SECONDS = 0.25, 0.5
GROWTH = 0.10

PAGE = """query($first: Int, $after: String) { assets(first: $first, after: $after) { nodes {
  fqn owner { name } currentContract { version registrations(first: 10) { nodes { consumerTeam { name } status } } }
  openProposal { id } } pageInfo { hasNextPage endCursor } } }"""
UPGRADE = (
    "GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
LISTEN = "subscription { events { cursor sequence kind } }"
MAKE = """mutation($team: CreateTeamInput!, $asset: CreateAssetInput!) {
  createTeam(input: $team) { errors { message } } createAsset(input: $asset) { errors { message } } }"""
PUBLISH = """mutation($input: PublishContractInput!) { publishContract(input: $input) {
  outcome contract { version } errors { message } } }"""


@dataclass
class Day:
    url: str
    graph: Graph
    waits: list[float] = field(default_factory=list[float])
    faults: list[str] = field(default_factory=list[str])
    memory: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """Seconds since the start, and MiB of all processes."""

    async def ask(self, client: httpx.AsyncClient, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The data; whatever goes wrong is noted, for nothing may."""
        started = time.perf_counter()
        try:
            reply = (await client.post(self.url, json={"query": query, "variables": variables})).json()
        except (httpx.HTTPError, ValueError) as error:
            self.faults.append(repr(error))
            return {}
        self.waits.append((time.perf_counter() - started) * 1000)
        data: dict[str, Any] = reply.get("data") or {}
        said = [*reply.get("errors", ()), *(one for part in data.values() if part for one in part.get("errors", ()))]
        self.faults += [str(one)[:200] for one in said]
        return data


@dataclass(eq=False)
class Counter(asyncio.Protocol):
    """A socket that counts what comes, and looks at no more of it: the client must not be what is measured."""

    ready: asyncio.Event = field(default_factory=asyncio.Event)
    transport: asyncio.Transport | None = None
    steps: int = 0
    messages: int = 0
    rest: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(UPGRADE.format(key=key).encode())

    def data_received(self, data: bytes) -> None:
        """First the upgrade, then the acknowledgment, then what happens, and pings, of which each wants its pong."""
        self.rest += data
        if not self.steps and b"\r\n\r\n" in self.rest:
            head, _, self.rest = self.rest.partition(b"\r\n\r\n")
            assert b" 101 " in head, head
            self.steps = 1
            self._say(0x81, orjson.dumps({"type": "connection_init"}))
        while self.steps and (frame := _frame(self.rest)):
            opcode, body, self.rest = frame
            self._take(opcode, body)

    def _take(self, opcode: int, body: bytes) -> None:
        if opcode == 0x9:
            self._say(0x8A, body)
        elif b'"next"' in body:
            self.messages += 1
        elif b'"connection_ack"' in body:
            self._say(0x81, orjson.dumps({"id": "1", "type": "subscribe", "payload": {"query": LISTEN}}))
            self.ready.set()

    def _say(self, kind: int, body: bytes) -> None:
        assert self.transport is not None
        assert len(body) < 126
        self.transport.write(bytes([kind, 0x80 | len(body)]) + b"\0\0\0\0" + body)


def _frame(data: bytes) -> tuple[int, bytes, bytes] | None:
    """The first frame's opcode and body, and what follows; None while it is not complete."""
    if len(data) < 4:
        return (data[0] & 15, b"", data[2:]) if len(data) > 1 and data[1] == 0 else None
    wide = {126: 2, 127: 8}.get(data[1], 0)
    start = 2 + wide
    size = int.from_bytes(data[2:start], "big") if wide else data[1]
    if len(data) < start + size:
        return None
    return data[0] & 15, data[start : start + size], data[start + size :]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tessera-soak-"))
    folder.chmod(0o755)
    try:
        with _servers.postgresql(folder) as storage:
            url = storage.database("soak")
            asyncio.run(migration.upgrade(url))
            graph = asyncio.run(build(url))
            server = _servers.ours(url, folder)
            server.settings = {**server.settings, "WORKERS": "2"}
            with _servers.running([server]):
                return asyncio.run(_lived(server, url, graph, asked.seconds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _lived(server: _servers.Server, url: str, graph: Graph, seconds: int) -> int:
    day = Day(server.url, graph)
    assert server.process is not None
    processes = [server.process.pid, *_children(server.process.pid)]
    async with _listening(server.url) as sockets:
        before = await _last(url)
        ends = time.monotonic() + seconds
        work: list[Awaitable[None]] = [_weigh(day, processes, ends)]
        work += [_read(day, number, ends) for number in range(READERS)]
        work += [_publish(day, number, ends) for number in range(PUBLISHERS)]
        await asyncio.gather(*work)
        await asyncio.sleep(3)
        happened = await _last(url) - before
        missed = sum(abs(happened - one.messages) for one in sockets)
    assert server.process.poll() is None, server.log.read_text()[-3000:]
    return _told(day, seconds, happened, missed)


def _told(day: Day, seconds: int, happened: int, missed: int) -> int:
    for fault, times in itertools.islice(((one, day.faults.count(one)) for one in dict.fromkeys(day.faults)), 10):
        print(f"  {times} times: {fault}", file=sys.stderr)
    first = mean(weight for at, weight in day.memory if seconds / 10 <= at < seconds / 10 + max(5, seconds / 30))
    last = mean(weight for at, weight in day.memory if at >= seconds - max(5, seconds / 30))
    cut = quantiles(day.waits, n=100)
    about = (
        f"{seconds} s, {len(day.waits):,} requests, {happened:,} events, {SOCKETS} sockets, 2 processes; {day.graph}."
        f" Memory from {first:.0f} to {last:.0f} MiB."
    )
    lines = [
        Line("errors", [float(len(day.faults))], at_most=0),
        Line("messages that a socket lacks or has twice", [float(missed)], at_most=0),
        Line("growth of memory after the first tenth", [(last / first - 1) * 100], "%", at_most=GROWTH * 100),
        Line("p50", [cut[49]], "ms"),
        Line("p99", [cut[98]], "ms"),
    ]
    failed = tell("Soak", about, lines)
    print("FAIL" if failed else "PASS")
    return failed


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def _weigh(day: Day, processes: list[int], ends: float) -> None:
    started = time.monotonic()
    while (now := time.monotonic()) < ends:
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in processes)  # noqa: ASYNC240
        day.memory.append((now - started, pages * 4096 / 2**20))
        await asyncio.sleep(1)


async def _repeat(ends: float, pause_seconds: float, step: Callable[[int], Awaitable[object]]) -> None:
    chance = random.Random(5)
    for turn in itertools.count():
        if time.monotonic() >= ends:
            return
        await step(turn)
        await asyncio.sleep(pause_seconds * chance.uniform(0.5, 1.5))


async def _read(day: Day, number: int, ends: float) -> None:
    """A page, the next page, and now and then what a change would come to."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        place: dict[str, Any] = {}

        async def step(turn: int) -> None:
            if turn % 5 == 4:
                fqn = day.graph.fqns[(number * 997 + turn * 31) % len(day.graph.fqns)]
                await day.ask(client, IMPACT, {"asset": {"fqn": fqn}, "schema": schema(without=["column_05"])})
                return
            data = await day.ask(client, PAGE, {"first": 50, **place})
            page = data.get("assets", {}).get("pageInfo", {})
            place.update(after=page.get("endCursor") if page.get("hasNextPage") else None)

        await _repeat(ends, READ_PAUSE_SECONDS, step)


async def _publish(day: Day, number: int, ends: float) -> None:
    """As CI does: mostly the same again, and every second time something new."""
    fqn, team = f"soak.core.table_{number}", f"soak-{number}"
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        await day.ask(client, MAKE, {"team": {"name": team}, "asset": {"fqn": fqn, "owner": {"name": team}}})

        async def step(turn: int) -> None:
            said = schema() | {"description": f"revision {turn // 2}"}
            asked = {"asset": {"fqn": fqn}, "schema": said, "idempotencyKey": f"{fqn} {turn}"}
            await day.ask(client, PUBLISH, {"input": asked})

        await _repeat(ends, PUBLISH_PAUSE_SECONDS, step)


@asynccontextmanager
async def _listening(url: str) -> AsyncGenerator[list[Counter]]:
    place = urlsplit(url)
    loop = asyncio.get_running_loop()
    found: list[Counter] = []
    for _ in range(SOCKETS):
        _, one = await loop.create_connection(Counter, place.hostname, place.port)
        found.append(one)
    await asyncio.gather(*(one.ready.wait() for one in found))
    await asyncio.sleep(2)  # until the last subscription stands
    yield found
    for one in found:
        if one.transport is not None:
            one.transport.close()


async def _last(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT coalesce(max(sequence), 0) FROM audit.events"))
    finally:
        await connection.close()


if __name__ == "__main__":
    raise SystemExit(main())
