"""Times every SQL statement, below the code that asks."""

from __future__ import annotations

import time
from collections.abc import Callable

from tessera_gql.observe.metrics import Metrics
from tessera_gql.observe.tracing import Tracing
from tessera_gql.store.drivers import Watch


def stopwatch(system: str, metrics: Metrics | None, tracing: Tracing | None) -> Watch:
    def begun(statement: str) -> Callable[[], None]:
        span = tracing.statement(statement, system) if tracing else None
        started = time.perf_counter()

        def ended() -> None:
            if metrics is not None:
                metrics.statement(statement, time.perf_counter() - started)
            if span is not None:
                span.end()

        return ended

    return begun
