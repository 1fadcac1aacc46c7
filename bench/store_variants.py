"""Measure what each optimization of the store saves: the server with all of them against one without it.

`--db pg|sqlite`, `--rounds`, `--only` for the optimizations whose name begins so. The figure is the CPU time of the
server process, which other load on the machine hardly changes; each pair is measured one directly after the other.
"""

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import httpx

from bench import _catalog, _servers
from bench._load import Load, LoadGenerator, start_generator
from bench._measure import measure
from bench._servers import Server, Storage
from bench._store_variants import VARIANTS
from bench.reads import PAGE_QUERY, TINY_QUERY
from bench.writes import PUBLISH
from tessera_gql.store import migration

SCALE = 0.1
MIN_RATIO = 1.10
"""Smallest ratio of CPU time at which an optimization is worth its code."""
PAGE_COUNT, TINY_COUNT, PUBLISH_COUNT = 60, 400, 15
BASE = "all"
TEMPLATES = ("catalog", "empty")
"""The databases that are copied for each variant: for the server and for syncs."""
SERVER_LOADS = ("page", "tiny", "publish")
SYNC_LOADS = ("first sync", "unchanged sync")
CONNECTIONS = {"concurrency limit": 32}
"""Connections of the load where they aren't 8."""
READS = ("page", "tiny")
LOADS = {
    "prepared queries": SERVER_LOADS,
    "statement cache": ("publish", *SYNC_LOADS),
    "idle connections": READS,
    "single statements": ("tiny",),
    "bulk insert": SYNC_LOADS,
    "selected columns": READS,
    "concurrency limit": ("page",),
}
"""The loads that an optimization can change; the others can change all."""


@dataclass(frozen=True)
class Pair:
    """Milliseconds of CPU and requests per second, with and without an optimization."""

    with_cpu: float
    with_rate: float
    without_cpu: float
    without_rate: float


@dataclass
class Variant:
    """The processes that run without one optimization, on databases of their own."""

    server: Server
    sync_command: Sequence[str]
    sync: "subprocess.Popen[str] | None" = None
    """Started when it is needed."""
    published: int = 0
    """Assets to which a contract was published."""

    def measure_syncs(self) -> dict[str, float]:
        """Sync twice and return the milliseconds of CPU of each sync."""
        if self.sync is None:
            pipe = subprocess.PIPE
            self.sync = subprocess.Popen(self.sync_command, stdin=pipe, stdout=pipe, text=True)
        assert self.sync.stdin is not None
        assert self.sync.stdout is not None
        self.sync.stdin.write("\n")
        self.sync.stdin.flush()
        seconds = map(float, self.sync.stdout.readline().split())
        return {load: 1_000 * value for load, value in zip(SYNC_LOADS, seconds, strict=True)}

    def stop_sync(self) -> None:
        if self.sync is not None:
            self.sync.kill()
            self.sync.wait()

    def next_publishes(self, count: int) -> list[str]:
        """Return publishes of a compatible schema to assets that have got none yet."""
        numbers = [number for number in range(10_000) if number % 10 in range(1, 9)][self.published :][:count]
        self.published += count
        inputs = [{"asset": {"fqn": _catalog.fqn(number)}, "schema": _catalog.schema(31)} for number in numbers]
        return [json.dumps({"query": PUBLISH, "variables": {"input": variables}}) for variables in inputs]


