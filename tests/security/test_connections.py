"""The cost of a connection is limited: heads, idle connections, unread replies and pings."""

import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.e2e.server import TESSERA, Running, serving
from tests.security.raw_connections import (
    ADMIN,
    KEY,
    LARGE,
    LARGE_BYTES,
    VIEWER,
    connect,
    frame,
    is_served,
    metric,
    publish_large,
    read_all,
    read_close,
    read_frame,
    read_reply,
    refused,
    request,
    rss_mb,
    statuses,
    text,
    until,
    websocket,
)

SETTINGS = {
    "ADMIN_KEY": ADMIN,
    "LIMIT_HEAD_SECONDS": "1",
    "LIMIT_HEAD_BYTES": "4096",
    "LIMIT_HEAD_FIELDS": "20",
    "LIMIT_URL_BYTES": "1024",
    "LIMIT_PIPELINED_REQUESTS": "5",
    "LIMIT_SEND_TIMEOUT_SECONDS": "1",
    "LIMIT_PINGS_PER_MINUTE": "20",
    "LIMIT_KEY_STREAMS": "20",
}
START = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\n"


def quiet(server: Running) -> bool:
    log = server.log.read_text()
    return "Traceback" not in log and '"level":"error"' not in log


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("connections"), program=TESSERA, **SETTINGS) as running:
        publish_large(running)
        yield running
        assert running.process.poll() is None
        assert quiet(running), running.log.read_text()


@pytest.fixture
def connected(server: Running) -> Iterator[socket.socket]:
    with connect(server) as client:
        yield client


@pytest.mark.parametrize(
    "chunks",
    [
        [START + b"".join(b"X-%d: %b\r\n" % (n, b"a" * 300) for n in range(15))],
        [START + b"X: 1\r\n" * 30],
        [START + b"X: ", *[b"a" * 3000] * 3],
        [b"\r\n" * 2000] * 2,
        [
            START + KEY.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
            b"a" * 5,
            b"\r\n0\r\nX: ",
            *[b"a" * 3000] * 3,
        ],
    ],
    ids=["many bytes", "many headers", "a header without end", "empty lines without end", "a trailer without end"],
)
def test_a_head_beyond_the_limits_is_refused_and_closed(
    server: Running, connected: socket.socket, chunks: list[bytes]
) -> None:
    before = refused(server, "head_too_large")
    for chunk in chunks:
        connected.sendall(chunk)
        time.sleep(0.05)
    assert is_served(server)
    reply = read_all(connected)
    assert statuses(reply)[-1] in (415, 431)  # a trailer may come after the reply
    assert refused(server, "head_too_large") == before + 1


def test_a_url_beyond_the_limit_is_refused_with_414(server: Running, connected: socket.socket) -> None:
    connected.sendall(b"GET /graphql?query=" + b"a" * 2000)
    reply = read_all(connected)
    assert statuses(reply) == [414]
    assert b"longer than 1,024 bytes. Send the query by POST." in reply
    assert refused(server, "url_too_long") == 1


def test_a_request_that_is_not_http_is_refused_with_400(connected: socket.socket) -> None:
    connected.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
    reply = read_all(connected)
    assert statuses(reply) == [400]
    assert b'"code":"BAD_REQUEST"' in reply


@pytest.mark.parametrize("is_kept_alive", [False, True])
def test_a_head_that_does_not_come_in_time_is_refused_with_408(
    server: Running, connected: socket.socket, is_kept_alive: bool
) -> None:
    if is_kept_alive:
        connected.sendall(request())
        assert statuses(read_reply(connected)) == [200]
    started = time.monotonic()
    connected.setblocking(False)
    reply = b""
    for byte in START * 9:  # never silent for long
        try:
            connected.send(bytes((byte,)))
            reply += connected.recv(65536)
        except BlockingIOError:
            pass
        if reply:
            break
        time.sleep(0.1)
    assert statuses(reply) == [408]
    assert 0.8 < time.monotonic() - started < 5
    assert is_served(server)


def test_a_silent_connection_is_closed_without_a_reply(server: Running, connected: socket.socket) -> None:
    assert read_all(connected) == b""
    assert refused(server, "head_timeout") > 0


def test_the_remaining_body_of_an_answered_request_is_not_awaited(server: Running, connected: socket.socket) -> None:
    head = request(b"", key="X-Nothing: 1").replace(b"Content-Length: 0", b"Content-Length: 1000")
    connected.sendall(head)
    assert statuses(read_reply(connected)) == [401]
    connected.sendall(b"a")
    connected.settimeout(15)
    assert read_all(connected) == b""
    assert is_served(server)


def test_a_slow_but_honest_client_is_served(connected: socket.socket) -> None:
    whole = request()
    for _ in range(2):
        connected.sendall(whole[:20])
        time.sleep(0.3)
        connected.sendall(whole[20:200])
        time.sleep(1.2)  # the head has come; the body has its own limit
        connected.sendall(whole[200:])
        assert statuses(read_reply(connected)) == [200]
        time.sleep(2)  # kept alive


