"""Large requests: how many of one caller and how many bytes at once, and how they are received.

A request is large from LARGE_BYTES on, or when it carries a file. It is executed by a worker process.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData, Headers, UploadFile

from tessera_gql.graphql.body import Body
from tessera_gql.graphql.documents import Operation
from tessera_gql.graphql.http_errors import HttpError
from tessera_gql.graphql.limit_values import Limits
from tessera_gql.graphql.multipart import parse_form, read_parts
from tessera_gql.graphql.scalars import RawJson
from tessera_gql.graphql.wire import Malformed, Params, decode, params

MANIFEST_FIELDS = ("syncDbtManifest", "dbtImpact")
"""The root fields that take a file, and that a worker process always executes."""

LARGE_BYTES = 96 * 1024
"""What is smaller is decoded and coerced here, within 50 milliseconds."""
AS_A_FILE = " A dbt manifest may be larger when it is sent as a file of a multipart/form-data request."
BUSY = {"Retry-After": "15"}


@dataclass(frozen=True)
class RequestBody:
    """A request that was received. `text` is its JSON, or the part `operations`, empty for GET; `files` are by their
    places in the variables, where `params` has null.
    """

    params: Params
    text: bytes = b""
    files: Mapping[str, UploadFile] = field(default_factory=dict[str, UploadFile])

    @property
    def is_large(self) -> bool:
        return bool(self.files) or len(self.text) > LARGE_BYTES

    def is_for_worker(self, operation: Operation) -> bool:
        return self.is_large or (bool(self.text) and operation.calls(MANIFEST_FIELDS))


@dataclass
class Uploads:
    """The large requests of this process: how many of each caller, and how many bytes they hold."""

    limits: Limits
    of_account: Counter[str] = field(default_factory=Counter[str])
    size: int = 0

    def spool(self, account: str) -> Spool:
        return Spool(self, account)


@dataclass
class Spool:
    """What one request takes of the limits for large requests, and the form that holds its files. To be closed."""

    uploads: Uploads
    account: str
    size: int = 0
    form: FormData | None = None
    _is_open: bool = False

    def open(self) -> None:
        """Count the request among its caller's large ones; raises HttpError beyond the limit."""
        if self._is_open:
            return
        limit = self.uploads.limits.uploads_at_once
        if self.uploads.of_account[self.account] >= limit:
            what = f"{limit} of your requests with a dbt manifest, or of a large size, are under way: the limit."
            raise HttpError(429, f"{what} Wait until one of them is done.", BUSY)
        self.uploads.of_account[self.account] += 1
        self._is_open = True

    def grow(self, size: int) -> None:
        """Count bytes that came; raises HttpError when all large requests together hold too many."""
        self.size += size
        self.uploads.size += size
        if self.uploads.size > self.uploads.limits.upload_disk_bytes:
            what = "All large requests together are larger than this server keeps at once."
            raise HttpError(503, f"{what} Try again in a few seconds.", BUSY)

    async def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self.uploads.size -= self.size
            self.uploads.of_account[self.account] -= 1
            if not self.uploads.of_account[self.account]:
                del self.uploads.of_account[self.account]
        if self.form is not None:
            await self.form.close()


async def receive_json(body: Body, spool: Spool) -> RequestBody:
    """Raises Malformed and HttpError."""
    text = bytearray()
    async for chunk in body.chunks(spool.uploads.limits.body_bytes, AS_A_FILE):
        text += chunk
        if len(text) > LARGE_BYTES:
            spool.open()
            spool.grow(len(text) - spool.size)
    decoded = bytes(text)
    return RequestBody(await _decoded(decoded), decoded)


async def receive_form(headers: Headers, body: Body, spool: Spool) -> RequestBody:
    """Raises Malformed and HttpError."""
    spool.open()
    limits = spool.uploads.limits

    async def chunks() -> AsyncGenerator[bytes]:
        async for chunk in body.chunks(limits.upload_bytes):
            spool.grow(len(chunk))
            yield chunk

    spool.form = await parse_form(headers, chunks(), limits.body_bytes)
    text, files = read_parts(spool.form)
    decoded = await _decoded(text)
    for place in files:
        put(decoded, place, None)
    return RequestBody(decoded, text, files)


async def _decoded(text: bytes) -> Params:
    """Large text is decoded in a thread, and not exactly: the worker process does that again."""
    if len(text) <= LARGE_BYTES:
        return params(decode(text))
    return params(await asyncio.to_thread(decode, text, exact=False))


def put(sent: Params, place: str, file: RawJson | None) -> None:
    """Only in the place of a null, as the specification asks."""
    holder: Any = sent.variables
    *way, last = place.split(".")[1:]
    for name in way:
        holder = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or last not in holder or holder[last] is not None:
        raise Malformed(f"`map` names {place}, where `operations` has no null. Put null where the file belongs.")
    holder[last] = file
