"""The health checks of a worker, which serves nothing else."""

import asyncio
import contextlib
import socket
from collections.abc import Generator, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tessera_gql.store.database import Database
from tessera_gql.telemetry import health

MAX_CONNECTIONS = 32


class _ProbeServer(uvicorn.Server):
    """A uvicorn server that leaves signals to the worker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def answer_probes(database: Database, tasks: Sequence[asyncio.Task[None]], listener: socket.socket) -> None:
    """Answer `/healthz` and `/readyz` until cancelled; not ready if a task of the worker has ended."""
    check = health.DatabaseCheck(database)

    async def respond(_request: Request) -> Response:
        if ended := [task.get_name() for task in tasks if task.done()]:
            return health.report_unready(f"the worker no longer runs: {', '.join(ended)}")
        return await check.respond()

    app = Starlette(routes=[Route("/healthz", health.report_alive), Route("/readyz", respond)])
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
    )
    await _ProbeServer(config).serve(sockets=[listener])
