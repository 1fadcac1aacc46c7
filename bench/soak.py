"""Run twenty minutes of mixed use on both databases at once, without errors, lost events or growing memory.

`python -m bench.soak [--seconds 1200] [--database postgresql|sqlite]`. The caches fill in the first half of the time;
in the second half the memory of the server's processes may hardly grow. At the end a hundred clients request a large
response at once, and its memory must be released.
"""

import argparse
import asyncio
import base64
import itertools
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

import orjson

from bench import _memory, _mixed_use, _servers
from bench._figures import Figure
from bench._graph import Graph, build
from bench._holds import hold_figure, read_longest_hold
from bench._mixed_use import ADMIN_KEY, Api
from bench._results import report
from tessera_gql.store import events, migration
from tessera_gql.store.database import Database

SOCKETS = 100
WARM_UP = 1 / 2
"""Fraction of the time. The caches fill for about ten minutes, so a run of a few minutes says little."""
PROGRESS_SECONDS = 60.0
GROWTH = 0.10
SLOPE_MEBIBYTES = 12.0
"""Limit per server process; a leak of 1 kB per request gives 10."""
BURST = 100
SETTLING_SECONDS = 5.0
WORKERS = {"postgresql": 2, "sqlite": 1}
SETTINGS = {
    "ADMIN_KEY": ADMIN_KEY,
    "SECRETS_KEY": base64.b64encode(bytes(32)).decode(),
    "DATABASE_POOL": "6",
    "WEBHOOK_ALLOW_PRIVATE": "true",
    "RATE_LIMIT_MUTATIONS": "1000000/minute",
    "RATE_LIMIT_COST": "100000000/minute",
    "LIMIT_CACHED_TOKENS": "10000",
}

LARGE_ANSWER = """{ assets(first: 100) { nodes { id fqn owner { id name } currentContract { id version schema
  registrations(first: 20) { nodes { id status consumerTeam { name } } } } } } }"""
UPGRADE = (
    "GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
INIT = {"type": "connection_init", "payload": {"authorization": f"Bearer {ADMIN_KEY}"}}
LISTEN = "subscription { events { cursor sequence kind } }"


@dataclass(eq=False)
class Listener(asyncio.Protocol):
    """A websocket client that only counts messages, so that its own cost stays small."""

    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)
    transport: asyncio.Transport | None = None
    is_open: bool = False
    messages: int = 0
    unread: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(UPGRADE.format(key=key).encode())

    def data_received(self, data: bytes) -> None:
        """Handle the upgrade, the acknowledgment, then events and pings."""
        self.unread += data
        if not self.is_open and b"\r\n\r\n" in self.unread:
            head, _, self.unread = self.unread.partition(b"\r\n\r\n")
            assert b" 101 " in head, head
            self.is_open = True
            self._send(0x81, orjson.dumps(INIT))
        while self.is_open and (frame := _frame(self.unread)):
            opcode, body, self.unread = frame
            self._take(opcode, body)

    def _take(self, opcode: int, body: bytes) -> None:
        if opcode == 0x9:
            self._send(0x8A, body)
        elif b'"next"' in body:
            self.messages += 1
        elif b'"connection_ack"' in body:
            self._send(0x81, orjson.dumps({"id": "1", "type": "subscribe", "payload": {"query": LISTEN}}))
            self.acknowledged.set()

    def _send(self, opcode: int, body: bytes) -> None:
        assert self.transport is not None
        assert len(body) < 126
        self.transport.write(bytes([opcode, 0x80 | len(body)]) + b"\0\0\0\0" + body)


