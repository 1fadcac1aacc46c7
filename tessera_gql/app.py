"""The composition root: settings in, a Starlette application out. Nothing else puts the parts together."""

import asyncio
import hmac
import logging
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from graphql import OperationType
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope as ASGIScope

from tessera_gql.auth import BadCredential, Identity, Issuer, Keys
from tessera_gql.compute import Pool
from tessera_gql.config import Settings, hidden
from tessera_gql.config.observing import Switch
from tessera_gql.delivery import deadlines, outbound, webhooks
from tessera_gql.delivery.bus import Bus
from tessera_gql.delivery.listen import listen
from tessera_gql.errors import Unavailable
from tessera_gql.graphql import context
from tessera_gql.graphql.budget import Budget, Rate
from tessera_gql.graphql.documents import Operation, Profile
from tessera_gql.graphql.errors import translate
from tessera_gql.graphql.http import Transport, Unauthenticated, drain, routes
from tessera_gql.graphql.ids import global_id
from tessera_gql.graphql.limit_values import Limits
from tessera_gql.graphql.multipart import PREFLIGHT_HEADERS
from tessera_gql.graphql.operations import run as execute
from tessera_gql.graphql.schema import schema
from tessera_gql.graphql.transport import Executor
from tessera_gql.graphql.turns import Turns
from tessera_gql.observe import health, tracing
from tessera_gql.observe.exchange import Exchanges
from tessera_gql.observe.instruments import Instruments, Scrape
from tessera_gql.observe.logs import Lines, LogOptions
from tessera_gql.observe.metrics import Metrics
from tessera_gql.observe.watchdog import Watchdog
from tessera_gql.origins import SameOrigin
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.events import ApiKeyRevoked
from tessera_gql.store import events
from tessera_gql.store.database import Database
from tessera_gql.store.engine import SQLITE_READERS, is_sqlite
from tessera_gql.store.tables import EventRow, Webhook
from tessera_gql.upload_worker.pool import Settings as WorkerSettings
from tessera_gql.upload_worker.pool import WorkerPool
from tessera_gql.workflows import keys

log = logging.getLogger(__name__)

WEB = Path(__file__).parent / "web"
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " connect-src 'self' ws: wss:; img-src 'self' data:; font-src 'self' data:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


FIRST_KEY = """
This server had no keys, so it made one with every right. It is shown this once:

  {token}

Make keys for teams with it (createApiKey, or `tessera keys create`), then revoke it.

"""


@dataclass(frozen=True)
class Parts:
    """What the application is made of, for those who run or test it."""

    settings: Settings
    database: Database
    bus: Bus
    keys: Keys
    transport: Transport
    worker: webhooks.Worker
    upload_workers: WorkerPool
    pool: Pool
    instruments: Instruments

    async def drain(self) -> None:
        """Tells everyone who is connected to come back, to another process or to this one started again."""
        await drain(self.transport)


def assemble(settings: Settings) -> Parts:
    """Opens no connection yet."""
    database = Database(settings.database_url, options=settings.options)
    if settings.database_replica_url is not None:
        age = timedelta(seconds=settings.database_replica_seconds)
        database.follow(settings.database_replica_url, age=age, options=settings.options)
    instruments = _instruments(settings)
    instruments.watch(database)
    bus = Bus(database)
    opened_by = Keys(
        database,
        is_open=not settings.needs_keys,
        admin_key=settings.admin_key.get_secret_value() if settings.admin_key else None,
        issuer=_issuer(settings, database),
    )

    budget = _budget(settings)

    async def authenticate(authorization: str | None) -> Identity:
        try:
            return await opened_by.identify(authorization)
        except BadCredential as error:
            raise Unauthenticated(str(error)) from None

    def opened(identity: Identity) -> AbstractAsyncContextManager[Any]:
        return context.opened(database, identity.actor, bus, settings.git_sync_path, instruments.asking, pool)

    pool = Pool(processes=settings.compute_processes, seconds=settings.compute_seconds)
    upload_workers = WorkerPool(_worker_settings(settings), lambda: _wake(database))
    transport = Transport(
        schema=schema,
        authenticate=authenticate,
        context=opened,
        watch=instruments.watching,
        limits=Limits(**settings.limits),
        profile=Profile.OPEN if settings.is_open else Profile.LOCKED,
        executor=Executor(settings.executor),
        translate=translate,
        repeat=lambda context: context.from_replica,
        admit=lambda identity, operation: budget.charge(identity.actor.account, operation),
        turns=Turns(connections=SQLITE_READERS if is_sqlite(settings.database_url) else settings.database_pool),
        caller=lambda identity: identity.actor.account if settings.needs_keys else None,
        scope=lambda identity: (identity.actor.team_id, identity.actor.scopes),
        worker=upload_workers.run,
        upload_account=lambda identity, address: identity.actor.account if settings.needs_keys else address,
    )
    worker = webhooks.Worker(database, _posting(settings, transport))
    return Parts(settings, database, bus, opened_by, transport, worker, upload_workers, pool, instruments)


