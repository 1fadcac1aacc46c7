"""Protocol between the server and a worker process: frames of a kind, a length and a payload."""

import asyncio
import struct
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson
from pydantic import TypeAdapter

from tessera_gql.policy.access import Actor

HEAD = struct.Struct(">cI")
_ACTOR = TypeAdapter(Actor)


class FrameKind(Enum):
    """Kinds of frames. The server sends SETTINGS once, then JOB and FILE; the worker PROGRESS and one REPLY a job."""

    SETTINGS = b"s"
    JOB = b"j"
    FILE = b"f"
    PROGRESS = b"g"
    REPLY = b"a"


def pack_head(kind: FrameKind, size: int) -> bytes:
    return HEAD.pack(kind.value, size)


def pack_frame(kind: FrameKind, payload: bytes) -> bytes:
    return pack_head(kind, len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader) -> tuple[FrameKind, bytes] | None:
    """Read a frame; None at the end of the stream, even within a frame."""
    try:
        kind, size = HEAD.unpack(await reader.readexactly(HEAD.size))
        return FrameKind(kind), await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


@dataclass(frozen=True)
class JobMessage:
    """A request to execute: its JSON, the variable paths of its files, the caller, and the reply's `extensions`."""

    text: bytes
    file_paths: tuple[str, ...]
    actor: Actor
    extensions: dict[str, Any]
    query_seconds: float

    def encode(self) -> bytes:
        """Encode the message as a line of JSON, followed by the text of the request."""
        metadata = (self.file_paths, self.actor, self.extensions, self.query_seconds)
        return orjson.dumps(metadata, default=list) + b"\n" + self.text

    @classmethod
    def decode(cls, payload: bytes) -> "JobMessage":
        line, _, text = payload.partition(b"\n")
        file_paths, actor, extensions, query_seconds = orjson.loads(line)
        return cls(text, tuple(file_paths), _ACTOR.validate_python(actor), extensions, query_seconds)
