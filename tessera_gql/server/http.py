"""The GraphQL-over-HTTP endpoint: content negotiation, status codes and dispatch of operations."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from graphql import OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from tessera_gql.config import Profile
from tessera_gql.server import sse, upload_jobs, uploads, websocket
from tessera_gql.server.body import Body, declared_length, wait_for_disconnect
from tessera_gql.server.codec import MalformedRequest, decode, encode, parse_params
from tessera_gql.server.deduplication import stream_messages
from tessera_gql.server.documents import Operation, PrepareResult
from tessera_gql.server.http_errors import HttpError, body_too_large
from tessera_gql.server.multipart import FORM_MEDIA_TYPE, PREFLIGHT_HEADERS
from tessera_gql.server.operations import (
    STREAM_REQUIRED,
    build_exception_reply,
    execute,
    run_for_encoding,
    to_encoded_reply,
)
from tessera_gql.server.persisted_queries import NOT_FOUND
from tessera_gql.server.transport import EncodedReply, Identity, Job, Transport, Unauthenticated, close_streams
from tessera_gql.server.uploads import LARGE_BYTES, UPLOAD_FIELDS, RequestBody, UploadShare

__all__ = ["Identity", "Transport", "Unauthenticated", "close_streams", "create_routes", "execute"]

PATH = "/graphql"

STATUS_BY_CODE = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "RATE_LIMITED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "PERSISTED_QUERY_NOT_FOUND": 200,
    "PERSISTED_QUERY_NOT_SUPPORTED": 200,
}
"""HTTP status by error code of a reply without data. For other codes it depends on the media type (specification).

