"""The composition root: settings in, a Starlette application out. Nothing else puts the parts together."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from tessera_gql.auth import BadCredential, Identity, Keys
from tessera_gql.config import Settings
from tessera_gql.delivery import deadlines
from tessera_gql.delivery.bus import Bus
from tessera_gql.delivery.listen import listen
from tessera_gql.errors import Unavailable
from tessera_gql.graphql import context
from tessera_gql.graphql.documents import Limits, Profile
from tessera_gql.graphql.http import Transport, Unauthenticated, drain, routes
from tessera_gql.graphql.schema import schema
from tessera_gql.origins import SameOrigin
from tessera_gql.store import migration
from tessera_gql.store.database import Database

WEB = Path(__file__).parent / "web"
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " connect-src 'self' ws: wss:; img-src 'self' data:; font-src 'self' data:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class Parts:
    """What the application is made of, for those who run or test it."""

    settings: Settings
    database: Database
    bus: Bus
    transport: Transport

    async def drain(self) -> None:
        """Tells everyone who is connected to come back, to another process or to this one started again."""
        await drain(self.transport)


def assemble(settings: Settings) -> Parts:
    """Opens no connection yet."""
    database = Database(settings.database_url)
    bus = Bus(database)
    keys = Keys(settings.admin_key.get_secret_value() if settings.admin_key else None)

    async def authenticate(authorization: str | None) -> Identity:
        try:
            return keys.identify(authorization)
        except BadCredential as error:
            raise Unauthenticated(str(error)) from None

    def opened(identity: Identity) -> AbstractAsyncContextManager[Any]:
        return context.opened(database, identity.actor, bus)

    transport = Transport(
        schema=schema,
        authenticate=authenticate,
        context=opened,
        limits=Limits(),
        profile=Profile.OPEN if settings.is_open else Profile.LOCKED,
        translate=translate,
    )
    return Parts(settings, database, bus, transport)


def translate(error: Exception) -> GraphQLError | None:
    """What a resolver met that is not its own fault."""
    if isinstance(error, Unavailable):
        return GraphQLError(error.message, extensions={"code": error.code, "retryable": True})
    return None


def create(parts: Parts) -> Starlette:
    """The application; its lifespan runs the bus and the clock."""
    settings = parts.settings

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        async with parts.bus:
            tasks = [asyncio.create_task(deadlines.keep(parts.database), name="deadlines")]
            if parts.database.dialect == "postgresql":
                tasks.append(asyncio.create_task(listen(settings.database_url, parts.bus.wake), name="listen"))
            yield
            await parts.drain()
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await parts.database.dispose()

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "alive", "version": version("tessera-gql")})

    async def readyz(_request: Request) -> Response:
        return await _readiness(parts.database)

    found: list[BaseRoute] = [*routes(parts.transport), Route("/healthz", healthz), Route("/readyz", readyz)]
    if settings.is_open:
        found += _pages()
    return Starlette(routes=found, lifespan=lifespan, middleware=_middleware(settings))


def _middleware(settings: Settings) -> list[Middleware]:
    found: list[Middleware] = []
    if settings.is_open:
        found.append(Middleware(SameOrigin, allowed=tuple(settings.cors_origins)))
    if settings.cors_origins:
        found.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type"],
                max_age=600,
            )
        )
    return found


def _pages() -> list[BaseRoute]:
    async def graphiql(_request: Request) -> Response:
        return FileResponse(WEB / "graphiql.html", headers=PAGE_HEADERS)

    async def home(_request: Request) -> Response:
        return RedirectResponse("/graphiql")

    return [Route("/", home), Route("/graphiql", graphiql), Mount("/static", StaticFiles(directory=WEB))]


async def _readiness(database: Database) -> Response:
    """Ready means: the database answers and has the tables this version knows."""
    try:
        async with asyncio.timeout(5), database.read() as session:
            at = await migration.revision(session)
    except (Unavailable, TimeoutError):
        return JSONResponse({"status": "unavailable", "reason": "the database can't be reached"}, status_code=503)
    if at != migration.head():
        reason = f"the database is at revision {at}, this version needs {migration.head()}: run `tessera db upgrade`"
        return JSONResponse({"status": "unavailable", "reason": reason}, status_code=503)
    return JSONResponse({"status": "ready", "revision": at})
