"""The client of the benchmarks, in a process of its own: keep-alive sockets, prebuilt bytes, no look at the answers.

Reads one `Load` as JSON a line from its standard input and answers each with the seconds it took.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import cast

import uvloop


@dataclass(frozen=True)
class Load:
    """`count` requests over so many connections, the bodies one after the other and over again."""

    port: int
    connections: int
    count: int
    bodies: Sequence[str]


@dataclass(eq=False)
class Requester(asyncio.Protocol):
    """One connection: as soon as an answer is complete, the next request is sent, while there are any."""

    requests: Iterator[bytes]
    done: "asyncio.Future[None]"
    transport: asyncio.WriteTransport | None = None
    left: int = 0
    head: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)
        self.ask()

    def ask(self) -> None:
        assert self.transport is not None
        if (request := next(self.requests, None)) is None:
            self.transport.close()
            self.done.set_result(None)
        else:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if not self.left:
            self.head += data
            head, found, body = self.head.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.split(b" ", 2)[1] == b"200", self.head[:500]
            named = (line.lower().partition(b":") for line in head.split(b"\r\n"))
            self.left = next(int(value) for name, _, value in named if name == b"content-length")
            self.head, data = b"", body
        self.left -= len(data)
        if not self.left:
            self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))


async def run(load: Load) -> float:
    prebuilt = [_request(body.encode()) for body in load.bodies]
    requests = (prebuilt[number % len(prebuilt)] for number in range(load.count))
    loop = asyncio.get_running_loop()
    waiting = [loop.create_future() for _ in range(load.connections)]
    began = time.perf_counter()
    for done in waiting:
        await loop.create_connection(lambda done=done: Requester(requests, done), "127.0.0.1", load.port)
    await asyncio.gather(*waiting)
    return time.perf_counter() - began


def _request(body: bytes) -> bytes:
    head = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Generator:
    """Told what to do from outside."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def seconds(self, load: Load) -> float:
        told, said = self._process.stdin, self._process.stdout
        assert told is not None
        assert said is not None
        told.write(json.dumps(asdict(load)) + "\n")
        told.flush()
        answer = said.readline()
        if not answer:
            raise RuntimeError("the load generator died; what it said is above")
        return float(answer)


@contextmanager
def generator() -> Iterator[Generator]:
    command = [sys.executable, "-m", "bench._load"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Generator(process)
        finally:
            process.terminate()


if __name__ == "__main__":
    for line in sys.stdin:
        print(uvloop.run(run(Load(**json.loads(line)))), flush=True)
