"""Health checks: `/healthz` for liveness, `/readyz` for readiness to serve requests."""

import asyncio
from dataclasses import dataclass
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tessera_gql.errors import Unavailable
from tessera_gql.notifications.event_relay import EventRelay
from tessera_gql.server.transport import Transport
from tessera_gql.store import migration
from tessera_gql.store.database import Database
from tessera_gql.store.faults import NOT_RESPONDING, READ_ONLY

TIMEOUT_SECONDS = 5


async def report_alive(_request: Request) -> Response:
    return JSONResponse({"status": "alive", "version": version("tessera-gql")})


@dataclass(frozen=True)
class DatabaseCheck:
    """Readiness check of the database: it answers, can be written, and has this version's tables."""

    database: Database

    async def find_problem(self) -> tuple[str | None, str | None]:
        """Return the reason why the database can't be used, and its revision if it can."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS), self.database.read() as session:
                state = await migration.load_state_in_session(session)
        except Unavailable as error:
            return error.reason, None
        except TimeoutError:
            return f"{self.database.name} {NOT_RESPONDING.text}", None
        if state.is_read_only:
            return f"{self.database.name} {READ_ONLY.text}", None
        return migration.describe_mismatch(state), state.revision

    async def respond(self) -> Response:
        problem, revision = await self.find_problem()
        return report_unready(problem) if problem else JSONResponse({"status": "ready", "revision": revision})


@dataclass(frozen=True)
class ReadinessCheck:
    """Readiness check of a server: it is not stopping, its database can be used, and the event relay runs."""

    database: Database
    event_relay: EventRelay
    transport: Transport

    async def respond(self, _request: Request) -> Response:
        if self.transport.stopping.is_set() or self.transport.closing.is_set():
            return report_unready("the server is stopping")
        problem, revision = await DatabaseCheck(self.database).find_problem()
        if problem:
            return report_unready(problem)
        if not self.event_relay.is_following:
            return report_unready("the event log is not being followed, so subscriptions stand still")
        return JSONResponse({"status": "ready", "revision": revision, "sequence": self.event_relay.position})


def report_unready(reason: str) -> Response:
    return JSONResponse({"status": "unavailable", "reason": reason}, status_code=503)
