"""Clients that write HTTP and WebSocket frames by hand to misbehave, and the memory that they cost the server."""

import json
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.e2e.server import Running

ADMIN = "an-administrators-key-for-this-test"
KEY = f"Authorization: Bearer {ADMIN}"
VIEWER = json.dumps({"query": "{ viewer { actor } }"}).encode()
LARGE_BYTES = 3_900_000
"""The reply to LARGE has a little more."""
LARGE = json.dumps(
    {
        "query": "{"
        + " ".join(f'a{n}: asset(by: {{fqn: "a.b"}}) {{ currentContract {{ schema }} }}' for n in range(20))
        + "}"
    }
).encode()


def connect(server: Running, *, window: int | None = None, source: str | None = None) -> socket.socket:
    """Open a connection; `window` is the size of its receive buffer."""
    client = socket.socket()
    client.settimeout(10)
    if window is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    if source is not None:
        client.bind((source, 0))
    client.connect(("127.0.0.1", urlsplit(server.url).port or 0))
    return client


def request(body: bytes = VIEWER, *headers: str, key: str = KEY) -> bytes:
    lines = ["POST /graphql HTTP/1.1", "Host: localhost", key, "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def read_all(client: socket.socket) -> bytes:
    """Read until the server closes or resets the connection."""
    chunks: list[bytes] = []
    try:
        while chunk := client.recv(1 << 20):
            chunks.append(chunk)
    except ConnectionResetError:
        pass
    return b"".join(chunks)


def read_reply(client: socket.socket) -> bytes:
    """The head and the body of one reply."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = client.recv(65536)
        assert chunk, data
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index] # else the test fails
    while len(body) < length:
        chunk = client.recv(1 << 20)
        assert chunk, "the connection ended within a reply"
        body += chunk
    return head + b"\r\n\r\n" + body


def statuses(data: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


@contextmanager
def websocket(server: Running, *, window: int | None = None, credential: str | None = ADMIN) -> Iterator[socket.socket]:
    """Open a WebSocket and initialise it, if there is a credential."""
    with connect(server, window=window) as client:
        client.sendall(
            b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )
        data = b""
        while b"\r\n\r\n" not in data:
            data += client.recv(1)
        assert statuses(data) == [101]
        if credential is not None:
            payload = {"Authorization": f"Bearer {credential}"}
            client.sendall(text({"type": "connection_init", "payload": payload}))
        yield client


def frame(opcode: int, payload: bytes) -> bytes:
    length = bytes((0x80 | len(payload),)) if len(payload) < 126 else struct.pack("!BH", 0xFE, len(payload))
    return bytes((0x80 | opcode,)) + length + b"\0\0\0\0" + payload


def text(message: dict[str, object]) -> bytes:
    return frame(1, json.dumps(message).encode())


def read_frame(client: socket.socket) -> tuple[int, bytes]:
    """The next frame that isn't a ping of the server."""
    while True:
        head = _exactly(client, 2)
        length = head[1]
        if length == 126:
            (length,) = struct.unpack("!H", _exactly(client, 2))
        elif length == 127:
            (length,) = struct.unpack("!Q", _exactly(client, 8))
        payload = _exactly(client, length)
        if head[0] & 0x0F != 9:
            return head[0] & 0x0F, payload


def read_close(client: socket.socket) -> tuple[int, str]:
    """Skip earlier frames."""
    while True:
        opcode, payload = read_frame(client)
        if opcode == 8:
            return struct.unpack("!H", payload[:2])[0], payload[2:].decode()


def _exactly(client: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        chunk = client.recv(length - len(data))
        assert chunk, "the connection ended within a frame"
        data += chunk
    return data


def rss_mb(server: Running) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index] # else the test fails


def metric(server: Running, name: str) -> float:
    """The value of a metric, or 0 for a missing series."""
    page = httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {ADMIN}"}).text
    sample = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
    return float(sample[1]) if sample else 0.0


def refused(server: Running, reason: str) -> float:
    return metric(server, f'tessera_connections_refused_total{{reason="{reason}"}}')


def until(is_true: Callable[[], bool], seconds: float = 15) -> None:
    ends = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < ends
        time.sleep(0.05)


def is_served(server: Running) -> bool:
    """Whether another client gets a health check and a reply."""
    with httpx.Client(base_url=server.url, timeout=5) as client:
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"}
        answer = client.post("/graphql", content=VIEWER, headers=headers)
        return client.get("/healthz").status_code == 200 and "data" in answer.json()


def publish_large(server: Running) -> None:
    """A contract with a schema of 200 kB, for LARGE."""
    properties = {f"c{n}": {"type": "string", "description": "x" * 100} for n in range(1400)}
    schema = {"type": "object", "properties": properties}
    for query in (
        'mutation { createTeam(input: {name: "t"}) { errors { message } } }',
        'mutation { createAsset(input: {fqn: "a.b", owner: {name: "t"}}) { errors { message } } }',
        'mutation($s: JSON!) { publishContract(input: {asset: {fqn: "a.b"}, schema: $s}) { errors { message } } }',
    ):
        payload = {"query": query, "variables": {"s": schema} if "$s" in query else {}}
        answer = httpx.post(
            f"{server.url}/graphql", json=payload, headers={"Authorization": f"Bearer {ADMIN}"}, timeout=30
        )
        assert 'errors":[]' in answer.text, answer.text
