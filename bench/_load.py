"""Load generator in a separate process, with keep-alive sockets and prebuilt requests. It doesn't parse responses.

It reads a `Load` as JSON from each line of its standard input, and prints the seconds it took.
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
    """`count` requests over a number of connections, with the bodies in rotation."""

    port: int
    connections: int
    count: int
    bodies: Sequence[str]


@dataclass(eq=False)
class Connection(asyncio.Protocol):
    """A connection that sends the next request as soon as a response is complete."""

    requests: Iterator[bytes]
    is_closed: "asyncio.Future[None]"
    transport: asyncio.WriteTransport | None = None
    remaining_bytes: int = 0
    head: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)
        self.send_next()

    def send_next(self) -> None:
        assert self.transport is not None
        if (request := next(self.requests, None)) is None:
            self.transport.close()
            self.is_closed.set_result(None)
        else:
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if not self.remaining_bytes:
            self.head += data
            head, separator, body = self.head.partition(b"\r\n\r\n")
            if not separator:
                return
            assert head.split(b" ", 2)[1] == b"200", self.head[:500]
            headers = (line.lower().partition(b":") for line in head.split(b"\r\n"))
            self.remaining_bytes = next(int(value) for name, _, value in headers if name == b"content-length")
            self.head, data = b"", body
        self.remaining_bytes -= len(data)
        if not self.remaining_bytes:
            self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.is_closed.done():
            self.is_closed.set_exception(exc or ConnectionError("the server closed the connection"))


async def send_requests(load: Load) -> float:
    prebuilt = [_request(body.encode()) for body in load.bodies]
    requests = (prebuilt[number % len(prebuilt)] for number in range(load.count))
    loop = asyncio.get_running_loop()
    closed_futures = [loop.create_future() for _ in range(load.connections)]
    start_time = time.perf_counter()
    for is_closed in closed_futures:
        await loop.create_connection(
            lambda is_closed=is_closed: Connection(requests, is_closed), "127.0.0.1", load.port
        )
    await asyncio.gather(*closed_futures)
    return time.perf_counter() - start_time


def _request(body: bytes) -> bytes:
    head = "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class LoadGenerator:
    """The load generator's process, seen from the benchmark."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def measure_seconds(self, load: Load) -> float:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(asdict(load)) + "\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise RuntimeError("the load generator died; what it said is above")
        return float(answer)


@contextmanager
def start_generator() -> Iterator[LoadGenerator]:
    command = [sys.executable, "-m", "bench._load"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield LoadGenerator(process)
        finally:
            process.terminate()


if __name__ == "__main__":
    for line in sys.stdin:
        print(uvloop.run(send_requests(Load(**json.loads(line)))), flush=True)
