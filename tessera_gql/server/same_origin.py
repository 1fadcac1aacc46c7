"""Middleware that refuses cross-origin requests to a server without keys, which any web page in a browser can reach.

A browser sends the origin of the page (`Origin`) and the host it connects to (`Host`). A foreign origin is another
site's script. A foreign host is a name that resolves to this machine to look like the same site (DNS rebinding).
"""

from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class SameOrigin:
    """ASGI middleware that refuses requests whose host is not local, or whose origin is neither local nor allowed."""

    def __init__(self, app: ASGIApp, allowed: tuple[str, ...] = ()) -> None:
        self._app = app
        self._allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._is_local(Headers(scope=scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(code=1008, reason="Foreign origin")(scope, receive, send)
        else:
            text = "This server has no keys and answers only pages of this machine. Add the origin to CORS_ORIGINS."
            await PlainTextResponse(text, status_code=403)(scope, receive, send)

    def _is_local(self, headers: Headers) -> bool:
        if _hostname(f"//{headers.get('host', 'localhost')}") not in LOCAL_HOSTS:
            return False
        origin = headers.get("origin")
        return origin is None or origin in self._allowed or _hostname(origin) in LOCAL_HOSTS


@lru_cache(maxsize=64)
def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
