"""The tools over HTTP at `/mcp`: each request carries the caller's own key and is answered in this process.

There are no sessions: a request is complete in itself, so that any process of a server can answer it, and a client
that disconnects leaves nothing behind.
"""

import json
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from mcp.server.context import ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.types import INVALID_REQUEST, PARSE_ERROR
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from tessera_gql.agents.protocol import create_server
from tessera_gql.client.errors import parse_error
from tessera_gql.client.operation import Operation
from tessera_gql.server.body import Body, declared_length, wait_for_disconnect
from tessera_gql.server.codec import MalformedRequest, decode
from tessera_gql.server.http import CHALLENGE, refuse
from tessera_gql.server.http_errors import HttpError
from tessera_gql.server.operations import WaitForDisconnect, encode_reply, run_for_encoding
from tessera_gql.server.transport import Identity, Transport, Unauthenticated
from tessera_gql.server.uploads import LARGE_BYTES

T = TypeVar("T")

PATH = "/mcp"
CALLER = "tessera.caller"
"""Key in the scope of a request, under which its caller is handed to the tool."""
SIZE_HINT = " Publish a larger schema with `tessera publish`."


@dataclass(frozen=True)
class LocalCaller:
    """A caller whose operations are executed in this process, with the rights and limits of its key."""

    transport: Transport
    identity: Identity
    disconnect: WaitForDisconnect

    async def run(self, operation: Operation[T]) -> T:
        """Execute one operation and return its typed result; raises a TesseraError."""
        variables = dict(operation.variables)
        prepared = self.transport.document_cache.prepare(operation.document, variables, None)
        reply = await run_for_encoding(self.transport, prepared, self.identity, self.disconnect)
        value: dict[str, Any] = json.loads(encode_reply(self.transport, reply))
        for error in value.get("errors") or ():
            raise parse_error(error)
        return operation.parse(value["data"])


class AgentEndpoint:
    """The endpoint as an ASGI application. It serves within `run`."""

    def __init__(self, transport: Transport, origins: Collection[str], *, needs_keys: bool) -> None:
        """`origins` are those of web pages that may call; without keys, `SameOrigin` has checked that already."""
        self._transport = transport
        self._origins = frozenset(origins) if needs_keys else None
        self._sessions: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Serve requests until the block is left."""
        server = create_server(_find_caller)
        self._sessions = StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, max_request_body_size=LARGE_BYTES
        )
        async with self._sessions.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = Body(receive, self._transport.limits, declared_length(request))
        try:
            self._check_request(request)
            identity = await self._authenticate(request)
            text = b"".join([chunk async for chunk in body.chunks(self._max_bytes, SIZE_HINT)])
            decode(text, "the body")
        except MalformedRequest as error:
            await _build_response(400, PARSE_ERROR, str(error))(scope, receive, send)
        except HttpError as error:
            await self._refuse(error, body, send)
        except ClientDisconnect:
            return
        else:
            disconnect = partial(wait_for_disconnect, receive)
            scope = {**scope, CALLER: LocalCaller(self._transport, identity, disconnect)}
            if self._sessions is not None:
                await self._sessions.handle_request(scope, _replay(text, receive), send)

    @property
    def _max_bytes(self) -> int:
        """Size of a body. A larger one would hold up other requests, and needs a process of its own."""
        return min(self._transport.limits.body_bytes, LARGE_BYTES)

    def _check_request(self, request: Request) -> None:
        if request.method != "POST":
            raise HttpError(405, f"{request.method} is not served here: use POST.", {"Allow": "POST"})
        origin = request.headers.get("origin")
        if origin is not None and self._origins is not None and origin not in self._origins:
            raise HttpError(403, "Pages of this origin may not call the server. Add the origin to CORS_ORIGINS.")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise HttpError(415, "Send the body uncompressed.")

    async def _authenticate(self, request: Request) -> Identity:
        try:
            return await self._transport.authenticate(request.headers.get("authorization"))
        except Unauthenticated as refusal:
            raise HttpError(401, str(refusal), CHALLENGE) from refusal

    async def _refuse(self, error: HttpError, body: Body, send: Send) -> None:
        response = _build_response(error.status, INVALID_REQUEST, str(error), code=error.code)
        response.headers.update(error.headers)
        await refuse(response, body, send)


def _find_caller(context: ServerRequestContext[Any, Any]) -> LocalCaller:
    request: Any = context.request
    caller: LocalCaller = request.scope[CALLER]
    return caller


def _build_response(status: int, number: int, message: str, **data: str) -> Response:
    """Build an error of JSON-RPC for a request that was not read."""
    error = {"code": number, "message": message, **({"data": data} if data else {})}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status)


def _replay(text: bytes, receive: Receive) -> Receive:
    """Return a function that receives the body that was read, then what the client does next."""
    messages: list[Message] = [{"type": "http.request", "body": text, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again
