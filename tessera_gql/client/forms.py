"""A large file on its way to the server: a form as the GraphQL multipart request specification has it, and what the
server tells meanwhile, as comments of an event stream. Does none of the sending."""

import json
import uuid
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tessera_gql.client.operation import UPLOAD, Operation
from tessera_gql.client.progress import Hear, Progress

CHUNK_BYTES = 256 * 1024
PREFLIGHT = {"GraphQL-Require-Preflight": "1"}


@dataclass(frozen=True)
class Form:
    """May be sent any number of times; tells of each."""

    boundary: str
    before: bytes
    file: bytes = field(repr=False)
    after: bytes
    hear: Hear | None = None

    @property
    def headers(self) -> dict[str, str]:
        size = len(self.before) + len(self.file) + len(self.after)
        kind = f"multipart/form-data; boundary={self.boundary}"
        return {"Content-Type": kind, "Content-Length": str(size), **PREFLIGHT}

    def chunks(self) -> Generator[bytes]:
        yield self.before
        total = len(self.file)
        for start in range(0, total, CHUNK_BYTES):
            yield self.file[start : start + CHUNK_BYTES]
            if self.hear:
                self.hear(Progress("UPLOAD", min(start + CHUNK_BYTES, total), total))
        yield self.after


def form(operation: Operation[Any], file: bytes) -> Form:
    """With the file wherever the variables say UPLOAD."""
    boundary = uuid.uuid4().hex
    asked = {"query": operation.document, "variables": _emptied(operation.variables)}
    places = [f"variables.{place}" for place in _places(operation.variables)]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="'
    said = (
        f'{head}operations"\r\n\r\n{json.dumps(asked, allow_nan=False)}\r\n'
        f'{head}map"\r\n\r\n{json.dumps({"0": places})}\r\n'
        f'{head}0"; filename="manifest.json"\r\nContent-Type: application/json\r\n\r\n'
    )
    return Form(boundary, said.encode(), file, f"\r\n--{boundary}--\r\n".encode(), operation.hear)


def _places(variables: Mapping[str, Any]) -> Generator[str]:
    for name, value in variables.items():
        if value == UPLOAD:
            yield name
        elif isinstance(value, dict):
            yield from (f"{name}.{inner}" for inner in _places(value))


def _emptied(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if value == UPLOAD else _emptied(value) if isinstance(value, dict) else value
        for name, value in variables.items()
    }


@dataclass
class Hearing:
    """Takes in what comes of an answer, as it comes: tells the comments of an event stream that say how far it is."""

    hear: Hear | None
    body: bytearray = field(default_factory=bytearray)
    _read: int = 0

    def take(self, chunk: bytes) -> None:
        self.body += chunk
        while self.hear and (end := self.body.find(b"\n", self._read)) >= 0:
            line, self._read = bytes(self.body[self._read : end]), end + 1
            if line.startswith(b": {"):
                with suppress(ValueError, LookupError, TypeError):  # a comment that says something else
                    said = json.loads(line[2:])
                    self.hear(Progress(said["phase"], said["done"], said["total"]))


def replied(body: bytes) -> bytes:
    """The answer itself: of an event stream its one event, empty if it ended without."""
    if not body.startswith((b":", b"event:")):
        return body
    lines = body.split(b"\n")
    return next((line[6:] for line in lines if line.startswith(b"data: ")), b"")
