"""Many subscribed websockets in one lean process: `python -m bench._listeners PORT SOCKETS QUERY own|shared`.

It prints `ready` once all have subscribed, and then per event a line with its arrival times (CLOCK_MONOTONIC).
"""

import base64
import os
import resource
import select
import socket
import struct
import sys
import time

import orjson


def main() -> None:
    port, count, query, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    poll = select.epoll()
    sockets: dict[int, socket.socket] = {}
    for number in range(count):
        # An unused variable keeps a subscription from being shared.
        connection = _subscribe(port, query, {"number": number} if kind == "own" else {})
        poll.register(connection, select.EPOLLIN)
        sockets[connection.fileno()] = connection
    _write({"ready": count})
    arrival_times: dict[int, float] = {}
    while True:
        for number, _ in poll.poll(maxevents=count):
            data = sockets[number].recv(65536)
            arrived_at = time.monotonic()
            if not data:
                raise SystemExit("the server closed a socket")
            if b'"next"' in data:  # a keep-alive may come together with an event
                arrival_times[number] = arrived_at
            if (ping := data.find(b"\x89\x04")) >= 0:
                sockets[number].sendall(b"\x8a\x84\0\0\0\0" + data[ping + 2 : ping + 6])
        if len(arrival_times) == count:
            _write([*arrival_times.values()])
            arrival_times.clear()


def _subscribe(port: int, query: str, variables: dict[str, int]) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        (
            "GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        ).encode()
    )
    assert b" 101 " in connection.recv(65536)
    _send(connection, {"type": "connection_init"})
    assert b"connection_ack" in connection.recv(65536)
    _send(connection, {"id": "1", "type": "subscribe", "payload": {"query": query, "variables": variables}})
    return connection


def _send(connection: socket.socket, message: dict[str, object]) -> None:
    body = orjson.dumps(message)
    size = struct.pack("!B", 0x80 | len(body)) if len(body) < 126 else struct.pack("!BH", 0x80 | 126, len(body))
    connection.sendall(b"\x81" + size + b"\0\0\0\0" + body)


def _write(value: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
