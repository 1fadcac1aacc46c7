"""The composition root: builds the Starlette application and its background tasks from settings."""

import asyncio
import hmac
import json
import logging
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route

from tessera_gql.auth import Authenticator, Identity, InvalidCredential
from tessera_gql.components import Components
from tessera_gql.config import Settings
from tessera_gql.config.telemetry import Switch
from tessera_gql.console import Console, LoginService, create_console, create_console_routes
from tessera_gql.errors import Unavailable
from tessera_gql.graphql.schema import print_sdl
from tessera_gql.notifications import deadlines, log_verification, usage_retention
from tessera_gql.notifications.event_relay import EventRelay
from tessera_gql.notifications.postgres_listener import listen_for_events
from tessera_gql.server.graphiql import create_page_routes
from tessera_gql.server.http import DirectRoute, Endpoint, Unauthenticated, create_routes
from tessera_gql.server.multipart import PREFLIGHT_HEADERS
from tessera_gql.server.public_path import PublicPath
from tessera_gql.server.same_origin import SameOrigin
from tessera_gql.server.schema_document import create_schema_route
from tessera_gql.store import events
from tessera_gql.telemetry import health
from tessera_gql.telemetry.request_log import RequestLogMiddleware
from tessera_gql.telemetry.setup import MetricsEndpoint
from tessera_gql.telemetry.watchdog import Watchdog
from tessera_gql.workflows import keys

if TYPE_CHECKING:
    from tessera_gql.agents.endpoint import AgentEndpoint

log = logging.getLogger(__name__)

AGENT_HEADERS = ("mcp-protocol-version", "mcp-method", "mcp-name")
"""Headers of the Model Context Protocol, which agents in a browser send to `/mcp`."""
FIRST_KEY = """
This server had no keys, so it made one with every right. It is shown this once:

  {token}

Make keys for teams with it (createApiKey, or `tessera keys create`), then revoke it.

"""
FIRST_KEY_EVENT = (
    "This server had no keys, so it made one with every right. It is shown this once."
    " Make keys for teams with it, then revoke it."
)


def create_app(components: Components) -> Starlette:
    """Create the application. Its lifespan runs the event relay and all background tasks."""
    settings, relay = components.settings, components.event_relay
    metrics_endpoint = _create_metrics_endpoint(components)
    agents = _create_agent_endpoint(components)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        try:
            await _create_first_key(components)
            async with (
                relay,
                Watchdog(components.telemetry.record_loop_block),
                agents.run() if agents else nullcontext(),
                _run_background_tasks(components, metrics_endpoint),
            ):
                yield
        finally:
            await components.close()

    routes = _create_routes(components, metrics_endpoint)
    if agents is not None:
        routes.append(Route("/mcp", agents))
    request_log = Middleware(RequestLogMiddleware, on_request_end=components.telemetry.record_request)
    direct_route = Middleware(DirectRoute, endpoint=Endpoint(components.transport))
    middleware = [request_log, *_create_middleware(settings), direct_route]
    return Starlette(routes=routes, lifespan=lifespan, middleware=middleware)


def _create_routes(components: Components, metrics_endpoint: MetricsEndpoint | None) -> list[BaseRoute]:
    settings, transport = components.settings, components.transport
    readiness = health.ReadinessCheck(components.database, components.event_relay, transport)
    routes: list[BaseRoute] = [
        *create_routes(transport),
        create_schema_route(transport, print_sdl),
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


def _create_agent_endpoint(components: Components) -> "AgentEndpoint | None":
    settings = components.settings
    if settings.mcp is Switch.OFF:
        return None
    from tessera_gql.agents.endpoint import AgentEndpoint  # noqa: PLC0415 - an extra, and slow to import

    return AgentEndpoint(components.transport, settings.cors_origins, needs_keys=settings.needs_keys)


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
        _print_first_key(created_key.token, is_json=components.settings.logs_json)


def _print_first_key(token: str, *, is_json: bool) -> None:
    """Print the key beside the log, which would mask it."""
    if is_json:
        line = {"event": FIRST_KEY_EVENT, "key": token, "level": "warning", "time": datetime.now(UTC).isoformat()}
        sys.stderr.write(f"{json.dumps(line)}\n")
    else:
        sys.stderr.write(FIRST_KEY.format(token=token))
    sys.stderr.flush()


@asynccontextmanager
async def _run_background_tasks(
    components: Components, metrics_endpoint: MetricsEndpoint | None
) -> AsyncGenerator[None]:
    """Run what a server does beside answering; operations that are left over end before it does."""
    authenticator, relay = components.authenticator, components.event_relay
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
    try:
        yield
        await components.drain()
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _watch_revocations(authenticator: Authenticator, event_relay: EventRelay, position: int) -> None:
    """Apply what other processes or the command line do to keys and their projects, until the relay closes."""
    while not event_relay.is_closed:
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
                allow_headers=["Content-Type", "X-Request-ID", *PREFLIGHT_HEADERS, *AGENT_HEADERS],
                expose_headers=["X-Request-ID"],
                max_age=600,
            )
        )
    return middleware
