"""Faults of a database are reported by name when a server starts, in `/readyz`, and to clients."""

import os
import signal
import socket
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tessera_gql.errors import Unavailable
from tessera_gql.store import migration
from tessera_gql.store.database import Database
from tests.e2e.server import TESSERA, Running, environment, run_tessera, serving
from tests.ops.postgres import Postgres, binaries, sql, until
from tests.world import World

pytestmark = pytest.mark.long

TEAM = 'mutation { createTeam(input: {name: "%s"}) { team { id } errors { message } } }'
TEAMS = "{ teams { nodes { name } } }"
PASSWORD = "canary-password"


def refused(tmp_path: Path, *arguments: str, **settings: str) -> str:
    """The stderr of a command that exits with 2 or 4."""
    completed = run_tessera(
        *(arguments or ("serve",)), cwd=tmp_path, API_PORT="0", DATABASE_WAIT_SECONDS="0", **settings
    )
    assert completed.returncode in (2, 4), completed
    assert "Traceback" not in completed.stderr
    assert PASSWORD not in completed.stderr
    return completed.stderr


def unready(server: Running) -> str:
    answer = httpx.get(f"{server.url}/readyz", timeout=10)
    assert answer.status_code == 503, answer.text
    reason: str = answer.json()["reason"]
    return reason


def error(reply: dict[str, Any]) -> tuple[str, str]:
    (found,) = reply["errors"]
    assert found["extensions"]["retryable"] is True
    return found["extensions"]["code"], found["message"]


# An SQLite file


@pytest.mark.parametrize("is_replaced", [False, True], ids=["deleted", "replaced"])
def test_a_server_without_its_file_acknowledges_nothing_and_is_not_ready(tmp_path: Path, is_replaced: bool) -> None:
    file, aside = tmp_path / "tessera.db", tmp_path / "aside.db"
    with serving(tmp_path) as server:
        server.data(TEAM % "before")
        file.rename(aside)
        if is_replaced:
            file.write_bytes(aside.read_bytes())
        code, message = error(server.call(TEAM % "lost"))
        assert code == "UNAVAILABLE"
        assert "The database file tessera.db was deleted or replaced" in message
        assert "nothing was changed" in message
        assert error(server.call(TEAMS))[0] == "UNAVAILABLE"
        assert "the database file tessera.db was deleted or replaced" in unready(server)
        assert is_replaced == file.exists()
        aside.rename(file)
        assert [team["name"] for team in server.data(TEAMS)["teams"]["nodes"]] == ["before"]
        server.data(TEAM % "after")


@pytest.fixture
def file(tmp_path: Path, sqlite_template: Path) -> Path:
    """A database that is not in use."""
    path = tmp_path / "tessera.db"
    path.write_bytes(sqlite_template.read_bytes())
    return path


@pytest.mark.parametrize("suffix", ["", "-wal"], ids=["file", "log"])
async def test_a_change_is_not_acknowledged_when_its_file_is_deleted_meanwhile(file: Path, suffix: str) -> None:
    database = Database(f"sqlite:///{file}")
    await World(database).team("kept")
    with pytest.raises(Unavailable, match=r"was deleted or replaced .* nothing was changed"):
        async with database.write():
            os.unlink(f"{file}{suffix}")  # noqa: PTH108
    await database.dispose()


def test_a_second_server_on_one_file_does_not_start_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.data(TEAM % "one")
        message = refused(tmp_path)
        assert (
            f"tessera.db is in use by another server (process {server.process.pid}), and SQLite serves one" in message
        )
        (tmp_path / "link.db").symlink_to(tmp_path / "tessera.db")
        assert "another server" in refused(tmp_path, DATABASE_URL="sqlite:///link.db")
        copied = subprocess.run(
            [TESSERA, "db", "backup", "copy.db"], cwd=tmp_path, env=environment(), capture_output=True, check=False
        )
        assert copied.returncode == 0, copied
        assert "another server" in refused(tmp_path, "db", "restore", "copy.db", "--force")
        server.data(TEAM % "two")
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(10)
    with serving(tmp_path) as server:
        assert len(server.data(TEAMS)["teams"]["nodes"]) == 2