def test_pipelined_requests_are_answered_in_order(connected: socket.socket) -> None:
    queries = [json.dumps({"query": f"{{ a{n}: __typename }}"}).encode() for n in range(6)]
    connected.sendall(b"".join(map(request, queries[:-1])) + closing(request(queries[-1])))
    assert re.findall(rb'"a(.)":"Query"', read_all(connected)) == [b"0", b"1", b"2", b"3", b"4", b"5"]


def test_a_pipeline_beyond_the_limit_is_answered_as_far_as_the_limit_and_then_refused(
    server: Running, connected: socket.socket
) -> None:
    connected.sendall(request() * 20)
    assert statuses(read_all(connected)) == [*[200] * 6, 429]
    assert refused(server, "pipeline") == 1


def test_a_refusal_follows_the_replies_to_earlier_requests(connected: socket.socket) -> None:
    connected.sendall(request() + START + b"X: 1\r\n" * 30)
    assert statuses(read_all(connected)) == [200, 431]


def test_a_websocket_can_not_begin_before_the_request_ahead_of_it_is_answered(connected: socket.socket) -> None:
    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    connected.sendall(request() + b"GET /graphql HTTP/1.1\r\nHost: localhost\r\n" + upgrade + b"\r\n")
    assert statuses(read_all(connected)) == [200, 400]


def test_clients_that_disconnect_within_a_pipeline_log_nothing(server: Running) -> None:
    for _ in range(20):
        with connect(server) as client:
            client.sendall(request(LARGE) * 4)
            time.sleep(0.02)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # leave by a reset
    until(lambda: metric(server, "tessera_connections") <= 1)
    assert quiet(server), server.log.read_text()


def unread(server: Running, number: int, request_bytes: bytes, stack: ExitStack) -> list[socket.socket]:
    clients = [stack.enter_context(connect(server, window=4096)) for _ in range(number)]
    for client in clients:
        client.sendall(request_bytes)
    return clients


def closing(request_bytes: bytes) -> bytes:
    return request_bytes.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


def read_large(server: Running, request_bytes: bytes) -> None:
    with connect(server) as client:
        client.sendall(closing(request_bytes))
        assert len(read_all(client)) > LARGE_BYTES


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_clients_that_do_not_read_are_disconnected_and_their_memory_is_freed(server: Running, accept: str) -> None:
    request_bytes = request(LARGE, f"Accept: {accept}")
    with ThreadPoolExecutor(15) as readers:  # the same load by clients that read
        list(readers.map(lambda _: read_large(server, request_bytes), range(15)))
    until(lambda: metric(server, "tessera_connections") <= 1)
    before, count = rss_mb(server), refused(server, "slow_reader")
    with ExitStack() as stack:
        unread(server, 15, request_bytes, stack)
        assert is_served(server)
        until(lambda: refused(server, "slow_reader") == count + 15, 30)
        assert is_served(server)
        until(lambda: rss_mb(server) < 1.1 * before)


def test_a_websocket_that_does_not_read_is_disconnected(server: Running) -> None:
    count = refused(server, "slow_reader")
    with websocket(server, window=4096) as client:
        client.sendall(text({"type": "subscribe", "id": "1", "payload": json.loads(LARGE)}))
        until(lambda: refused(server, "slow_reader") == count + 1)
        assert is_served(server)


def test_a_client_that_reads_slowly_gets_the_whole_reply(server: Running) -> None:
    with connect(server, window=8192) as client:
        client.sendall(closing(request(LARGE)))
        read, ends = 0, time.monotonic() + 4
        while time.monotonic() < ends:
            read += len(client.recv(8192))
            time.sleep(0.25)
        assert read < LARGE_BYTES / 2
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        assert read + len(read_all(client)) > LARGE_BYTES


@pytest.mark.parametrize("ping", [frame(9, b"x"), frame(10, b"x"), text({"type": "ping"}), text({"type": "pong"})])
def test_too_many_pings_close_the_socket(server: Running, ping: bytes) -> None:
    with websocket(server) as client:
        client.sendall(ping * 19)
        client.sendall(text({"type": "subscribe", "id": "1", "payload": json.loads(VIEWER)}))
        answers = [read_frame(client)[1] for _ in range(2 if b"\x8a" in ping[:1] else 1)]
        assert b"connection_ack" in answers[0]
        client.sendall(ping * 2)
        assert is_served(server)
        assert read_close(client) == (1008, "Too many pings: at most 20 a minute")


