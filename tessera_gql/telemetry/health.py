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
class ReadinessCheck:
    """Readiness check: the database answers and has this version's tables, and the event relay runs."""

    database: Database
    event_relay: EventRelay
    transport: Transport

    async def respond(self, _request: Request) -> Response:
        if self.transport.closing.is_set():
            return _not_ready_response("the server is stopping")
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS), self.database.read() as session:
                database_state = await migration.load_state_in_session(session)
        except Unavailable as error:
            return _not_ready_response(error.reason)
        except TimeoutError:
            return _not_ready_response(f"{self.database.name} {NOT_RESPONDING.text}")
        if database_state.is_read_only:
            return _not_ready_response(f"{self.database.name} {READ_ONLY.text}")
        if reason := migration.describe_mismatch(database_state):
            return _not_ready_response(reason)
        if not self.event_relay.is_following:
            return _not_ready_response("the event log is not being followed, so subscriptions stand still")
        sequence = self.event_relay.position
        return JSONResponse({"status": "ready", "revision": database_state.revision, "sequence": sequence})


def _not_ready_response(reason: str) -> Response:
    return JSONResponse({"status": "unavailable", "reason": reason}, status_code=503)
