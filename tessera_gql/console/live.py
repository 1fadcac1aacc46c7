"""Live updates: a page's stored subscription as server-sent events, with the session of the console."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from tessera_gql.console.documents import list_documents
from tessera_gql.console.site import SECURITY_HEADERS, Console
from tessera_gql.server import sse
from tessera_gql.server.deduplication import stream_messages
from tessera_gql.server.operations import build_exception_reply
from tessera_gql.server.transport import Unauthenticated

ARGUMENTS = ("id",)
"""Parameters of an address that a subscription takes as variables."""


def create_live_route(console: Console) -> BaseRoute:
    """Create the route of the streams."""
    return Route("/console/live/{page}", _LiveEndpoint(console))


@dataclass(frozen=True, eq=False)
class _LiveEndpoint:
    """The streams as an ASGI application, since they are written in parts."""

    console: Console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        refusal = await self._stream(request, send)
        if refusal is not None:
            await refusal(scope, receive, send)

    async def _stream(self, request: Request, send: Send) -> Response | None:
        """Stream until the client leaves; return a response instead if the stream is refused."""
        name = request.path_params["page"]
        if request.method != "GET":
            return _refuse(405, "Streams are read with GET.")
        if name not in list_documents("subscriptions"):
            return _refuse(404, "There is no stream of this page.")
        try:
            visitor = await self.console.identify(request)
            variables = {key: request.query_params[key] for key in ARGUMENTS if key in request.query_params}
            prepared = self.console.prepare("subscriptions", name, variables)
            source = stream_messages(self.console.transport, prepared, visitor.identity)
            await sse.stream(self.console.transport, source, visitor.identity, request.receive, send)
        except Unauthenticated:
            return _refuse(401, "Sign in first.")
        except Exception as error:  # noqa: BLE001 - too many streams, or a masked and logged failure
            reply = build_exception_reply(self.console.transport, error)
            return _refuse(
                429 if reply["errors"][0]["extensions"]["code"] == "RATE_LIMITED" else 500, "Try again later."
            )
        return None


def _refuse(status: int, text: str) -> Response:
    return Response(text, status, SECURITY_HEADERS, "text/plain")
