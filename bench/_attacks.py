"""The attacks of `bench attack`. Each sends hostile requests to one server and counts the outcomes.

All addresses are loopback, and each attack is bounded in time.
"""

import base64
import json
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorSet

from tests.security.test_event_loop import CREATE, DIFF, DOCUMENT, HISTORY, IMPACT, PAIRS, PUBLISH, columns

ADMIN = "an-administrators-key-for-this-bench"
KEY = f"Authorization: Bearer {ADMIN}"
HEADERS = {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"}
DURATION_SECONDS = 6.0
"""Duration of attacks that are repeated or continuous."""
PAUSE_SECONDS = 0.1
TIMEOUT_SECONDS = 60
LARGE_BYTES = 20_000_000
CHUNK = b" " * 50_000
SILENT_SOCKETS = 200
HALF_SENT_CONNECTIONS = 2_000
UNREAD_CONNECTIONS = 100

Outcomes = Counter[str]
Attack = Callable[[str], Outcomes]
"""Attacks the server at a URL, and returns the outcomes with their counts."""


def outcome(answer: httpx.Response) -> str:
    """Return the status and error codes of a response. Raises AssertionError for a failure of the server."""
    assert answer.status_code < 500 or answer.status_code == 503, answer.text[:300]
    try:
        reply = answer.json()
    except ValueError:
        return str(answer.status_code)
    codes = {error["extensions"]["code"] for error in reply.get("errors", ())}
    for payload in (reply.get("data") or {}).values():
        codes |= {error["code"] for error in (payload or {}).get("errors", ())} if isinstance(payload, dict) else set()
    assert "INTERNAL" not in codes, answer.text[:300]
    return " ".join([str(answer.status_code), *sorted(codes)])


def documents(*queries: str) -> Attack:
    """Send operations, never the same text twice, so that no refusal comes from a cache."""

    def attack(url: str) -> Outcomes:
        outcomes, ends = Outcomes(), time.monotonic() + DURATION_SECONDS
        with httpx.Client(timeout=TIMEOUT_SECONDS, headers=HEADERS) as client:
            while time.monotonic() < ends:
                for query in queries:
                    content = json.dumps({"query": f"{query} # {random.random()}"})
                    outcomes[outcome(client.post(f"{url}/graphql", content=content))] += 1
                time.sleep(PAUSE_SECONDS)
        return outcomes

    return attack


def requests(*bodies: tuple[str, dict[str, Any]]) -> Attack:
    """Send operations with their variables, each once."""

    def attack(url: str) -> Outcomes:
        outcomes = Outcomes()
        with httpx.Client(timeout=TIMEOUT_SECONDS, headers=HEADERS) as client:
            for query, variables in bodies:
                content = json.dumps({"query": query, "variables": variables})
                outcomes[outcome(client.post(f"{url}/graphql", content=content))] += 1
        return outcomes

    return attack


def publish_and_read(name: str) -> Attack:
    """Publish two versions without a check, read them, and publish both again with a check."""
    old, new = PAIRS[name]
    asset = {"fqn": "attack.published"}
    versions = [(PUBLISH, {**asset, "schema": schema, "mode": "NONE"}) for schema in (old, new)]
    strict = [(PUBLISH, {**asset, "schema": schema, "mode": "FULL"}) for schema in (old, new)]
    reads = [(HISTORY, asset), (IMPACT, {**asset, "schema": old})]
    team = ('mutation { createTeam(input: { name: "t" }) { errors { code } } }', {})
    return requests(team, (CREATE, asset), *versions, *reads, *strict, *reads)


def bomb() -> str:
    """Return a document of 1 kB whose fragments double 22 times."""
    fragments = "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(22))
    return "{ ...F0 } " + fragments + "fragment F22 on Query { viewer { actor } }"


def deep(levels: int) -> str:
    return "{ assets { nodes { " + "upstream { nodes { asset { " * levels + "id" + " } } }" * levels + " } } }"


def wide(levels: int) -> str:
    page = "(first: 100) { nodes { "
    return "{ assets" + page + f"owner {{ assets{page}" * (levels - 1) + "id" + " } } }" * (levels - 1) + " } } }"


def message_chain(length: int) -> str:
    """Return a protobuf descriptor set in which each message contains the next one."""
    files = FileDescriptorSet()
    file = files.file.add(name="chain.proto", package="p", syntax="proto3")
    for number in range(length):
        message: DescriptorProto = file.message_type.add(name=f"M{number}")
        field: FieldDescriptorProto = message.field.add(name="next", number=1, label=1)
        if number + 1 < length:
            field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".p.M{number + 1}"
        else:
            field.type = FieldDescriptorProto.TYPE_STRING
    return base64.b64encode(files.SerializeToString()).decode()


def publish_document(kind: str, text: str) -> Attack:
    asset = {"fqn": "attack.documents"}
    team = ('mutation { createTeam(input: { name: "t" }) { errors { code } } }', {})
    return requests(team, (CREATE, asset), (DOCUMENT, {**asset, "format": kind, "text": text}))


def connect(url: str, *, window: int | None = None) -> socket.socket:
    """Connect to the server. `window` is the size of the receive buffer, for a client that doesn't read."""
    client = socket.socket()
    client.settimeout(TIMEOUT_SECONDS)
    if window is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    client.connect(("127.0.0.1", urlsplit(url).port or 0))
    return client


def head(*lines: str, length: int | None = None, kind: str = "application/json") -> bytes:
    size = [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join(
        ["POST /graphql HTTP/1.1", "Host: localhost", KEY, f"Content-Type: {kind}", *size, *lines, "", ""]
    ).encode()


def status(client: socket.socket) -> str:
    """Return the status of the response, or how the connection ended."""
    try:
        reply = client.recv(65536)
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "silence"
    return reply.split(b" ", 2)[1].decode() if reply.startswith(b"HTTP/1.1 ") else "closed"


def send(client: socket.socket, chunks: Iterable[bytes]) -> None:
    """Send chunks until the server closes the connection."""
    with suppress(ConnectionError, TimeoutError):
        for chunk in chunks:
            client.sendall(chunk)


def large_body(url: str) -> Outcomes:
    outcomes, ends = Outcomes(), time.monotonic() + DURATION_SECONDS
    while time.monotonic() < ends:
        with connect(url) as client:
            send(client, [head(length=LARGE_BYTES), *[CHUNK] * 20])
            outcomes[status(client)] += 1
        time.sleep(PAUSE_SECONDS)
    return outcomes


def large_heads(url: str) -> Outcomes:
    """Send 120 MB of headers over 120 connections."""
    outcomes = Outcomes()
    for _ in range(120):
        with connect(url) as client:
            send(client, [head()[:-2], *(f"X-{n}: {'a' * 10_000}\r\n".encode() for n in range(100))])
            outcomes[status(client)] += 1
    return outcomes


def half_sent_heads(url: str) -> Outcomes:
    """Open connections that begin a request and never complete it."""
    outcomes = Outcomes()
    with ExitStack() as stack:
        clients: list[socket.socket] = []
        for _ in range(HALF_SENT_CONNECTIONS):
            with suppress(OSError):
                clients.append(stack.enter_context(connect(url)))
                clients[-1].sendall(b"POST /graphql HTTP/1.1\r\nHost: ")
        time.sleep(DURATION_SECONDS)
        deadline = time.monotonic() + 45
        for client in clients:
            client.settimeout(max(0.01, deadline - time.monotonic()))
            outcomes[status(client)] += 1
    return outcomes


def silent_sockets(url: str) -> Outcomes:
    """Open websockets that never send `connection_init`."""
    outcomes = Outcomes()
    with ExitStack() as stack:
        clients = [stack.enter_context(_websocket(url)) for _ in range(SILENT_SOCKETS)]
        for client in clients:
            client.settimeout(30)
            outcomes[_close_code(client)] += 1
    return outcomes


def _websocket(url: str) -> socket.socket:
    client = connect(url)
    client.sendall(
        b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    )
    reply = b""
    while not reply.endswith(b"\r\n\r\n") and (byte := client.recv(1)):
        reply += byte
    return client


def _close_code(client: socket.socket) -> str:
    with suppress(OSError):
        frame = client.recv(65536)
        if frame[:1] == b"\x88":
            return str(int.from_bytes(frame[2:4], "big"))
    return "closed"


_ASSET = {"fqn": "large.table"}
LARGE: tuple[tuple[str, dict[str, Any]], ...] = (
    ('mutation { createTeam(input: { name: "t" }) { errors { code } } }', {}),
    (CREATE, _ASSET),
    (PUBLISH, {**_ASSET, "schema": columns(2_500, "x", description="d" * 50)}),
)
"""Mutations after which the response to READ_LARGE has 4 MB."""
READ_LARGE = (
    "{"
    + " ".join(f'a{n}: asset(by: {{ fqn: "large.table" }}) {{ currentContract {{ schema }} }}' for n in range(15))
    + "}"
)


def unread_replies(url: str) -> Outcomes:
    """Request megabytes and read nothing."""
    body = json.dumps({"query": READ_LARGE}).encode()
    outcomes = Outcomes()
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(url, window=4096)) for _ in range(UNREAD_CONNECTIONS)]
        for client in clients:
            send(client, [head(length=len(body)) + body])
        time.sleep(20)
        for client in clients:
            client.settimeout(5)
            outcomes[_drain(client)] += 1
    return outcomes


