"""WebSocket protocol for uvicorn with a fast path for text messages and limits for control frames.

The application reaches it through the ASGI scope. On servers without it, messages are sent through ASGI.
"""

from __future__ import annotations

import struct
from asyncio.transports import BaseTransport
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, cast

from starlette.types import Scope
from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from tessera_gql.server.connection_limits import ClientConnection, PingCounter, RefusalReason
from tessera_gql.server.http_protocol import LimitedServerState

WRITE_TEXT = "tessera.write_text"
AUTHENTICATED = "tessera.authenticated"
POLICY_VIOLATION = 1008
MAX_PENDING_MESSAGES = 1000
"""Maximum messages in one read from the network. The next read waits until the application has received them."""

SLICE_BYTES = 16_384
"""Bytes that are parsed at a time. A read can have 40,000 pings, of which the first ones exceed the limit."""

WriteText: TypeAlias = Callable[[bytes], bool]
"""Writes a text message; returns False without writing if the client does not read or has disconnected."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with direct writes. It never compresses messages."""

    connection: ClientConnection

    def __init__(self, config: Config, server_state: LimitedServerState, **arguments: Any) -> None:
        super().__init__(config, server_state, **arguments)
        self.limiter = server_state.limiter
        self.pings = PingCounter(self.limiter.limits.pings_per_minute)
        self.latest_pong: bytes | None = None
        """The pong to send when the client reads again. RFC 6455 permits to skip earlier ones."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.connection = self.limiter.open[self.transport]

    def data_received(self, data: bytes) -> None:
        """Parse the data in slices, and nothing more once the connection is closing."""
        for start in range(0, len(data), SLICE_BYTES):
            if start and self.transport.is_closing():
                return
            super().data_received(data[start : start + SLICE_BYTES])

    def eof_received(self) -> bool:  # type: ignore[override] # as the protocol of asyncio
        """Close the connection in its turn, since thousands of clients may disconnect at the same moment."""
        self.disconnected = True
        self.limiter.schedule(self.transport.close)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Write nothing more, and unregister the connection in its turn."""
        self.disconnected = True
        self.limiter.schedule(partial(self._end, exc))

    def _end(self, exc: Exception | None) -> None:
        """Unregister the connection and break the reference cycle between scope and connection."""
        self.limiter.remove(self.connection)
        super().connection_lost(exc)
        if (scope := getattr(self, "scope", None)) is not None:
            for name in (WRITE_TEXT, AUTHENTICATED):
                scope.get("extensions", {}).pop(name, None)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.connection.start_write_deadline()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.connection.stop_write_deadline()
        if self.latest_pong is not None and not self.close_sent:
            self.transport.write(self.latest_pong)
        self.latest_pong = None

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            extensions = cast("dict[str, object]", self.scope.setdefault("extensions", {}))
            extensions[WRITE_TEXT] = self.write_text
            extensions[AUTHENTICATED] = self.set_authenticated

    def start_keepalive(self) -> None:
        """Free the handshake request, which would otherwise be kept as long as the connection."""
        super().start_keepalive()
        self.request.headers.clear()  # the frame parser keeps a reference to the request
        del self.request, self.response

    def handle_text(self, event: Frame) -> None:
        super().handle_text(event)
        if self.queue.qsize() > MAX_PENDING_MESSAGES:
            self.close_for_violation(f"Too many messages at once: at most {MAX_PENDING_MESSAGES}")

    def handle_cont(self, event: Frame) -> None:
        if event.data or self.count_control_frame():
            super().handle_cont(event)

    def handle_ping(self) -> None:
        pongs = self.conn.data_to_send()  # the first ping of a read gets the pongs of all its pings
        if not self.count_control_frame():
            return
        if self.writable.is_set():
            self.transport.write(b"".join(pongs))
        elif pongs:
            self.latest_pong = pongs[-1]

    def handle_pong(self, event: Frame) -> None:
        if self.count_control_frame():
            super().handle_pong(event)

    def count_control_frame(self) -> bool:
        """Count a control or empty frame and return False if the socket is closing, perhaps because of it."""
        if not self.close_sent and self.pings.is_exceeded():
            self.close_for_violation(f"Too many pings: at most {self.pings.per_minute} a minute")
        return not self.close_sent

    def close_for_violation(self, reason: str) -> None:
        """Close the socket because its client violates the frame limits."""
        if self.close_sent or self.transport.is_closing():
            return
        self.limiter.refusals[RefusalReason.PINGS] += 1
        self.conn.send_close(POLICY_VIOLATION, reason)
        self.handle_parser_exception()
        self.connection.start_write_deadline()

    def set_authenticated(self) -> None:
        self.limiter.protect(self.connection)

    def write_text(self, text: bytes) -> bool:
        if not self.writable.is_set() or self.close_sent or self.disconnected or self.transport.is_closing():
            return False
        size = len(text)
        if size < 126:
            head = bytes((0x81, size))
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x81, 126, size)
        else:
            head = struct.pack("!BBQ", 0x81, 127, size)
        self.transport.write(head + text)
        return True

    async def send(self, message: ASGISendEvent) -> None:
        try:
            await super().send(message)
        except RuntimeError:
            if self.close_sent:  # the server closed the socket while the application was sending
                raise ClientDisconnected from None
            raise

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self.connection.start_write_deadline()  # the client must still read queued data and the closing handshake


def get_text_writer(scope: Scope) -> WriteText | None:
    """Return the fast path for text messages, or None if the server has none."""
    callback: WriteText | None = (scope.get("extensions") or {}).get(WRITE_TEXT)
    return callback


def mark_authenticated(scope: Scope) -> None:
    """Protect the connection of an authenticated socket from eviction."""
    callback: Callable[[], None] | None = (scope.get("extensions") or {}).get(AUTHENTICATED)
    if callback is not None:
        callback()
