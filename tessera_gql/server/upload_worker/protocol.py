"""Protocol between the server and a worker process: frames of a kind, a length and a payload."""

import asyncio
import struct
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID

import orjson

from tessera_gql.policy.access import Actor, Scope

HEAD = struct.Struct(">cI")


class FrameKind(Enum):
    """Kinds of frames. The server sends SETTINGS once, then JOB and FILE; the worker PROGRESS and one REPLY a job."""

    SETTINGS = b"s"
    JOB = b"j"
    FILE = b"f"
    PROGRESS = b"g"
    REPLY = b"a"


def pack_head(kind: FrameKind, size: int) -> bytes:
    """Encode the head of a frame."""
    return HEAD.pack(kind.value, size)


def pack_frame(kind: FrameKind, payload: bytes) -> bytes:
    """Encode a frame with its payload."""
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
        actor = self.actor  # encoded by hand: ids of a database driver's own UUID class must become text
        metadata = {
            "places": self.file_paths,
            "actor": {
                "name": actor.name,
                "scopes": [scope.value for scope in actor.scopes],
                "team_id": str(actor.team_id) if actor.team_id else None,
                "key_id": str(actor.key_id) if actor.key_id else None,
            },
            "extensions": self.extensions,
            "query_seconds": self.query_seconds,
        }
        return orjson.dumps(metadata) + b"\n" + self.text

    @classmethod
    def decode(cls, payload: bytes) -> "JobMessage":
        """Decode the payload of a JOB frame."""
        line, _, text = payload.partition(b"\n")
        metadata: dict[str, Any] = orjson.loads(line)
        actor = metadata["actor"]
        team_id, key_id = (UUID(actor[name]) if actor[name] else None for name in ("team_id", "key_id"))
        return cls(
            text=text,
            file_paths=tuple(metadata["places"]),
            actor=Actor(actor["name"], team_id, frozenset(map(Scope, actor["scopes"])), key_id),
            extensions=metadata["extensions"],
            query_seconds=metadata["query_seconds"],
        )
