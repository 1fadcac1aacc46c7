"""Middleware for a server below a path of a reverse proxy, whether or not the proxy strips the path."""

from starlette.types import ASGIApp, Receive, Scope, Send


class PublicPath:
    """ASGI middleware that serves `/tessera/graphql` like `/graphql` if the public path is `/tessera`."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope["path"].startswith(f"{self._path}/"):
            scope = {**scope, "root_path": self._path}
        await self._app(scope, receive, send)
