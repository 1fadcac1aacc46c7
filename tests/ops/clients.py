"""HTTP clients that keep their connection and record how each request ended."""

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import orjson

CREATE = "mutation($input: CreateTeamInput!) { createTeam(input: $input) { team { id } errors { code } } }"
LIMIT_SECONDS = 45.0


class End(StrEnum):
    DONE = "a whole answer: it was done"
    FAILED = "a whole answer: it was not done"
    REFUSED = "no connection"
    CLOSED = "closed before any byte of an answer"
    TORN = "closed within the answer"
    HUNG = "no end within the limit"


@dataclass(frozen=True)
class Asked:
    """One request, with the `code` of its failure and the time `at` which it ended."""

    name: str
    end: End
    code: str | None
    seconds: float
    at: float


@dataclass
class Client:
    """Create teams with unique names on a connection that is kept open as long as the server allows."""

    number: int
    url: str
    asked: list[Asked] = field(default_factory=list[Asked])
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None

    async def work(self, until: asyncio.Event, *, pause_seconds: float = 0) -> None:
        for count in itertools.count():
            if until.is_set():
                break
            await self.ask(f"client {self.number} team {count}")
            await asyncio.sleep(pause_seconds if self.asked[-1].end is End.DONE else 0.05)
        self.leave()

    async def ask(self, name: str) -> End:
        started = time.monotonic()
        code: str | None = None
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                end, code = await self._exchange(name)
        except TimeoutError:
            end = End.HUNG
            self.leave()
        now = time.monotonic()
        self.asked.append(Asked(name, end, code, now - started, now))
        return end

    async def _exchange(self, name: str) -> tuple[End, str | None]:
        if self._writer is None:
            address = urlsplit(self.url)
            try:
                self._reader, self._writer = await asyncio.open_connection(address.hostname, address.port)
            except OSError:
                return End.REFUSED, None
        head = b""
        try:
            self._writer.write(_request(name))
            await self._writer.drain()
            assert self._reader is not None
            head = await self._reader.readuntil(b"\r\n\r\n")
            body = await self._reader.readexactly(int(_header(head, b"content-length") or 0))
        except asyncio.IncompleteReadError as error:
            self.leave()
            return (End.TORN if head or error.partial else End.CLOSED), None
        except OSError:
            self.leave()
            return (End.TORN if head else End.CLOSED), None
        if _header(head, b"connection") == b"close":
            self.leave()
        return _outcome(orjson.loads(body))

    def leave(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def _request(name: str) -> bytes:
    body = orjson.dumps({"query": CREATE, "variables": {"input": {"name": name, "idempotencyKey": name}}})
    return (
        b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )


def _header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip().lower()
    return None


def _outcome(reply: dict[str, Any]) -> tuple[End, str | None]:
    if "errors" in reply:
        return End.FAILED, reply["errors"][0]["extensions"]["code"]
    payload = reply["data"]["createTeam"]
    return (End.DONE, None) if payload["team"] else (End.FAILED, payload["errors"][0]["code"])


def ends(clients: list[Client]) -> Counter[End]:
    return Counter(request.end for client in clients for request in client.asked)


def names(clients: list[Client], *ends: End) -> set[str]:
    return {request.name for client in clients for request in client.asked if request.end in ends}
