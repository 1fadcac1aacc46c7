"""One event to a thousand sockets: executed and written once, against once for each subscriber.

Both variants are the real server: a subscription that starts in the past (`after`) has an execution of its own.
"""

import asyncio
import base64
import os
import shutil
import statistics
import struct
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bench._chaos_parts import Server, call, free_port
from tessera_gql.graphql.events import cursor
from tessera_gql.store import migration

SOCKETS = int(os.environ.get("SOCKETS", "1000"))
ALONE = SOCKETS // 10
EVENTS = 20
TICK = os.sysconf("SC_CLK_TCK")
SELECTED = "{ cursor sequence kind actor payload asset { fqn } }"
SHARED = f"subscription {{ events {SELECTED} }}"
OWN = f"subscription($after: String) {{ events(after: $after) {SELECTED} }}"


@dataclass(eq=False)
class Listener(asyncio.Protocol):
    """A socket that notes when something came, and looks at nothing: it must not be what is measured."""

    query: str
    variables: dict[str, str]
    came: list[float] = field(default_factory=list[float])
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    transport: asyncio.Transport | None = None
    steps: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            (
                "GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
            ).encode()
        )

    def data_received(self, data: bytes) -> None:
        """First the upgrade, then the acknowledgment, then what happens."""
        self.steps += 1
        if self.steps == 1:
            assert b" 101 " in data, data
            self._say({"type": "connection_init"})
        elif self.steps == 2:
            payload = {"query": self.query, "variables": self.variables}
            self._say({"id": "1", "type": "subscribe", "payload": payload})
            self.ready.set()
        else:
            self.came.append(time.perf_counter())

    def _say(self, message: dict[str, object]) -> None:
        body = orjson.dumps(message)
        size = struct.pack("!B", 0x80 | len(body)) if len(body) < 126 else struct.pack("!BH", 0x80 | 126, len(body))
        assert self.transport is not None
        self.transport.write(b"\x81" + size + b"\0\0\0\0" + body)


@dataclass(frozen=True)
class Measured:
    cpu_per_delivery: float
    latencies: list[float]
    kib_per_socket: float


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="tessera-fanout-"))
    try:
        shared, own = asyncio.run(_measured(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    cut = statistics.quantiles(shared.latencies, n=100)
    ratio = shared.cpu_per_delivery / own.cpu_per_delivery
    print(f"{SOCKETS} sockets, {EVENTS} events; {ALONE} sockets with an execution each")
    print(f"  CPU per delivery {shared.cpu_per_delivery * 1e6:.0f} µs against {own.cpu_per_delivery * 1e6:.0f} µs")
    print(f"  publish to last byte: p50 {cut[49] * 1e3:.0f} ms, p99 {cut[98] * 1e3:.0f} ms, the publish included")
    checks = (
        ("CPU per delivery, ratio", ratio, 0.1),
        ("p99, ms", cut[98] * 1e3, 60),
        ("memory a socket, KiB", shared.kib_per_socket, 40),
    )
    for what, figure, target in checks:
        print(f"  {'PASS' if figure <= target else 'FAIL'}  {what}: {figure:.3g} (target ≤ {target})")
    return int(any(figure > target for _, figure, target in checks))


async def _measured(folder: Path) -> tuple[Measured, Measured]:
    server = Server(f"sqlite:///{folder / 'tessera.db'}", free_port(), folder / "server.log")
    await migration.upgrade(server.database_url)
    await server.start()
    try:
        await _publish(server, "warm")
        return await _variant(server, SHARED, {}, SOCKETS), await _variant(server, OWN, {"after": ""}, ALONE)
    finally:
        server.kill()


async def _variant(server: Server, query: str, variables: dict[str, str], sockets: int) -> Measured:
    """Publishes wait for the last socket: one event at a time, so that latencies are of the fan-out."""
    if variables:
        variables = {"after": cursor(await _last(server))}
    before = _memory(server)
    listeners = [Listener(query, variables) for _ in range(sockets)]
    for start in range(0, sockets, 50):
        batch = listeners[start : start + 50]
        for one in batch:
            await asyncio.get_running_loop().create_connection(lambda one=one: one, "127.0.0.1", server.port)
        await asyncio.gather(*(one.ready.wait() for one in batch))
    await asyncio.sleep(2)
    memory = (_memory(server) - before) / sockets
    latencies: list[float] = []
    cpu = -_cpu(server)
    for number in range(EVENTS):
        started = time.perf_counter()
        await _publish(server, f"{query[:14]}{sockets}-{number}")
        async with asyncio.timeout(60):
            while any(len(one.came) <= number for one in listeners):  # noqa: ASYNC110 - an event would cost CPU too
                await asyncio.sleep(0.005)
        latencies += [one.came[number] - started for one in listeners]
    cpu += _cpu(server)
    for one in listeners:
        assert one.transport is not None
        one.transport.abort()
    await asyncio.sleep(1)
    return Measured(cpu / (sockets * EVENTS), latencies, memory)


async def _publish(server: Server, name: str) -> None:
    """The smallest event there is."""
    document = "mutation($input: CreateTeamInput!) { createTeam(input: $input) { errors { message } } }"
    done = await call([server.url], document, {"input": {"name": name.replace("(", " ")}})
    assert not done["createTeam"]["errors"], done


async def _last(server: Server) -> int:
    found = await call([server.url], "{ events(last: 1) { nodes { sequence } } }", {})
    last: int = found["events"]["nodes"][0]["sequence"]
    return last


def _cpu(server: Server) -> float:
    """Seconds, as the operating system counts them."""
    assert server.process is not None
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _memory(server: Server) -> float:
    """Resident KiB."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return float(status.partition("VmRSS:")[2].split()[0])


if __name__ == "__main__":
    sys.exit(main())
