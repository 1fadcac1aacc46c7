"""One server process, and how it ends: whoever has sent a request gets an answer, and then a closed connection.

At first nobody new is let in, and every answer says `Connection: close`. Sockets and streams are told to come back
elsewhere. A connection that waits for its client's next request lingers for a moment, since that may be under way and
could no longer be answered; then it is closed. What is not done within SHUTDOWN_SECONDS is cut off.
"""

import asyncio
import contextlib
import ctypes
import gc
import logging
import resource
import signal
import socket
import sys
from collections.abc import Generator

import uvicorn
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tessera_gql import app as application
from tessera_gql.config import Settings
from tessera_gql.graphql.frames import Frames
from tessera_gql.graphql.http_protocol import ConnectionState, HttpProtocol

ACCEPT_SECONDS = 0.05
"""In which those who were let in by the system before it knew are let in by us."""
LINGER_SECONDS = 1.0
KEEP_ALIVE_SECONDS = 75
"""Longer than proxies keep a connection that nobody uses: they should be the ones to close it."""
RESERVED_FILES = 64
"""Left for the database file, event listeners, uploads and webhooks; connections of the database pool come on top."""
FEWEST_CONNECTIONS = 8
UNSENT_BYTES = 16 * 1024
"""What the system takes of a reply before the client takes it; by default it is megabytes for each connection, and a
client that reads nothing would not be noticed before they are full."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
MALLOC = {M_ARENA_MAX: 2, M_MMAP_THRESHOLD: 256 * 1024, M_TRIM_THRESHOLD: 1024 * 1024}
"""As `mallopt` takes them; blocks above the second are given back to the system as soon as they are free."""
SWITCH_SECONDS = 0.001
"""How long the event loop's thread may keep threads waiting that read SQLite: each statement needs several turns of
theirs, and with the default of five milliseconds a query beside long answers took a tenth of a second longer."""
CLOSE = (b"connection", b"close")
CUT_OFF = {
    "message": "The server stops, and this took longer than it could wait. If it was a mutation it may have been done:"
    " repeat it with the same idempotencyKey to learn that.",
    "extensions": {"code": "UNAVAILABLE", "retryable": True},
}

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Ends as the module says."""

    def __init__(self, config: uvicorn.Config, parts: application.Parts) -> None:
        super().__init__(config)
        self.server_state = ConnectionState(parts.transport.connections)
        self._parts = parts

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        now = asyncio.get_running_loop().time
        ends = now() + self._parts.settings.shutdown_seconds
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]
        await asyncio.sleep(ACCEPT_SECONDS)
        for server in self.servers:
            server.close()
        for one in sockets or []:
            one.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(ends):
                await self._parts.drain()
        await self._linger(min(now() + LINGER_SECONDS, ends))
        self.config.timeout_graceful_shutdown = max(1, round(ends - now()))
        await super().shutdown()

    async def _linger(self, until: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                while self.server_state.connections:  # noqa: ASYNC110 - uvicorn has no event for this
                    await asyncio.sleep(0.02)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """The first asks for an end in peace, another Ctrl-C for one at once; neither is raised again afterwards."""
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, self.handle_exit)
        yield


def telling(app: ASGIApp) -> ASGIApp:
    """Whoever is cut off is told so, if no answer has begun."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def noting(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await app(scope, receive, noting)
        except asyncio.CancelledError:
            if began or scope["type"] != "http":
                raise
            await JSONResponse({"errors": [CUT_OFF]}, 503, {"Retry-After": "1"})(scope, receive, send)

    return run


def run(settings: Settings, listener: socket.socket) -> int:
    """Serves until a signal ends it; the exit code."""
    parts = application.assemble(settings)
    parts.transport.connections.most = affordable_connections(settings)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    config = uvicorn.Config(
        telling(application.create(parts)),
        http=HttpProtocol,
        ws=Frames,
        ws_per_message_deflate=False,
        ws_max_size=max(1 << 18, 2 * settings.limit_frame_bytes),
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    limit_malloc()
    settle()
    Server(config, parts).run(sockets=[listener])
    return 0


def affordable_connections(settings: Settings) -> int:
    """How many connections there may be, after raising the limit of open files as far as the system permits."""
    reserve = RESERVED_FILES + 2 * settings.database_pool
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.limit_connections + reserve
    if soft < needed and soft != resource.RLIM_INFINITY:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        affordable = max(FEWEST_CONNECTIONS, soft - reserve)
        if affordable < settings.limit_connections:
            log.warning("The limit of %d open files leaves room for %d connections of a process.", soft, affordable)
            return affordable
    return settings.limit_connections


def settle() -> None:
    """Keep what the start has made out of garbage collections, and adapt their frequency to a server.

    The youngest generation bounds the garbage that waits: reading a new text or comparing two schemas leaves a thousand
    objects in cycles. What is cached is in no cycle, so that the oldest generation needs no attention.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    sys.setswitchinterval(SWITCH_SECONDS)


def limit_malloc() -> None:
    """Have glibc keep less of what was freed; another C library has its own ways.

    By default each thread has an arena of its own, and what a large block leaves behind goes into small ones. With a
    dozen threads that held 52 MB of free memory after three minutes of mixed use, and 11 MB with these limits.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in MALLOC.items():
            mallopt(parameter, value)
