"""Large requests: how many of one caller and how many bytes at once, and where their files are kept.

A request is large from LARGE_BYTES on, or when it carries a file. It is executed by a worker process.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tessera_gql.graphql.body import Body
from tessera_gql.graphql.documents import Limits, Operation
from tessera_gql.graphql.http_errors import HttpError
from tessera_gql.graphql.multipart import MultipartReader
from tessera_gql.graphql.scalars import RawJson
from tessera_gql.graphql.wire import Malformed, Params, decode, params

MANIFEST_FIELDS = ("syncDbtManifest", "dbtImpact")
"""The root fields that take a file, and that a worker process always executes."""

LARGE_BYTES = 256 * 1024
AS_A_FILE = " A dbt manifest may be larger when it is sent as a file of a multipart/form-data request."
BUSY = {"Retry-After": "5"}
WRITTEN_BYTES = 256 * 1024
"""Collected before they are handed to the thread that parses and writes them."""


@dataclass(frozen=True)
class RequestBody:
    """A request that was received. `text` is its JSON, or the part `operations`, empty for GET; `files` are by their
    places in the variables, where `params` has null.
    """

    params: Params
    text: bytes = b""
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])

    @property
    def is_large(self) -> bool:
        return bool(self.files) or len(self.text) > LARGE_BYTES

    def is_for_worker(self, operation: Operation) -> bool:
        return self.is_large or (bool(self.text) and any(map(operation.asks_only, MANIFEST_FIELDS)))


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
    """What one request takes of the limits for large requests, and the folder of its files. To be closed."""

    uploads: Uploads
    account: str
    size: int = 0
    _is_open: bool = False
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def open(self) -> None:
        """Count the request among its caller's large ones; raises HttpError beyond the limit."""
        if self._is_open:
            return
        limit = self.uploads.limits.uploads_per_key
        if self.uploads.of_account[self.account] >= limit:
            what = f"{limit} large requests of yours are under way, which is the limit."
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

    @property
    def folder(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="tessera-upload-", ignore_cleanup_errors=True)
        return Path(self._folder.name)

    async def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self.uploads.size -= self.size
            self.uploads.of_account[self.account] -= 1
            if not self.uploads.of_account[self.account]:
                del self.uploads.of_account[self.account]
        if self._folder is not None:
            await asyncio.to_thread(self._folder.cleanup)


async def receive_json(body: Body, spool: Spool) -> RequestBody:
    """Raises Malformed and HttpError. Large JSON is decoded in a thread."""
    text = bytearray()
    async for chunk in body.chunks(spool.uploads.limits.body_bytes, AS_A_FILE):
        text += chunk
        if len(text) > LARGE_BYTES:
            spool.open()
            spool.grow(len(text) - spool.size)
    found = bytes(text)
    return RequestBody(await _decoded(found), found)


async def receive_form(content_type: str, body: Body, spool: Spool) -> RequestBody:
    """Raises Malformed and HttpError. A thread parses the parts and writes the files."""
    spool.open()
    limits = spool.uploads.limits
    reader = MultipartReader(content_type, spool.folder, limits.body_bytes)
    waiting = bytearray()
    try:
        async for chunk in body.chunks(limits.upload_bytes):
            spool.grow(len(chunk))
            waiting += chunk
            if len(waiting) >= WRITTEN_BYTES or body.is_complete:
                await asyncio.to_thread(reader.write, bytes(waiting))
                waiting.clear()
        text, files = await asyncio.to_thread(reader.finish)
    finally:
        reader.close()
    found = await _decoded(text)
    for place in files:
        _put(found, place, None)
    return RequestBody(found, text, files)


async def _decoded(text: bytes) -> Params:
    read = partial(decode, text)
    return params(await asyncio.to_thread(read) if len(text) > LARGE_BYTES else read())


def load(text: bytes, files: Mapping[str, Path]) -> Params:
    """The whole request, with each file as RawJson in its place. Reads them, which takes a while."""
    sent = params(decode(text))
    for place, path in files.items():
        _put(sent, place, RawJson(path.read_bytes()))
    return sent


def _put(sent: Params, place: str, file: RawJson | None) -> None:
    """Only in the place of a null, as the specification asks."""
    holder: Any = sent.variables
    *way, last = place.split(".")[1:]
    for name in way:
        holder = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or last not in holder or holder[last] is not None:
        raise Malformed(f"`map` names {place}, where `operations` has no null. Put null where the file belongs.")
    holder[last] = file