def _drain(client: socket.socket) -> str:
    """Read all available bytes, and return whether the server has closed the connection."""
    ends = time.monotonic() + 5
    with suppress(TimeoutError):
        try:
            while time.monotonic() < ends:
                if not client.recv(1 << 20):
                    return "cut off"
        except ConnectionResetError:
            return "cut off"
    return "kept"


def unread_pings(url: str) -> Outcomes:
    """Send pings without reading the pongs."""
    outcomes = Outcomes()
    ping = b"\x89\x80\0\0\0\0" * 1000
    with _websocket(url) as client:
        client.sendall(_text_frame({"type": "connection_init", "payload": {"Authorization": f"Bearer {ADMIN}"}}))
        sent_count, deadline = 0, time.monotonic() + DURATION_SECONDS
        with suppress(OSError):
            while time.monotonic() < deadline and sent_count < 616_000:
                client.sendall(ping)
                sent_count += 1000
        outcomes["cut off" if sent_count < 616_000 else "kept"] += 1
    return outcomes


def _text_frame(message: dict[str, Any]) -> bytes:
    payload = json.dumps(message).encode()
    length = bytes((0x80 | len(payload),)) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return b"\x81" + length + b"\0\0\0\0" + payload


def trickling_uploads(url: str) -> Outcomes:
    """Send uploads at 4 kB a second."""
    begin = (
        b'--b\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{"query": "query($m: JSON!) '
        b'{ dbtImpact(manifest: $m) { models { fqn } } }", "variables": {"m": null}}\r\n--b\r\n'
        b'Content-Disposition: form-data; name="map"\r\n\r\n{"0": ["variables.m"]}\r\n--b\r\n'
        b'Content-Disposition: form-data; name="0"; filename="m.json"\r\n\r\n{"metadata": '
    )
    outcomes = Outcomes()
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(url)) for _ in range(20)]
        for client in clients:
            send(client, [head(length=100_000_000, kind="multipart/form-data; boundary=b") + begin])
        ends = time.monotonic() + DURATION_SECONDS * 2
        while time.monotonic() < ends:
            for client in clients:
                send(client, [b" " * 2000])
            time.sleep(0.5)
        for client in clients:
            client.settimeout(0.2)
            outcomes[status(client)] += 1
    return outcomes


