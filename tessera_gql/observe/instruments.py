"""Puts the instruments together, and answers `/metrics`: who may read it is asked first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tessera_gql.auth import BadCredential
from tessera_gql.delivery.bus import Bus
from tessera_gql.errors import Unavailable
from tessera_gql.graphql.transport import Transport
from tessera_gql.observe import statements
from tessera_gql.observe.exchange import Exchange
from tessera_gql.observe.logs import Lines
from tessera_gql.observe.metrics import Metrics
from tessera_gql.observe.operations import Watching
from tessera_gql.observe.tracing import Tracing
from tessera_gql.store import census
from tessera_gql.store.database import Database

EVERY_SECONDS = 1.0
CENSUS_SECONDS = 2.0
"""How long the database may take to be counted; without it the other metrics are told."""

Permit: TypeAlias = Callable[[str | None], Awaitable[bool]]
"""Whether the `Authorization` value may read the metrics; raises BadCredential."""


@dataclass(frozen=True)
class Instruments:
    """What watches the server; metrics and traces may be off."""

    lines: Lines
    metrics: Metrics | None = None
    tracing: Tracing | None = None

    @property
    def watching(self) -> Watching:
        return Watching(self.lines.operation, self.metrics, self.tracing)

    @property
    def asking(self) -> Callable[[int], None] | None:
        return self.metrics.batches.observe if self.metrics else None

    def held(self, wall_seconds: float, cpu_seconds: float) -> None:
        """The event loop was held for so long."""
        if self.metrics is not None:
            self.metrics.held(wall_seconds, cpu_seconds)

    def watch(self, database: Database) -> None:
        if self.metrics is not None or self.tracing is not None:
            database.watch(statements.stopwatch(database.dialect, self.metrics, self.tracing))

    def ended(self, exchange: Exchange, seconds: float) -> None:
        if self.metrics is not None and exchange.kind == "http":
            self.metrics.response(exchange.path, exchange.status)
        self.lines.request(exchange, seconds)

    async def close(self) -> None:
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)


@dataclass(frozen=True)
class Scrape:
    """`/metrics`. `sample` must be called now and then where several processes answer for each other."""

    metrics: Metrics
    database: Database
    bus: Bus
    transport: Transport
    permit: Permit

    async def answer(self, request: Request) -> Response:
        try:
            if not await self.permit(request.headers.get("authorization")):
                return PlainTextResponse("Metrics need METRICS_KEY, or a key with the scope ADMIN.\n", 403)
        except BadCredential as error:
            return PlainTextResponse(f"{error}\n", 401, {"WWW-Authenticate": "Bearer"})
        except Unavailable as error:
            return PlainTextResponse(f"{error.message}\n", 503)
        self.sample()
        body = await self.metrics.text(await self._counted())
        return PlainTextResponse(body, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    async def keep(self) -> None:
        """Runs until cancelled."""
        while True:
            self.sample()
            await asyncio.sleep(EVERY_SECONDS)

    def sample(self) -> None:
        self.metrics.sockets.set(len(self.transport.live))
        self.metrics.connections.set(len(self.transport.connections.open))
        for reason, total in self.transport.connections.refusals.items():
            self.metrics.refused(reason, total)
        self.metrics.subscriptions.set(self.metrics.executions + self.transport.fanout.sharing)
        self.metrics.relay.set(self.bus.position)
        tally = self.transport.tally
        for how, total in ({"planned": tally.planned} | {why.value: n for why, n in tally.fallbacks.items()}).items():
            self.metrics.executed(how, total)
        if self.metrics.is_shared:
            self.metrics.share()

    async def _counted(self) -> CollectorRegistry:
        """What is in the database, and so the same for every process that is asked."""
        registry = CollectorRegistry()

        def gauge(name: str, meaning: str, value: float) -> None:
            Gauge(name, meaning, registry=registry).set(value)

        found = await self._census()
        gauge("tessera_database_up", "1 if the database could be asked.", found is not None)
        if found is None:
            return registry
        lag = max(0, found.last_sequence - self.bus.position)
        gauge("tessera_log_sequence", "The last event of the log.", found.last_sequence)
        gauge("tessera_relay_lag_events", "Events that the process that was asked has not yet told.", lag)
        gauge("tessera_webhook_deliveries_pending", "Deliveries on their way or to be tried again.", found.pending)
        gauge("tessera_webhook_deliveries_dead", "Deliveries given up, of the last 30 days.", found.dead)
        gauge("tessera_webhooks_behind", "Webhooks that were not handed the latest events.", found.behind)
        gauge("tessera_proposals_waiting", "Proposals that wait for an answer.", found.waiting)
        return registry

    async def _census(self) -> census.Census | None:
        try:
            async with asyncio.timeout(CENSUS_SECONDS), self.database.read() as session:
                return await census.take(session)
        except (Unavailable, TimeoutError):
            return None
