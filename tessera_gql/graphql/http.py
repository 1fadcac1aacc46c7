"""GraphQL over HTTP: one path, negotiated media types; a malformed request is a 4xx that says what to send."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from graphql import OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from tessera_gql.graphql import large, sse, websocket
from tessera_gql.graphql.documents import Operation, Prepared, Profile
from tessera_gql.graphql.large import Refused, answer
from tessera_gql.graphql.operations import NEEDS_A_STREAM, Reply, execute, failed, run
from tessera_gql.graphql.patience import patient
from tessera_gql.graphql.transport import Answer, Identity, Transport, Unauthenticated, drain
from tessera_gql.graphql.uploads import FORM, PREFLIGHTED, UPLOADS, TooLarge, may_be_upload
from tessera_gql.graphql.wire import Malformed, Params, decode, encode, params

__all__ = ["Identity", "Transport", "Unauthenticated", "drain", "execute", "routes"]

PATH = "/graphql"

STATUS = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403, "RATE_LIMITED": 429, "INTERNAL": 500, "UNAVAILABLE": 503}
"""For a reply without data, whatever its media type; other codes depend on it, as the specification asks."""


DISCARDED_BYTES = 32 * 1024 * 1024
DISCARDING_SECONDS = 5.0
"""Of what comes after a refusal, thrown away: a client cut off while it still sends would not see why."""

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


@dataclass(frozen=True)
class _Begun:
    """The beginning of a large body, if not all of it."""

    body: bytes
    is_whole: bool


@dataclass(frozen=True, eq=False)
class Endpoint:
    """An ASGI application rather than a function: Starlette then leaves methods and 405 to us."""

    transport: Transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, patient(receive, self.transport.limits.body_seconds))
        media = Media.JSON
        try:
            media = self._negotiated(request)
            response = await self._response(request, media, send)
        except Malformed as malformed:
            response = _refusal(Refused(400, str(malformed)), media)
        except TooLarge as refusal:
            response = _refusal(self._too_large(refusal), media)
            if refusal.is_sending:
                await _dismiss(response, receive, send)
                return
        except Refused as refusal:
            response = _refusal(refusal, media)
        except ClientDisconnect:
            response = None
        except Exception as error:  # noqa: BLE001 - authentication failed, not the caller: masked and logged
            response = self._answer(failed(self.transport, error), media)
        if response is not None:
            await response(scope, receive, send)

    async def _response(self, request: Request, media: Media, send: Send) -> Response | None:
        """None if it was sent as a stream."""
        identity = await self._identity(request)
        sent = await self._sent(request)
        if not isinstance(sent, Params):
            asked = large.Asked(request, sent.body, sent.is_whole, identity)
            if media is Media.EVENTS:
                await large.stream(self.transport, asked, send)
                return None
            return self._shown(await large.respond(self.transport, asked), media)
        prepared = self.transport.documents.prepare(sent.query, sent.variables, sent.operation_name)
        _permit(request, media, prepared)
        if media is Media.EVENTS:
            await sse.respond(self.transport, prepared, identity, request.receive, send)
            return None
        return self._answer(await run(self.transport, prepared, identity, partial(_left, request.receive)), media)

    def _negotiated(self, request: Request) -> Media:
        methods = ("GET", "POST") if self.transport.profile is Profile.OPEN else ("POST",)
        if request.method not in methods:
            allow = ", ".join(methods)
            raise Refused(405, f"{request.method} is not served here: use {allow}.", {"Allow": allow})
        media = negotiate(",".join(request.headers.getlist("accept")))
        if media is None:
            raise Refused(406, f"Nothing that you accept can be sent: accept {Media.RESPONSE} or {Media.JSON}.")
        if request.method == "POST":
            _check_content(request)
        return media

    async def _identity(self, request: Request) -> Identity:
        try:
            return await self.transport.authenticate(request.headers.get("authorization"))
        except Unauthenticated as refusal:
            raise Refused(401, str(refusal), CHALLENGE) from refusal

    async def _sent(self, request: Request) -> Params | _Begun:
        """What was sent; of what is larger than usual only its beginning, and nothing yet of a form."""
        if request.method == "POST":
            _permit_length(request, max(self.transport.limits.body_bytes, self.transport.limits.upload_bytes))
            if _content(request) == FORM:
                return _Begun(b"", is_whole=False)
            found = await self._body(request)
            return params(decode(found)) if isinstance(found, bytes) else found
        sent: dict[str, object] = dict(request.query_params)
        for name in ("variables", "extensions"):
            if text := request.query_params.get(name):
                sent[name] = decode(text.encode(), f"`{name}`")
        return params(sent)

    async def _body(self, request: Request) -> bytes | _Begun:
        """As far as every request may go; only what may be an upload goes on."""
        limit = self.transport.limits.body_bytes
        body = bytearray()
        is_sending = True
        while is_sending:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            is_sending = message.get("more_body", False)
            if len(body) > limit:
                if not may_be_upload(bytes(body)):
                    raise TooLarge(limit, is_sending=is_sending)
                return _Begun(bytes(body), not is_sending)
        return bytes(body)

    def _too_large(self, refusal: TooLarge) -> Refused:
        said = f"The body is larger than {refusal.limit:,} bytes, which is the limit."
        if refusal.limit < self.transport.limits.upload_bytes:
            said += f" Only {' or '.join(UPLOADS)} alone may be larger."
        return Refused(413, said, {"Connection": "close"})

    def _answer(self, reply: Reply, media: Media) -> Response:
        return self._shown(answer(self.transport, reply), media)

    def _shown(self, found: Answer, media: Media) -> Response:
        status, headers = 200, dict[str, str]()
        if (why := found.why) is not None:
            status = STATUS.get(why["code"], 200 if media is Media.JSON else 400)
            headers = {"Retry-After": str(why["retryAfter"])} if "retryAfter" in why else {}
        shown = Media.JSON if media is Media.EVENTS else media
        return _response(found.body, status, shown, CHALLENGE if status == 401 else headers)


async def _dismiss(response: Response, receive: Receive, send: Send) -> None:
    """Answer at once, and close only when the rest was read, or enough of it."""
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    left = DISCARDED_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(DISCARDING_SECONDS):
            while left > 0 and (message := await receive()).get("more_body", False):
                left -= len(message.get("body", b""))
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    """Returns once the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


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
        raise Refused(415, "Send Content-Type: application/json, in UTF-8.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "Send the body uncompressed.")
    if content == FORM and not any(request.headers.get(name, "").strip() for name in PREFLIGHTED):
        raise Refused(415, "A form needs the header `GraphQL-Require-Preflight: 1` or an Authorization beside it.")


def _permit_length(request: Request, limit: int) -> None:
    """Refuses before anything is read what no request may be."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:18]) > limit:
        raise TooLarge(limit, is_sending=True)


def _permit(request: Request, media: Media, prepared: Prepared) -> None:
    if not isinstance(prepared, Operation):
        return
    if request.method == "GET" and prepared.kind is OperationType.MUTATION:
        raise Refused(405, "A mutation must be sent by POST.", {"Allow": "POST"})
    if prepared.kind is OperationType.SUBSCRIPTION and media is not Media.EVENTS:
        raise Refused(400, NEEDS_A_STREAM.message)


def _refusal(refusal: Refused, media: Media) -> Response:
    code = "UNAUTHENTICATED" if refusal.status == 401 else "BAD_REQUEST"
    reply = {"errors": [{"message": str(refusal), "extensions": {"code": code}}]}
    shown = Media.JSON if media is Media.EVENTS else media
    return _response(encode(reply), refusal.status, shown, refusal.headers)


def _response(body: bytes, status: int, media: Media, headers: Mapping[str, str]) -> Response:
    return Response(body, status, headers, f"{media}; charset=utf-8")
