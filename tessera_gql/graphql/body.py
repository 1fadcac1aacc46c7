"""The body of a request as it comes in: within a grace time, at a minimum rate, and within a time in all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from tessera_gql.graphql.http_errors import HttpError, too_large
from tessera_gql.graphql.limit_values import Limits

DISCARDED_BYTES = 32 * 1024 * 1024
DISCARDING_SECONDS = 5.0
SMALL_BYTES = 64 * 1024
"""A body that is refused and not larger than this is read to its end, and the connection stays open."""


class Body:
    """`length` is what the client declares, None if it doesn't. `is_complete` once the last byte was received."""

    def __init__(self, receive: Receive, limits: Limits, length: int | None) -> None:
        self.length = length
        self.is_complete = length == 0
        self._receive = receive
        self._limits = limits
        self._started_at = asyncio.get_running_loop().time()
        self._size = 0

    async def chunks(self, limit: int, hint: str = "") -> AsyncIterator[bytes]:
        """Raises HttpError when the body is larger than the limit or too slow, ClientDisconnect when the client is
        gone. What declares itself too large is refused before anything is read.
        """
        if self.length is not None and self.length > limit:
            raise too_large(limit, hint)
        while not self.is_complete:
            try:
                async with asyncio.timeout_at(self._deadline()):
                    chunk = await self._next()
            except TimeoutError:
                raise self._too_slow() from None
            if self._size > limit:
                raise too_large(limit, hint)
            yield chunk

    @property
    def is_small(self) -> bool:
        return self.length is not None and self.length <= SMALL_BYTES

    async def discard(self) -> None:
        """Read and forget what is still coming, up to a limit: a client that is cut off while it sends does not
        read why it was refused.
        """
        left = DISCARDED_BYTES
        with suppress(TimeoutError, ClientDisconnect):
            async with asyncio.timeout(DISCARDING_SECONDS):
                while left > 0 and not self.is_complete:
                    left -= len(await self._next())

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        self.is_complete = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        self._size += len(chunk)
        return chunk

    def _deadline(self) -> float:
        limits = self._limits
        at_the_minimum_rate = limits.body_seconds + self._size / limits.body_bytes_per_second
        return self._started_at + min(at_the_minimum_rate, limits.upload_seconds)

    def _too_slow(self) -> HttpError:
        limits = self._limits
        return HttpError(
            408,
            f"The body came too slowly: {self._size:,} bytes so far. After {limits.body_seconds:g} seconds at least"
            f" {limits.body_bytes_per_second:,} bytes a second must come, and all of it within"
            f" {limits.upload_seconds:g} seconds. Send it again over a faster connection.",
            {"Connection": "close"},
        )
