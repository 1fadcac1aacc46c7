"""One server process and its graceful shutdown: every request that was sent gets a response.

Shutdown adds `Connection: close` to every response, and with SHUTDOWN_DELAY_SECONDS serves on for that time without
being ready. Then it closes the listening sockets, and closes WebSockets and streams, which reconnect elsewhere. Idle
keep-alive connections stay open for a moment, because a request may be on its way. Requests that exceed
SHUTDOWN_SECONDS are cancelled.
"""

import asyncio
import contextlib
import ctypes
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
from tessera_gql.components import Components, create_components
from tessera_gql.config import Settings
from tessera_gql.garbage_collection import tune_garbage_collection
from tessera_gql.notifications import outbound_http
from tessera_gql.server.http_protocol import HttpProtocol, LimitedServerState
from tessera_gql.server.websocket_frames import WebSocketProtocol
from tessera_gql.store.tables import configure_models

ACCEPT_SECONDS = 0.05
"""Time to accept connections that are already in the kernel's queue when the shutdown begins."""
LINGER_SECONDS = 1.0
KEEP_ALIVE_SECONDS = 75
"""Longer than the idle timeout of proxies: if the server closed first, a proxy could send into a closed connection."""
RESERVED_FILES = 64
"""Files for the database, event listeners, uploads and webhooks, without the connections of the database pool."""
MIN_CONNECTIONS = 8
UNSENT_BYTES = 16 * 1024
"""Unsent bytes the kernel buffers per connection (TCP_NOTSENT_LOWAT). The default is megabytes, and a client that reads
nothing would go unnoticed until they are full."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
MALLOC = {M_ARENA_MAX: 2, M_MMAP_THRESHOLD: 256 * 1024, M_TRIM_THRESHOLD: 1024 * 1024}
"""Parameters of `mallopt`. Blocks above M_MMAP_THRESHOLD are returned to the system as soon as they are free."""
SWITCH_SECONDS = 0.001
"""Switch interval of the interpreter. SQLite runs in threads, and each statement needs the GIL several times: with the
default of 5 ms a query beside large responses took 100 ms longer."""
CLOSE = (b"connection", b"close")
CANCELLED_ERROR = {
    "message": "The server stops, and this took longer than it could wait. If it was a mutation it may have been done:"
    " repeat it with the same idempotencyKey to learn that.",
    "extensions": {"code": "UNAVAILABLE", "retryable": True, "maybeDone": True},
}

log = logging.getLogger(__name__)


class GracefulServer(uvicorn.Server):
    """A uvicorn server with the graceful shutdown that the module describes."""

    def __init__(self, config: uvicorn.Config, parts: Components) -> None:
        super().__init__(config)
        self.server_state = LimitedServerState(parts.transport.connection_limiter)
        self._parts = parts

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        clock = asyncio.get_running_loop().time
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]
        await self._wait_for_load_balancers(clock() + self._parts.settings.shutdown_delay_seconds)
        deadline = clock() + self._parts.settings.shutdown_seconds
        await asyncio.sleep(ACCEPT_SECONDS)
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._parts.drain()
        await self._wait_for_idle_connections(min(clock() + LINGER_SECONDS, deadline))
        self.config.timeout_graceful_shutdown = max(1, round(deadline - clock()))
        await super().shutdown()

    async def _wait_for_load_balancers(self, deadline: float) -> None:
        """Serve on, but not as ready, until the deadline or a second Ctrl-C."""
        self._parts.transport.stopping.set()
        while not self.force_exit and (left := deadline - asyncio.get_running_loop().time()) > 0:  # noqa: ASYNC110 - as below
            await asyncio.sleep(min(left, 0.1))

    async def _wait_for_idle_connections(self, deadline: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while self.server_state.connections:  # noqa: ASYNC110 - uvicorn has no event for this
                    await asyncio.sleep(0.02)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Shut down gracefully on the first signal and at once on a second Ctrl-C, without raising the signal again."""
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signal_number, self.handle_exit)
        yield


def respond_to_cancelled_requests(app: ASGIApp) -> ASGIApp:
    """Wrap an ASGI application to answer 503 for a request that is cancelled before its response begins."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            if has_begun or scope["type"] != "http":
                raise
            await JSONResponse({"errors": [CANCELLED_ERROR]}, 503, {"Retry-After": "1"})(scope, receive, send)

    return run


def run(settings: Settings, listener: socket.socket) -> int:
    """Serve until a signal arrives, and return the exit code."""
    parts = create_components(settings)
    parts.transport.connection_limiter.maximum = compute_connection_limit(settings)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    config = uvicorn.Config(
        respond_to_cancelled_requests(application.create_app(parts)),
        http=HttpProtocol,
        ws=WebSocketProtocol,
        ws_per_message_deflate=False,
        ws_max_size=max(1 << 18, 2 * settings.limit_frame_bytes),
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    configure_models()
    limit_malloc()
    outbound_http.preload()
    tune_runtime()
    GracefulServer(config, parts).run(sockets=[listener])
    return 0


def compute_connection_limit(settings: Settings) -> int:
    """Return the connection limit that the limit of open files allows, after raising the latter if possible."""
    reserved_files = RESERVED_FILES + 2 * settings.database_pool
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.limit_connections + reserved_files
    if soft < needed and soft != resource.RLIM_INFINITY:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        affordable = max(MIN_CONNECTIONS, soft - reserved_files)
        if affordable < settings.limit_connections:
            log.warning("The limit of %d open files leaves room for %d connections of a process.", soft, affordable)
            return affordable
    return settings.limit_connections


def tune_runtime() -> None:
    """Tune garbage collection and thread switching for a server that has started."""
    tune_garbage_collection()
    sys.setswitchinterval(SWITCH_SECONDS)


def limit_malloc() -> None:
    """Make glibc return freed memory to the system; does nothing with another C library.

    By default each thread has its own arena, and fragments of large blocks are kept for small ones. With a dozen
    threads, 52 MB of free memory were held after three minutes of mixed load, and 11 MB with these limits.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in MALLOC.items():
            mallopt(parameter, value)
