"""`/healthz`: the process lives. `/readyz`: it can serve, so that whoever routes requests may send it some."""

import asyncio
from dataclasses import dataclass
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tessera_gql.delivery.bus import Bus
from tessera_gql.errors import Unavailable
from tessera_gql.graphql.transport import Transport
from tessera_gql.store import migration
from tessera_gql.store.database import Database
from tessera_gql.store.faults import READ_ONLY, SILENT

PATIENCE_SECONDS = 5


async def alive(_request: Request) -> Response:
    return JSONResponse({"status": "alive", "version": version("tessera-gql")})


@dataclass(frozen=True)
class Readiness:
    """The database answers and has the tables this version knows, and its events are being told."""

    database: Database
    bus: Bus
    transport: Transport

    async def answer(self, _request: Request) -> Response:
        if self.transport.closing.is_set():
            return _unready("the server is stopping")
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self.database.read() as session:
                found = await migration.stand(session)
        except Unavailable as error:
            return _unready(error.reason)
        except TimeoutError:
            return _unready(f"{self.database.name} {SILENT.text}")
        if found.is_read_only:
            return _unready(f"{self.database.name} {READ_ONLY.text}")
        if reason := migration.misfit(found):
            return _unready(reason)
        if not self.bus.is_following:
            return _unready("the event log is not being followed, so subscriptions stand still")
        return JSONResponse({"status": "ready", "revision": found.at, "sequence": self.bus.position})


def _unready(reason: str) -> Response:
    return JSONResponse({"status": "unavailable", "reason": reason}, status_code=503)
