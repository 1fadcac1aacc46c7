"""Attack the real server, a fresh one for each attack, while a second client measures latency.

`python -m bench attack [TEXT …]` runs the attacks whose names contain one of the texts. An attack fails if the server
doesn't refuse or answer it, if a small query of the second client takes 100 ms, if `/healthz` takes a second, if
the event loop is held for 50 ms of processor time, or if the server's memory stays more than a tenth above its level
before.
"""

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench._attacks import ADMIN, ATTACKS, HEADERS, LARGE, READ_LARGE
from bench._holds import MAX_HOLD_MS, read_longest_hold
from tests.e2e.server import ROOT, Running, serving

SMALL_QUERY = b'{"query": "{ viewer { actor } assets(first: 5) { nodes { id } } }"}'
MAX_SECONDS = 0.1
MAX_HEALTH_SECONDS = 1.0
MAX_MEMORY_RATIO = 1.10
MEMORY_TIMEOUT_SECONDS = 30.0
"""Maximal time to wait until the memory is released."""
PAUSE_SECONDS = 0.02
"""Pause between two queries of the second client."""
WARM_UP_REQUESTS = 300


@dataclass
class Waits:
    """The latencies of the second client and of the health check, in seconds."""

    client: list[float] = field(default_factory=list[float])
    health: list[float] = field(default_factory=list[float])


def resident_mb(server: Running) -> float:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


CREATE_SECOND_KEY = """mutation {
  createTeam(input: { name: "second" }) { errors { message } }
  createApiKey(input: { name: "second", team: { name: "second" }, scopes: [READ] }) { token errors { message } }
}"""


async def warm_up(url: str) -> dict[str, str]:
    """Serve usual small and large requests and a comparison. Returns the headers of another team's client."""
    old, new = ({"properties": {name: {"pattern": "a"}}} for name in "ab")
    diff = {
        "query": "query($o: JSON!, $n: JSON!) { diffSchemas(old: $o, new: $n) { bump } }",
        "variables": {"o": old, "n": new},
    }
    async with httpx.AsyncClient(timeout=30, headers=HEADERS) as client:
        for _ in range(WARM_UP_REQUESTS):
            await client.post(f"{url}/graphql", content=SMALL_QUERY)
        await client.post(f"{url}/graphql", json=diff)
        for query, variables in LARGE:
            await client.post(f"{url}/graphql", json={"query": query, "variables": variables})
        for _ in range(10):
            await asyncio.gather(*(client.post(f"{url}/graphql", json={"query": READ_LARGE}) for _ in range(4)))
        answer = (await client.post(f"{url}/graphql", json={"query": CREATE_SECOND_KEY})).json()
    return HEADERS | {"Authorization": f"Bearer {answer['data']['createApiKey']['token']}"}


async def measure_waits(url: str, attacker: asyncio.subprocess.Process, headers: dict[str, str]) -> Waits:
    """Measure the latency of one request after the other until the attack ends."""
    waits = Waits()
    attack_end = asyncio.create_task(attacker.wait())

    async def query_repeatedly() -> None:
        async with httpx.AsyncClient(timeout=60, headers=headers) as client:
            while not attack_end.done():
                started = time.perf_counter()
                answer = await client.post(f"{url}/graphql", content=SMALL_QUERY)
                waits.client.append(time.perf_counter() - started)
                assert answer.json().get("data"), answer.text
                await asyncio.sleep(PAUSE_SECONDS)

    async def check_health_repeatedly() -> None:
        while not attack_end.done():
            async with httpx.AsyncClient(timeout=60) as client:  # a probe opens a new connection each time
                started = time.perf_counter()
                answer = await client.get(f"{url}/healthz")
                waits.health.append(time.perf_counter() - started)
                assert answer.status_code == 200, answer.text
            await asyncio.sleep(0.25)

    await asyncio.gather(query_repeatedly(), check_health_repeatedly())
    return waits


async def wait_for_memory(server: Running, before: float) -> float:
    """Wait until the memory is released, at most half a minute. Returns it in megabytes."""
    deadline = time.monotonic() + MEMORY_TIMEOUT_SECONDS
    while resident_mb(server) > before * MAX_MEMORY_RATIO and time.monotonic() < deadline:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.5)
    return resident_mb(server)


async def measure_attack(name: str, server: Running) -> bool:
    """Run an attack and print its row of the table. Returns whether it passed."""
    headers = await warm_up(server.url)
    before = resident_mb(server)
    started = time.monotonic()
    command = [sys.executable, "-m", "bench.attack", "--carry-out", name, server.url]
    attacker = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=ROOT)
    waits = await measure_waits(server.url, attacker, headers)
    seconds = time.monotonic() - started
    assert attacker.stdout is not None
    output = (await attacker.stdout.read()).decode()
    after = await wait_for_memory(server, before)
    hold = read_longest_hold(server.url, ADMIN)
    client_wait, health_wait = max(waits.client), max(waits.health)
    is_good = (
        attacker.returncode == 0
        and client_wait < MAX_SECONDS
        and health_wait < MAX_HEALTH_SECONDS
        and hold <= MAX_HOLD_MS
        and after <= before * MAX_MEMORY_RATIO
        and "Traceback" not in server.log.read_text()
    )
    outcomes = ", ".join(f"{count} x {outcome}" for outcome, count in json.loads(output or "{}").items())
    print(
        f"{name:42}{seconds:7.1f}{client_wait * 1000:8.1f}{health_wait * 1000:8.1f}{hold:6.0f}{before:8.0f}{after:6.0f}"
        f"  {'PASS' if is_good else 'FAIL'}  {outcomes}",
        flush=True,
    )
    return is_good


def run_attack(name: str) -> bool:
    unlimited = {"RATE_LIMIT_COST": "off", "RATE_LIMIT_MUTATIONS": "off"}
    with TemporaryDirectory() as folder, serving(Path(folder), ADMIN_KEY=ADMIN, **unlimited) as server:
        return asyncio.run(measure_attack(name, server))


def main() -> int:
    name_parts = sys.argv[1:]
    names = [name for name in ATTACKS if not name_parts or any(part in name for part in name_parts)]
    print(
        "A fresh server process for each attack. Longest waits beside it, in ms: a small query"
        f" < {MAX_SECONDS * 1000:.0f}, /healthz < {MAX_HEALTH_SECONDS * 1000:.0f}; longest hold of the loop ≤"
        f" {MAX_HOLD_MS}. Memory in MB: afterwards at most {MAX_MEMORY_RATIO:.2f} times as much."
    )
    print(f"{'attack':42}{'seconds':>7}{'query':>8}{'healthz':>8}{'hold':>6}{'before':>8}{'after':>6}")
    results = [run_attack(name) for name in names]
    print(f"{sum(results)} of {len(results)}: {'PASS' if all(results) else 'FAIL'}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    print(json.dumps(ATTACKS[sys.argv[2]](sys.argv[3])))
