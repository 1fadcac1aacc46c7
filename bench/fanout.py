"""One event to a thousand sockets: executed and written once, against once for each subscriber.

Both variants are the real server, as many sockets, the same events, in turns; the listeners are a process of their
own. CPU is the server's, less what the same publishes cost it when nobody listens; latency is from before the publish
until a socket has the event.
"""

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from bench._chaos_parts import Server, free_port
from tessera_gql.store import migration

SOCKETS = int(os.environ.get("SOCKETS", "1000"))
EVENTS = 10
ROUNDS = 3
SPREAD = 0.5
"""Rounds that differ by more than this part of their median say nothing."""
QUERY = "subscription { events { cursor sequence kind actor payload asset { fqn } } }"
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Round:
    cpu_per_delivery: float
    p50: float
    p99: float
    kib_per_socket: float


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="tessera-fanout-"))
    try:
        shared, own = asyncio.run(_measured(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{SOCKETS} sockets, {EVENTS} events in each of {ROUNDS} rounds")
    micros = [f"{statistics.median(one.cpu_per_delivery for one in kind) * 1e6:.1f}" for kind in (shared, own)]
    print(f"  CPU per delivery: {micros[0]} µs shared, {micros[1]} µs executed for each")
    print(f"  publish to last byte: p50 {statistics.median(one.p50 for one in shared) * 1e3:.1f} ms shared")
    pairs = zip(shared, own, strict=True)
    checks = (
        ("CPU per delivery, ratio", [one.cpu_per_delivery / other.cpu_per_delivery for one, other in pairs], 0.1),
        ("p99, ms", [one.p99 * 1e3 for one in shared], 60.0),
        ("memory a socket, KiB", [shared[0].kib_per_socket], 40.0),
    )
    return int("FAIL" in [_verdict(*check) for check in checks])


def _verdict(what: str, figures: list[float], target: float) -> str:
    figure = statistics.median(figures)
    is_wide = min(figures) <= target < max(figures) and max(figures) - min(figures) > SPREAD * figure
    is_lost = min(figures) <= 0  # in the noise of what is subtracted
    verdict = "INCONCLUSIVE" if is_wide or is_lost else "PASS" if figure <= target else "FAIL"
    among = f", {min(figures):.3g} to {max(figures):.3g}" if len(figures) > 1 else ""
    print(f"  {verdict}  {what}: {figure:.3g} (target ≤ {target:g}{among})")
    return verdict


async def _measured(folder: Path) -> tuple[list[Round], list[Round]]:
    server = Server(f"sqlite:///{folder / 'tessera.db'}", free_port(), folder / "server.log")
    await migration.upgrade(server.database_url)
    await server.start()
    shared, own = list[Round](), list[Round]()
    try:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
            for number in range(EVENTS):
                await _publish(client, f"warm {number}")
            for number in range(ROUNDS):
                unheard = -_cpu(server)
                for event in range(EVENTS):
                    await _publish(client, f"unheard {number} {event}")
                unheard += _cpu(server)
                shared.append(await _round(server, client, f"shared {number}", unheard))
                own.append(await _round(server, client, f"own {number}", unheard))
    finally:
        server.kill()
    return shared, own


async def _round(server: Server, client: httpx.AsyncClient, name: str, unheard: float) -> Round:
    """One event at a time, so that latencies are of the fan-out and of no queue."""
    before = _memory(server)
    arguments = ("-m", "bench._listeners", str(server.port), str(SOCKETS), QUERY, name.split(maxsplit=1)[0])
    listeners = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE, limit=1 << 24)
    try:
        await _said(listeners)
        await asyncio.sleep(2)
        kib = (_memory(server) - before) / SOCKETS
        latencies: list[float] = []
        cpu = -_cpu(server) - unheard
        for event in range(EVENTS):
            started = time.monotonic()
            await _publish(client, f"{name} {event}")
            latencies += [at - started for at in await _said(listeners)]
        cpu += _cpu(server)
    finally:
        listeners.kill()
        await listeners.wait()
    await asyncio.sleep(1)
    cut = statistics.quantiles(latencies, n=100)
    return Round(cpu / (SOCKETS * EVENTS), cut[49], cut[98], kib)


async def _said(listeners: Process) -> Any:
    assert listeners.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        return orjson.loads(await listeners.stdout.readline())


async def _publish(client: httpx.AsyncClient, name: str) -> None:
    """The smallest event there is."""
    document = "mutation($input: CreateTeamInput!) { createTeam(input: $input) { errors { message } } }"
    done = await client.post("/graphql", json={"query": document, "variables": {"input": {"name": name}}})
    assert done.json() == {"data": {"createTeam": {"errors": []}}}, done.text


def _cpu(server: Server) -> float:
    """Seconds of all its threads, as the scheduler counts them."""
    assert server.process is not None
    tasks = Path(f"/proc/{server.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _memory(server: Server) -> float:
    """Resident KiB."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return float(status.partition("VmRSS:")[2].split()[0])


if __name__ == "__main__":
    sys.exit(main())