def test_the_sockets_and_streams_of_a_key_are_limited(server: Running) -> None:
    count = refused(server, "key")
    with ExitStack() as stack:
        sockets = [stack.enter_context(websocket(server)) for _ in range(20)]
        for client in sockets:
            assert b"connection_ack" in read_frame(client)[1]
        with websocket(server) as client:
            assert read_close(client) == (
                1013,
                "This key has 20 sockets and streams, which is the limit. Close some of them first.",
            )
        subscription = json.dumps({"query": "subscription { events { cursor } }"}).encode()
        with connect(server) as client:
            client.sendall(request(subscription, "Accept: text/event-stream"))
            reply = read_reply(client)
        assert statuses(reply) == [429]
        assert b'"code":"RATE_LIMITED"' in reply
        assert b"retry-after: 1" in reply
        assert is_served(server)
    assert refused(server, "key") == count + 2
    until(lambda: metric(server, "tessera_sockets") == 0)
    with websocket(server) as client:
        assert b"connection_ack" in read_frame(client)[1]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with few connections, little memory for replies, and any number of pings."""
    settings = {
        "ADMIN_KEY": ADMIN,
        "LIMIT_CONNECTIONS": "30",
        "LIMIT_UNREAD_BYTES": str(3 * LARGE_BYTES),
        "LIMIT_PINGS_PER_MINUTE": "1000000",
    }
    with serving(tmp_path_factory.mktemp("small"), program=TESSERA, **settings) as running:
        publish_large(running)
        yield running
        assert running.process.poll() is None
        assert quiet(running), running.log.read_text()


def emptied(server: Running) -> None:
    until(lambda: metric(server, "tessera_connections") <= 1)


@pytest.mark.parametrize("request_bytes", [START, request()], ids=["half a head", "a request, then nothing"])
def test_idle_connections_are_closed_to_make_room(small: Running, request_bytes: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(50):
            client = stack.enter_context(connect(small))
            client.sendall(request_bytes)
            if request_bytes != START:
                read_reply(client)
        for _ in range(3):
            assert is_served(small)
        assert refused(small, "evicted") >= 20
        assert metric(small, "tessera_connections") <= 31
    emptied(small)


def test_unauthenticated_websockets_are_closed_to_make_room(small: Running) -> None:
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(websocket(small, credential=None))
        assert is_served(small)
    emptied(small)


def test_a_full_server_answers_health_checks_and_refuses_other_requests(small: Running) -> None:
    with ExitStack() as stack:
        for _ in range(30):
            client = stack.enter_context(websocket(small))
            assert b"connection_ack" in read_frame(client)[1]
        answer = httpx.post(f"{small.url}/graphql", content=VIEWER)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert httpx.get(f"{small.url}/healthz").status_code == 200
        assert httpx.get(f"{small.url}/readyz").status_code == 200
        assert refused(small, "full") == 1
        for _ in range(30):
            stack.enter_context(connect(small)).sendall(START)
        assert httpx.get(f"{small.url}/healthz").status_code == 200
        with connect(small) as client:
            client.sendall(request())
            assert statuses(read_reply(client)) == [503]
    emptied(small)
    assert is_served(small)


def test_the_total_size_of_unread_replies_is_bounded(small: Running) -> None:
    count = refused(small, "unread_bytes")
    with ExitStack() as stack:
        unread(small, 8, request(LARGE), stack)
        until(lambda: metric(small, "tessera_connections") >= 4)
        time.sleep(1.2)
        unread(small, 2, request(LARGE), stack)
        until(lambda: refused(small, "unread_bytes") >= count + 5)
        assert is_served(small)
    emptied(small)


def test_unread_pongs_are_not_queued(small: Running) -> None:
    with websocket(small, window=4096) as client:
        assert b"connection_ack" in read_frame(client)[1]
        before = rss_mb(small)
        pings = frame(9, b"x" * 125) * 1000
        for _ in range(200):
            client.sendall(pings)
        client.sendall(frame(9, b"the last"))
        assert is_served(small)
        assert rss_mb(small) < before + 5
        for _ in range(200_000):
            if read_frame(client) == (10, b"the last"):
                return
    raise AssertionError("the latest ping was not answered")


def test_the_connections_of_an_address_are_limited_and_other_addresses_served(tmp_path: Path) -> None:
    with serving(tmp_path, ADMIN_KEY=ADMIN, LIMIT_ADDRESS_CONNECTIONS="5") as server, ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(connect(server, source="127.0.0.3"))
        with connect(server, source="127.0.0.3") as client:
            assert statuses(read_all(client)) == [429]
        assert is_served(server)
        assert refused(server, "address") == 1


def test_connections_leave_file_descriptors_for_health_checks_and_do_not_delay_the_shutdown(tmp_path: Path) -> None:
    limited = tmp_path / "tessera"
    limited.write_text(f'#!/bin/sh\nulimit -n 256\nexec {TESSERA} "$@"\n')
    limited.chmod(0o755)
    with ExitStack() as stack, serving(tmp_path, program=limited, ADMIN_KEY=ADMIN, SHUTDOWN_SECONDS="5") as server:
        assert "leaves room for 152 connections" in server.log.read_text()
        for _ in range(300):
            stack.enter_context(connect(server)).sendall(START)
        for _ in range(3):
            assert is_served(server)
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        publish_large(server)
        unread(server, 3, request(LARGE), stack)
        assert is_served(server)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(12) == 0
