"""What travels between the server and a worker process: frames of a kind, a length and so many bytes; and a job."""

import asyncio
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from tessera_gql.policy.access import Actor, Scope

HEAD = struct.Struct(">cI")


class Kind(Enum):
    """The server sends SETTINGS once, then jobs; the worker sends PROGRESS and one ANSWER for each job."""

    SETTINGS = b"s"
    JOB = b"j"
    PROGRESS = b"g"
    ANSWER = b"a"


def pack(kind: Kind, payload: bytes) -> bytes:
    return HEAD.pack(kind.value, len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader) -> tuple[Kind, bytes] | None:
    """None at the end of the stream, also in the middle of a frame."""
    try:
        kind, size = HEAD.unpack(await reader.readexactly(HEAD.size))
        return Kind(kind), await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


@dataclass(frozen=True)
class JobMessage:
    """A request to execute: its JSON, the files by their places in the variables, the caller, the `extensions` of the
    reply, and how long it may take. Plain values only: what a database driver made is written as text.
    """

    text: bytes
    files: Mapping[str, Path]
    actor: Actor
    extensions: dict[str, Any]
    query_seconds: float

    def encode(self) -> bytes:
        actor = self.actor
        head = {
            "files": {place: str(path) for place, path in self.files.items()},
            "actor": {
                "name": actor.name,
                "scopes": [scope.value for scope in actor.scopes],
                "team_id": str(actor.team_id) if actor.team_id else None,
                "key_id": str(actor.key_id) if actor.key_id else None,
            },
            "extensions": self.extensions,
            "query_seconds": self.query_seconds,
        }
        return orjson.dumps(head) + b"\n" + self.text

    @classmethod
    def decode(cls, payload: bytes) -> "JobMessage":
        head, _, text = payload.partition(b"\n")
        facts: dict[str, Any] = orjson.loads(head)
        actor = facts["actor"]
        team_id, key_id = (UUID(actor[name]) if actor[name] else None for name in ("team_id", "key_id"))
        return cls(
            text=text,
            files={place: Path(path) for place, path in facts["files"].items()},
            actor=Actor(actor["name"], team_id, frozenset(map(Scope, actor["scopes"])), key_id),
            extensions=facts["extensions"],
            query_seconds=facts["query_seconds"],
        )
