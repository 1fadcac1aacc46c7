"""GraphQL over HTTP: one path, negotiated media types; a malformed request is a 4xx that says what to send."""

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
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from tessera_gql.graphql import jobs, sse, uploads, websocket
from tessera_gql.graphql.body import Body
from tessera_gql.graphql.documents import Operation, Prepared, Profile
from tessera_gql.graphql.http_errors import HttpError, too_large
from tessera_gql.graphql.multipart import FORM, PREFLIGHT_HEADERS
from tessera_gql.graphql.operations import NEEDS_A_STREAM, execute, failed, run, to_answer
from tessera_gql.graphql.sharing import messages
from tessera_gql.graphql.transport import Answer, Identity, Job, Transport, Unauthenticated, drain
from tessera_gql.graphql.uploads import LARGE_BYTES, MANIFEST_FIELDS, RequestBody, Spool
from tessera_gql.graphql.wire import Malformed, decode, encode, params

__all__ = ["Identity", "Transport", "Unauthenticated", "drain", "execute", "routes"]

PATH = "/graphql"

STATUS = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403, "RATE_LIMITED": 429, "INTERNAL": 500, "UNAVAILABLE": 503}
"""For a reply without data, whatever its media type; other codes depend on it, as the specification asks."""

CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Media(StrEnum):
    JSON = "application/json"
    RESPONSE = "application/graphql-response+json"
    EVENTS = "text/event-stream"


def routes(transport: Transport) -> list[BaseRoute]:
    async def socket(connection: WebSocket) -> None:
        with suppress(WebSocketDisconnect):  # gone before it was answered
            await websocket.serve(transport, connection)

    return [Route(PATH, Endpoint(transport)), WebSocketRoute(PATH, socket)]


@dataclass(frozen=True, eq=False)
class Endpoint:
    """An ASGI application rather than a function: Starlette then leaves methods and 405 to us."""

    transport: Transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = Body(receive, self.transport.limits, _length(request))
        media = Media.JSON
        try:
            media = self._negotiated(request)
            response = await self._response(request, body, media, send)
        except Malformed as malformed:
            response = _refusal(HttpError(400, str(malformed)), media)
        except HttpError as error:
            response = _refusal(error, media)
        except ClientDisconnect:
            response = None
        except Exception as error:  # noqa: BLE001 - authentication failed, not the caller: masked and logged
            response = _shown(to_answer(self.transport, failed(self.transport, error)), media)
        if response is not None and response.status_code >= 400 and not body.is_complete:
            await _refuse(response, body, send)
        elif response is not None:
            await response(scope, receive, send)

    async def _response(self, request: Request, body: Body, media: Media, send: Send) -> Response | None:
        """None if it was sent as a stream."""
        identity = await self._identity(request)
        address = request.client.host if request.client else ""
        spool = self.transport.uploads.spool(self.transport.upload_account(identity, address))
        try:
            work = await self._prepared(request, body, media, identity, spool)
            if media is Media.EVENTS:
                source = (
                    jobs.stream_job(self.transport, work)
                    if isinstance(work, Job)
                    else messages(self.transport, work, identity)
                )
                await sse.stream(self.transport, source, identity, request.receive, send)
                return None
            if isinstance(work, Job):
                return _shown(await jobs.run_job(self.transport, work), media)
            reply = await run(self.transport, work, identity, partial(_left, request.receive))
            return _shown(to_answer(self.transport, reply), media)
        finally:
            await spool.close()

    async def _prepared(
        self, request: Request, body: Body, media: Media, identity: Identity, spool: Spool
    ) -> Prepared | Job:
        """A job is what a worker process executes; of its variables nothing is kept here but their text."""
        sent = await self._received(request, body, spool)
        query = sent.params
        prepared = self.transport.documents.prepare(query.query, query.variables, query.operation_name)
        _permit(request, media, prepared, sent)
        if not isinstance(prepared, Operation) or not sent.is_for_worker(prepared):
            return prepared
        spool.open()
        return Job(replace(prepared, variables={}), sent.text, sent.files, identity, spool.account)

    def _negotiated(self, request: Request) -> Media:
        methods = ("GET", "POST") if self.transport.profile is Profile.OPEN else ("POST",)
        if request.method not in methods:
            allow = ", ".join(methods)
            raise HttpError(405, f"{request.method} is not served here: use {allow}.", {"Allow": allow})
        media = negotiate(",".join(request.headers.getlist("accept")))
        if media is None:
            raise HttpError(406, f"Nothing that you accept can be sent: accept {Media.RESPONSE} or {Media.JSON}.")
        if request.method == "POST":
            _check_content(request)
        return media

    async def _identity(self, request: Request) -> Identity:
        try:
            return await self.transport.authenticate(request.headers.get("authorization"))
        except Unauthenticated as refusal:
            raise HttpError(401, str(refusal), CHALLENGE) from refusal

    async def _received(self, request: Request, body: Body, spool: Spool) -> RequestBody:
        if request.method != "POST":
            return RequestBody(params(_query(request)))
        if _content(request) == FORM:
            return await uploads.receive_form(request.headers, body, spool)
        return await uploads.receive_json(body, spool)


