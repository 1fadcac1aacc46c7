"""GraphQL multipart requests for large files, and the progress that the server streams in its response.

Follows the GraphQL multipart request specification. Does no I/O.
"""

import json
import uuid
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tessera_gql.client.operation import UPLOAD_PLACEHOLDER, Operation
from tessera_gql.client.progress import Progress, ProgressCallback

CHUNK_BYTES = 256 * 1024
PREFLIGHT_HEADER = {"GraphQL-Require-Preflight": "1"}


@dataclass(frozen=True)
class MultipartForm:
    """Multipart body with one file. Can be sent repeatedly; each sending reports its progress."""

    boundary: str
    head: bytes
    file: bytes = field(repr=False)
    tail: bytes
    on_progress: ProgressCallback | None = None

    @property
    def headers(self) -> dict[str, str]:
        size = len(self.head) + len(self.file) + len(self.tail)
        content_type = f"multipart/form-data; boundary={self.boundary}"
        return {"Content-Type": content_type, "Content-Length": str(size), **PREFLIGHT_HEADER}

    def iter_chunks(self) -> Generator[bytes]:
        yield self.head
        total = len(self.file)
        for start in range(0, total, CHUNK_BYTES):
            yield self.file[start : start + CHUNK_BYTES]
            if self.on_progress:
                self.on_progress(Progress("UPLOAD", min(start + CHUNK_BYTES, total), total))
        yield self.tail


def build_form(operation: Operation[Any], file: bytes) -> MultipartForm:
    """Build the form that sends `file` for every variable whose value is UPLOAD_PLACEHOLDER."""
    boundary = uuid.uuid4().hex
    operations = {"query": operation.document, "variables": _replace_uploads_with_null(operation.variables)}
    paths = [f"variables.{path}" for path in _find_upload_paths(operation.variables)]
    part = f'--{boundary}\r\nContent-Disposition: form-data; name="'
    head = (
        f'{part}operations"\r\n\r\n{json.dumps(operations, allow_nan=False)}\r\n'
        f'{part}map"\r\n\r\n{json.dumps({"0": paths})}\r\n'
        f'{part}0"; filename="manifest.json"\r\nContent-Type: application/json\r\n\r\n'
    )
    return MultipartForm(boundary, head.encode(), file, f"\r\n--{boundary}--\r\n".encode(), operation.on_progress)


def _find_upload_paths(variables: Mapping[str, Any]) -> Generator[str]:
    for name, value in variables.items():
        if value == UPLOAD_PLACEHOLDER:
            yield name
        elif isinstance(value, dict):
            yield from (f"{name}.{inner}" for inner in _find_upload_paths(value))


def _replace_uploads_with_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _replace_uploads_with_null(item) for name, item in value.items()}
    return None if value == UPLOAD_PLACEHOLDER else value


@dataclass
class ResponseReader:
    """Collects a response body chunk by chunk and reports the progress comments of an event stream."""

    on_progress: ProgressCallback | None
    body: bytearray = field(default_factory=bytearray)
    _read: int = 0

    def feed(self, chunk: bytes) -> None:
        self.body += chunk
        while self.on_progress and (end := self.body.find(b"\n", self._read)) >= 0:
            line, self._read = bytes(self.body[self._read : end]), end + 1
            if line.startswith(b": {"):
                with suppress(ValueError, LookupError, TypeError):  # other comments are ignored
                    comment = json.loads(line[2:])
                    self.on_progress(Progress(comment["phase"], comment["done"], comment["total"]))


def extract_payload(body: bytes) -> bytes:
    """Return the JSON of a response; of an event stream its only event, or empty bytes if there is none."""
    if not body.startswith((b":", b"event:")):
        return body
    lines = body.split(b"\n")
    return next((line[6:] for line in lines if line.startswith(b"data: ")), b"")
