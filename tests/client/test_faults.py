"""What a client knows after each fault of the network, with real sockets: whether the operation may have been done."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Thread
from typing import Any

import pytest

from tessera_gql.client import TesseraError, Unavailable
from tests.client.conftest import Open

pytestmark = pytest.mark.long

UNAVAILABLE = '{"errors": [{"message": "Busy.", "extensions": {"code": "UNAVAILABLE"%s}}]}'
RATE_LIMITED = '{"errors": [{"message": "Slow down.", "extensions": {"code": "RATE_LIMITED", "retryAfter": 1}}]}'
TEAM = (
    '{"data": {"createTeam": {"errors": [], "team": {"id": "VGVhbTox", "name": "a", "metadata": {},'
    ' "delegate": null, "delegateUntil": null, "escalationTeam": null, "archivedAt": null,'
    ' "createdAt": "2031-01-01T00:00:00Z", "rowVersion": 1}}}}'
)


def http(status: int, body: str = "", *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}", "Connection: close", *headers)
    return "\r\n".join((*lines, "", body)).encode()


def receive_request(connection: socket.socket) -> None:
    """Read one request to its end, so that closing the socket doesn't reset it."""
    text = b""
    while b"\r\n\r\n" not in text:
        text += connection.recv(65536)
    head, _, body = text.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def reset_after_request(connection: socket.socket) -> None:
    receive_request(connection)
    reset(connection)


def close_after_request(connection: socket.socket) -> None:
    receive_request(connection)


def stay_silent(connection: socket.socket) -> None:
    receive_request(connection)
    time.sleep(1)


def reply(content: bytes) -> Callable[[socket.socket], None]:
    def act(connection: socket.socket) -> None:
        receive_request(connection)
        connection.sendall(content)

    return act


def reply_slowly(connection: socket.socket) -> None:
    """Send a byte at a time, each one sooner than the timeout."""
    receive_request(connection)
    connection.sendall(http(200, TEAM)[: -len(TEAM)])
    for byte in TEAM:
        connection.sendall(byte.encode())
        time.sleep(0.05)


Act = Callable[[socket.socket], None]


@contextmanager
def listening(*acts: Act, scheme: str = "http") -> Iterator[tuple[str, list[float]]]:
    """A server that treats its connections in turn like this, further ones like the last; with their times."""
    times: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # the test has ended
                    return
                with connection:
                    times.append(time.monotonic())
                    try:
                        acts[min(len(times), len(acts)) - 1](connection)
                    except (OSError, IndexError):  # the client has gone
                        continue

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", times
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


ARRIVED: dict[str, Act] = {
    "the connection is reset after the request": reset_after_request,
    "the connection is closed after the request": close_after_request,
    "no reply comes in time": stay_silent,
    "the reply comes too slowly": reply_slowly,
    "the reply is cut off": reply(http(200, TEAM)[:-10]),
    "the reply is no HTTP": reply(b"SSH-2.0-OpenSSH\r\n"),
    "a proxy answers 502": reply(http(502, "<html>")),
    "a proxy answers 503": reply(http(503, "<html>")),
    "a proxy answers 504": reply(http(504, "<html>")),
    "the server answers that the outcome is unknown": reply(http(503, UNAVAILABLE % ', "maybeDone": true')),
}
NOTHING_DONE: dict[str, Act] = {
    "the server answers that nothing was done": reply(http(503, UNAVAILABLE % "")),
    "the server answers that the caller has reached its limit": reply(http(429, RATE_LIMITED)),
}


async def fail_to_create(connect: Open, url: str, **options: Any) -> Unavailable:
    client = await connect(url, **{"timeout": 0.5, "retry_seconds": 0} | options)
    with pytest.raises(Unavailable) as failed:
        await client.create_team("a")
    return failed.value