def _query(request: Request) -> dict[str, object]:
    """The members of a request that came by GET."""
    sent: dict[str, object] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if text := request.query_params.get(name):
            sent[name] = decode(text.encode(), f"`{name}`")
    return sent


async def _refuse(response: Response, body: Body, send: Send) -> None:
    """Answer at once, but close only when the rest of the body was read, or enough of it."""
    if not body.is_small:
        response.headers["Connection"] = "close"
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    await body.discard()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    """Returns once the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _shown(answer: Answer, media: Media) -> Response:
    status, headers = 200, dict[str, str]()
    if (why := answer.why) is not None:
        status = STATUS.get(why["code"], 200 if media is Media.JSON else 400)
        headers = {"Retry-After": str(why["retryAfter"])} if "retryAfter" in why else {}
    return _response(answer.body, status, media, CHALLENGE if status == 401 else headers)


def negotiate(accept: str) -> Media | None:
    """The best of what we send; an event stream only to those who want it most, since many list it among others."""
    wanted: dict[str, float] = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name:
            wanted.setdefault(name, _quality(parameters))
    if not wanted:
        return Media.JSON
    ranked = sorted((name for name, quality in wanted.items() if quality > 0), key=lambda name: -wanted[name])
    for name in ranked:
        if name == Media.EVENTS and name == ranked[0]:
            return Media.EVENTS
        for media in (Media.JSON, Media.RESPONSE):
            if name == media or (name in {"*/*", "application/*"} and media not in wanted):
                return media
    return None


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0
    return 1


def _content(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_content(request: Request) -> None:
    parameters = (p.strip().lower().partition("=") for p in request.headers.get("content-type", "").split(";")[1:])
    charsets = {value.strip('" ') for name, _, value in parameters if name == "charset"}
    content = _content(request)
    if content not in {Media.JSON, FORM} or charsets - {"utf-8", "utf8"}:
        raise HttpError(415, "Send Content-Type: application/json, in UTF-8.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpError(415, "Send the body uncompressed.")
    if content == FORM and not any(request.headers.get(name, "").strip() for name in PREFLIGHT_HEADERS):
        raise HttpError(415, "A form needs the header `GraphQL-Require-Preflight: 1` or an Authorization beside it.")


def _length(request: Request) -> int | None:
    """As declared; None of a body that comes in chunks."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal():
        return int(declared[:18])
    return None if "transfer-encoding" in request.headers else 0


def _permit(request: Request, media: Media, prepared: Prepared, sent: RequestBody) -> None:
    if not isinstance(prepared, Operation):
        return
    if request.method == "GET" and prepared.kind is OperationType.MUTATION:
        raise HttpError(405, "A mutation must be sent by POST.", {"Allow": "POST"})
    if prepared.kind is OperationType.SUBSCRIPTION:
        if media is not Media.EVENTS:
            raise HttpError(400, NEEDS_A_STREAM.message)
        if sent.is_large:
            raise too_large(LARGE_BYTES, " A subscription takes no more.")
    if sent.files and not any(map(prepared.asks_only, MANIFEST_FIELDS)):
        raise HttpError(400, f"Only {' or '.join(MANIFEST_FIELDS)}, alone in its operation, takes a file.")


def _refusal(error: HttpError, media: Media) -> Response:
    reply = {"errors": [{"message": str(error), "extensions": {"code": error.code}}]}
    return _response(encode(reply), error.status, media, error.headers)


def _response(body: bytes, status: int, media: Media, headers: Mapping[str, str]) -> Response:
    content_type = Media.JSON if media is Media.EVENTS else media
    return Response(body, status, headers, f"{content_type}; charset=utf-8")
