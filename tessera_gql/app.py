"""The composition root: builds the Starlette application and its background tasks from settings."""

import asyncio
import hmac
import logging
import sys
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, OperationDefinitionNode, OperationType
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route

from tessera_gql import upload_process
from tessera_gql.auth import Authenticator, Identity, InvalidCredential
from tessera_gql.compute import Pool
from tessera_gql.config import Settings, secret_texts
from tessera_gql.config.telemetry import Switch
from tessera_gql.console import Console, LoginService, create_console, create_console_routes
from tessera_gql.errors import Unavailable
from tessera_gql.executor import core_schema
from tessera_gql.graphql.context import Context, Resources, open_context
from tessera_gql.graphql.errors import to_graphql_error
from tessera_gql.graphql.schema import schema
from tessera_gql.notifications import deadlines, log_verification, outbound_http, usage_retention
from tessera_gql.notifications.event_relay import EventRelay
from tessera_gql.notifications.postgres_listener import listen_for_events
from tessera_gql.notifications.webhook_worker import RenderPayload, WebhookOptions, WebhookWorker
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.server.concurrency import ConcurrencyLimiter
from tessera_gql.server.documents import Operation
from tessera_gql.server.graphiql import create_page_routes
from tessera_gql.server.http import Transport, Unauthenticated, close_streams, create_routes
from tessera_gql.server.limits import Limits
from tessera_gql.server.multipart import PREFLIGHT_HEADERS
from tessera_gql.server.operations import run_operation
from tessera_gql.server.public_path import PublicPath
from tessera_gql.server.rate_limit import Rate, RateLimiter
from tessera_gql.server.same_origin import SameOrigin
from tessera_gql.server.upload_worker.pool import WorkerPool
from tessera_gql.store import events
from tessera_gql.store.database import Database
from tessera_gql.store.engine import SQLITE_READERS, is_sqlite
from tessera_gql.store.tables import EventRow, Webhook
from tessera_gql.telemetry import health, tracing
from tessera_gql.telemetry.logs import LogOptions, RequestLogger
from tessera_gql.telemetry.metrics import Metrics
from tessera_gql.telemetry.request_log import RequestLogMiddleware
from tessera_gql.telemetry.setup import MetricsEndpoint, Telemetry
from tessera_gql.telemetry.watchdog import Watchdog
from tessera_gql.upload_process import ProcessSettings
from tessera_gql.workflows import keys

if TYPE_CHECKING:
    from tessera_gql.auth.oidc import JwksIssuer
    from tessera_gql.auth.oidc_login import OidcLogin

log = logging.getLogger(__name__)

FIRST_KEY = """
This server had no keys, so it made one with every right. It is shown this once:

  {token}

Make keys for teams with it (createApiKey, or `tessera keys create`), then revoke it.

"""


@dataclass(frozen=True)
class Components:
    """The components of the application, for its process and for tests."""

    settings: Settings
    database: Database
    event_relay: EventRelay
    authenticator: Authenticator
    transport: Transport
    webhook_worker: WebhookWorker
    upload_workers: WorkerPool
    compute_pool: Pool
    telemetry: Telemetry
    login: "OidcLogin | None" = None
    """Signs people in to the console; None without OIDC_CLIENT_ID."""

    async def drain(self) -> None:
        """Close all open streams, so that their clients reconnect."""
        await close_streams(self.transport)


def create_components(settings: Settings) -> Components:
    """Create the components of the application. No connection is opened yet."""
    database = _create_database(settings)
    telemetry = _create_telemetry(settings)
    telemetry.observe_statements(database)
    event_relay = EventRelay(database)
    issuer = _create_issuer(settings, database)
    login = _create_login(settings, issuer)
    authenticator = Authenticator(
        database,
        is_open=not settings.needs_keys,
        admin_key=settings.admin_key.get_secret_value() if settings.admin_key else None,
        issuer=issuer,
        login=login,
    )

    def find_operation(query: str, variables: dict[str, Any]) -> OperationDefinitionNode | GraphQLError:
        return transport.document_cache.find_operation(query, variables)

    compute_pool = Pool(processes=settings.compute_processes, seconds=settings.compute_seconds)
    resources = Resources(
        event_relay=event_relay,
        git_sync_path=settings.git_sync_path,
        pool=compute_pool,
        observe_batch=telemetry.batch_size_observer,
        find_operation=find_operation,
        default_mode=settings.default_compatibility_mode,
        usage_retention_days=settings.usage_retention_days,
    )

    def open_operation_context(identity: Identity) -> AbstractAsyncContextManager[Context]:
        return open_context(database, identity.actor, resources)

    upload_workers = _create_upload_workers(settings, database)
    transport = _create_transport(settings, authenticator, telemetry, upload_workers, open_operation_context)
    worker = WebhookWorker(database, _webhook_options(settings, transport))
    return Components(
        settings,
        database,
        event_relay,
        authenticator,
        transport,
        worker,
        upload_workers,
        compute_pool,
        telemetry,
        login,
    )


