"""Measure one event to many sockets: executed once for all, against once for each subscriber.

`--sockets 1000,10000`, `--rounds`, `--events`. Both variants use the real server, with the same sockets and events, in
turns; the second one is left out above a thousand sockets. The listeners are a separate process. CPU time is that of
the server, less its CPU time for the same publishes without listeners. Latency is from before the publish until a
socket has received the event.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from bench import _servers
from bench._figures import Figure
from bench._holds import hold_figure, read_longest_hold
from bench._memory import resident
from bench._results import report
from bench._servers import Server
from tessera_gql.store import migration

MAX_OWN_SOCKETS = 1_000
"""Most sockets whose subscriptions are also executed one by one."""
MAX_RATIO, MAX_KIB = 0.1, 32
MAX_P99_MS, MAX_P99_OF_MANY_MS = 60, 250
QUERY = "subscription { events { cursor sequence kind actor payload asset { fqn } } }"
CREATE_TEAM = "mutation($input: CreateTeamInput!) { createTeam(input: $input) { errors { message } } }"
SETTLING_SECONDS = 2.0


@dataclass(frozen=True)
class Round:
    """CPU per delivery in microseconds, milliseconds until each socket has an event, and KiB of memory per socket."""

    cpu: float
    p50: float
    p99: float
    kib_per_socket: float


@dataclass
class Rounds:
    """The rounds with a number of sockets, by variant, and the longest hold of the loop in each server."""

    sockets: int
    shared: list[Round] = field(default_factory=list[Round])
    own: list[Round] = field(default_factory=list[Round])
    hold: float = 0.0

    def figures(self) -> Iterator[Figure]:
        name = f"{self.sockets:,} sockets"
        if self.own:
            ratios = [shared.cpu / own.cpu for shared, own in zip(self.shared, self.own, strict=True)]
            yield Figure(f"{name}, CPU per delivery against an execution each", ratios, "x", at_most=MAX_RATIO)
        limit = MAX_P99_MS if self.sockets <= MAX_OWN_SOCKETS else MAX_P99_OF_MANY_MS
        yield Figure(f"{name}, publish to arrival, p99", [item.p99 for item in self.shared], "ms", at_most=limit)
        yield Figure(f"{name}, memory of a socket", [self.shared[0].kib_per_socket], "KiB", at_most=MAX_KIB)
        yield Figure(f"{name}, publish to arrival, p50", [item.p50 for item in self.shared], "ms")
        yield Figure(f"{name}, CPU per delivery", [item.cpu for item in self.shared], "µs")
        if self.own:
            yield Figure(f"{name}, CPU per delivery, executed for each", [item.cpu for item in self.own], "µs")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench fanout", description=__doc__)
    parser.add_argument("--sockets", default="1000,10000", help="the numbers of sockets, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=10, help="events in a round")
    options = parser.parse_args()
    sizes = [_measure(int(size), options.rounds, options.events) for size in options.sockets.split(",")]
    figures = [figure for size in sizes for figure in size.figures()]
    load = f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    about = f"{options.events} events in each of {options.rounds} rounds; {load}."
    return report("Fan-out", about, [*figures, hold_figure(*(size.hold for size in sizes))])


def _measure(sockets: int, rounds: int, events: int) -> Rounds:
    """Run the rounds with a server of their own."""
    result = Rounds(sockets)
    connections = {"LIMIT_CONNECTIONS": str(sockets + 500), "LIMIT_ADDRESS_CONNECTIONS": str(sockets + 500)}
    with _servers.temporary_folder() as folder:
        url = f"sqlite:///{folder / 'tessera.db'}"
        asyncio.run(migration.upgrade(url))
        server = _servers.our_server(url, folder, **connections, RATE_LIMIT_MUTATIONS="off", RATE_LIMIT_COST="off")
        with _servers.run_servers([server]), httpx.Client(trust_env=False, timeout=60) as client:
            publishes = _Publishes(server, client)
            publishes.publish("warm", events)
            for number in range(rounds):
                print(f"{sockets:,} sockets, round {number + 1} of {rounds}", flush=True)
                unheard = -_cpu(server)
                publishes.publish(f"unheard {number}", events)
                unheard += _cpu(server)
                result.shared.append(_round(publishes, "shared", (sockets, events, number), unheard))
                if sockets <= MAX_OWN_SOCKETS:
                    result.own.append(_round(publishes, "own", (sockets, events, number), unheard))
            result.hold = read_longest_hold(server.url)
    return result


def _round(publishes: "_Publishes", kind: str, numbers: tuple[int, int, int], unheard: float) -> Round:
    """Publish one event at a time, so that latency is that of the fan-out and not of a queue."""
    sockets, events, number = numbers
    server = publishes.server
    before = _memory(server)
    arguments = ("-m", "bench._listeners", str(server.port), str(sockets), QUERY, kind)
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE) as listeners:
        try:
            _read_message(listeners)
            time.sleep(SETTLING_SECONDS)
            kib = (_memory(server) - before) / sockets
            publishes.publish(f"{kind} {number} first", 1)  # compiles what a subscription executes
            _read_message(listeners)
            latencies: list[float] = []
            cpu = -_cpu(server) - unheard
            for event in range(events):
                started_at = time.monotonic()
                publishes.publish(f"{kind} {number} {event}", 1)
                latencies += [1_000 * (arrived_at - started_at) for arrived_at in _read_message(listeners)]
            cpu += _cpu(server)
        finally:
            listeners.kill()
    time.sleep(SETTLING_SECONDS)
    cut = statistics.quantiles(latencies, n=100)
    return Round(cpu * 1e6 / (sockets * events), cut[49], cut[98], kib)


def _read_message(listeners: "subprocess.Popen[bytes]") -> Any:
    assert listeners.stdout is not None
    return orjson.loads(listeners.stdout.readline())


@dataclass
class _Publishes:
    """Publishes the smallest possible events, and waits for each reply."""

    server: Server
    client: httpx.Client

    def publish(self, name: str, count: int) -> None:
        for number in range(count):
            body = {"query": CREATE_TEAM, "variables": {"input": {"name": f"{name} {number}"}}}
            reply = self.client.post(self.server.url, json=body)
            assert reply.json() == {"data": {"createTeam": {"errors": []}}}, reply.text


def _cpu(server: Server) -> float:
    """Return the CPU seconds of all threads, by the scheduler's accounting."""
    assert server.process is not None
    tasks = Path(f"/proc/{server.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _memory(server: Server) -> float:
    """Return the resident memory in KiB."""
    assert server.process is not None
    return resident([server.process.pid]) * 1_024


if __name__ == "__main__":
    sys.exit(main())