@pytest.mark.parametrize("fault", ARRIVED)
async def test_an_operation_that_may_have_arrived_may_be_done(connect: Open, fault: str) -> None:
    with listening(ARRIVED[fault]) as (url, _):
        error = await fail_to_create(connect, url)
    assert error.maybe_done
    assert error.idempotency_key
    assert error.idempotency_key in error.message


@pytest.mark.parametrize("fault", NOTHING_DONE)
async def test_an_operation_that_the_server_did_not_execute_is_not_done(connect: Open, fault: str) -> None:
    with listening(NOTHING_DONE[fault]) as (url, _):
        error = await fail_to_create(connect, url)
    assert not error.maybe_done
    assert "may have been done" not in error.message


async def test_an_operation_is_not_done_if_nothing_listens(connect: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert not (await fail_to_create(connect, f"http://127.0.0.1:{port}")).maybe_done


async def test_an_operation_is_not_done_if_the_name_has_no_address(connect: Open) -> None:
    assert not (await fail_to_create(connect, "http://no-such-host.invalid")).maybe_done


async def test_an_operation_is_not_done_if_nobody_accepts_the_connection(connect: Open) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        with socket.create_connection(address), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(address)  # the queue is full now
            error = await fail_to_create(connect, f"http://127.0.0.1:{address[1]}")
    assert not error.maybe_done


@pytest.mark.parametrize("act", [reset, reply(http(400))])
async def test_an_operation_is_not_done_if_the_tls_handshake_fails(connect: Open, act: Act) -> None:
    with listening(act, scheme="https") as (url, _):
        assert not (await fail_to_create(connect, url)).maybe_done


async def test_a_wrong_protocol_is_not_tried_again(connect: Open) -> None:
    def speak_http(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(http(400))

    with listening(speak_http, scheme="https") as (url, times):
        error = await fail_to_create(connect, url, retry_seconds=5)
    assert not error.is_temporary
    assert not error.maybe_done
    assert len(times) == 1
    assert ssl.SSLError.__name__ not in error.message


async def test_an_earlier_attempt_that_may_have_arrived_is_remembered(connect: Open) -> None:
    with listening(reset_after_request, reply(http(503, UNAVAILABLE % ""))) as (url, times):
        error = await fail_to_create(connect, url, retry_seconds=1)
    assert len(times) > 1
    assert error.maybe_done


async def test_a_mutation_without_a_key_is_repeated_if_nothing_was_done(connect: Open) -> None:
    busy = reply(http(503, UNAVAILABLE % ""))
    with listening(busy, busy, reset_after_request) as (url, times):
        client = await connect(url, timeout=2, retry_seconds=20)
        with pytest.raises(Unavailable) as failed:
            await client.unregister("id")
    assert len(times) == 3
    assert failed.value.maybe_done


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_retry_after_is_waited_for(connect: Open, form: str) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    header = f"Retry-After: {2 if form == 'seconds' else moment}"
    with listening(reply(http(429, RATE_LIMITED, header)), reply(http(200, TEAM))) as (url, times):
        client = await connect(url)
        team = await client.create_team("a", idempotency_key="mine")
    assert (team.name, team.idempotency_key) == ("a", "mine")
    assert times[1] - times[0] >= 1.5


async def test_a_retry_after_beyond_the_total_fails_at_once(connect: Open) -> None:
    with listening(reply(http(429, RATE_LIMITED, "Retry-After: 60"))) as (url, times):
        await fail_to_create(connect, url, retry_seconds=30)
    assert len(times) == 1


async def test_silent_attempts_end_at_the_total(connect: Open) -> None:
    with listening(stay_silent) as (url, _):
        start = time.monotonic()
        await fail_to_create(connect, url, timeout=0.5, retry_seconds=2)
        seconds = time.monotonic() - start
    assert seconds <= 0.5 + 2 + 0.3


async def test_a_closed_client_refuses_calls_with_its_own_error(connect: Open) -> None:
    client = await connect("http://127.0.0.1:9")
    await client.close()
    with pytest.raises(TesseraError, match="closed"):
        await client.viewer()