def _create_database(settings: Settings) -> Database:
    database = Database(settings.database_url, options=settings.database_options)
    if settings.database_replica_url is not None:
        age = timedelta(seconds=settings.database_replica_seconds)
        database.use_replica(settings.database_replica_url, max_age=age, options=settings.database_options)
    return database


def _create_transport(
    settings: Settings,
    authenticator: Authenticator,
    telemetry: Telemetry,
    upload_workers: WorkerPool,
    open_operation_context: Callable[[Identity], AbstractAsyncContextManager[Context]],
) -> Transport:
    """Bind the callbacks of the routes to the components and settings of this process."""
    rate_limiter = _create_rate_limiter(settings)

    async def authenticate(authorization: str | None) -> Identity:
        try:
            return await authenticator.identify(authorization)
        except InvalidCredential as error:
            raise Unauthenticated(str(error)) from None

    def charge_rate_limit(identity: Identity, operation: Operation) -> dict[str, Any]:
        return rate_limiter.charge(identity.actor.account, operation)

    def find_caller_account(identity: Identity) -> str | None:
        """Return None without authentication: all callers would share the limits of one account."""
        return identity.actor.account if settings.needs_keys else None

    def get_upload_account(identity: Identity, address: str) -> str:
        return identity.actor.account if settings.needs_keys else address

    return Transport(
        schema=core_schema(schema),
        authenticate=authenticate,
        open_operation_context=open_operation_context,
        observe_operation=telemetry.operation_observer,
        limits=Limits(**settings.limits),
        profile=settings.effective_profile,
        executor=settings.executor,
        to_graphql_error=to_graphql_error,
        should_retry=_has_read_replica,
        charge_rate_limit=charge_rate_limit,
        concurrency_limiter=ConcurrencyLimiter(
            connections=SQLITE_READERS if is_sqlite(settings.database_url) else settings.database_pool
        ),
        find_caller_account=find_caller_account,
        find_sharing_scope=_find_sharing_scope,
        execute_in_worker=upload_workers.run,
        get_upload_account=get_upload_account,
    )


def _has_read_replica(context: Context) -> bool:
    """Return whether a failed query has read a replica, so that it may succeed on the primary."""
    return context.from_replica


def _find_sharing_scope(identity: Identity) -> Hashable:
    """Return what decides the rows and fields that a caller may see, so that equal subscriptions have equal replies."""
    return (identity.actor.team_id, identity.actor.project, identity.actor.scopes)


def _create_upload_workers(settings: Settings, database: Database) -> WorkerPool:
    limits = Limits(**settings.limits)
    process_settings = ProcessSettings(
        settings.database_url,
        settings.database_options,
        limits,
        settings.effective_profile,
        LogOptions(settings.log_level, is_json=settings.logs_json, secrets=secret_texts(settings)),
        settings.git_sync_path,
        settings.compute_seconds,
        settings.default_compatibility_mode,
        settings.usage_retention_days,
    )
    return WorkerPool(
        upload_process.__name__, process_settings.encode(), limits.query_seconds, database.notify_commit_observers
    )


def _create_telemetry(settings: Settings) -> Telemetry:
    endpoint = settings.otel_exporter_otlp_endpoint
    return Telemetry(
        request_logger=RequestLogger(settings.log_slow_seconds),
        metrics=Metrics() if settings.metrics is Switch.ON else None,
        tracing=tracing.create_tracing(endpoint) if endpoint else None,
    )


