"""Every start that fails names the setting, host, port or file and the next step, on one line."""

import asyncio
import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tessera_gql.store import migration
from tessera_gql.store.file_access import explain_denied
from tests.e2e.server import run_tessera, serving
from tests.ops.postgres import Postgres, sql

pytestmark = pytest.mark.long

PASSWORD = "canary-password"
POSTGRESQL = f"postgresql://tessera:{PASSWORD}@"
OIDC = {"OIDC_ISSUER": "https://login.example.com", "OIDC_AUDIENCE": "tessera", "OIDC_JWKS": "jwks.json"}
PROBES = {"WORKER_PROBES": "on"}


@dataclass(frozen=True)
class Case:
    """A start that fails: settings, files of the folder (None for a folder), the command, and texts of the message."""

    settings: dict[str, str]
    texts: tuple[str, ...]
    files: dict[str, bytes | None] | None = None
    command: tuple[str, ...] = ("serve",)
    code: int = 2


SETTINGS = {
    "a URL that is none": Case(
        {"DATABASE_URL": "nonsense"}, ("DATABASE_URL is not a URL. Write sqlite:///tessera.db",)
    ),
    "another database": Case({"DATABASE_URL": "mysql://h/d"}, ("names the database 'mysql'", "sqlite and postgresql")),
    "another driver": Case({"DATABASE_URL": "postgresql+psycopg2://a:b@h/d"}, ("names the database",)),
    "SQLite in memory": Case({"DATABASE_URL": "sqlite://"}, ("DATABASE_URL names no file", "Write sqlite:///")),
    "a port that is too high": Case({"DATABASE_URL": f"{POSTGRESQL}h:99999/d"}, ("names the port 99999", "1 to 65535")),
    "a port that is a word": Case(
        {"DATABASE_URL": f"{POSTGRESQL}h:port/d"}, ("DATABASE_URL: ", "no readable host and port", "host:5432/database")
    ),
    "an IPv6 address without brackets": Case(
        {"DATABASE_URL": f"{POSTGRESQL}[::1/d"}, ("no readable host and port", "an IPv6 address in brackets")
    ),
    "no name of a database": Case({"DATABASE_URL": f"{POSTGRESQL}h"}, ("names none", "host/database")),
    "an unknown parameter": Case({"DATABASE_URL": f"{POSTGRESQL}h/d?sslmod=on"}, ("asks for sslmod", "sslmode")),
    "an unknown sslmode": Case(
        {"DATABASE_URL": f"{POSTGRESQL}h/d?sslmode=on"}, ("sslmode=on", "It is one of disable, allow, prefer, require")
    ),
    "a certificate that is not there": Case(
        {"DATABASE_URL": f"{POSTGRESQL}h/d?sslmode=verify-full&sslrootcert=none.pem"},
        ("DATABASE_URL: ", "The file none.pem of its parameter sslrootcert can't be read: No such file"),
    ),
    "a replica that is SQLite": Case(
        {"DATABASE_URL": f"{POSTGRESQL}h/d", "DATABASE_REPLICA_URL": "sqlite:///a.db"},
        ("DATABASE_REPLICA_URL: ", "not the URL of a PostgreSQL"),
    ),
    "processes on SQLite": Case({"WORKERS": "2"}, ("WORKERS: it is 2, but SQLite serves one process",)),
    "a port of the server that is a word": Case({"API_PORT": "http"}, ("API_PORT: ", "valid integer")),
    "a port of the server that is too high": Case({"API_PORT": "70000"}, ("API_PORT: ", "65535")),
    "a public server without keys": Case({"API_HOST": "0.0.0.0", "AUTH": "off"}, ("AUTH: it is off, but 0.0.0.0",)),
    "a host that is unknown": Case(
        {"API_HOST": "no-such-host.invalid"}, ("Can't listen on no-such-host.invalid:0", "check API_HOST")
    ),
    "an address of another machine": Case(
        {"API_HOST": "203.0.113.9"}, ("Can't listen on 203.0.113.9:0", "No network interface", "check API_HOST")
    ),
    "a public address without a scheme": Case({"PUBLIC_URL": "data.example.com"}, ("PUBLIC_URL: ", "https://")),
    "a public address of another scheme": Case({"PUBLIC_URL": "ftp://data.example.com"}, ("PUBLIC_URL: ", "https://")),
    "a short key": Case({"ADMIN_KEY": "short"}, ("ADMIN_KEY: ", "It has 5 characters and needs at least 24")),
    "a key of secrets that is none": Case({"SECRETS_KEY": "abc"}, ("SECRETS_KEY: ", "openssl rand -base64 32")),
    "a secret that is not there": Case({"ADMIN_KEY_FILE": "none"}, ("ADMIN_KEY_FILE: none can't be read: No",)),
    "a secret that is a folder": Case({"ADMIN_KEY_FILE": "d"}, ("ADMIN_KEY_FILE: d can't be read: Is",), {"d": None}),
    "a secret that is empty": Case({"ADMIN_KEY_FILE": "e"}, ("ADMIN_KEY_FILE: e is empty. Write",), {"e": b""}),
    "a secret that is no text": Case({"ADMIN_KEY_FILE": "e"}, ("ADMIN_KEY_FILE: e is not text",), {"e": b"\xff"}),
    "a secret and its file": Case(
        {"DATABASE_URL": "sqlite:///a.db", "DATABASE_URL_FILE": "u"}, ("DATABASE_URL_FILE: DATABASE_URL is given",)
    ),
    "an address of webhooks that is none": Case(
        {"WEBHOOK_URL": "nowhere"}, ("WEBHOOK_URL: ", "https://example.com/hook")
    ),
    "a collector without a scheme": Case(
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, ("OTEL_EXPORTER_OTLP_ENDPOINT: ", "http://collector:4318")
    ),
    "keys of tokens that are not there": Case(OIDC, ("OIDC_JWKS: the file jwks.json can't be read: No such file",)),
    "keys of tokens that are none": Case(OIDC, ("OIDC_JWKS: the file jwks.json holds no keys",), {"jwks.json": b"[]"}),
    "a .env that is no text": Case({}, (".env: ", "is not text in UTF-8"), {".env": b"ADMIN_KEY=\xff"}),
    "a database that is a text": Case(
        {"DATABASE_URL": "sqlite:///text.db"},
        ("text.db is not an SQLite database",),
        {"text.db": b"text " * 500},
        code=4,
    ),
    "a database that is a folder": Case(
        {"DATABASE_URL": "sqlite:///d.db"}, ("The database d.db can't be opened", "DATABASE_URL"), {"d.db": None}
    ),
    "a database below a file": Case(
        {"DATABASE_URL": "sqlite:///f/a.db"}, ("The database f/a.db can't be opened", "Check DATABASE_URL"), {"f": b""}
    ),
    "probes on an address of another machine": Case(
        PROBES | {"API_HOST": "203.0.113.9"}, ("Can't listen on 203.0.113.9:0",), command=("worker",)
    ),
}


