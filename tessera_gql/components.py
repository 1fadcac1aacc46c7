"""Build the parts of a server from settings: database, transport, workers, authentication and telemetry."""

import asyncio
from collections.abc import Callable, Hashable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, OperationDefinitionNode, OperationType

from tessera_gql import upload_process
from tessera_gql.auth import Authenticator, Identity, InvalidCredential
from tessera_gql.compute import Pool
from tessera_gql.config import Settings, secret_texts
from tessera_gql.config.telemetry import Switch
from tessera_gql.executor import core_schema
from tessera_gql.graphql.context import Context, Resources
from tessera_gql.graphql.errors import to_graphql_error
from tessera_gql.graphql.pushdown import plan_pushdown
from tessera_gql.graphql.schema import schema
from tessera_gql.notifications import outbound_http
from tessera_gql.notifications.channels import ChannelOptions, RenderPayload
from tessera_gql.notifications.event_relay import EventRelay
from tessera_gql.notifications.github_status import GitHubOptions
from tessera_gql.notifications.smtp import SmtpOptions
from tessera_gql.notifications.webhook_worker import WebhookOptions, WebhookWorker
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.policy.messages import Pages
from tessera_gql.server.concurrency import ConcurrencyLimiter
from tessera_gql.server.documents import Operation
from tessera_gql.server.http import Transport, Unauthenticated, close_streams
from tessera_gql.server.limits import Limits
from tessera_gql.server.operations import run_operation
from tessera_gql.server.rate_limit import Rate, RateLimiter
from tessera_gql.server.upload_worker.pool import WorkerPool
from tessera_gql.store.database import Database
from tessera_gql.store.engine import SQLITE_READERS, is_sqlite
from tessera_gql.store.tables import EventRow, Webhook
from tessera_gql.telemetry import tracing
from tessera_gql.telemetry.logs import LogOptions, RequestLogger
from tessera_gql.telemetry.metrics import Metrics
from tessera_gql.telemetry.setup import Telemetry
from tessera_gql.upload_process import ProcessSettings

if TYPE_CHECKING:
    from tessera_gql.auth.oidc import JwksIssuer
    from tessera_gql.auth.oidc_login import OidcLogin


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

    async def close(self) -> None:
        """End the processes, write what is kept in memory, and close all connections."""
        await self.upload_workers.close()
        await asyncio.to_thread(self.compute_pool.close)
        await self.authenticator.flush()
        await self.telemetry.close()
        await self.database.dispose()


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
        return Context(database, identity.actor, resources)

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
    needs_keys = settings.needs_keys

    async def authenticate(authorization: str | None) -> Identity:
        try:
            return await authenticator.identify(authorization)
        except InvalidCredential as error:
            raise Unauthenticated(str(error)) from None

    def charge_rate_limit(identity: Identity, operation: Operation) -> dict[str, Any]:
        return rate_limiter.charge(identity.actor.account, operation)

    def find_caller_account(identity: Identity) -> str | None:
        """Return None without authentication: all callers would share the limits of one account."""
        return identity.actor.account if needs_keys else None

    def get_upload_account(identity: Identity, address: str) -> str:
        return identity.actor.account if needs_keys else address

    return Transport(
        schema=core_schema(schema),
        authenticate=authenticate,
        open_operation_context=open_operation_context,
        observe_operation=telemetry.operation_observer,
        limits=Limits(**settings.limits),
        profile=settings.effective_profile,
        executor=settings.executor,
        plan_pushdown=plan_pushdown,
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
    rules = outbound_http.PostRules(allow_private=settings.webhook_allow_private)
    github = GitHubOptions(settings.github_api_url)
    # An administrator has named this host, so it may be one of the own network.
    is_own_github = github != GitHubOptions()
    options = ChannelOptions(
        rules=rules,
        secret=settings.webhook_secret.get_secret_value() if settings.webhook_secret else None,
        render=create_webhook_renderer(transport),
        pages=Pages(settings.public_url if settings.console is Switch.ON else None),
        smtp=_smtp_options(settings),
        github=github,
        github_rules=replace(rules, allow_private=rules.allow_private or is_own_github),
    )
    return WebhookOptions(url=settings.webhook_url, channels=options)


def _smtp_options(settings: Settings) -> SmtpOptions | None:
    """Return the mail server; None without one, so that nothing is sent by e-mail."""
    if settings.smtp_host is None or settings.smtp_from is None:
        return None
    return SmtpOptions(
        host=settings.smtp_host,
        sender=settings.smtp_from,
        port=settings.smtp_port,
        security=settings.smtp_security,
        username=settings.smtp_username,
        password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
        domains=tuple(settings.smtp_domains),
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