def malformed(url: str) -> Outcomes:
    """Send forms, headers and bodies that no client would send."""
    outcomes = Outcomes()
    boundary = "b" * 5_000
    form = f'--{boundary}\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{{}}\r\n--{boundary}--\r\n'
    parts = b"".join(b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n\r\n' % n for n in range(5_000))
    bodies: list[tuple[str, bytes]] = [
        (f"multipart/form-data; boundary={boundary}", form.encode()),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", parts + b"--b--\r\n"),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Disposition: " + b"a" * 100_000 + b"\r\n\r\n\r\n--b--\r\n",
        ),
        ("application/json", b"[" * 100_000),
        ("application/json", b'{"query": "{ viewer { actor } }", "variables": {"a": ' + b"9" * 100_000 + b"}}"),
        ("application/json", b"\xff\xfe"),
    ]
    with httpx.Client(timeout=TIMEOUT_SECONDS, headers=HEADERS) as client:
        for kind, content in bodies:
            headers = {"Content-Type": kind, "GraphQL-Require-Preflight": "1"}
            outcomes[outcome(client.post(f"{url}/graphql", content=content, headers=headers))] += 1
        for path in ("/graphql", "/metrics"):
            answer = client.get(f"{url}{path}", headers=[(b"Authorization", b"Bearer \xe4\xff")])
            outcomes[outcome(answer)] += 1
    return outcomes


def comparisons() -> Iterator[tuple[str, Attack]]:
    for name, (old, new) in PAIRS.items():
        yield f"diffSchemas: {name}", requests((DIFF, {"old": old, "new": new}))
    for name in ("pattern with alternation", "doubling references, allOf", "1,500 members of oneOf"):
        yield f"published: {name}", publish_and_read(name)


ATTACKS: dict[str, Attack] = {
    "a 1 kB fragment bomb": documents(bomb()),
    "50-deep queries": documents(deep(16)),
    "10,000 aliases": documents("{" + " ".join(f"a{n}:__typename" for n in range(10_000)) + "}"),
    "first: 100, nested five times": documents(wide(5)),
    "a 20 MB body": large_body,
    **dict(comparisons()),
    "a list of 300,000 in a filter": requests(
        (
            "query($f: AssetFilter) { assets(filter: $f) { totalCount } }",
            {"f": {"fqn": {"in": [f"a{n}" for n in range(300_000)]}}},
        )
    ),
    "a protobuf chain of 3,000 messages": publish_document("PROTOBUF", message_chain(3_000)),
    "120 MB of headers": large_heads,
    f"{HALF_SENT_CONNECTIONS:,} half-sent heads": half_sent_heads,
    f"{SILENT_SOCKETS} silent sockets": silent_sockets,
    f"{UNREAD_CONNECTIONS} clients that read nothing": unread_replies,
    "616,000 unread pings": unread_pings,
    "20 uploads at 4 kB a second": trickling_uploads,
    "malformed forms, headers and bodies": malformed,
}