def _frame(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Return opcode and body of the first frame and the remaining bytes; None while it is incomplete."""
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
    parser.add_argument("--seconds", type=int, default=1200)
    parser.add_argument("--database", choices=[*WORKERS], help="run only this one")
    options = parser.parse_args()
    if options.database:
        return _run_database(options.database, options.seconds)
    command = [sys.executable, "-m", "bench.soak", "--seconds", str(options.seconds), "--database"]
    children = [subprocess.Popen([*command, kind]) for kind in WORKERS]
    codes = [child.wait() for child in children]
    print("FAIL" if any(codes) else "PASS")
    return max(codes)


def _run_database(kind: str, seconds: int) -> int:
    with _servers.temporary_folder() as folder, _servers.start_storage(kind, folder) as storage:
        url = storage.database("soak")
        asyncio.run(migration.upgrade(url))
        graph = asyncio.run(build(url))
        server = _servers.our_server(url, folder)
        server.settings = {**server.settings, **SETTINGS, "WORKERS": str(WORKERS[kind])}
        with _servers.run_servers([server]):
            return asyncio.run(_run(server, Database(url), graph, seconds))


async def _run(server: _servers.Server, database: Database, graph: Graph, seconds: int) -> int:
    assert server.process is not None
    processes = [server.process.pid, *_children(server.process.pid)]
    samples: list[_memory.Sample] = []
    async with _mixed_use.webhook_receiver() as receiver_url:
        api = Api(server.url, graph.fqns, receiver_url)
        tasks = [
            asyncio.create_task(_memory.watch(processes, api.count, samples)),
            asyncio.create_task(_print_progress(database.dialect, samples)),
        ]
        async with _open_listeners(server.url) as listeners:
            before = await _last_event(database)
            await _mixed_use.use(api, seconds)
            await asyncio.sleep(SETTLING_SECONDS)
            happened = await _last_event(database) - before
            missed = sum(abs(happened - listener.messages) for listener in listeners)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        after_burst = await _burst(api, processes)
        await api.http.aclose()
    await database.dispose()
    assert server.process.poll() is None, server.log.read_text()[-3000:]
    hold = hold_figure(read_longest_hold(server.url, ADMIN_KEY))
    return _report(database.dialect, api, graph, samples, (happened, missed, after_burst), hold)


async def _print_progress(dialect: str, samples: list[_memory.Sample]) -> None:
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        last = samples[-1]
        print(f"{dialect} {last.seconds:.0f} s: {last.requests:,} requests, {last.mebibytes:.0f} MiB", flush=True)


async def _burst(api: Api, processes: list[int]) -> float:
    """Return the growth of memory by a burst of large responses, in per cent."""
    before = _memory.resident(processes)
    await asyncio.gather(*(api.call("burst", LARGE_ANSWER) for _ in range(BURST)))
    await asyncio.sleep(SETTLING_SECONDS)
    return (_memory.resident(processes) / before - 1) * 100


def _report(
    dialect: str, api: Api, graph: Graph, samples: list[_memory.Sample], figures: tuple[int, int, float], hold: Figure
) -> int:
    happened, missed, after_burst = figures
    for fault, times in itertools.islice(((fault, api.faults.count(fault)) for fault in dict.fromkeys(api.faults)), 10):
        print(f"  {times} times: {fault}", file=sys.stderr)
    warm = [sample for sample in samples if sample.seconds >= samples[-1].seconds * WARM_UP]
    cut = quantiles(api.waits, n=100)
    about = (
        f"{samples[-1].seconds:.0f} s, {api.count():,} requests, {happened:,} events, {SOCKETS} sockets; {graph}."
        f" Memory at the start {samples[0].mebibytes:.0f} MiB, after the warm-up {warm[0].mebibytes:.0f},"
        f" at the end {warm[-1].mebibytes:.0f}."
    )
    lines = [
        Figure("errors", [float(len(api.faults))], at_most=0),
        Figure("messages that a socket lacks or has twice", [float(missed)], at_most=0),
        *_memory.growth(warm, ratio=GROWTH, mebibytes=SLOPE_MEBIBYTES * WORKERS[dialect]),
        Figure(f"growth of memory after {BURST} large answers at once", [after_burst], "%", at_most=GROWTH * 100),
        Figure("p50", [cut[49]], "ms"),
        Figure("p99", [cut[98]], "ms"),
        hold,
    ]
    return report(f"Soak, {dialect}", about, lines)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@asynccontextmanager
async def _open_listeners(url: str) -> AsyncGenerator[list[Listener]]:
    address = urlsplit(url)
    loop = asyncio.get_running_loop()
    listeners: list[Listener] = []
    for _ in range(SOCKETS):
        _, listener = await loop.create_connection(Listener, address.hostname, address.port)
        listeners.append(listener)
    await asyncio.gather(*(listener.acknowledged.wait() for listener in listeners))
    await asyncio.sleep(2)  # until the last subscription is established
    yield listeners
    for listener in listeners:
        if listener.transport is not None:
            listener.transport.close()


async def _last_event(database: Database) -> int:
    async with database.read() as session:
        return await events.load_last_sequence(session)


if __name__ == "__main__":
    raise SystemExit(main())