def _webhook_options(settings: Settings, transport: Transport) -> WebhookOptions:
    return WebhookOptions(
        url=settings.webhook_url,
        secret=settings.webhook_secret.get_secret_value() if settings.webhook_secret else None,
        rules=outbound_http.PostRules(allow_private=settings.webhook_allow_private),
        render=create_webhook_renderer(transport),
    )


def _create_rate_limiter(settings: Settings) -> RateLimiter:
    """Create the rate limits, which are off for a server without authentication."""
    rates = (settings.rate_limit_mutations, settings.rate_limit_cost) if settings.needs_keys else (None, None)
    mutations, cost = (Rate.parse(rate) if rate else None for rate in rates)
    return RateLimiter(mutations, cost)


def _create_issuer(settings: Settings, database: Database) -> "JwksIssuer | None":
    if settings.oidc_issuer is None:
        return None
    from tessera_gql.auth.oidc import ExpectedClaims, Jwks, JwksIssuer  # noqa: PLC0415 - slow to import and rarely needed

    claims = ExpectedClaims(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience or "",
        team=settings.oidc_team_claim,
        scope=settings.oidc_scope_claim,
    )
    return JwksIssuer(database, Jwks(settings.oidc_jwks or ""), claims)


def _create_login(settings: Settings, issuer: "JwksIssuer | None") -> "OidcLogin | None":
    if issuer is None or settings.oidc_client_id is None:
        return None
    from tessera_gql.auth.oidc_login import LoginClient, OidcLogin  # noqa: PLC0415 - slow to import and rarely needed

    secret = settings.oidc_client_secret
    client = LoginClient(
        issuer=issuer.claims.issuer,
        client_id=settings.oidc_client_id,
        client_secret=secret.get_secret_value() if secret else None,
        redirect_uri=settings.login_redirect_url,
        scopes=settings.oidc_login_scopes,
    )
    return OidcLogin(client, issuer)


def create_webhook_renderer(transport: Transport) -> RenderPayload:
    """Create the function that executes a webhook's document for an event, with the rights of the webhook's owners."""

    async def run(webhook: Webhook, event: EventRow) -> Any:
        scope = Scope.WRITE if webhook.team_id else Scope.ADMIN
        actor = Actor(f"webhook {encode_global_id('Webhook', webhook.id)}", webhook.team_id, frozenset({scope}))
        prepared = transport.document_cache.prepare(
            webhook.document or "", {"event": encode_global_id("Event", event.id)}, None
        )
        if isinstance(prepared, Operation) and prepared.kind is not OperationType.QUERY:
            raise outbound_http.DeliveryError(f"The document must be a query, not a {prepared.kind.value}.")
        reply = await run_operation(transport, prepared, Identity(actor))
        if "errors" in reply:
            raise outbound_http.DeliveryError(f"The document failed: {reply['errors'][0]['message']}")
        return reply["data"]

    return run


def create_app(components: Components) -> Starlette:
    """Create the application. Its lifespan runs the event relay and all background tasks."""
    settings, authenticator, relay = components.settings, components.authenticator, components.event_relay
    metrics_endpoint = _create_metrics_endpoint(components)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        await _create_first_key(components)
        async with relay, Watchdog(components.telemetry.record_loop_block):
            components.database.observe_commits(authenticator.on_commit)
            async with components.database.read() as session:
                position = await events.load_last_sequence(session)
            tasks = [
                *start_background_tasks(components, relay.wake),
                asyncio.create_task(authenticator.run(), name="keys"),
                asyncio.create_task(_watch_revocations(authenticator, relay, position), name="revocations"),
            ]
            if metrics_endpoint is not None and metrics_endpoint.metrics.is_shared:
                tasks.append(asyncio.create_task(metrics_endpoint.sample_continuously(), name="metrics"))
            yield
            await components.drain()
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await components.upload_workers.close()
        await asyncio.to_thread(components.compute_pool.close)
        await authenticator.flush()
        await components.telemetry.close()
        await components.database.dispose()

    routes = _create_routes(components, metrics_endpoint)
    request_log = Middleware(RequestLogMiddleware, on_request_end=components.telemetry.record_request)
    return Starlette(routes=routes, lifespan=lifespan, middleware=[request_log, *_create_middleware(settings)])