def _worker_settings(settings: Settings) -> WorkerSettings:
    return WorkerSettings(
        settings.database_url,
        Limits(**settings.limits),
        is_open=settings.is_open,
        log=LogOptions(settings.log_level, is_json=settings.logs_json, secrets=hidden(settings)),
        options=settings.options,
        git_sync_path=settings.git_sync_path,
        compute_seconds=settings.compute_seconds,
    )


def _wake(database: Database) -> None:
    """Another process has written: whoever waits for commits of this one looks at the log."""
    for tell in database.committed:
        tell(())


def _instruments(settings: Settings) -> Instruments:
    endpoint = settings.otel_exporter_otlp_endpoint
    return Instruments(
        lines=Lines(settings.log_slow_seconds),
        metrics=Metrics() if settings.metrics is Switch.ON else None,
        tracing=tracing.exporting(endpoint) if endpoint else None,
    )


def _posting(settings: Settings, transport: Transport) -> webhooks.Options:
    return webhooks.Options(
        url=settings.webhook_url,
        secret=settings.webhook_secret.get_secret_value() if settings.webhook_secret else None,
        rules=outbound.Rules(allow_private=settings.webhook_allow_private),
        render=render(transport),
    )


def _budget(settings: Settings) -> Budget:
    """None for a developer alone on a machine."""
    rates = (settings.rate_limit_mutations, settings.rate_limit_cost) if settings.needs_keys else (None, None)
    mutations, cost = (Rate.of(rate) if rate else None for rate in rates)
    return Budget(mutations, cost)


def _issuer(settings: Settings, database: Database) -> Issuer | None:
    if settings.oidc_issuer is None:
        return None
    from tessera_gql.auth.oidc import Claims, Jwks, JwksIssuer  # noqa: PLC0415 - slow to import, and seldom asked for

    claims = Claims(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience or "",
        team=settings.oidc_team_claim,
        scope=settings.oidc_scope_claim,
    )
    return JwksIssuer(database, Jwks(settings.oidc_jwks or ""), claims)


def render(transport: Transport) -> webhooks.Render:
    """What a webhook's document answers about an event: it sees what those see who may change the webhook."""

    async def run(hook: Webhook, event: EventRow) -> Any:
        scope = Scope.WRITE if hook.team_id else Scope.ADMIN
        actor = Actor(f"webhook {hook.id}", hook.team_id, frozenset({scope}))
        prepared = transport.documents.prepare(hook.document or "", {"event": global_id("Event", event.id)}, None)
        if isinstance(prepared, Operation) and prepared.kind is not OperationType.QUERY:
            raise outbound.Undelivered(f"The document must be a query, not a {prepared.kind.value}.")
        reply = await execute(transport, prepared, Identity(actor))
        if "errors" in reply:
            raise outbound.Undelivered(f"The document failed: {reply['errors'][0]['message']}")
        return reply["data"]

    return run


