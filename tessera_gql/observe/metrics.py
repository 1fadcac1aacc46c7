"""Prometheus metrics, all of them on this page; labels must have few values, or a client fills the memory.

Several processes on one socket share their figures through files in the folder PROMETHEUS_MULTIPROC_DIR, which must be
named before the first metric is made; whichever process is asked then answers for all.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Generator, Hashable, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar, cast

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.process_collector import ProcessCollector

M = TypeVar("M", Counter, Histogram)

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
MANY_STATEMENTS = 2_000
MANY_NAMES = 100
LONGEST_NAME = 64
OTHER = "other"
VERBS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"})
ROUTES = frozenset({"/graphql", "/healthz", "/readyz", "/metrics"})

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
STATEMENT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
HELD = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """Those of this process; `text` is what Prometheus reads, of all processes that share the folder."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # the package is half typed
        self.is_shared = bool(os.environ.get(FOLDER))
        if self.is_shared and not getattr(values.ValueClass, "_multiprocess", False):
            # Forked from a process that shares nothing.
            values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call] # the package is half typed
        self.registry = registry = CollectorRegistry()
        named = ["operation", "kind"]
        self._operations = Counter(
            "tessera_operations", "GraphQL operations that ended.", [*named, "outcome"], registry=registry
        )
        self._seconds = Histogram(
            "tessera_operation_seconds", "How long queries and mutations took.", named, buckets=QUICK, registry=registry
        )
        self._errors = Counter("tessera_errors", "Errors in answers, by their code.", ["code"], registry=registry)
        self._responses = Counter("tessera_http_responses", "HTTP responses.", ["route", "status"], registry=registry)
        self._statements = Histogram(
            "tessera_statement_seconds", "How long SQL statements took.", ["verb"], buckets=STATEMENT, registry=registry
        )
        self.batches = Histogram(
            "tessera_loader_batch_size", "Keys that a loader asked for at once.", buckets=SIZES, registry=registry
        )
        self._queries = Counter(
            "tessera_executor_queries",
            "Queries by how they were executed: planned, or why graphql-core had to.",
            ["how"],
            registry=registry,
        )
        self.sockets = Gauge(
            "tessera_sockets", "Open websockets and event streams.", registry=registry, multiprocess_mode="livesum"
        )
        self.connections = Gauge(
            "tessera_connections", "Open connections.", registry=registry, multiprocess_mode="livesum"
        )
        self._refusals = Counter(
            "tessera_connections_refused", "Connections refused or cut off.", ["reason"], registry=registry
        )
        self.subscriptions = Gauge(
            "tessera_subscriptions", "Subscriptions under way.", registry=registry, multiprocess_mode="livesum"
        )
        self.relay = Gauge(
            "tessera_relay_sequence",
            "The last event that the slowest process has told its subscribers.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._held = Histogram(
            "tessera_event_loop_held_seconds",
            "For how long nothing else could run, by the wall clock or in processor time of the loop's thread.",
            ["clock"],
            buckets=HELD,
            registry=registry,
        )
        self._process = ProcessCollector(registry=None)
        self._shared: dict[str, Gauge] = {}
        if not self.is_shared:
            registry.register(self._process)
            GCCollector(registry)
        self._names: dict[str, str] = {}
        self._counted: dict[tuple[Counter, str], int] = {}
        self._children: dict[Hashable, Counter | Histogram] = {}
        self._verbs: dict[str, Histogram] = {}
        self.executions = 0
        """Subscriptions that are executed now; several clients may listen to one."""

    def held(self, wall_seconds: float, cpu_seconds: float) -> None:
        """The event loop was held for so long."""
        self._child(self._held, "wall").observe(wall_seconds)
        self._child(self._held, "cpu").observe(cpu_seconds)

    def operation(self, name: str | None, kind: str, outcome: str, seconds: float | None) -> None:
        """`name` is that of a valid document. `seconds` is None for what is not timed: a subscription lasts."""
        shown = self.shown(name)
        self._child(self._operations, shown, kind, outcome).inc()
        if seconds is not None:
            self._child(self._seconds, shown, kind).observe(seconds)

    def error(self, code: str) -> None:
        self._child(self._errors, code).inc()

    def response(self, path: str, status: int) -> None:
        self._child(self._responses, path if path in ROUTES else OTHER, status).inc()

    def executed(self, how: str, total: int) -> None:
        """`total` is that of this process so far."""
        self._count_up(self._queries, how, total)

    def refused(self, reason: str, total: int) -> None:
        """`total` is that of this process so far."""
        self._count_up(self._refusals, reason, total)

    def statement(self, sql: str, seconds: float) -> None:
        if (found := self._verbs.get(sql)) is None:
            found = self._verbs[sql] = self._child(self._statements, verb(sql))
            if len(self._verbs) > MANY_STATEMENTS:
                self._verbs.clear()
        found.observe(seconds)

    def _count_up(self, metric: Counter, label: str, total: int) -> None:
        key = (metric, label)
        self._child(metric, label).inc(total - self._counted.get(key, 0))
        self._counted[key] = total

    def _child(self, metric: M, *labels: str | int) -> M:
        """Remembered, because to find a series by its labels takes longer than to count in it."""
        key = (metric, labels)
        if (found := self._children.get(key)) is None:
            found = self._children[key] = metric.labels(*labels)
        return cast("M", found)

    def shown(self, name: str | None) -> str:
        """The first hundred names that come; the others are one."""
        if name is None:
            return "anonymous"
        if (known := self._names.get(name)) is not None:
            return known
        if len(name) > LONGEST_NAME or len(self._names) >= MANY_NAMES:
            return OTHER
        return self._names.setdefault(name, name)

    def share(self) -> None:
        """Writes down what others can't see of this process: its memory, CPU and files."""
        for metric in self._process.collect():
            for sample in metric.samples:
                if (gauge := self._shared.get(sample.name)) is None:
                    gauge = Gauge(
                        sample.name, metric.documentation, registry=self.registry, multiprocess_mode="liveall"
                    )
                    self._shared[sample.name] = gauge
                gauge.set(sample.value)

    async def text(self, *more: CollectorRegistry) -> bytes:
        """In a thread, because many series take a while to write."""
        return await asyncio.to_thread(self._text, more)

    def _text(self, more: Iterable[CollectorRegistry]) -> bytes:
        registry = self.registry
        if self.is_shared:
            folder = Path(os.environ[FOLDER])
            _bury(folder)
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call] # as above
        return b"".join(generate_latest(one) for one in (registry, *more))


@contextmanager
def shared() -> Generator[None]:
    """For the processes started inside: a folder of their own, unless the environment names one."""
    if os.environ.get(FOLDER):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="tessera-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER]


def verb(sql: str) -> str:
    word = sql.lstrip()[:7].partition(" ")[0].upper()
    return word if word in VERBS else OTHER


def _bury(folder: Path) -> None:
    """Forgets the gauges of processes that are no more; their counters still count."""
    for file in folder.glob("gauge_live*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdecimal() and not _is_alive(int(pid)):
            with suppress(FileNotFoundError):
                mark_process_dead(int(pid), str(folder))  # type: ignore[no-untyped-call] # as above


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
