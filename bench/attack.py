"""A small client beside attackers, on the real server: each attack refused in time, and the client hardly feels it."""

import asyncio
import json
import math
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import httpx
import websockets

from tests.e2e.server import ROOT, serving

ADMIN = "an-administrators-key-for-this-bench"
HEADERS = {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"}
SLOWER = 1.5
ROUNDS = 4
"""Of peace and attack."""
STARTING_SECONDS = 1.5
PAUSE_SECONDS = 0.02
"""Between two questions of the small client."""

ATTACK_PAUSE_SECONDS = 0.1

SOCKETS = 200
LARGE = 20_000_000
CHUNK = b" " * 50_000
INIT_SECONDS = 10.0
"""After which a silent socket is closed."""
QUESTION = b'{"query": "{ viewer { actor } assets(first: 5) { nodes { id } } }"}'


Once = Callable[[httpx.AsyncClient, str], Awaitable[float]]


@dataclass(frozen=True)
class Attack:
    """`once` carries it out, and gives the seconds until it was refused."""

    once: Once
    at_most_seconds: float = 0.05
    window_seconds: float = 1.0


def document(query: str) -> Once:
    """Never the same text twice, so that no refusal is remembered."""

    async def once(client: httpx.AsyncClient, url: str) -> float:
        said = json.dumps({"query": f"{query} # {random.random()}"}).encode()
        return await _refused(client, url, said, 400)

    return once


async def large(_client: httpx.AsyncClient, url: str) -> float:
    """Sends on while it listens, so that it hears the refusal when it comes."""
    place = urlsplit(url)
    lines = (f"{name}: {value}" for name, value in {**HEADERS, "Host": "x", "Content-Length": LARGE}.items())
    head = "\r\n".join((f"POST {place.path} HTTP/1.1", *lines, "", "")).encode()
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection(place.hostname, place.port)

    async def pour() -> None:
        writer.write(head)
        for _ in range(LARGE // len(CHUNK)):
            writer.write(CHUNK)
            await writer.drain()

    pouring = asyncio.create_task(pour())
    status = await reader.readline()
    seconds = time.perf_counter() - started
    if b" 413 " not in status:
        raise AssertionError(f"not refused: {status!r}")
    await pouring
    writer.close()
    return seconds


async def _refused(client: httpx.AsyncClient, url: str, content: bytes, status: int) -> float:
    started = time.perf_counter()
    headers = {**HEADERS, "Accept": "application/graphql-response+json"}
    answer = await client.post(url, content=content, headers=headers)
    seconds = time.perf_counter() - started
    if answer.status_code != status or b'"data"' in answer.content:
        raise AssertionError(f"not refused: {answer.status_code} {answer.text[:200]}")
    return seconds


def bomb() -> str:
    """Doubles 22 times over in 1 kB."""
    fragments = "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(22))
    return "{ ...F0 } " + fragments + "fragment F22 on Query { viewer { actor } }"


def deep(levels: int) -> str:
    return "{ assets { nodes { " + "upstream { nodes { asset { " * levels + "id" + " } } }" * levels + " } } }"


def wide(levels: int) -> str:
    page = "(first: 100) { nodes { "
    return "{ assets" + page + f"owner {{ assets{page}" * (levels - 1) + "id" + " } } }" * (levels - 1) + " } } }"


async def silent(_client: httpx.AsyncClient, url: str) -> float:
    """Sockets that never say `connection_init`: the seconds until the last of them was closed."""
    address = url.replace("http", "ws", 1)
    protocol = [websockets.Subprotocol("graphql-transport-ws")]
    sockets = await asyncio.gather(*(websockets.connect(address, subprotocols=protocol) for _ in range(SOCKETS)))
    started = time.perf_counter()
    async with asyncio.timeout(2 * INIT_SECONDS):
        await asyncio.gather(*(one.wait_closed() for one in sockets))
    if {one.close_code for one in sockets} != {4408}:
        raise AssertionError("not closed for their silence")
    return time.perf_counter() - started


ATTACKS = {
    "a 1 kB fragment bomb": Attack(document(bomb())),
    "50-deep queries": Attack(document(deep(16))),
    "10,000 aliases": Attack(document("{" + " ".join(f"a{n}:__typename" for n in range(10_000)) + "}")),
    "first: 100, nested five times": Attack(document(wide(5))),
    "a 20 MB body": Attack(large),
    f"{SOCKETS} silent sockets": Attack(silent, INIT_SECONDS + 2, INIT_SECONDS + 1),
}


def is_attacked(begin: float, window: float) -> bool:
    """Peace and attack take turns, so that whatever else the machine does is in both."""
    return (time.monotonic() - begin) % (2 * window) >= window


async def attack(name: str, url: str, begin: float) -> None:
    """Prints the seconds that each refusal took."""
    one = ATTACKS[name]
    until = begin + ROUNDS * 2 * one.window_seconds
    async with httpx.AsyncClient(timeout=30) as client:
        await client.post(url, content=QUESTION, headers=HEADERS)
        while time.monotonic() < until:
            if time.monotonic() > begin and is_attacked(begin, one.window_seconds):
                print(await one.once(client, url), flush=True)
            await asyncio.sleep(ATTACK_PAUSE_SECONDS)


async def latencies(one: Attack, url: str, begin: float) -> tuple[list[float], list[float]]:
    """The small client's, one question after the other: those in peace, those under attack."""
    found: tuple[list[float], list[float]] = ([], [])
    async with httpx.AsyncClient(timeout=30) as client:
        while (started := time.monotonic()) < begin + ROUNDS * 2 * one.window_seconds:
            answer = await client.post(url, content=QUESTION, headers=HEADERS)
            if not answer.json().get("data"):
                raise AssertionError(answer.text)
            if started > begin:
                found[is_attacked(begin, one.window_seconds)].append(time.monotonic() - started)
            await asyncio.sleep(PAUSE_SECONDS)
    return found


def attacked(name: str, url: str) -> bool:
    """Prints a row; whether it is as it should be."""
    one, begin = ATTACKS[name], time.monotonic() + STARTING_SECONDS
    command = [sys.executable, "-m", "bench.attack", name, url, str(begin)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as attacker:
        calm, disturbed = map(statistics.median, asyncio.run(latencies(one, url, begin)))
        assert attacker.stdout is not None
        taken = [float(line) for line in attacker.stdout]
    refused, slower = statistics.median(taken) if taken else math.inf, disturbed / calm
    is_good = attacker.returncode == 0 and refused <= one.at_most_seconds and slower <= SLOWER
    print(
        f"{name:30}{len(taken):>6}{refused * 1000:>10.1f} / {one.at_most_seconds * 1000:<6.0f}{calm * 1000:>8.2f}"
        f"{disturbed * 1000:>10.2f}{slower:>8.2f} / {SLOWER}  {'PASS' if is_good else 'FAIL'}",
        flush=True,
    )
    return is_good


def main() -> int:
    print(f"One server process; {1 / ATTACK_PAUSE_SECONDS:.0f} attacks a second at most; medians in ms beside targets.")
    print(f"{'attack':30}{'times':>6}{'refused':>10}{'peace':>17}{'attacked':>10}{'ratio':>8}")
    with TemporaryDirectory() as folder, serving(Path(folder), ADMIN_KEY=ADMIN) as server:
        good = [attacked(name, f"{server.url}/graphql") for name in ATTACKS]
    print("PASS" if all(good) else "FAIL")
    return 0 if all(good) else 1


if __name__ == "__main__":
    asyncio.run(attack(sys.argv[1], sys.argv[2], float(sys.argv[3])))
