"""Context of the request log: an ASGI middleware gives each request an id and collects what is logged about it."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

VALID_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
"""The form of an acceptable `X-Request-ID`; a caller's id of another form is replaced."""


@dataclass(slots=True, eq=False)
class LoggedRequest:
    """A request or an open websocket, with everything that is logged about it."""

    id: str
    kind: str
    """Either `http` or `websocket`, as in ASGI."""
    method: str
    path: str
    start_time: float
    traceparent: tuple[str, str] | None = None
    """The headers `traceparent` and `tracestate`."""
    status: int = 0
    operation: str | None = None
    operation_kind: str | None = None
    outcome: str | None = None
    codes: list[str] = field(default_factory=list[str])
    account: str | None = None


OnRequestEnd: TypeAlias = Callable[[LoggedRequest, float], None]
"""Called at the end of each request with its duration in seconds."""

_current_request: ContextVar[LoggedRequest | None] = ContextVar("current_request", default=None)


def current_request() -> LoggedRequest | None:
    return _current_request.get()


class RequestLogMiddleware:
    """ASGI middleware, outermost: sets the current request, and adds `X-Request-ID` to each response."""

    def __init__(self, app: ASGIApp, on_request_end: OnRequestEnd) -> None:
        self.app = app
        self._on_request_end = on_request_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request = start_request(scope)
        header = (b"x-request-id", request.id.encode())

        async def send_with_id(message: Message) -> None:
            match message["type"]:
                case "http.response.start" | "websocket.accept":
                    request.status = message.get("status", 101)
                    message["headers"] = [*message.get("headers", ()), header]
                case "websocket.close":
                    request.status = message.get("code", 1000)
                case _:
                    pass
            await send(message)

        token = _current_request.set(request)
        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            request.status = request.status or 500
            raise
        finally:
            _current_request.reset(token)
            self._on_request_end(request, time.perf_counter() - request.start_time)


def start_request(scope: Scope) -> LoggedRequest:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    request_id, traceparent, tracestate = (
        headers.get(name, b"") for name in (b"x-request-id", b"traceparent", b"tracestate")
    )
    return LoggedRequest(
        id=request_id.decode() if VALID_REQUEST_ID.fullmatch(request_id) else f"{random.getrandbits(64):016x}",
        kind=scope["type"],
        method=scope.get("method", "GET"),
        path=scope["path"],
        start_time=time.perf_counter(),
        traceparent=(traceparent.decode("latin-1"), tracestate.decode("latin-1")) if traceparent else None,
    )
