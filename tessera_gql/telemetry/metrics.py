"""Prometheus metrics. A label must have few values, or a client could fill the memory.

Several processes on one socket share their metrics through files in the folder PROMETHEUS_MULTIPROC_DIR, which must be
set before the first metric is created; each process then responds for all.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Generator, Hashable, Iterable
from contextlib import contextmanager, suppress
from functools import partial
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

from tessera_gql.errors import Invalid

M = TypeVar("M", Counter, Histogram)

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
MAX_STATEMENTS = 2_000
MAX_OPERATION_NAMES = 100
MAX_NAME_LENGTH = 64
OTHER = "other"
STATEMENT_VERBS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"})
ROUTES = frozenset({"/graphql", "/schema.graphql", "/healthz", "/readyz", "/metrics"})

OPERATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
STATEMENT_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
LOOP_CLOCKS = ("wall", "cpu")
LOOP_BLOCK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
BATCH_SIZE_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """The metrics of this process. `render` includes all processes that share the folder."""

    running_subscriptions = 0
    """Number of subscriptions being executed; several clients may share one."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # the package is half typed
        self.is_shared = bool(os.environ.get(SHARED_FOLDER))
        if self.is_shared and not getattr(values.ValueClass, "_multiprocess", False):
            # This process was forked from one that imported the library without the folder.
            values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call] # the package is half typed
        self.registry = registry = CollectorRegistry()
        counter, histogram = partial(Counter, registry=registry), partial(Histogram, registry=registry)
        gauge = partial(Gauge, registry=registry, multiprocess_mode="livesum")
        self._operations = counter(
            "tessera_operations", "GraphQL operations that ended.", ["operation", "kind", "outcome"]
        )
        self._operation_seconds = histogram(
            "tessera_operation_seconds",
            "How long queries and mutations took.",
            ["operation", "kind"],
            buckets=OPERATION_BUCKETS,
        )
        self._errors = counter("tessera_errors", "Errors in answers, by their code.", ["code"])
        self._responses = counter("tessera_http_responses", "HTTP responses.", ["route", "status"])
        self._statements = histogram(
            "tessera_statement_seconds", "How long SQL statements took.", ["verb"], buckets=STATEMENT_BUCKETS
        )
        self.batches = histogram(
            "tessera_loader_batch_size", "Keys that a loader asked for at once.", buckets=BATCH_SIZE_BUCKETS
        )
        self.executed_queries = counter(
            "tessera_executor_queries",
            "Queries by execution: planned, with a pushdown, or the reason why graphql-core executed them.",
            ["how"],
        )
        self.sockets = gauge("tessera_sockets", "Open websockets and event streams.")
        self.connections = gauge("tessera_connections", "Open connections.")
        self.refused_connections = counter("tessera_connections_refused", "Connections refused or cut off.", ["reason"])
        self.subscriptions = gauge("tessera_subscriptions", "Subscriptions under way.")
        self.relay = gauge(
            "tessera_relay_sequence",
            "Sequence of the last event that the slowest process has passed to its subscribers.",
            multiprocess_mode="livemin",
        )
        self._loop_blocks = LoopBlockMetrics(registry)
        self._process_collector = ProcessCollector(registry=None)
        self._shared_gauges: dict[str, Gauge] = {}
        if not self.is_shared:
            registry.register(self._process_collector)
            GCCollector(registry)
        self._operation_names: dict[str, str] = {}
        self._totals: dict[tuple[Counter, str], int] = {}
        self._series: dict[Hashable, Counter | Histogram] = {}
        self._histograms_by_statement: dict[str, Histogram] = {}

    def record_loop_block(self, wall_seconds: float, cpu_seconds: float) -> None:
        self._loop_blocks.record("wall", wall_seconds)
        self._loop_blocks.record("cpu", cpu_seconds)

    def record_operation(self, name: str | None, kind: str, outcome: str, seconds: float | None) -> None:
        """Record an operation. `name` must come from a valid document; `seconds` is None for a subscription."""
        label = self.operation_label(name)
        self._with_labels(self._operations, label, kind, outcome).inc()
        if seconds is not None:
            self._with_labels(self._operation_seconds, label, kind).observe(seconds)

    def count_error(self, code: str) -> None:
        self._with_labels(self._errors, code).inc()

    def count_response(self, path: str, status: int) -> None:
        self._with_labels(self._responses, path if path in ROUTES else OTHER, status).inc()

    def record_statement(self, sql: str, seconds: float) -> None:
        if (histogram := self._histograms_by_statement.get(sql)) is None:
            histogram = self._histograms_by_statement[sql] = self._with_labels(self._statements, statement_verb(sql))
            if len(self._histograms_by_statement) > MAX_STATEMENTS:
                self._histograms_by_statement.clear()
        histogram.observe(seconds)

    def set_total(self, metric: Counter, label: str, total: int) -> None:
        """Increase the counter of this process to a total that is counted elsewhere."""
        key = (metric, label)
        self._with_labels(metric, label).inc(total - self._totals.get(key, 0))
        self._totals[key] = total

    def _with_labels(self, metric: M, *labels: str | int) -> M:
        """Return the series of some labels; cached, because `metric.labels` takes longer than counting."""
        key = (metric, labels)
        if (series := self._series.get(key)) is None:
            series = self._series[key] = metric.labels(*labels)
        return cast("M", series)

    def operation_label(self, name: str | None) -> str:
        """Return the label of an operation name. Beyond a hundred names all further ones share a label."""
        if name is None:
            return "anonymous"
        if (known_name := self._operation_names.get(name)) is not None:
            return known_name
        if len(name) > MAX_NAME_LENGTH or len(self._operation_names) >= MAX_OPERATION_NAMES:
            return OTHER
        return self._operation_names.setdefault(name, name)

    def publish_process_metrics(self) -> None:
        """Publish memory, CPU and files of this process, which other processes can't read."""
        for metric in self._process_collector.collect():
            for sample in metric.samples:
                if (gauge := self._shared_gauges.get(sample.name)) is None:
                    gauge = Gauge(
                        sample.name, metric.documentation, registry=self.registry, multiprocess_mode="liveall"
                    )
                    self._shared_gauges[sample.name] = gauge
                gauge.set(sample.value)

    async def render(self, *other_registries: CollectorRegistry) -> bytes:
        """Render all metrics as text, in a thread, because many series take a while."""
        return await asyncio.to_thread(self._render, other_registries)

    def _render(self, other_registries: Iterable[CollectorRegistry]) -> bytes:
        registry = self.registry
        if self.is_shared:
            folder = Path(os.environ[SHARED_FOLDER])
            _remove_dead_processes(folder)
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call] # as above
        return b"".join(generate_latest(source) for source in (registry, *other_registries))


