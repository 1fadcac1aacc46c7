"""Receive request bodies, and limit the large ones by count per caller and by total size.

A request is large if its JSON exceeds LARGE_BYTES or it carries a file. A worker process executes it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData, Headers, UploadFile

from tessera_gql.formats.raw_json import RawJson
from tessera_gql.server.body import Body
from tessera_gql.server.codec import MalformedRequest, RequestParams, decode, parse_params
from tessera_gql.server.documents import Operation
from tessera_gql.server.http_errors import HttpError
from tessera_gql.server.limits import Limits
from tessera_gql.server.multipart import parse_form, read_parts

UPLOAD_FIELDS = ("syncDbtManifest", "dbtImpact", "importUsage")
"""Root fields that accept a file and are always executed by a worker process."""

LARGE_BYTES = 96 * 1024
"""JSON up to this size is decoded in the server process, which takes at most 50 milliseconds."""
FILE_HINT = " A dbt manifest may be larger when it is sent as a file of a multipart/form-data request."
RETRY_HEADERS = {"Retry-After": "15"}


@dataclass(frozen=True)
class RequestBody:
    """A received request. `text` is its JSON, empty for GET; `files` are keyed by their paths in the variables."""

    params: RequestParams
    text: bytes = b""
    files: Mapping[str, UploadFile] = field(default_factory=dict[str, UploadFile])

    @property
    def is_large(self) -> bool:
        return bool(self.files) or len(self.text) > LARGE_BYTES

    def is_for_worker(self, operation: Operation) -> bool:
        return self.is_large or (bool(self.text) and operation.has_root_field(UPLOAD_FIELDS))


@dataclass
class UploadLimiter:
    """The count per caller and the total size of the large requests in progress."""

    limits: Limits
    counts: Counter[str] = field(default_factory=Counter[str])
    size: int = 0


@dataclass
class UploadShare:
    """The share of one request in the limits for large requests, and its form. The caller must close it."""

    limiter: UploadLimiter
    account: str
    size: int = 0
    form: FormData | None = None
    _is_open: bool = False

    def open(self) -> None:
        """Count the request for its caller. Raises HttpError beyond the limit."""
        if self._is_open:
            return
        limit = self.limiter.limits.uploads_at_once
        if self.limiter.counts[self.account] >= limit:
            reason = f"{limit} of your requests with a dbt manifest, or of a large size, are under way: the limit."
            raise HttpError(429, f"{reason} Wait until one of them is done.", RETRY_HEADERS)
        self.limiter.counts[self.account] += 1
        self._is_open = True

    def grow(self, size: int) -> None:
        """Count received bytes. Raises HttpError if all large requests together are too large."""
        self.size += size
        self.limiter.size += size
        if self.limiter.size > self.limiter.limits.upload_disk_bytes:
            reason = "All large requests together are larger than this server keeps at once."
            raise HttpError(503, f"{reason} Try again in a few seconds.", RETRY_HEADERS)

    async def close(self) -> None:
        """Release the share and delete the files."""
        if self._is_open:
            self._is_open = False
            self.limiter.size -= self.size
            self.limiter.counts[self.account] -= 1
            if not self.limiter.counts[self.account]:
                del self.limiter.counts[self.account]
        if self.form is not None:
            await self.form.close()


async def receive_json(body: Body, share: UploadShare) -> RequestBody:
    """Receive and decode a JSON body. Raises MalformedRequest and HttpError."""
    text = bytearray()
    async for chunk in body.chunks(share.limiter.limits.body_bytes, FILE_HINT):
        text += chunk
        if len(text) > LARGE_BYTES:
            share.open()
            share.grow(len(text) - share.size)
    content = bytes(text)
    return RequestBody(await _decode(content), content)


async def receive_form(headers: Headers, body: Body, share: UploadShare) -> RequestBody:
    """Receive and parse a multipart form. Raises MalformedRequest and HttpError."""
    share.open()
    limits = share.limiter.limits

    async def chunks() -> AsyncGenerator[bytes]:
        async for chunk in body.chunks(limits.upload_bytes):
            share.grow(len(chunk))
            yield chunk

    share.form = await parse_form(headers, chunks(), limits.body_bytes)
    text, files = read_parts(share.form)
    request_params = await _decode(text)
    for path in files:
        insert_file(request_params, path, None)
    return RequestBody(request_params, text, files)


async def _decode(text: bytes) -> RequestParams:
    """Decode JSON; large JSON in a thread and with inexact numbers, because the worker process decodes it again."""
    if len(text) <= LARGE_BYTES:
        return parse_params(decode(text))
    return parse_params(await asyncio.to_thread(decode, text, exact=False))


def insert_file(request_params: RequestParams, path: str, file: RawJson | None) -> None:
    """Insert a file into the variables. Its path must hold null, as the specification requires."""
    parent: Any = request_params.variables
    *parents, last = path.split(".")[1:]
    for name in parents:
        parent = parent.get(name) if isinstance(parent, dict) else None
    if not isinstance(parent, dict) or last not in parent or parent[last] is not None:
        raise MalformedRequest(f"`map` names {path}, where `operations` has no null. Put null where the file belongs.")
    parent[last] = file
