"""Set up telemetry, and serve `/metrics`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tessera_gql.auth import InvalidCredential
from tessera_gql.errors import Unavailable
from tessera_gql.notifications.event_relay import EventRelay
from tessera_gql.server.transport import Transport
from tessera_gql.store import counts as backlog
from tessera_gql.store.database import Database
from tessera_gql.telemetry.logs import RequestLogger
from tessera_gql.telemetry.metrics import Metrics
from tessera_gql.telemetry.operations import OperationObserver
from tessera_gql.telemetry.request_log import LoggedRequest
from tessera_gql.telemetry.tracing import Tracing

SAMPLE_INTERVAL_SECONDS = 1.0
COUNT_TIMEOUT_SECONDS = 2.0
"""Timeout of the database metrics. After it, the response has only the metrics of the process."""

Authorize: TypeAlias = Callable[[str | None], Awaitable[bool]]
"""Decides whether the value of `Authorization` may read the metrics. Raises InvalidCredential."""


@dataclass(frozen=True)
class Telemetry:
    """Logs, metrics and traces of the server; metrics and traces are optional."""

    request_logger: RequestLogger
    metrics: Metrics | None = None
    tracing: Tracing | None = None

    @property
    def operation_observer(self) -> OperationObserver:
        return OperationObserver(self.request_logger.log_operation, self.metrics, self.tracing)

    @property
    def batch_size_observer(self) -> Callable[[int], None] | None:
        return self.metrics.batches.observe if self.metrics else None

    def record_loop_block(self, wall_seconds: float, cpu_seconds: float) -> None:
        if self.metrics is not None:
            self.metrics.record_loop_block(wall_seconds, cpu_seconds)

    def observe_statements(self, database: Database) -> None:
        """Record the duration of every SQL statement in metrics and traces."""
        metrics, tracing, system = self.metrics, self.tracing, database.dialect

        def observe(statement: str, seconds: float) -> None:
            if metrics is not None:
                metrics.record_statement(statement, seconds)
            if tracing is not None:
                tracing.statement(statement, system, seconds)

        if metrics is not None or tracing is not None:
            database.observe_statements(observe)

    def record_request(self, request: LoggedRequest, seconds: float) -> None:
        if self.metrics is not None and request.kind == "http":
            self.metrics.count_response(request.path, request.status)
        self.request_logger.log_request(request, seconds)

    async def close(self) -> None:
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)


@dataclass(frozen=True)
class MetricsEndpoint:
    """Endpoint `/metrics`. With several processes, each must run `keep`, because one responds for all."""

    metrics: Metrics
    database: Database
    event_relay: EventRelay
    transport: Transport
    authorize: Authorize

    async def respond(self, request: Request) -> Response:
        try:
            if not await self.authorize(request.headers.get("authorization")):
                return PlainTextResponse("Metrics need METRICS_KEY, or a key with the scope ADMIN.\n", 403)
        except InvalidCredential as error:
            return PlainTextResponse(f"{error}\n", 401, {"WWW-Authenticate": "Bearer"})
        except Unavailable as error:
            return PlainTextResponse(f"{error.message}\n", 503)
        self.sample()
        body = await self.metrics.render(await self._database_metrics())
        return PlainTextResponse(body, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    async def sample_continuously(self) -> None:
        """Sample the gauges once a second until cancelled."""
        while True:
            self.sample()
            await asyncio.sleep(SAMPLE_INTERVAL_SECONDS)

    def sample(self) -> None:
        self.metrics.sockets.set(len(self.transport.open_streams))
        self.metrics.connections.set(len(self.transport.connection_limiter.open))
        for reason, total in self.transport.connection_limiter.refusals.items():
            self.metrics.set_total(self.metrics.refused_connections, reason, total)
        self.metrics.subscriptions.set(self.metrics.running_subscriptions + self.transport.broadcaster.shared_listeners)
        self.metrics.relay.set(self.event_relay.position)
        counts = self.transport.executor_counts
        self.metrics.set_total(self.metrics.executed_queries, "planned", counts.planned - counts.pushed_down)
        self.metrics.set_total(self.metrics.executed_queries, "pushdown", counts.pushed_down)
        for fallback, total in counts.fallbacks.items():
            self.metrics.set_total(self.metrics.executed_queries, fallback.value, total)
        if self.metrics.is_shared:
            self.metrics.publish_process_metrics()

    async def _database_metrics(self) -> CollectorRegistry:
        """Return the metrics read from the database, which are the same in every process."""
        registry = CollectorRegistry()

        def gauge(name: str, description: str, value: float) -> None:
            Gauge(name, description, registry=registry).set(value)

        counts = await self._count_rows()
        gauge("tessera_database_up", "1 if the database answered within two seconds.", counts is not None)
        if counts is None:
            return registry
        lag = max(0, counts.last_sequence - self.event_relay.position)
        gauge("tessera_log_sequence", "The last event of the log.", counts.last_sequence)
        gauge("tessera_relay_lag_events", "Events that the responding process has not passed on yet.", lag)
        pending = counts.pending_deliveries
        gauge("tessera_webhook_deliveries_pending", "Deliveries on their way or to be tried again.", pending)
        gauge("tessera_webhook_deliveries_dead", "Deliveries given up, of the last 30 days.", counts.dead_deliveries)
        gauge("tessera_webhooks_behind", "Webhooks that were not handed the latest events.", counts.lagging_webhooks)
        gauge("tessera_proposals_waiting", "Proposals that wait for an answer.", counts.pending_proposals)
        return registry

    async def _count_rows(self) -> backlog.BacklogCounts | None:
        try:
            async with asyncio.timeout(COUNT_TIMEOUT_SECONDS), self.database.read() as session:
                return await backlog.load_counts(session)
        except (Unavailable, TimeoutError):
            return None