def _create_routes(components: Components, metrics_endpoint: MetricsEndpoint | None) -> list[BaseRoute]:
    settings, transport = components.settings, components.transport
    readiness = health.ReadinessCheck(components.database, components.event_relay, transport)
    routes: list[BaseRoute] = [
        *create_routes(transport),
        Route("/healthz", health.report_alive),
        Route("/readyz", readiness.respond),
    ]
    if metrics_endpoint is not None:
        routes.append(Route("/metrics", metrics_endpoint.respond))
    if settings.console is Switch.ON:
        routes += create_console_routes(_create_console(components))
    if settings.has_open_profile:
        routes += create_page_routes()
    return routes


def _create_console(components: Components) -> Console:
    authenticator = components.authenticator

    async def identify_session(reference: str) -> Identity:
        try:
            return await authenticator.identify_session(reference)
        except InvalidCredential as error:
            raise Unauthenticated(str(error)) from None

    async def complete_login(code: str, verifier: str, nonce: str) -> str:
        try:
            return await login.complete(code, verifier, nonce) if login else ""
        except InvalidCredential as error:
            raise Unauthenticated(str(error)) from None

    login = components.login
    service = LoginService(login.name, login.begin, complete_login) if login else None
    callbacks = identify_session, authenticator.create_session_reference, components.database.clock
    return create_console(components.settings, components.transport, *callbacks, service)


def _create_metrics_endpoint(components: Components) -> MetricsEndpoint | None:
    if (metrics := components.telemetry.metrics) is None:
        return None
    metrics_key = components.settings.metrics_key
    expected = f"Bearer {metrics_key.get_secret_value()}".encode() if metrics_key else b""

    async def permit(authorization: str | None) -> bool:
        if metrics_key is not None and hmac.compare_digest((authorization or "").encode(), expected):
            return True
        return (await components.authenticator.identify(authorization)).actor.is_admin

    return MetricsEndpoint(metrics, components.database, components.event_relay, components.transport, permit)


def start_background_tasks(components: Components, *listeners: Callable[[], None]) -> list[asyncio.Task[None]]:
    """Start the tasks for deadlines, webhooks and the verification of the event log.

    Commits of other processes call `listeners`.
    """
    settings, database, worker = components.settings, components.database, components.webhook_worker
    tasks = [
        asyncio.create_task(deadlines.run_deadlines(database, pool=components.compute_pool), name="deadlines"),
        asyncio.create_task(worker.run(), name="webhooks"),
        asyncio.create_task(
            usage_retention.run_retention(database, settings.usage_retention_days), name="usage retention"
        ),
        asyncio.create_task(log_verification.run_log_verification(database), name="log verification"),
    ]
    if url := settings.listen_url:
        tasks.append(asyncio.create_task(listen_for_events(url, worker.wake, *listeners), name="listen"))
    return tasks


async def _create_first_key(components: Components) -> None:
    """Create and print an admin key if there is no key that could create one."""
    if not components.settings.needs_keys or components.settings.admin_key is not None:
        return
    async with components.database.write("first start") as session:
        created_key = await keys.create_first_key(session)
    if created_key is not None:
        sys.stderr.write(FIRST_KEY.format(token=created_key.token))


async def _watch_revocations(authenticator: Authenticator, event_relay: EventRelay, position: int) -> None:
    """Apply what other processes or the command line do to keys and their projects, until cancelled."""
    while True:
        try:
            async with event_relay.subscribe(position) as stream:
                async for event in stream:
                    position = event.sequence
                    authenticator.apply(event.kind, event.entity_id)
        except Unavailable as error:
            log.warning("Revocations of other processes are not heard for now. %s", error)
            await asyncio.sleep(1)


def _create_middleware(settings: Settings) -> list[Middleware]:
    middleware: list[Middleware] = []
    if settings.public_path:
        middleware.append(Middleware(PublicPath, path=settings.public_path))
    if not settings.needs_keys:
        middleware.append(Middleware(SameOrigin, allowed=tuple(settings.cors_origins)))
    if settings.cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["Content-Type", "X-Request-ID", *PREFLIGHT_HEADERS],
                expose_headers=["X-Request-ID"],
                max_age=600,
            )
        )
    return middleware
