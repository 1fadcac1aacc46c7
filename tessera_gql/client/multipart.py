"""GraphQL multipart requests for large files, and the progress that the server streams in its response.

Follows the GraphQL multipart request specification. Does no I/O.
"""

import json
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tessera_gql.client.operation import CATALOG_PLACEHOLDER, UPLOAD_PLACEHOLDER, Operation
from tessera_gql.client.progress import Progress, ProgressCallback

CHUNK_BYTES = 256 * 1024
PREFLIGHT_HEADER = {"GraphQL-Require-Preflight": "1"}


@dataclass(frozen=True)
class MultipartForm:
    """Multipart body with files, each after its `head`. Can be sent repeatedly; each sending reports its progress."""

    boundary: str
    parts: Sequence[tuple[bytes, bytes]] = field(repr=False)
    tail: bytes
    on_progress: ProgressCallback | None = None

    @property
    def headers(self) -> dict[str, str]:
        size = sum(len(head) + len(file) for head, file in self.parts) + len(self.tail)
        content_type = f"multipart/form-data; boundary={self.boundary}"
        return {"Content-Type": content_type, "Content-Length": str(size), **PREFLIGHT_HEADER}

    def iter_chunks(self) -> Generator[bytes]:
        total, position = sum(len(file) for _, file in self.parts), 0
        for head, file in self.parts:
            yield head
            for start in range(0, len(file), CHUNK_BYTES):
                chunk = file[start : start + CHUNK_BYTES]
                yield chunk
                position += len(chunk)
                if self.on_progress:
                    self.on_progress(Progress("UPLOAD", position, total))
        yield self.tail


def build_form(operation: Operation[Any], file: bytes) -> MultipartForm:
    """Build the form that sends `file`, and the catalog of the operation if it has one, for their placeholders."""
    boundary = uuid.uuid4().hex
    operations = {"query": operation.document, "variables": _replace_uploads_with_null(operation.variables)}
    files = {UPLOAD_PLACEHOLDER: ("manifest", file)}
    if operation.catalog is not None:
        files[CATALOG_PLACEHOLDER] = ("catalog", operation.catalog)
    paths = {
        str(number): [f"variables.{path}" for path in _find_upload_paths(operation.variables, placeholder)]
        for number, placeholder in enumerate(files)
    }
    part = f'--{boundary}\r\nContent-Disposition: form-data; name="'
    text_parts = (
        f'{part}operations"\r\n\r\n{json.dumps(operations, allow_nan=False)}\r\n'
        f'{part}map"\r\n\r\n{json.dumps(paths)}\r\n'
    )
    parts: list[tuple[bytes, bytes]] = []
    for number, (name, content) in enumerate(files.values()):
        start = text_parts if number == 0 else "\r\n"
        head = f'{start}{part}{number}"; filename="{name}.json"\r\nContent-Type: application/json\r\n\r\n'
        parts.append((head.encode(), content))
    return MultipartForm(boundary, parts, f"\r\n--{boundary}--\r\n".encode(), operation.on_progress)


def _find_upload_paths(variables: Mapping[str, Any], placeholder: str) -> Generator[str]:
    for name, value in variables.items():
        if value == placeholder:
            yield name
        elif isinstance(value, dict):
            yield from (f"{name}.{inner}" for inner in _find_upload_paths(value, placeholder))


def _replace_uploads_with_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _replace_uploads_with_null(item) for name, item in value.items()}
    return None if value in (UPLOAD_PLACEHOLDER, CATALOG_PLACEHOLDER) else value


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
