"""Webhook posts go only to public addresses, and only to the address that was checked."""

import asyncio
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.notifications.outbound_http import DeliveryError, PostRules, post
from tests.notifications.receiver import receiving

PUBLIC = PostRules()
INSIDE = PostRules(allow_private=True, timeout_seconds=2)


async def refusal(url: str, rules: PostRules = PUBLIC) -> str:
    with pytest.raises(DeliveryError) as caught:
        await post(url, b"{}", {}, rules)
    return caught.value.message


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Replace name resolution: the addresses that each look-up of a name returns."""
    answers: dict[str, list[list[str]]] = {}

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in answers[host].pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return answers


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "10.1.2.3",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[fd00::1]",
        "[fe80::1]",
        "[2002:7f00:1::]",
    ],
)
async def test_an_address_that_is_not_public_is_not_called(host: str) -> None:
    assert "not called" in await refusal(f"http://{host}:9/hook")


async def test_nothing_is_sent_to_a_loopback_receiver_unless_that_is_allowed() -> None:
    async with receiving() as receiver:
        message = await refusal(receiver.url)
        assert "127.0.0.1, which is loopback" in message
        assert "WEBHOOK_ALLOW_PRIVATE" in message
        assert receiver.got == []
        assert await post(receiver.url, b"{}", {}, INSIDE) == 204


async def test_metadata_services_stay_closed_even_inside() -> None:
    assert "link-local" in await refusal("http://169.254.169.254/latest", INSIDE)


async def test_one_bad_address_among_good_ones_refuses_the_name(names: dict[str, list[list[str]]]) -> None:
    names["mixed.example"] = [["8.8.8.8", "127.0.0.1"]]
    assert "mixed.example has the address 127.0.0.1" in await refusal("http://mixed.example/")


async def test_a_name_is_looked_up_once_and_that_address_called(names: dict[str, list[list[str]]]) -> None:
    """There is no second look-up, which an attacker could answer with another address."""
    async with receiving() as receiver:
        names["rebinding.example"] = [["127.0.0.1"]]
        port = receiver.url.split(":")[2].split("/")[0]
        assert await post(f"http://rebinding.example:{port}/hook", b"{}", {}, INSIDE) == 204
        assert receiver.got[0].headers["host"] == f"rebinding.example:{port}"
        assert names["rebinding.example"] == []


async def test_a_redirect_is_not_followed() -> None:
    async with (
        receiving() as target,
        receiving(lambda _n: f"HTTP/1.1 302 x\r\nlocation: {target.url}\r\n\r\n") as sender,
    ):
        assert "a redirect: they are not followed" in await refusal(sender.url, INSIDE)
        assert target.got == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert await post(receiver.url, b"{}", {}, INSIDE) == 204
        assert (len(proxy.got), len(receiver.got)) == (0, 1)


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    async with receiving(lambda _n: "HTTP/1.1 200 x\r\n\r\n" + "x" * 5_000_000) as receiver:
        assert await post(receiver.url, b"{}", {}, INSIDE) == 200


async def test_silence_ends_in_time() -> None:
    is_over = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        is_over.set()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    message = await refusal(f"http://127.0.0.1:{port}/", PostRules(allow_private=True, timeout_seconds=0.2))
    assert message == "No answer within 0.2 seconds."
    await is_over.wait()
    server.close()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (500, "answered 500"),
        ("", "connection"),
        ("nonsense\r\n\r\n", "connection"),
        ("HTTP/1.1 404 x\r\n\r\n", "answered 404"),
    ],
)
async def test_a_failure_is_reported_in_a_sentence(answer: int | str, message: str) -> None:
    async with receiving(lambda _n: answer) as receiver:
        assert message in await refusal(receiver.url, INSIDE)


async def test_a_closed_port_and_an_unknown_name_are_reported(names: dict[str, list[list[str]]]) -> None:
    names["127.0.0.1"] = [["127.0.0.1"]]
    assert "Can't connect to 127.0.0.1" in await refusal("http://127.0.0.1:9/", INSIDE)
    names["nowhere.example"] = [[]]
    assert "nowhere.example has no address" in await refusal("http://nowhere.example/", INSIDE)


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """A self-signed certificate."""
    files = ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "certificate.pem"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=hooks.example"]
    subprocess.run([*command, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    return context


async def test_the_name_is_asked_for_and_its_certificate_checked(
    names: dict[str, list[list[str]]], certificate: ssl.SSLContext
) -> None:
    asked: list[str] = []
    certificate.sni_callback = lambda _socket, name, _context: asked.append(str(name))
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=certificate)
    names["hooks.example"] = [["127.0.0.1"]]
    port = server.sockets[0].getsockname()[1]
    message = await refusal(f"https://hooks.example:{port}/", INSIDE)
    assert "certificate" in message
    assert asked == ["hooks.example"]
    server.close()
