"""Attacks on the real server, each on a fresh one, while a second client measures.

`python -m bench attack [WORD …]`: those whose names contain one of the words. Each must be refused or answered; the
second client's small query never takes 100 ms, `/healthz` never a second, and the memory of the server process comes
back to within a tenth of what it was before.
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
from tests.e2e.server import ROOT, Running, serving

QUESTION = b'{"query": "{ viewer { actor } assets(first: 5) { nodes { id } } }"}'
MOST_SECONDS = 0.1
MOST_HEALTH_SECONDS = 1.0
MOST_MEMORY = 1.10
SETTLING_SECONDS = 30.0
"""For the memory to come back."""
PAUSE_SECONDS = 0.02
"""Between two questions of the second client."""
WARM_UP = 300


@dataclass
class Waits:
    """How long the second client and the health check waited, in seconds."""

    second: list[float] = field(default_factory=list[float])
    health: list[float] = field(default_factory=list[float])


def resident_mb(server: Running) -> float:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


SECOND = """mutation {
  createTeam(input: { name: "second" }) { errors { message } }
  createApiKey(input: { name: "second", team: { name: "second" }, scopes: [READ] }) { token errors { message } }
}"""


async def warm_up(url: str) -> dict[str, str]:
    """Usual clients have been served before, with small and large answers, and a comparison was made.

    Returns the headers of another team's client.
    """
    old, new = ({"properties": {name: {"pattern": "a"}}} for name in "ab")
    diff = {
        "query": "query($o: JSON!, $n: JSON!) { diffSchemas(old: $o, new: $n) { bump } }",
        "variables": {"o": old, "n": new},
    }
    async with httpx.AsyncClient(timeout=30, headers=HEADERS) as client:
        for _ in range(WARM_UP):
            await client.post(f"{url}/graphql", content=QUESTION)
        await client.post(f"{url}/graphql", json=diff)
        for query, variables in LARGE:
            await client.post(f"{url}/graphql", json={"query": query, "variables": variables})
        for _ in range(10):
            await asyncio.gather(*(client.post(f"{url}/graphql", json={"query": READ_LARGE}) for _ in range(4)))
        answer = (await client.post(f"{url}/graphql", json={"query": SECOND})).json()
    return HEADERS | {"Authorization": f"Bearer {answer['data']['createApiKey']['token']}"}


async def watched(url: str, attacker: asyncio.subprocess.Process, headers: dict[str, str]) -> Waits:
    """One question after the other, until the attack is over."""
    waits = Waits()
    over = asyncio.create_task(attacker.wait())

    async def ask() -> None:
        async with httpx.AsyncClient(timeout=60, headers=headers) as client:
            while not over.done():
                started = time.perf_counter()
                answer = await client.post(f"{url}/graphql", content=QUESTION)
                waits.second.append(time.perf_counter() - started)
                assert answer.json().get("data"), answer.text
                await asyncio.sleep(PAUSE_SECONDS)

    async def check() -> None:
        while not over.done():
            async with httpx.AsyncClient(timeout=60) as client:  # as a probe does: over a new connection
                started = time.perf_counter()
                answer = await client.get(f"{url}/healthz")
                waits.health.append(time.perf_counter() - started)
                assert answer.status_code == 200, answer.text
            await asyncio.sleep(0.25)

    await asyncio.gather(ask(), check())
    return waits


async def settled(server: Running, before: float) -> float:
    """The memory once it is back, or after a while."""
    ends = time.monotonic() + SETTLING_SECONDS
    while resident_mb(server) > before * MOST_MEMORY and time.monotonic() < ends:  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(0.5)
    return resident_mb(server)


async def attacked(name: str, server: Running) -> bool:
    """Prints a row; whether it is as it should be."""
    headers = await warm_up(server.url)
    before = resident_mb(server)
    started = time.monotonic()
    command = [sys.executable, "-m", "bench.attack", "--carry-out", name, server.url]
    attacker = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=ROOT)
    waits = await watched(server.url, attacker, headers)
    seconds = time.monotonic() - started
    assert attacker.stdout is not None
    said = (await attacker.stdout.read()).decode()
    after = await settled(server, before)
    second, health = max(waits.second), max(waits.health)
    is_good = (
        attacker.returncode == 0
        and second < MOST_SECONDS
        and health < MOST_HEALTH_SECONDS
        and after <= before * MOST_MEMORY
        and "Traceback" not in server.log.read_text()
    )
    outcomes = ", ".join(f"{count} x {what}" for what, count in json.loads(said or "{}").items())
    print(
        f"{name:42}{seconds:7.1f}{second * 1000:8.1f}{health * 1000:8.1f}{before:8.0f}{after:6.0f}"
        f"  {'PASS' if is_good else 'FAIL'}  {outcomes}",
        flush=True,
    )
    return is_good


def fresh(name: str) -> bool:
    unlimited = {"RATE_LIMIT_COST": "off", "RATE_LIMIT_MUTATIONS": "off"}
    with TemporaryDirectory() as folder, serving(Path(folder), ADMIN_KEY=ADMIN, **unlimited) as server:
        return asyncio.run(attacked(name, server))


def main() -> int:
    words = sys.argv[1:]
    chosen = [name for name in ATTACKS if not words or any(word in name for word in words)]
    print(
        "A fresh server process for each attack. Longest waits beside it, in ms: a small query"
        f" < {MOST_SECONDS * 1000:.0f}, /healthz < {MOST_HEALTH_SECONDS * 1000:.0f}. Memory in MB: afterwards at most"
        f" {MOST_MEMORY:.2f} times as much."
    )
    print(f"{'attack':42}{'seconds':>7}{'query':>8}{'healthz':>8}{'before':>8}{'after':>6}")
    good = [fresh(name) for name in chosen]
    print(f"{sum(good)} of {len(good)}: {'PASS' if all(good) else 'FAIL'}")
    return 0 if all(good) else 1


if __name__ == "__main__":
    print(json.dumps(ATTACKS[sys.argv[2]](sys.argv[3])))