def create(parts: Parts) -> Starlette:
    """The application; its lifespan runs the bus, the clock and the keys."""
    settings = parts.settings
    scrape = _scrape(parts)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        await _first_key(parts)
        async with parts.bus, Watchdog(parts.instruments.held):
            parts.database.committed.append(parts.keys.hear)
            position = await _position(parts.database)
            tasks = [
                *working(parts, parts.bus.wake),
                asyncio.create_task(parts.keys.keep(), name="keys"),
                asyncio.create_task(_revoke(parts.keys, parts.bus, position), name="revocations"),
            ]
            if scrape is not None and scrape.metrics.is_shared:
                tasks.append(asyncio.create_task(scrape.keep(), name="metrics"))
            yield
            await parts.drain()
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await parts.upload_workers.close()
        await asyncio.to_thread(parts.pool.close)
        await parts.keys.flush()
        await parts.instruments.close()
        await parts.database.dispose()

    ready = health.Readiness(parts.database, parts.bus, parts.transport)
    found: list[BaseRoute] = [*routes(parts.transport), Route("/healthz", health.alive), Route("/readyz", ready.answer)]
    if scrape is not None:
        found.append(Route("/metrics", scrape.answer))
    if settings.is_open:
        found += _pages()
    seen = Middleware(Exchanges, ended=parts.instruments.ended)
    return Starlette(routes=found, lifespan=lifespan, middleware=[seen, *_middleware(settings)])


def _scrape(parts: Parts) -> Scrape | None:
    if (metrics := parts.instruments.metrics) is None:
        return None
    own = parts.settings.metrics_key
    expected = f"Bearer {own.get_secret_value()}".encode() if own else b""

    async def permit(authorization: str | None) -> bool:
        if own is not None and hmac.compare_digest((authorization or "").encode(), expected):
            return True
        return (await parts.keys.identify(authorization)).actor.is_admin

    return Scrape(metrics, parts.database, parts.bus, parts.transport, permit)


def working(parts: Parts, *wakes: Callable[[], None]) -> list[asyncio.Task[None]]:
    """What goes on beside requests: deadlines and webhooks, woken (as `wakes` are) by commits of other processes."""
    settings, database = parts.settings, parts.database
    spans = [timedelta(days=days) for days in settings.reminder_days]
    tasks = [
        asyncio.create_task(deadlines.keep(database, spans=spans, pool=parts.pool), name="deadlines"),
        asyncio.create_task(parts.worker.run(), name="webhooks"),
    ]
    if url := settings.listens_to:
        heard = listen(url, parts.worker.wake, *wakes)
        tasks.append(asyncio.create_task(heard, name="listen"))
    return tasks


async def _first_key(parts: Parts) -> None:
    """A server that needs keys and has none would let nobody in, not even to make one."""
    if not parts.settings.needs_keys or parts.settings.admin_key is not None:
        return
    async with parts.database.write("first start") as session:
        minted = await keys.bootstrap(session)
    if minted is not None:
        sys.stderr.write(FIRST_KEY.format(token=minted.token))


async def _position(database: Database) -> int:
    async with database.read() as session:
        return await events.last_sequence(session)


async def _revoke(opened: Keys, bus: Bus, position: int) -> None:
    """Hears what other processes revoke, and the command line; runs until cancelled."""
    while True:
        try:
            async with bus.subscribe(position) as happened:
                async for event in happened:
                    position = event.sequence
                    if event.kind == ApiKeyRevoked.kind:
                        opened.revoke(event.entity_id)
        except Unavailable as error:
            log.warning("Revocations of other processes are not heard for now. %s", error)
            await asyncio.sleep(1)


def _middleware(settings: Settings) -> list[Middleware]:
    found: list[Middleware] = []
    if not settings.needs_keys:
        found.append(Middleware(SameOrigin, allowed=tuple(settings.cors_origins)))
    if settings.cors_origins:
        found.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["Content-Type", "X-Request-ID", *PREFLIGHT_HEADERS],
                expose_headers=["X-Request-ID"],
                max_age=600,
            )
        )
    return found


class PageFiles(StaticFiles):
    """Files for browsers: each bears the headers that keep it from loading or running anything else."""

    async def get_response(self, path: str, scope: ASGIScope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(PAGE_HEADERS)
        return response


def _pages() -> list[BaseRoute]:
    files = PageFiles(directory=WEB)

    async def graphiql(request: Request) -> Response:
        return await files.get_response("graphiql.html", request.scope)

    async def home(_request: Request) -> Response:
        return RedirectResponse("/graphiql", headers=PAGE_HEADERS)

    return [Route("/", home), Route("/graphiql", graphiql), Mount("/static", files)]
