"""HTTP protocol for uvicorn with limits for request heads, unread replies and pipelined requests.

uvicorn has none of these with httptools: a head may have any size and take any time, and an unread reply is kept as
long as its connection.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple, cast

import httptools
import orjson
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import get_remote_addr
from uvicorn.server import ServerState

from tessera_gql.server.connection_limits import ClientConnection, ConnectionLimiter, RefusalReason

LINGER_SECONDS = 1.0
"""How long a refused connection stays open so that its client reads the error."""
PROBE_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


class ConnectionRefusal(NamedTuple):
    """An error response that is written without the application and ends the connection."""

    reason: RefusalReason
    status: int
    message: str
    code: str = "BAD_REQUEST"


MALFORMED = ConnectionRefusal(RefusalReason.MALFORMED, 400, "This is not a valid HTTP/1.1 request. Send one.")
FULL = ConnectionRefusal(
    RefusalReason.FULL,
    503,
    "The server has no connection left. Close idle ones, or try again in a moment.",
    "UNAVAILABLE",
)


class LimitedServerState(ServerState):
    """uvicorn's server state with the connection limiter that all protocols share."""

    def __init__(self, limiter: ConnectionLimiter) -> None:
        super().__init__()
        self.limiter = limiter


class _HeadRefused(Exception):  # noqa: N818 - ends the parsing, not a fault
    """Stops the parser because the head was refused; the reason is in `HttpProtocol.refusal`."""


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection, until it is closed or upgraded to a WebSocket."""

    def __init__(self, config: Config, server_state: LimitedServerState, **arguments: Any) -> None:
        super().__init__(config, server_state, **arguments)
        self.limiter = server_state.limiter
        self.limits = server_state.limiter.limits
        self.connection: ClientConnection | None = None
        """The registered connection; None if it was refused before anything was read."""
        self.current_cycle: RequestResponseCycle | None = None
        """The request that is being executed; `cycle` is the one that was parsed last."""
        self.refusal: ConnectionRefusal | None = None
        """The error that ends the connection after the replies to earlier requests. Later data is discarded."""
        self.is_receiving = False
        """Whether a request has begun and is incomplete."""
        self.is_reading_head = False
        self.head_size = 0
        self.unparsed_size = 0
        """Bytes received since the last parser callback. The parser buffers an unfinished header without limit."""
        self.timer: asyncio.TimerHandle | None = None
        """Timer that ends the connection at the deadline of an incomplete request."""

    @property
    def is_executing(self) -> bool:
        return self.current_cycle is not None and not self.current_cycle.response_complete

    @property
    def _is_surplus(self) -> bool:
        return self.connection is not None and self.connection.is_surplus and self.limiter.is_full

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        super().connection_made(transport)
        address = get_remote_addr(transport)
        accepted = self.limiter.accept(transport, address[0] if address else "")
        if isinstance(accepted, ClientConnection):
            self.connection = accepted
            self._expect_request()
            return
        self.refusal = FULL
        if accepted is RefusalReason.ADDRESS:
            message = "Your address has as many connections as it may have. Close some of them first."
            self.refusal = ConnectionRefusal(accepted, 429, message, "RATE_LIMITED")
        self._write_refusal(self.refusal)
        transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        self.pipeline.clear()
        if self.current_cycle is not None and not self.current_cycle.response_complete:
            self.current_cycle.disconnected = True  # uvicorn notifies only the request that was parsed last
            self.current_cycle.message_event.set()
        if self.connection is not None:
            self.limiter.remove(self.connection)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.refusal is not None:
            return
        self._unset_keepalive_if_required()
        self.unparsed_size += len(data)
        try:
            self.parser.feed_data(data)  # pyright: ignore[reportOptionalMemberAccess] - None when the connection is lost
        except httptools.HttpParserUpgrade:
            self._upgrade()
            return
        except httptools.HttpParserError:
            self._refuse(self.refusal or MALFORMED)  # type: ignore[redundant-expr] # set by the parser's callbacks
            return
        if self.unparsed_size > self.limits.head_bytes:
            self._refuse(self._head_too_large())
        else:
            self._expect_request()

    def _upgrade(self) -> None:
        if not self._should_upgrade():
            self._expect_request()  # the request was executed as plain HTTP
        elif self.is_executing:  # the reply would be written into the websocket
            self._refuse(MALFORMED)
        elif self._is_surplus:
            self._refuse(FULL)
        else:
            self._stop_timers()
            self.handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.is_receiving = self.is_reading_head = True
        self.head_size = self.unparsed_size = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self.unparsed_size = 0
        if len(self.url) > self.limits.url_bytes:
            message = f"The URL is longer than {self.limits.url_bytes:,} bytes. Send the query by POST."
            self._stop_parsing(ConnectionRefusal(RefusalReason.URL_TOO_LONG, 414, message))

    def on_header(self, name: bytes, value: bytes) -> None:
        self.unparsed_size = 0
        self.head_size += len(name) + len(value)
        if self.is_reading_head:  # trailers count for the limit but are dropped
            super().on_header(name, value)
        if self.head_size > self.limits.head_bytes or len(self.headers) > self.limits.head_fields:
            self._stop_parsing(self._head_too_large())

    def on_headers_complete(self) -> None:
        self.unparsed_size = 0
        self.is_reading_head = False
        if len(self.pipeline) >= self.limits.pipelined_requests:
            message = f"More than {self.limits.pipelined_requests} requests wait for their replies. Read these first."
            self._stop_parsing(ConnectionRefusal(RefusalReason.PIPELINE, 429, message, "RATE_LIMITED"))
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.unparsed_size = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.unparsed_size = 0
        self.is_receiving = False
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.current_cycle = cycle
        if self._is_surplus and cycle.scope["path"] not in PROBE_PATHS:
            self.limiter.refusals[RefusalReason.FULL] += 1
            app = cast("ASGI3Application", _refuse_surplus)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._start_write_deadline()
        elif self.refusal is not None and not self.is_executing:
            self._end(self.refusal)
        else:
            self._expect_request()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._start_write_deadline()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_write_deadline()

    def _start_write_deadline(self) -> None:
        if self.connection is not None:
            self.connection.start_write_deadline()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.connection is not None:
            self.connection.stop_write_deadline()

    def _expect_request(self) -> None:
        """Start the timer that belongs to the state of the connection.

        - A request is executed: there is no timer, and the connection is protected from eviction.
        - The connection is new, or a request is incomplete: the deadline of the request runs.
        - The connection waits between two requests: the keep-alive timer runs.

        A connection that had a request may be evicted until its next request is executed.
        """
        if self.connection is None or self.transport.is_closing():
            return
        if self.is_executing:
            self._stop_timer()
            self.limiter.protect(self.connection)
            return
        is_new = self.current_cycle is None
        if is_new or self.is_receiving:
            self._unset_keepalive_if_required()
            if self.timer is None:
                self.timer = self.loop.call_later(self.limits.head_seconds, self._handle_timeout)
        else:
            self._stop_timer()
            if self.timeout_keep_alive_task is None:
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )
        if not is_new:
            self.limiter.set_kept_alive(self.connection)

    def _handle_timeout(self) -> None:
        self.timer = None
        message = f"The head of the request did not come within {self.limits.head_seconds:g} seconds. Send it at once."
        refusal = ConnectionRefusal(RefusalReason.HEAD_TIMEOUT, 408, message)
        if self.is_receiving and self.is_reading_head:
            self._refuse(refusal)
        else:  # nothing was received, or the reply was sent before the request was complete
            self.limiter.refusals[refusal.reason] += 1
            self.transport.close()

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _stop_timers(self) -> None:
        self._stop_timer()
        self._unset_keepalive_if_required()

    def _head_too_large(self) -> ConnectionRefusal:
        limits = f"{self.limits.head_bytes:,} bytes and {self.limits.head_fields:,} headers"
        message = f"The head of a request may have {limits}. Send less."
        return ConnectionRefusal(RefusalReason.HEAD_TOO_LARGE, 431, message)

    def _stop_parsing(self, refusal: ConnectionRefusal) -> None:
        self.refusal = refusal
        raise _HeadRefused

    def _refuse(self, refusal: ConnectionRefusal) -> None:
        """End the connection after the replies to earlier requests."""
        self.limiter.refusals[refusal.reason] += 1
        self.refusal = refusal
        if not self.is_executing:
            self._end(refusal)

    def _end(self, refusal: ConnectionRefusal) -> None:
        """Send the error and close after a moment. Closing at once could destroy the response in transit."""
        self._stop_timers()
        self._write_refusal(refusal)
        self.transport.write_eof()
        self.timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _write_refusal(self, refusal: ConnectionRefusal) -> None:
        body = orjson.dumps({"errors": [{"message": refusal.message, "extensions": {"code": refusal.code}}]})
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        if refusal.status in (429, 503):
            headers.append((b"retry-after", b"1"))
        lines = [b"%b: %b\r\n" % header for header in dict(headers).items()]  # a default header must not be repeated
        self.transport.write(b"".join((STATUS_LINE[refusal.status], *lines, b"\r\n", body)))


async def _refuse_surplus(scope: Scope, receive: Receive, send: Send) -> None:
    error = {"message": FULL.message, "extensions": {"code": FULL.code}}
    response = JSONResponse({"errors": [error]}, FULL.status, {"Retry-After": "1", "Connection": "close"})
    await response(scope, receive, send)
