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
from bench._read_shapes import PAGE_QUERY, TINY_QUERY
from bench._servers import Server, Storage
from bench._store_variants import VARIANTS
from bench.writes import PUBLISH
from tessera_gql.store import migration

SCALE = 0.1
MIN_RATIO = 1.10
"""Smallest ratio of CPU time at which an optimization is worth its code."""
PAGE_COUNT, TINY_COUNT, PUBLISH_COUNT = 60, 400, 15
WARM_UP_COUNT = 60
"""First publishes to a server, after which it has most comparisons of schemas in its cache."""
BASE = "all"
TEMPLATES = ("catalog", "empty")
"""The databases that are copied for each variant: for the server and for syncs."""
SERVER_LOADS = ("page", "tiny", "publish")
SYNC_LOADS = ("first sync", "unchanged sync")
CONNECTIONS = {"concurrency limit": 32}
"""Connections of the load where they aren't 8."""
READS = ("page", "tiny")
LOADS = {
    "statement cache": ("publish", *SYNC_LOADS),
    "text to drivers": (*READS, "publish", *SYNC_LOADS),
    "lazy JSON": (*READS, *SYNC_LOADS),
    "lazy rows": (*READS, *SYNC_LOADS),
    "single statements": ("tiny",),
    "bulk insert": SYNC_LOADS,
    "concurrency limit": ("page",),
}
"""The loads that an optimization can change; the others change reads."""


@dataclass(frozen=True)
class Cost:
    """Milliseconds of CPU of the server and of the database, and seconds, for one request or sync."""

    server: float
    database: float
    seconds: float


@dataclass(frozen=True)
class Pair:
    """The costs with and without an optimization."""

    baseline: Cost
    variant: Cost


@dataclass
class Variant:
    """The processes that run without one optimization, on databases of their own."""

    server: Server
    sync_command: Sequence[str]
    sync: "subprocess.Popen[str] | None" = None
    """Started when it is needed."""
    published: int = 0
    """Assets to which a contract was published."""

    @property
    def cpu_milliseconds(self) -> float:
        """CPU time of the server's threads; the ticks of the process's own accounting are too coarse."""
        assert self.server.process is not None
        threads = Path(f"/proc/{self.server.process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e6

    def measure_sync(self, load: str) -> tuple[float, float]:
        """Sync and return the milliseconds of CPU and the seconds."""
        if self.sync is None:
            pipe = subprocess.PIPE
            self.sync = subprocess.Popen(self.sync_command, stdin=pipe, stdout=pipe, text=True)
        assert self.sync.stdin is not None
        assert self.sync.stdout is not None
        self.sync.stdin.write(load + "\n")
        self.sync.stdin.flush()
        cpu, seconds = map(float, self.sync.stdout.readline().split())
        return 1_000 * cpu, seconds

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
            for load in LOADS.get(name, READS):
                costs = {variant: self._measure(variant, load, CONNECTIONS.get(name, 8)) for variant in order}
                if number:
                    self.pairs.setdefault((name, load), []).append(Pair(costs[BASE], costs[name]))

    def assert_alike(self) -> None:
        """Assert that all variants return the same data."""
        for body in (json.dumps({"query": PAGE_QUERY}), self._bodies(self.variants[BASE], "tiny")[0]):
            headers = {"Content-Type": "application/json"}
            replies = {
                name: httpx.post(variant.server.url, content=body, headers=headers).json()
                for name, variant in self.variants.items()
            }
            assert "errors" not in replies[BASE], replies[BASE]
            assert len(replies[BASE]["data"].get("assets", {}).get("nodes", range(50))) == 50, replies[BASE]
            assert all(reply == replies[BASE] for reply in replies.values()), replies

    def _measure(self, name: str, load: str, connections: int) -> Cost:
        variant, database_before = self.variants[name], self.storage.cpu
        if load in SYNC_LOADS:
            server, seconds = variant.measure_sync(load)
            count = 1
        else:
            bodies = self._bodies(variant, load)
            count = {"page": PAGE_COUNT, "tiny": TINY_COUNT, "publish": len(bodies)}[load]
            cpu_before = variant.cpu_milliseconds
            seconds = self.generator.measure_seconds(Load(variant.server.port, connections, count, bodies))
            server = variant.cpu_milliseconds - cpu_before
        return Cost(server / count, 1_000 * (self.storage.cpu - database_before) / count, seconds / count)

    def _bodies(self, variant: Variant, load: str) -> list[str]:
        match load:
            case "page":
                return [json.dumps({"query": PAGE_QUERY})]
            case "tiny":
                return [json.dumps({"query": TINY_QUERY, "variables": {"fqn": self.tiny_fqn}})]
            case _:
                return variant.next_publishes(PUBLISH_COUNT if variant.published else WARM_UP_COUNT)


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
    """Format the figures as a Markdown table; the database's CPU of an unchanged sync includes the first one's."""
    head = ("optimization", "load", "with", "without", "ratio", "rounds", "of the minima", "database", "per second", "")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for (name, load), rounds in pairs.items():
        lines.append("| " + " | ".join((name, load, *_format_cells(rounds))) + " |")
    return "\n".join(lines)


def _format_cells(rounds: Sequence[Pair]) -> Iterator[str]:
    """Format medians, and a verdict: other load on the machine only adds CPU time, so the minima must agree."""
    baseline, variant = [pair.baseline for pair in rounds], [pair.variant for pair in rounds]
    yield f"{median(cost.server for cost in baseline):.2f} ms"
    yield f"{median(cost.server for cost in variant):.2f} ms"
    ratios = [pair.variant.server / pair.baseline.server for pair in rounds]
    of_minima = min(cost.server for cost in variant) / min(cost.server for cost in baseline)
    yield f"{median(ratios):.2f}"
    yield f"{min(ratios):.2f} to {max(ratios):.2f}"
    yield f"{of_minima:.2f}"
    database = [median(cost.database for cost in costs) for costs in (baseline, variant)]
    yield f"{database[0]:.2f}, {database[1]:.2f} ms" if database[1] else ""
    yield ", ".join(f"{1 / median(cost.seconds for cost in costs):.0f}" for costs in (baseline, variant))
    match median(ratios) >= MIN_RATIO, of_minima >= MIN_RATIO:
        case True, True:
            yield "PASS"
        case False, False:
            yield "FAIL"
        case _:
            yield "INCONCLUSIVE"
