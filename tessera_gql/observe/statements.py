"""Times every SQL statement, below the code that asks: on the engines themselves."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from tessera_gql.observe.metrics import Metrics
from tessera_gql.observe.tracing import Tracing


@dataclass(frozen=True)
class Stopwatch:
    """What it notes of a statement lies on the statement's own context."""

    system: str
    metrics: Metrics | None
    tracing: Tracing | None

    def before(self, _connection: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: Any) -> None:
        if context is not None:
            context.tessera_span = self.tracing.statement(statement, self.system) if self.tracing else None
            context.tessera_started = time.perf_counter()

    def after(self, _connection: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: Any) -> None:
        if context is not None:
            self.ended(context, statement)

    def failed(self, found: Any) -> None:
        if hasattr(found.execution_context, "tessera_started"):
            self.ended(found.execution_context, found.statement or "")

    def ended(self, context: Any, statement: str) -> None:
        if self.metrics is not None:
            self.metrics.statement(statement, time.perf_counter() - context.tessera_started)
        if context.tessera_span is not None:
            context.tessera_span.end()


def watch(engine: AsyncEngine, metrics: Metrics | None, tracing: Tracing | None) -> None:
    stopwatch = Stopwatch(engine.dialect.name, metrics, tracing)
    event.listen(engine.sync_engine, "before_cursor_execute", stopwatch.before)
    event.listen(engine.sync_engine, "after_cursor_execute", stopwatch.after)
    event.listen(engine.sync_engine, "handle_error", stopwatch.failed)