A hash that is unknown is 200, because some clients read no other reply of the protocol.
"""

CHALLENGE = {"WWW-Authenticate": "Bearer"}


class MediaType(StrEnum):
    JSON = "application/json"
    RESPONSE = "application/graphql-response+json"
    EVENTS = "text/event-stream"


def create_routes(transport: Transport) -> list[BaseRoute]:
    """Create the HTTP and WebSocket routes of the endpoint."""

    async def socket(connection: WebSocket) -> None:
        with suppress(WebSocketDisconnect):  # the client disconnected during the handshake
            await websocket.serve(transport, connection)

    return [Route(PATH, Endpoint(transport)), WebSocketRoute(PATH, socket)]


class DirectRoute:
    """ASGI middleware, innermost, that passes requests for the endpoint to it without the router."""

    def __init__(self, app: ASGIApp, endpoint: ASGIApp) -> None:
        self._app = app
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_direct = scope["type"] == "http" and scope["path"] == PATH
        await (self._endpoint if is_direct else self._app)(scope, receive, send)


@dataclass(frozen=True, eq=False)
class Endpoint:
    """The endpoint as an ASGI application, so that Starlette leaves method checks and 405 to it."""

    transport: Transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = Body(receive, self.transport.limits, declared_length(request))
        media_type = MediaType.JSON
        try:
            media_type = self._negotiate(request)
            response = await self._execute(request, body, media_type, send)
        except MalformedRequest as malformed:
            response = _error_response(HttpError(400, str(malformed)), media_type)
        except HttpError as error:
            response = _error_response(error, media_type)
        except ClientDisconnect:
            response = None
        except Exception as error:  # noqa: BLE001 - a failure of authentication itself is masked and logged
            response = to_response(
                to_encoded_reply(self.transport, build_exception_reply(self.transport, error)), media_type
            )
        if response is not None and response.status_code >= 400 and not body.is_complete:
            await refuse(response, body, send)
        elif response is not None:
            await response(scope, receive, send)

    async def _execute(self, request: Request, body: Body, media_type: MediaType, send: Send) -> Response | None:
        """Execute the request; None if the reply was sent as an event stream."""
        await self.transport.concurrency_limiter.take_turns()
        identity = await self._authenticate(request)
        address = request.client.host if request.client else ""
        share = UploadShare(self.transport.upload_limiter, self.transport.get_upload_account(identity, address))
        try:
            prepared = await self._prepare(request, body, media_type, identity, share)
            if media_type is MediaType.EVENTS:
                source = (
                    upload_jobs.stream_job(self.transport, prepared)
                    if isinstance(prepared, Job)
                    else stream_messages(self.transport, prepared, identity)
                )
                await sse.stream(self.transport, source, identity, request.receive, send)
                return None
            if isinstance(prepared, Job):
                return to_response(await upload_jobs.run_job(self.transport, prepared), media_type)
            disconnect = partial(wait_for_disconnect, request.receive)
            reply = await run_for_encoding(self.transport, prepared, identity, disconnect)
            return to_response(to_encoded_reply(self.transport, reply), media_type)
        finally:
            await share.close()

    async def _prepare(
        self, request: Request, body: Body, media_type: MediaType, identity: Identity, share: UploadShare
    ) -> PrepareResult | Job:
        """Receive and prepare the operation. A large one becomes a job, which keeps only the text of its variables."""
        received = await self._receive(request, body, share)
        await self.transport.concurrency_limiter.take_turns()
        prepared = self.transport.prepare(received.params)
        _check_permitted(request, media_type, prepared, received)
        if not isinstance(prepared, Operation) or not received.is_for_worker(prepared):
            return prepared
        if not received.params.query:  # the worker process gets the text of the request, and has no cache
            return [NOT_FOUND]
        share.open()
        return Job(replace(prepared, variables={}), received.text, received.files, identity, share.account)

    def _negotiate(self, request: Request) -> MediaType:
        methods = ("GET", "POST") if self.transport.profile is Profile.OPEN else ("POST",)
        if request.method not in methods:
            allow = ", ".join(methods)
            raise HttpError(405, f"{request.method} is not served here: use {allow}.", {"Allow": allow})
        media_type = negotiate_media_type(",".join(request.headers.getlist("accept")))
        if media_type is None:
            message = f"Nothing that you accept can be sent: accept {MediaType.RESPONSE} or {MediaType.JSON}."
            raise HttpError(406, message)
        if request.method == "POST":
            _check_content_headers(request)
        return media_type

    async def _authenticate(self, request: Request) -> Identity:
        try:
            return await self.transport.authenticate(request.headers.get("authorization"))
        except Unauthenticated as refusal:
            raise HttpError(401, str(refusal), CHALLENGE) from refusal

    async def _receive(self, request: Request, body: Body, share: UploadShare) -> RequestBody:
        if request.method != "POST":
            return RequestBody(parse_params(_query_members(request)))
        if _content_type(request) == FORM_MEDIA_TYPE:
            return await uploads.receive_form(request.headers, body, share)
        return await uploads.receive_json(body, share)


def _query_members(request: Request) -> dict[str, object]:
    """Decode the request members from the query string of a GET."""
    members: dict[str, object] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if text := request.query_params.get(name):
            members[name] = decode(text.encode(), f"`{name}`")
    return members


async def refuse(response: Response, body: Body, send: Send) -> None:
    """Send an error response at once, then discard the remaining body before closing."""
    if not body.is_small:
        response.headers["Connection"] = "close"
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    await body.discard()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def to_response(reply: EncodedReply, media_type: MediaType = MediaType.JSON) -> Response:
    """Create the response of a reply, with the status and headers of its error if it has no data."""
    status, headers = 200, dict[str, str]()
    if (extensions := reply.error_extensions) is not None:
        status = STATUS_BY_CODE.get(extensions["code"], 200 if media_type is MediaType.JSON else 400)
        headers = {"Retry-After": str(extensions["retryAfter"])} if "retryAfter" in extensions else {}
    return _create_response(reply.body, status, media_type, CHALLENGE if status == 401 else headers)


def negotiate_media_type(accept: str) -> MediaType | None:
    """Choose the media type of the response; None if none is acceptable.

    An event stream is chosen only if it is the first choice, since many clients list it among others.
    """
    qualities: dict[str, float] = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name:
            qualities.setdefault(name, _parse_quality(parameters))
    if not qualities:
        return MediaType.JSON
    ranked = sorted((name for name, quality in qualities.items() if quality > 0), key=lambda name: -qualities[name])
    for name in ranked:
        if name == MediaType.EVENTS and name == ranked[0]:
            return MediaType.EVENTS
        for media_type in (MediaType.JSON, MediaType.RESPONSE):
            if name == media_type or (name in {"*/*", "application/*"} and media_type not in qualities):
                return media_type
    return None


def _parse_quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0
    return 1


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_content_headers(request: Request) -> None:
    parameters = (p.strip().lower().partition("=") for p in request.headers.get("content-type", "").split(";")[1:])
    charsets = {value.strip('" ') for name, _, value in parameters if name == "charset"}
    content = _content_type(request)
    if content not in {MediaType.JSON, FORM_MEDIA_TYPE} or charsets - {"utf-8", "utf8"}:
        raise HttpError(415, "Send Content-Type: application/json, in UTF-8.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpError(415, "Send the body uncompressed.")
    if content == FORM_MEDIA_TYPE and not any(request.headers.get(name, "").strip() for name in PREFLIGHT_HEADERS):
        raise HttpError(415, "A form needs the header `GraphQL-Require-Preflight: 1` or an Authorization beside it.")


def _check_permitted(request: Request, media_type: MediaType, prepared: PrepareResult, received: RequestBody) -> None:
    if not isinstance(prepared, Operation):
        return
    if request.method == "GET" and prepared.kind is OperationType.MUTATION:
        raise HttpError(405, "A mutation must be sent by POST.", {"Allow": "POST"})
    if prepared.kind is OperationType.SUBSCRIPTION:
        if media_type is not MediaType.EVENTS:
            raise HttpError(400, STREAM_REQUIRED.message)
        if received.is_large:
            raise body_too_large(LARGE_BYTES, " A subscription takes no more.")
    if received.files and not any(map(prepared.selects_only, UPLOAD_FIELDS)):
        raise HttpError(400, f"Only {' or '.join(UPLOAD_FIELDS)}, alone in its operation, takes a file.")


def _error_response(error: HttpError, media_type: MediaType) -> Response:
    reply = {"errors": [{"message": str(error), "extensions": {"code": error.code}}]}
    return _create_response(encode(reply), error.status, media_type, error.headers)


def _create_response(body: bytes, status: int, media_type: MediaType, headers: Mapping[str, str]) -> Response:
    content_type = MediaType.JSON if media_type is MediaType.EVENTS else media_type
    return Response(body, status, headers, f"{content_type}; charset=utf-8")
