"""The shell completes assets and teams: of the server, from the cache, and nothing when there is no server."""

import json
import socket
import stat
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tessera_gql.cli import completion
from tessera_gql.cli.completion import complete_fqn, complete_team

FQNS = ["ns.customers", "ns.orders", "ns.order_items", "ns.$(reboot)", "ns.two words", "-ns.flag"]


class Names(BaseHTTPRequestHandler):
    """Answers as a server does to the query of a completion, and counts the requests."""

    requests = 0
    delay_seconds = 0.0
    redirect = ""
    keys: list[str | None] = []

    def do_POST(self) -> None:
        cls = type(self)
        cls.requests += 1
        cls.keys.append(self.headers["Authorization"])
        request: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(cls.delay_seconds)
        if cls.redirect:
            self.send_response(302)
            self.send_header("Location", cls.redirect)
            self.end_headers()
            return
        prefix = request["variables"]["prefix"]
        field, name = ("assets", "fqn") if "assets(" in request["query"] else ("teams", "name")
        names = FQNS if field == "assets" else ["finance", "shop platform"]
        nodes = [{name: item} for item in names if item.startswith(prefix)]
        body = json.dumps({"data": {field: {"nodes": nodes, "pageInfo": {"hasNextPage": False}}}}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Print nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    Names.requests, Names.delay_seconds, Names.redirect, Names.keys = 0, 0.0, "", []
    with HTTPServer(("127.0.0.1", 0), Names) as listener:
        thread = Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        monkeypatch.setenv("TESSERA_URL", f"http://127.0.0.1:{listener.server_port}")
        monkeypatch.setenv("TESSERA_API_KEY", "a-key")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        yield listener
        listener.shutdown()
        thread.join()


@pytest.mark.usefixtures("server")
def test_assets_and_teams_of_the_server_are_offered_but_no_name_that_a_shell_would_execute() -> None:
    assert complete_fqn("ns.") == ["ns.customers", "ns.orders", "ns.order_items"]
    assert complete_team("") == ["finance"]
    assert complete_fqn("$(") == []


@pytest.mark.usefixtures("server")
def test_names_are_kept_for_minutes_in_a_file_of_the_owner_and_a_longer_prefix_needs_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete_fqn("ns")
    assert complete_fqn("ns.ord") == ["ns.orders", "ns.order_items"]
    assert Names.requests == 1
    (file,) = (tmp_path / "tessera").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "a-key" not in file.read_text()
    now = time.time()
    monkeypatch.setattr(completion.time, "time", lambda: now + completion.FRESH_SECONDS + 1)
    complete_fqn("ns.ord")
    assert Names.requests == 2


@pytest.mark.usefixtures("server")
def test_another_key_has_names_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    complete_team("f")
    monkeypatch.setenv("TESSERA_API_KEY", "another-key")
    complete_team("f")
    assert Names.keys == ["Bearer a-key", "Bearer another-key"]


def test_a_redirect_is_not_followed_because_the_key_is_for_one_server(server: HTTPServer) -> None:
    Names.redirect = f"http://127.0.0.1:{server.server_port}/elsewhere"
    assert complete_team("f") == []
    assert Names.requests == 1


@pytest.mark.usefixtures("server")
def test_a_slow_server_is_awaited_for_a_second_at_most_and_then_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Names.delay_seconds = 1.5
    start = time.monotonic()
    assert complete_team("f") == []
    assert complete_team("fi") == []
    assert time.monotonic() - start < 1.4
    assert Names.requests == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("url", ["nowhere", "http://127.0.0.1:1", "http://[::1"])
def test_without_a_server_nothing_is_offered_and_nothing_is_printed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TESSERA_URL", url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no" / "folder"))
    assert complete_fqn("ns") == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b'{"teams:": 3}', b'{"teams:": {"names": [1]}}'])
@pytest.mark.usefixtures("server")
def test_a_damaged_cache_is_read_as_an_empty_one(content: bytes, tmp_path: Path) -> None:
    complete_team("")
    (file,) = (tmp_path / "tessera").iterdir()
    file.write_bytes(content)
    assert complete_team("") == ["finance"]


def test_a_server_that_answers_something_else_offers_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=_answer_once, args=(listener,), daemon=True)
        thread.start()
        monkeypatch.setenv("TESSERA_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert complete_team("") == []
        thread.join(5)


def _answer_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"220 mail.example ESMTP\r\n")