@dataclass
class Bench:
    """The running variants and what measures them."""

    storage: Storage
    generator: LoadGenerator
    variants: Mapping[str, Variant]
    tiny_fqn: str
    pairs: dict[tuple[str, str], list[Pair]] = field(default_factory=dict)

    def run_round(self, number: int) -> None:
        """Measure each load of each optimization with and without it, in alternating order; round 0 is a warm-up."""
        for name in [name for name in self.variants if name != BASE]:
            order = (BASE, name) if number % 2 else (name, BASE)
            loads = LOADS.get(name, (*SERVER_LOADS, *SYNC_LOADS))
            for load in [load for load in loads if load in SERVER_LOADS]:
                figures = {variant: self._measure(variant, load, CONNECTIONS.get(name, 8)) for variant in order}
                self._add(number, name, load, Pair(*figures[BASE], *figures[name]))
            if SYNC_LOADS[0] in loads:
                syncs = {variant: self.variants[variant].measure_syncs() for variant in order}
                for load in SYNC_LOADS:
                    self._add(number, name, load, Pair(syncs[BASE][load], 0, syncs[name][load], 0))

    def assert_alike(self) -> None:
        """Assert that all variants return the same data."""
        for body in (json.dumps({"query": PAGE_QUERY}), self._bodies(self.variants[BASE], "tiny")[0]):
            headers = {"Content-Type": "application/json"}
            replies = {
                name: httpx.post(variant.server.url, content=body, headers=headers).json()
                for name, variant in self.variants.items()
            }
            assert "errors" not in replies[BASE], replies[BASE]
            assert all(reply == replies[BASE] for reply in replies.values()), replies

    def _add(self, number: int, name: str, load: str, pair: Pair) -> None:
        print(number, name, load, f"{pair.without_cpu / pair.with_cpu:.2f}", pair, file=sys.stderr, flush=True)
        if number:
            self.pairs.setdefault((name, load), []).append(pair)

    def _measure(self, name: str, load: str, connections: int) -> tuple[float, float]:
        variant = self.variants[name]
        count = {"page": PAGE_COUNT, "tiny": TINY_COUNT, "publish": PUBLISH_COUNT}[load]
        requests = Load(variant.server.port, connections, count, self._bodies(variant, load))
        measurement = measure(variant.server, self.storage, self.generator, requests)
        return measurement.server, measurement.rate

    def _bodies(self, variant: Variant, load: str) -> list[str]:
        match load:
            case "page":
                return [json.dumps({"query": PAGE_QUERY})]
            case "tiny":
                return [json.dumps({"query": TINY_QUERY, "variables": {"fqn": self.tiny_fqn}})]
            case _:
                return variant.next_publishes(PUBLISH_COUNT)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench store_variants", description=__doc__)
    parser.add_argument("--db", choices=("pg", "sqlite"), default="pg")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=600, help="time after which no further round begins")
    parser.add_argument("--only", nargs="*", default=[""], help="beginnings of the names of optimizations")
    options = parser.parse_args()
    names = [BASE, *(name for name in VARIANTS if name != BASE and name.startswith(tuple(options.only)))]
    folder = Path(tempfile.mkdtemp(prefix="tessera-variants-"))
    folder.chmod(0o755)
    try:
        with _servers.start_storage(options.db, folder) as storage, start_generator() as generator:
            urls = [storage.database(template) for template in TEMPLATES]
            for url in urls:
                asyncio.run(migration.upgrade(url))
            catalog = asyncio.run(_catalog.build(urls[0], SCALE))
            with _start_variants(names, storage, folder) as variants:
                bench = Bench(storage, generator, variants, catalog.sample_fqn)
                bench.assert_alike()
                deadline = time.monotonic() + options.seconds
                for number in range(options.rounds + 1):
                    if time.monotonic() < deadline:
                        bench.run_round(number)
            print(f"{storage.version}; {catalog}; at most {options.rounds} rounds.\n\n{format_table(bench.pairs)}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


@contextmanager
def _start_variants(names: Sequence[str], storage: Storage, folder: Path) -> Iterator[dict[str, Variant]]:
    """Start the processes of each variant on copies of the databases."""
    with ExitStack() as stack:
        variants: dict[str, Variant] = {}
        for number, name in enumerate(names):
            catalog, empty = (copy_database(storage, template, f"{template}_{number}") for template in TEMPLATES)
            command = [sys.executable, "-m", "bench._store_variants", name]
            server = replace(_servers.our_server(catalog, folder), command=[*command, "serve"], name=name)
            server.log = folder / f"{number}.log"
            stack.enter_context(_servers.run_servers([server]))
            variants[name] = Variant(server, [*command, "sync", empty])
            stack.callback(variants[name].stop_sync)
        yield variants


def copy_database(storage: Storage, template: str, name: str) -> str:
    """Copy a database to which nothing is connected, and return the URL of the copy."""
    if storage.pid is None:
        folder = Path(storage.location)
        return f"sqlite:///{shutil.copy(folder / f'{template}.db', folder / f'{name}.db')}"
    asyncio.run(_servers.execute(storage.location, f"CREATE DATABASE {name} TEMPLATE {template}"))
    return storage.location.replace("@/postgres", f"@/{name}")


def format_table(pairs: Mapping[tuple[str, str], Sequence[Pair]]) -> str:
    """Format the medians as a Markdown table."""
    lines = [
        "| optimization | load | with | without | ratio | rounds | requests/s | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (name, load), rounds in pairs.items():
        ratios = [pair.without_cpu / pair.with_cpu for pair in rounds]
        costs = [median(pair.with_cpu for pair in rounds), median(pair.without_cpu for pair in rounds)]
        rates = [median(pair.with_rate for pair in rounds), median(pair.without_rate for pair in rounds)]
        verdict = "PASS" if median(ratios) >= MIN_RATIO else "FAIL"
        rate = f"{rates[0]:.0f}, {rates[1]:.0f}" if rates[0] else ""
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        cells = (name, load, f"{costs[0]:.2f} ms", f"{costs[1]:.2f} ms", f"{median(ratios):.2f}", spread, rate, verdict)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
