"""Read request bodies with a size limit, a minimum transfer rate and a total timeout."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from tessera_gql.server.http_errors import HttpError, body_too_large
from tessera_gql.server.limits import Limits

MAX_DISCARDED_BYTES = 32 * 1024 * 1024
DISCARD_TIMEOUT_SECONDS = 5.0
SMALL_BODY_BYTES = 64 * 1024
"""A rejected body up to this size is read to its end, and the connection stays open."""


class Body:
    """The body of one request. `length` is the declared Content-Length, or None."""

    def __init__(self, receive: Receive, limits: Limits, length: int | None) -> None:
        self.length = length
        self.is_complete = length == 0
        self._receive = receive
        self._limits = limits
        self._started_at = asyncio.get_running_loop().time()
        self._size = 0

    async def chunks(self, limit: int, hint: str = "") -> AsyncIterator[bytes]:
        """Yield the body in chunks. A declared length above the limit is refused before anything is read.

        Raises HttpError if the body is too large or too slow, ClientDisconnect if the client has disconnected.
        """
        if self.length is not None and self.length > limit:
            raise body_too_large(limit, hint)
        while not self.is_complete:
            try:
                async with asyncio.timeout_at(self._deadline()):
                    chunk = await self._receive_chunk()
            except TimeoutError:
                raise self._timeout_error() from None
            if self._size > limit:
                raise body_too_large(limit, hint)
            yield chunk

    @property
    def is_small(self) -> bool:
        return self.length is not None and self.length <= SMALL_BODY_BYTES

    async def discard(self) -> None:
        """Read and drop the remaining body, up to a limit.

        A client that is disconnected while it sends does not read the error response.
        """
        budget = MAX_DISCARDED_BYTES
        with suppress(TimeoutError, ClientDisconnect):
            async with asyncio.timeout(DISCARD_TIMEOUT_SECONDS):
                while budget > 0 and not self.is_complete:
                    budget -= len(await self._receive_chunk())

    async def _receive_chunk(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        self.is_complete = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        self._size += len(chunk)
        return chunk

    def _deadline(self) -> float:
        limits = self._limits
        rate_limit_seconds = limits.body_seconds + self._size / limits.body_bytes_per_second
        return self._started_at + min(rate_limit_seconds, limits.upload_seconds)

    def _timeout_error(self) -> HttpError:
        limits = self._limits
        return HttpError(
            408,
            f"The body came too slowly: {self._size:,} bytes so far. After {limits.body_seconds:g} seconds at least"
            f" {limits.body_bytes_per_second:,} bytes a second must come, and all of it within"
            f" {limits.upload_seconds:g} seconds. Send it again over a faster connection.",
            {"Connection": "close"},
        )


def declared_length(request: Request) -> int | None:
    """Return the declared Content-Length; None for a chunked body."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal():
        return int(declared[:18])
    return None if "transfer-encoding" in request.headers else 0


async def wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
