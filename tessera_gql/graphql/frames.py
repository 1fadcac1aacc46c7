"""WebSocket messages straight into the connection: a whole text frame, written at once, while the client reads.

uvicorn's protocol, reached through the ASGI scope; on a server that has another, messages go the usual way.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeAlias, cast

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION = "tessera.write_text"

WriteText: TypeAlias = Callable[[bytes], bool]
"""Writes a message; False, and nothing is written, if the client does not read, or is gone."""


class Frames(WebSocketsSansIOProtocol):
    """Knows no compression: what it writes is never masked and never compressed."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            extensions = cast("dict[str, object]", self.scope.setdefault("extensions", {}))
            extensions[EXTENSION] = self.write_text

    def connection_lost(self, exc: Exception | None) -> None:
        """The scope refers to the connection no more: a cycle would keep both until a full garbage collection."""
        super().connection_lost(exc)
        if (scope := getattr(self, "scope", None)) is not None:
            scope.get("extensions", {}).pop(EXTENSION, None)

    def start_keepalive(self) -> None:
        """The handshake is done: what it was made of is not kept for as long as the connection lives."""
        super().start_keepalive()
        self.request.headers.clear()  # the parser of frames holds on to the request
        del self.request, self.response

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


def writer(scope: Scope) -> WriteText | None:
    found: WriteText | None = (scope.get("extensions") or {}).get(EXTENSION)
    return found
