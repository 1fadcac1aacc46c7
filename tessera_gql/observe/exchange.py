"""One request as the log tells it: an id, and what came of it; whatever runs for it finds it by `current()`."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
"""Of a caller's `X-Request-ID`; any other is replaced."""


@dataclass(slots=True, eq=False)
class Exchange:
    """A request, or a websocket for as long as it is open."""

    id: str
    kind: str
    """`http` or `websocket`."""
    method: str
    path: str
    started: float
    traceparent: tuple[str, str] | None = None
    """With it the `tracestate`."""
    status: int = 0
    operation: str | None = None
    operation_kind: str | None = None
    outcome: str | None = None
    codes: list[str] = field(default_factory=list[str])
    account: str | None = None


Ended: TypeAlias = Callable[[Exchange, float], None]
"""Told of each exchange when it is over, with the seconds it took."""

_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def current() -> Exchange | None:
    return _current.get()


class Exchanges:
    """Outermost: gives every request its id, in and out."""

    def __init__(self, app: ASGIApp, ended: Ended) -> None:
        self.app = app
        self.ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        exchange = begun(scope)
        header = (b"x-request-id", exchange.id.encode())

        async def noted(message: Message) -> None:
            match message["type"]:
                case "http.response.start":
                    exchange.status = message["status"]
                    message["headers"] = [*message.get("headers", ()), header]
                case "websocket.accept":
                    exchange.status = 101
                    message["headers"] = [*message.get("headers", ()), header]
                case "websocket.close":
                    exchange.status = message.get("code", 1000)
                case _:
                    pass
            await send(message)

        token = _current.set(exchange)
        try:
            await self.app(scope, receive, noted)
        except Exception:
            exchange.status = exchange.status or 500
            raise
        finally:
            _current.reset(token)
            self.ended(exchange, time.perf_counter() - exchange.started)


def begun(scope: Scope) -> Exchange:
    identity, parent, state = b"", b"", b""
    for name, value in scope["headers"]:
        match name:
            case b"x-request-id":
                identity = value
            case b"traceparent":
                parent = value
            case b"tracestate":
                state = value
            case _:
                pass
    return Exchange(
        id=identity.decode() if SANE_ID.fullmatch(identity) else f"{random.getrandbits(64):016x}",
        kind=scope["type"],
        method=scope.get("method", "GET"),
        path=scope["path"],
        started=time.perf_counter(),
        traceparent=(parent.decode("latin-1"), state.decode("latin-1")) if parent else None,
    )
