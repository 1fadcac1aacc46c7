"""What travels between the server and a worker process: frames of a kind, a length and so many bytes; and a job."""

import asyncio
import struct
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID

import orjson

from tessera_gql.policy.access import Actor, Scope

HEAD = struct.Struct(">cI")


class Kind(Enum):
    """The server sends SETTINGS once, then for each job JOB and its files; the worker sends PROGRESS and one ANSWER."""

    SETTINGS = b"s"
    JOB = b"j"
    FILE = b"f"
    PROGRESS = b"g"
    ANSWER = b"a"


def head(kind: Kind, size: int) -> bytes:
    return HEAD.pack(kind.value, size)


def pack(kind: Kind, payload: bytes) -> bytes:
    return head(kind, len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader) -> tuple[Kind, bytes] | None:
    """None at the end of the stream, also in the middle of a frame."""
    try:
        kind, size = HEAD.unpack(await reader.readexactly(HEAD.size))
        return Kind(kind), await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


@dataclass(frozen=True)
class JobMessage:
    """A request to execute: its JSON, the places of its files in the variables, the caller, the `extensions` of the
    reply, and how long a query may take. Plain values only: what a database driver made is written as text.
    """

    text: bytes
    places: tuple[str, ...]
    actor: Actor
    extensions: dict[str, Any]
    query_seconds: float

    def encode(self) -> bytes:
        actor = self.actor
        facts = {
            "places": self.places,
            "actor": {
                "name": actor.name,
                "scopes": [scope.value for scope in actor.scopes],
                "team_id": str(actor.team_id) if actor.team_id else None,
                "key_id": str(actor.key_id) if actor.key_id else None,
            },
            "extensions": self.extensions,
            "query_seconds": self.query_seconds,
        }
        return orjson.dumps(facts) + b"\n" + self.text

    @classmethod
    def decode(cls, payload: bytes) -> "JobMessage":
        line, _, text = payload.partition(b"\n")
        facts: dict[str, Any] = orjson.loads(line)
        actor = facts["actor"]
        team_id, key_id = (UUID(actor[name]) if actor[name] else None for name in ("team_id", "key_id"))
        return cls(
            text=text,
            places=tuple(facts["places"]),
            actor=Actor(actor["name"], team_id, frozenset(map(Scope, actor["scopes"])), key_id),
            extensions=facts["extensions"],
            query_seconds=facts["query_seconds"],
        )