class LoopBlockMetrics:
    """The durations of blocks of the event loop by clock, and the longest one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        durations = Histogram(
            "tessera_event_loop_held_seconds",
            "For how long nothing else could run, by the wall clock or in processor time of the loop's thread.",
            ["clock"],
            registry=registry,
            buckets=LOOP_BLOCK_BUCKETS,
        )
        longest = Gauge(
            "tessera_event_loop_longest_held_seconds",
            "The longest time since the start of the process that nothing else could run, by the same clocks.",
            ["clock"],
            registry=registry,
            multiprocess_mode="liveall",
        )
        self._durations = {clock: durations.labels(clock) for clock in LOOP_CLOCKS}
        self._longest = {clock: longest.labels(clock) for clock in LOOP_CLOCKS}
        self._longest_seconds: dict[str, float] = dict.fromkeys(LOOP_CLOCKS, 0.0)

    def record(self, clock: str, seconds: float) -> None:
        self._durations[clock].observe(seconds)
        if seconds > self._longest_seconds[clock]:
            self._longest_seconds[clock] = seconds
            self._longest[clock].set(seconds)


@contextmanager
def shared_metrics_folder() -> Generator[None]:
    """Set a temporary shared folder for child processes, unless the environment has one."""
    if folder := os.environ.get(SHARED_FOLDER):
        if not os.access(folder, os.W_OK | os.X_OK) or not Path(folder).is_dir():
            raise Invalid(
                f"{SHARED_FOLDER} names {folder}, which is no folder that this process can write. Create it, or leave"
                " the variable out: the server then makes a temporary one."
            )
        yield
        return
    with tempfile.TemporaryDirectory(prefix="tessera-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ[SHARED_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[SHARED_FOLDER]


def statement_verb(sql: str) -> str:
    keyword = sql.lstrip()[:7].partition(" ")[0].upper()
    return keyword if keyword in STATEMENT_VERBS else OTHER


def _remove_dead_processes(folder: Path) -> None:
    """Remove the gauges of ended processes; their counters stay in the totals."""
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
