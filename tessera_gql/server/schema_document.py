"""The route `/schema.graphql`: the schema in SDL for every caller with a valid key, in both profiles."""

import asyncio
import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tessera_gql.server.documents import parse_operation
from tessera_gql.server.http import to_response
from tessera_gql.server.operations import build_exception_reply, to_encoded_reply
from tessera_gql.server.transport import Transport

PATH = "/schema.graphql"
MEDIA_TYPE = "application/graphql"
COST = 100
"""What the document takes of the caller's rate limit; 1 if the caller has the current one."""
CHARGED_OPERATION = parse_operation("{ __typename }", {}, None)
"""The query whose cost the rate limit counts for the document."""


@dataclass(frozen=True)
class EncodedSchema:
    """The schema as text, as compressed text, and the tag of this version."""

    text: bytes
    compressed: bytes
    etag: str


@dataclass(eq=False)
class SchemaEndpoint:
    """Serves the schema, which is printed once, for the first request."""

    transport: Transport
    print_schema: Callable[[], str]
    _printing: asyncio.Task[EncodedSchema] | None = field(default=None, init=False)

    async def respond(self, request: Request) -> Response:
        try:
            return await self._respond(request)
        except Exception as error:  # noqa: BLE001 - every error becomes a reply, and internal failures are logged
            return to_response(to_encoded_reply(self.transport, build_exception_reply(self.transport, error)))

    async def _respond(self, request: Request) -> Response:
        identity = await self.transport.authenticate(request.headers.get("authorization"))
        schema = await self._load()
        headers = {"ETag": schema.etag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding, Authorization"}
        is_current = _matches(request.headers.get("if-none-match", ""), schema.etag)
        self.transport.charge_rate_limit(identity, replace(CHARGED_OPERATION, cost=1 if is_current else COST))
        if is_current:
            return Response(status_code=304, headers=headers)
        headers["X-Content-Type-Options"] = "nosniff"
        if not _accepts_gzip(request.headers.get("accept-encoding", "")):
            return Response(schema.text, headers=headers, media_type=f"{MEDIA_TYPE}; charset=utf-8")
        headers["Content-Encoding"] = "gzip"
        return Response(schema.compressed, headers=headers, media_type=f"{MEDIA_TYPE}; charset=utf-8")

    async def _load(self) -> EncodedSchema:
        """Return the schema. The first request prints it in a thread, and others wait for it."""
        if self._printing is None or (self._printing.done() and self._printing.exception()):
            self._printing = asyncio.create_task(asyncio.to_thread(self._encode))
        return await asyncio.shield(self._printing)

    def _encode(self) -> EncodedSchema:
        text = self.print_schema().encode()
        return EncodedSchema(text, gzip.compress(text, mtime=0), f'W/"{hashlib.sha256(text).hexdigest()[:32]}"')


def create_schema_route(transport: Transport, print_schema: Callable[[], str]) -> Route:
    """Create the route of the schema in SDL."""
    return Route(PATH, SchemaEndpoint(transport, print_schema).respond, methods=["GET"])


def _matches(if_none_match: str, etag: str) -> bool:
    """Return whether the caller has this version. The comparison is weak, as the header requires."""
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or etag.removeprefix("W/") in tags


def _accepts_gzip(accept_encoding: str) -> bool:
    codings = [coding.replace(" ", "").lower() for coding in accept_encoding.split(",")]
    return any(coding == "gzip" or (coding.startswith("gzip;q=") and coding[7:].strip("0.")) for coding in codings)
