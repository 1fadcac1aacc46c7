"""Times every SQL statement, below the code that asks."""

from __future__ import annotations

from tessera_gql.observe.metrics import Metrics
from tessera_gql.observe.tracing import Tracing
from tessera_gql.store.drivers import Watch


def stopwatch(system: str, metrics: Metrics | None, tracing: Tracing | None) -> Watch:
    def ended(statement: str, seconds: float) -> None:
        if metrics is not None:
            metrics.statement(statement, seconds)
        if tracing is not None:
            tracing.statement(statement, system, seconds)

    return ended
