"""What travels between the server and a process of the annex: a kind, a length, and so many bytes."""

import asyncio
import struct
from enum import Enum

HEAD = struct.Struct(">cI")


class Kind(Enum):
    """The server sends SETTINGS once, then a JOB, and RUN for what may run; the rest comes back."""

    SETTINGS = b"s"
    JOB = b"j"
    RUN = b"r"
    SHAPE = b"p"
    MALFORMED = b"m"
    TOO_LARGE = b"l"
    PROGRESS = b"g"
    ANSWER = b"a"


def packed(kind: Kind, payload: bytes) -> bytes:
    return HEAD.pack(kind.value, len(payload)) + payload


async def read(reader: asyncio.StreamReader) -> tuple[Kind, bytes] | None:
    """None at the end, in the middle of a frame too."""
    try:
        kind, size = HEAD.unpack(await reader.readexactly(HEAD.size))
        return Kind(kind), await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
