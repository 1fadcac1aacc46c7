"""Record the duration of every SQL statement."""

from __future__ import annotations

from tessera_gql.store.connections import StatementObserver
from tessera_gql.telemetry.metrics import Metrics
from tessera_gql.telemetry.tracing import Tracing


def statement_observer(system: str, metrics: Metrics | None, tracing: Tracing | None) -> StatementObserver:
    """Return a callback for the database that records statements in metrics and traces."""

    def observe(statement: str, seconds: float) -> None:
        if metrics is not None:
            metrics.record_statement(statement, seconds)
        if tracing is not None:
            tracing.statement(statement, system, seconds)

    return observe