async def test_every_file_of_a_database_is_private_and_an_open_one_is_closed_to_others(
    tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.chmod(file, 0o644)  # noqa: PTH101
    created = tmp_path / "made.db"
    await migration.upgrade(f"sqlite:///{created}")
    for path in (file, created):
        database = Database(f"sqlite:///{path}")
        await World(database).team("one")
        modes = [stat.S_IMODE(os.stat(f"{path}{suffix}").st_mode) for suffix in ("", "-wal", "-shm")]  # noqa: PTH116
        assert modes == [0o600, 0o600, 0o600]
        await database.dispose()
    assert [line for line in caplog.messages if "now only its owner can" in line] == [
        f"Other users could read {file} (mode 644); now only its owner can (600)."
    ]


def test_a_file_that_is_no_database_is_refused_with_a_message(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("This is no database, but a text that is longer than a header. " * 20)
    assert "text.db is not an SQLite database" in refused(tmp_path, DATABASE_URL="sqlite:///text.db")
    (tmp_path / "folder.db").mkdir()
    assert "folder.db can't be opened" in refused(tmp_path, DATABASE_URL="sqlite:///folder.db")
    assert "text.db/below: Not a directory" in refused(tmp_path, DATABASE_URL="sqlite:///text.db/below/tessera.db")
    assert "The database none.db does not exist" in refused(tmp_path, "keys", "list", DATABASE_URL="sqlite:///none.db")
    assert not (tmp_path / "none.db").exists()


async def test_a_damaged_file_is_unavailable_with_its_reason(file: Path) -> None:
    connection = sqlite3.connect(file)
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with open(file, "r+b") as handle:  # noqa: PTH123, ASYNC230
        length = handle.seek(0, os.SEEK_END)
        handle.seek(size)
        handle.write(b"\xff" * (length - size))
    database = Database(f"sqlite:///{file}")
    with pytest.raises(Unavailable, match=r"is damaged; nothing was changed\. An administrator must restore a backup"):
        await World(database).team("one")
    await database.dispose()


# A PostgreSQL


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def unavailable(url: str) -> str:
    database = Database(url)
    with pytest.raises(Unavailable) as caught:
        async with database.read():
            pass
    await database.dispose()
    assert PASSWORD not in f"{caught.value.message} {caught.value.reason}"
    return caught.value.message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_refused_port_is_reported_with_host_port_and_database(host: str, tmp_path: Path) -> None:
    port = closed_port()
    url = f"postgresql://tessera:{PASSWORD}@{host}:{port}/warehouse"
    expected = f"The PostgreSQL database warehouse at {host}:{port} can't be reached: the connection is refused"
    assert await unavailable(url) == f"{expected}; nothing was changed. Try again in a few seconds."
    assert expected in refused(tmp_path, DATABASE_URL=url)


async def test_an_unknown_host_is_reported(tmp_path: Path) -> None:
    url = f"postgresql://tessera:{PASSWORD}@no-such-host.invalid/warehouse"
    expected = "The PostgreSQL database warehouse at no-such-host.invalid:5432 can't be reached: the name of its host"
    assert expected in await unavailable(url)
    assert expected in refused(tmp_path, DATABASE_URL=url)


async def test_a_missing_database_and_a_wrong_password_are_reported_at_once(tmp_path: Path, cluster: Postgres) -> None:
    missing = cluster.url("no_such_database").replace("postgres@", f"postgres:{PASSWORD}@")
    expected = f"The PostgreSQL database no_such_database at 127.0.0.1:{cluster.port} does not exist"
    assert expected in await unavailable(missing)
    assert f"{expected}: a PostgreSQL is there, without that database. Check DATABASE_URL." in refused(
        tmp_path, DATABASE_URL=missing
    )
    with passwords(cluster):
        wrong = f"postgresql://somebody:{PASSWORD}@127.0.0.1:{cluster.port}/postgres"
        expected = f"at 127.0.0.1:{cluster.port} refuses the user or the password"
        assert expected in await unavailable(wrong)
        assert f"{expected}. Check DATABASE_URL." in refused(tmp_path, DATABASE_URL=wrong)


@contextmanager
def passwords(cluster: Postgres) -> Iterator[None]:
    """Require a password from the user of the tests."""
    file = cluster.data / "pg_hba.conf"
    before = file.read_text()
    file.write_text("host all somebody all scram-sha-256\n" + before)
    run_sql(cluster.url(), "CREATE ROLE somebody LOGIN PASSWORD 'another'", "SELECT pg_reload_conf()")
    try:
        yield
    finally:
        file.write_text(before)
        run_sql(cluster.url(), "DROP ROLE somebody", "SELECT pg_reload_conf()")


def run_sql(url: str, *statements: str) -> None:
    command = [argument for statement in statements for argument in ("-c", statement)]
    subprocess.run([binaries() / "psql", "-qAt", *command, url], check=True, capture_output=True)


def test_a_read_only_postgresql_is_unavailable_and_the_server_not_ready(tmp_path: Path, ops_url: str) -> None:
    name = ops_url.rpartition("/")[2]

    def read_only(switch: str) -> None:
        run_sql(
            ops_url,
            "SET default_transaction_read_only = off",
            f"ALTER DATABASE {name} SET default_transaction_read_only = {switch}",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )

    with serving(tmp_path, DATABASE_URL=ops_url) as server:
        server.data(TEAM % "before")
        read_only("on")
        until(lambda: "is read-only" in server.call(TEAM % "lost").get("errors", [{"message": ""}])[0]["message"])
        code, message = error(server.call(TEAM % "lost"))
        assert (code, "not promoted yet" in message, "nothing was changed" in message) == ("UNAVAILABLE", True, True)
        assert "is read-only" in unready(server)
        assert len(server.data(TEAMS)["teams"]["nodes"]) == 1
        read_only("off")
        until(lambda: httpx.get(f"{server.url}/readyz", timeout=10).status_code == 200)
        until(lambda: "errors" not in server.call(TEAM % "after"))


def test_a_server_waits_for_a_standby_to_be_promoted_and_logs_it(
    tmp_path: Path, cluster: Postgres, ops_url: str
) -> None:
    name = ops_url.rpartition("/")[2]
    standby = cluster.replica(cluster.folder.parent / "standby")
    standby.start()
    try:
        expected = f"The PostgreSQL database {name} at 127.0.0.1:{standby.port} is read-only: it is a standby"
        assert expected in refused(tmp_path, DATABASE_URL=standby.url(name))
        run_sql(standby.url(), "SELECT pg_promote()")
        with serving(tmp_path, DATABASE_URL=standby.url(name)) as server:
            server.data(TEAM % "on the new primary")
            assert httpx.get(f"{server.url}/readyz", timeout=10).status_code == 200
    finally:
        standby.stop()


async def test_a_pool_without_a_free_connection_is_busy_and_not_unreachable(cluster: Postgres, ops_url: str) -> None:
    database = Database(ops_url)
    await sql(ops_url, "SELECT 1")
    database._sources.writer.engine.pool._timeout = 0.1  # type: ignore[attr-defined] # no setting is as short
    contexts = [database.read() for _ in range(20)]
    for context in contexts:
        await context.__aenter__()
    with pytest.raises(Unavailable, match=rf"at 127\.0\.0\.1:{cluster.port} is too busy now; nothing was changed"):
        async with database.read():
            pass
    for context in contexts:
        await context.__aexit__(None, None, None)
    await database.dispose()
