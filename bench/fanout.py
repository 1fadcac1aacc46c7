"""Measure one event to a thousand sockets: executed once for all, against once for each subscriber.

Both variants use the real server, with the same sockets and events, in turns; the listeners are a separate process.
CPU time is that of the server, less its CPU time for the same publishes without listeners. Latency is from before the
publish until a socket has received the event.
"""

import asyncio
import os
import statistics
import sys
import time
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from bench._chaos_actors import Server
from bench._servers import free_port, temporary_folder
from tessera_gql.store import migration

SOCKETS = int(os.environ.get("SOCKETS", "1000"))
EVENTS = 10
ROUNDS = 3
MAX_SPREAD = 0.5
"""Largest spread of the rounds, as a fraction of the median, at which a verdict is possible."""
QUERY = "subscription { events { cursor sequence kind actor payload asset { fqn } } }"
TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Round:
    """The figures of one round; times in seconds."""

    cpu_per_delivery: float
    p50: float
    p99: float
    kib_per_socket: float


def main() -> int:
    with temporary_folder() as folder:
        shared, own = asyncio.run(_measure(folder))
    print(f"{SOCKETS} sockets, {EVENTS} events in each of {ROUNDS} rounds")
    microseconds = [
        f"{statistics.median(result.cpu_per_delivery for result in rounds) * 1e6:.1f}" for rounds in (shared, own)
    ]
    print(f"  CPU per delivery: {microseconds[0]} µs shared, {microseconds[1]} µs executed for each")
    print(f"  publish to last byte: p50 {statistics.median(result.p50 for result in shared) * 1e3:.1f} ms shared")
    pairs = zip(shared, own, strict=True)
    checks = (
        (
            "CPU per delivery, ratio",
            [shared_round.cpu_per_delivery / own_round.cpu_per_delivery for shared_round, own_round in pairs],
            0.1,
        ),
        ("p99, ms", [result.p99 * 1e3 for result in shared], 60.0),
        ("memory a socket, KiB", [shared[0].kib_per_socket], 40.0),
    )
    return int("FAIL" in [_verdict(*check) for check in checks])


def _verdict(label: str, figures: list[float], target: float) -> str:
    figure = statistics.median(figures)
    is_wide = min(figures) <= target < max(figures) and max(figures) - min(figures) > MAX_SPREAD * figure
    is_in_noise = min(figures) <= 0  # smaller than the noise of the subtracted CPU time
    verdict = "INCONCLUSIVE" if is_wide or is_in_noise else "PASS" if figure <= target else "FAIL"
    figure_range = f", {min(figures):.3g} to {max(figures):.3g}" if len(figures) > 1 else ""
    print(f"  {verdict}  {label}: {figure:.3g} (target ≤ {target:g}{figure_range})")
    return verdict


async def _measure(folder: Path) -> tuple[list[Round], list[Round]]:
    server = Server(f"sqlite:///{folder / 'tessera.db'}", free_port(), folder / "server.log")
    await migration.upgrade(server.database_url)
    await server.start()
    shared, own = list[Round](), list[Round]()
    try:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
            for number in range(EVENTS):
                await _publish(client, f"warm {number}")
            for number in range(ROUNDS):
                idle_cpu = -_cpu(server)
                for event in range(EVENTS):
                    await _publish(client, f"unheard {number} {event}")
                idle_cpu += _cpu(server)
                shared.append(await _round(server, client, f"shared {number}", idle_cpu))
                own.append(await _round(server, client, f"own {number}", idle_cpu))
    finally:
        server.kill()
    return shared, own


async def _round(server: Server, client: httpx.AsyncClient, name: str, idle_cpu: float) -> Round:
    """Publish one event at a time, so that latency is that of the fan-out and not of a queue."""
    before = _memory(server)
    arguments = ("-m", "bench._listeners", str(server.port), str(SOCKETS), QUERY, name.split(maxsplit=1)[0])
    listeners = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE, limit=1 << 24)
    try:
        await _read_message(listeners)
        await asyncio.sleep(2)
        kib = (_memory(server) - before) / SOCKETS
        latencies: list[float] = []
        cpu = -_cpu(server) - idle_cpu
        for event in range(EVENTS):
            started = time.monotonic()
            await _publish(client, f"{name} {event}")
            latencies += [at - started for at in await _read_message(listeners)]
        cpu += _cpu(server)
    finally:
        listeners.kill()
        await listeners.wait()
    await asyncio.sleep(1)
    cut = statistics.quantiles(latencies, n=100)
    return Round(cpu / (SOCKETS * EVENTS), cut[49], cut[98], kib)


async def _read_message(listeners: Process) -> Any:
    assert listeners.stdout is not None
    async with asyncio.timeout(TIMEOUT_SECONDS):
        return orjson.loads(await listeners.stdout.readline())


async def _publish(client: httpx.AsyncClient, name: str) -> None:
    """Publish the smallest possible event."""
    document = "mutation($input: CreateTeamInput!) { createTeam(input: $input) { errors { message } } }"
    response = await client.post("/graphql", json={"query": document, "variables": {"input": {"name": name}}})
    assert response.json() == {"data": {"createTeam": {"errors": []}}}, response.text


def _cpu(server: Server) -> float:
    """Return the CPU seconds of all threads, by the scheduler's accounting."""
    assert server.process is not None
    tasks = Path(f"/proc/{server.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _memory(server: Server) -> float:
    """Return the resident memory in KiB."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return float(status.partition("VmRSS:")[2].split()[0])


if __name__ == "__main__":
    sys.exit(main())