def check(folder: Path, case: Case) -> str:
    for name, content in (case.files or {}).items():
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content)
    defaults = {"API_PORT": "0", "DATABASE_WAIT_SECONDS": "0", "LOG_FORMAT": "console"}
    completed = run_tessera(*case.command, cwd=folder, **(defaults | case.settings))
    lines = completed.stderr.splitlines()
    assert completed.returncode == case.code, completed
    assert len(lines) == 1, completed.stderr
    assert completed.stdout == ""
    assert PASSWORD not in lines[0]
    for text in case.texts:
        assert text in lines[0]
    return lines[0]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_wrong_setting_is_named_with_its_value_and_the_next_step(tmp_path: Path, name: str) -> None:
    check(tmp_path, SETTINGS[name])


@contextmanager
def listening(reply: Callable[[socket.socket], None] | None = None) -> Iterator[int]:
    """A port on which something else than a PostgreSQL listens; without a reply it accepts and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1024)
                    if reply is not None:
                        reply(connection)

        if reply is not None:
            threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("command", [("serve",), ("worker",)], ids=" ".join)
def test_a_port_in_use_is_named_with_another_one(tmp_path: Path, command: tuple[str, ...]) -> None:
    with listening() as port:
        texts = (f"Can't listen on 127.0.0.1:{port}: Address already in use", f"API_PORT={port + 1}")
        check(tmp_path, Case(PROBES | {"API_PORT": str(port)}, texts, command=command))


@pytest.mark.parametrize("command", [("serve",), ("worker",), ("db", "upgrade")], ids=" ".join)
def test_an_unreachable_database_is_named_with_host_and_port(tmp_path: Path, command: tuple[str, ...]) -> None:
    with listening() as port:
        pass
    expected = {
        f"127.0.0.1:{port}/d": f"database d at 127.0.0.1:{port} can't be reached: the connection is refused",
        "no-such-host.invalid/d": "database d at no-such-host.invalid:5432 can't be reached: the name of its host",
        "/d?host=/nowhere": "database d at /nowhere:5432 can't be reached: there is no socket of a PostgreSQL",
    }
    for address, text in expected.items():
        check(tmp_path, Case({"DATABASE_URL": POSTGRESQL + address}, (text,), command=command, code=4))


def test_a_port_of_something_else_than_a_postgresql_is_named(tmp_path: Path) -> None:
    with listening() as silent:
        text = f"The PostgreSQL database d at 127.0.0.1:{silent} does not answer"
        settings = {"DATABASE_URL": f"{POSTGRESQL}127.0.0.1:{silent}/d", "DATABASE_CONNECT_SECONDS": "1"}
        check(tmp_path, Case(settings, (text,), code=4))
    with listening(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as web:
        text = f"The PostgreSQL database d at 127.0.0.1:{web} "
        check(tmp_path, Case({"DATABASE_URL": f"{POSTGRESQL}127.0.0.1:{web}/d"}, (text,), code=4))


def make_databases(cluster: Postgres) -> None:
    for name in ("start_empty", "start_newer", "start_read_only"):
        asyncio.run(sql(cluster.url(), f"CREATE DATABASE {name}"))
    asyncio.run(sql(cluster.url(), "CREATE ROLE start_weak LOGIN", "SELECT 1"))
    for name in ("start_newer", "start_read_only"):
        asyncio.run(migration.upgrade(cluster.url(name)))
    newer = (
        "UPDATE alembic_version SET version_num = '9999'",
        "COMMENT ON TABLE alembic_version IS '9998'",
        "SELECT 1",
    )
    asyncio.run(sql(cluster.url("start_newer"), *newer))
    read_only = "ALTER DATABASE start_read_only SET default_transaction_read_only = on"
    asyncio.run(sql(cluster.url(), read_only, "SELECT 1"))


def test_a_postgresql_that_refuses_or_does_not_fit_is_named_with_the_reason(tmp_path: Path, cluster: Postgres) -> None:
    make_databases(cluster)
    at = f"127.0.0.1:{cluster.port}"
    upgrade = ("db", "upgrade")
    missing, weak = f"postgresql://start_weak@{at}/missing", f"postgresql://start_weak@{at}/"
    cases = [
        Case({"DATABASE_URL": missing}, (f"database missing at {at} does not exist", "Check DATABASE_URL"), code=4),
        Case({"DATABASE_URL": missing}, (f"database missing at {at} does not exist",), command=upgrade, code=4),
        Case({"DATABASE_URL": f"postgresql://none@{at}/start_newer"}, ("refuses the user",), code=4),
        Case({"DATABASE_URL": f"{weak}start_newer"}, (f"start_newer at {at} can't be used: permission",), code=4),
        Case({"DATABASE_URL": f"{weak}start_empty"}, ("permission denied",), command=upgrade, code=4),
        Case({"DATABASE_URL": cluster.url("start_empty")}, ("at revision none", "Run `tessera db upgrade` first")),
        Case({"DATABASE_URL": cluster.url("start_newer")}, ("at revision 9999", "install that version")),
        Case({"DATABASE_URL": cluster.url("start_newer")}, ("at revision 9999",), command=upgrade),
        Case({"DATABASE_URL": cluster.url("start_read_only")}, ("is read-only", "Promote it, or set"), code=4),
        Case(
            {"DATABASE_URL": cluster.url("start_newer") + "?sslmode=require"},
            (f"at {at} takes no encrypted connections", "sslmode"),
            code=4,
        ),
    ]
    for case in cases:
        check(tmp_path, case)


def test_the_folder_of_shared_metrics_is_checked(tmp_path: Path, ops_url: str) -> None:
    settings = {"DATABASE_URL": ops_url, "PROMETHEUS_MULTIPROC_DIR": "none", "WORKERS": "2"}
    completed = run_tessera("serve", cwd=tmp_path, API_PORT="0", **settings)
    assert completed.returncode == 2
    assert "PROMETHEUS_MULTIPROC_DIR names none, which is no folder that this process can write" in completed.stderr
    assert "Traceback" not in completed.stderr


def test_a_second_server_on_a_file_names_the_first(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        check(tmp_path, Case({}, (f"in use by another server (process {server.process.pid})", "DATABASE_URL")))


@pytest.mark.parametrize(
    ("number", "texts"),
    [
        (errno.EACCES, ("Permission denied. ", " belongs to user ", f"this process is user {os.geteuid()}. Change")),
        (errno.EROFS, ("Read-only file system. Mount a volume at ", "or set GIT_SYNC_PATH to another path")),
        (errno.ENOTDIR, ("Not a directory. Check GIT_SYNC_PATH.",)),
    ],
    ids=["denied", "read-only", "no folder"],
)
def test_a_path_that_can_not_be_written_is_explained(tmp_path: Path, number: int, texts: tuple[str, ...]) -> None:
    # The tests may run as root, whom no mode stops; `deploy/check --container` tries it with volumes and users.
    path = tmp_path / "none" / "file"
    text = explain_denied(OSError(number, os.strerror(number), str(path)), path, "GIT_SYNC_PATH")
    assert text.startswith(f"{path}: ")
    for expected in texts:
        assert expected in text
    if number != errno.ENOTDIR:
        assert str(tmp_path) in text.removeprefix(str(path))
