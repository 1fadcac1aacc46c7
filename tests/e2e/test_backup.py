"""A SQLite database is copied while a server writes to it, and restored completely or not at all."""

import asyncio
import os
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tessera_gql.store import migration
from tessera_gql.store.database import Database
from tests.e2e.server import TESSERA, Running, environment, run_tessera, serving
from tests.ops.postgres import binaries
from tests.workflows.archives import KEY, fill_old_log
from tests.world import World

pytestmark = pytest.mark.long

CREATE = "mutation($name: String!) { createTeam(input: { name: $name }) { errors { message } } }"


def tessera(folder: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return run_tessera(*arguments, cwd=folder, **settings)


def teams(file: Path) -> set[str]:
    connection = sqlite3.connect(file)
    names = {row[0] for row in connection.execute("SELECT name FROM teams")}
    connection.close()
    return names


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A database with about twenty events, not in use by a server."""

    async def fill() -> None:
        await migration.upgrade(f"sqlite:///{tmp_path}/tessera.db")
        database = Database(f"sqlite:///{tmp_path}/tessera.db")
        await World(database).proposed(consumers=3)
        await database.dispose()

    asyncio.run(fill())
    return tmp_path / "tessera.db"


@pytest.fixture
def old_log_url(tmp_path: Path) -> str:
    """A database with about twenty events of January 2020 and one of today."""
    asyncio.run(migration.upgrade(f"sqlite:///{tmp_path}/tessera.db"))
    asyncio.run(fill_old_log(f"sqlite:///{tmp_path}/tessera.db"))
    return f"sqlite:///{tmp_path}/tessera.db"


def test_a_backup_under_a_live_writer_is_complete_and_holds_all_acknowledged_changes(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    stop = threading.Event()

    def write(server: Running) -> None:
        while not stop.is_set():
            name = f"team-{len(acknowledged)}"
            server.data(CREATE, name=name)
            acknowledged.append(name)

    with serving(tmp_path) as server:
        writer = threading.Thread(target=write, args=(server,))
        writer.start()
        try:
            while len(acknowledged) < 20:
                assert writer.is_alive()
            before = set(acknowledged)
            completed = tessera(tmp_path, "db", "backup", "copy.db")
            during = len(acknowledged)
        finally:
            stop.set()
            writer.join()
        assert completed.returncode == 0, completed.stderr
        assert "each as it was written" in completed.stdout
        assert before <= teams(tmp_path / "copy.db") <= set(acknowledged)
        assert during > len(before)  # nobody waited
        in_use = tessera(tmp_path, "db", "restore", "copy.db", "--force")
        assert in_use.returncode == 2
        assert "in use" in in_use.stderr


def test_a_restored_database_is_verified_and_served(filled: Path) -> None:
    folder = filled.parent
    assert tessera(folder, "db", "backup", "copy.db").returncode == 0
    again = tessera(folder, "db", "restore", "copy.db", DATABASE_URL="sqlite:///again.db")
    assert again.returncode == 0, again.stderr
    assert teams(folder / "again.db") == teams(filled)
    verified = tessera(folder, "audit", "verify", DATABASE_URL="sqlite:///again.db")
    assert verified.returncode == 0
    assert verified.stdout.split("The last is ")[1] == again.stdout.split("The last is ")[1]
    with serving(folder, DATABASE_URL="sqlite:///again.db") as server:
        assert server.data(CREATE, name="afterwards") == {"createTeam": {"errors": []}}


def test_a_database_with_an_archive_is_restored_with_its_anchor(old_log_url: str, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    keyed = {"DATABASE_URL": old_log_url, "SECRETS_KEY": KEY}
    archived = tessera(tmp_path, "audit", "archive", "--before", "2020-02-01", "--to", str(archive), **keyed)
    assert archived.returncode == 0, archived.stderr
    copied = tessera(tmp_path, "db", "backup", "copy.db", **keyed)
    assert copied.returncode == 0, copied.stderr
    again = {"DATABASE_URL": "sqlite:///again.db", "SECRETS_KEY": KEY}
    restored = tessera(tmp_path, "db", "restore", "copy.db", **again)
    assert restored.returncode == 0, restored.stderr
    verified = tessera(tmp_path, "audit", "verify", "--archive", str(archive), **again)
    assert verified.returncode == 0, verified.stderr
    assert "as they were written too" in verified.stdout
    assert verified.stdout.split()[-1] == restored.stdout.split()[-1] == copied.stdout.split()[-1]
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        _execute(tmp_path / "again.db", "DELETE FROM events")
    forged = ("DROP TRIGGER event_anchors_no_update", "UPDATE event_anchors SET archived_by = 'another'")
    _execute(tmp_path / "copy.db", *forged)
    refused = tessera(tmp_path, "db", "restore", "copy.db", "--force", **again)
    assert (refused.returncode, "its signature does not fit" in refused.stderr) == (1, True), refused.stderr
    assert tessera(tmp_path, "audit", "verify", **again).returncode == 0


def test_no_file_is_replaced_without_an_option(filled: Path) -> None:
    folder = filled.parent
    assert tessera(folder, "db", "backup", "copy.db").returncode == 0
    assert (folder / "copy.db").stat().st_mode & 0o077 == 0
    for arguments in (("backup", "copy.db"), ("restore", "copy.db")):
        refused = tessera(folder, "db", *arguments)
        assert refused.returncode == 2
        assert "--force" in refused.stderr
        assert tessera(folder, "db", *arguments, "--force").returncode == 0
    assert {path.name.partition("-")[0] for path in folder.iterdir()} == {"tessera.db", "tessera.db.lock", "copy.db"}


def test_a_damaged_database_is_replaced_by_a_valid_backup(filled: Path) -> None:
    folder, names = filled.parent, teams(filled)
    assert tessera(folder, "db", "backup", "copy.db").returncode == 0
    for ruin in (b"", b"not a database at all" * 100, filled.read_bytes()[:5000]):
        filled.write_bytes(ruin)
        restored = tessera(folder, "db", "restore", "copy.db", "--force")
        assert restored.returncode == 0, restored.stderr
        assert teams(filled) == names


def _cut(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)


def _execute(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def _rewrite(file: Path) -> None:
    _execute(file, "DROP TRIGGER events_no_update", "UPDATE events SET actor = 'nobody' WHERE sequence = 3")


def _age(file: Path) -> None:
    _execute(file, "UPDATE alembic_version SET version_num = '9999'")


def _empty(file: Path) -> None:
    file.unlink()
    _execute(file, "CREATE TABLE other (id INTEGER)")


@pytest.mark.parametrize(
    ("spoil", "code", "message"),
    [
        (_cut, 2, ""),
        (_rewrite, 1, "broken at sequence 3"),
        (_age, 2, "revision 9999, which this version of Tessera GQL does not know"),
        (_empty, 2, "revision none"),
        (lambda file: file.write_text("words"), 2, "is not an SQLite database"),
        (Path.unlink, 2, "There is no file"),
    ],
)
def test_an_incomplete_backup_is_refused_and_the_database_stays(
    filled: Path, spoil: object, code: int, message: str
) -> None:
    folder, before = filled.parent, teams(filled)
    assert tessera(folder, "db", "backup", "copy.db").returncode == 0
    spoil(folder / "copy.db")  # type: ignore[operator]
    refused = tessera(folder, "db", "restore", "copy.db", "--force")
    assert refused.returncode == code, refused.stderr
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr
    assert teams(filled) == before


def test_an_impossible_backup_is_refused_in_one_line(tmp_path: Path) -> None:
    for arguments in (("backup", "copy.db"), ("backup", "missing/copy.db")):
        refused = tessera(tmp_path, "db", *arguments)
        assert refused.returncode == 2
        assert "The database tessera.db does not exist" in refused.stderr
    asyncio.run(migration.upgrade(f"sqlite:///{tmp_path}/tessera.db"))
    refused = tessera(tmp_path, "db", "backup", "missing/copy.db")
    assert refused.returncode == 2
    assert "can't be written: No such file" in refused.stderr


def test_a_postgresql_is_backed_up_and_restored_by_the_printed_commands(
    tmp_path: Path, postgres_url: str, postgres_database_url: str
) -> None:
    asyncio.run(fill_old_log(postgres_database_url))
    archive = ("audit", "archive", "--before", "2020-02-01", "--to", str(tmp_path))
    archived = tessera(tmp_path, *archive, DATABASE_URL=postgres_database_url, SECRETS_KEY=KEY)
    assert archived.returncode == 0, archived.stderr
    printed = tessera(tmp_path, "db", "backup", "copy.dump", DATABASE_URL=postgres_database_url)
    assert printed.returncode == 2
    dump, restore, verify = printed.stdout.splitlines()
    assert (dump.split()[0], restore.split()[0], verify) == ("pg_dump", "pg_restore", "tessera audit verify")
    name = f"restored_{os.getpid()}"
    variables = environment(PATH=f"{binaries()}:{TESSERA.parent}:{os.environ['PATH']}", SECRETS_KEY=KEY)

    def shell(command: str, url: str) -> str:
        completed = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            env=variables | {"DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    shell(dump, postgres_database_url)
    shell(f'psql "$DATABASE_URL" -c "CREATE DATABASE {name}"', postgres_url)
    try:
        restored = postgres_url.replace("@/postgres", f"@/{name}")
        shell(restore, restored)
        verified = shell(verify, restored)
        assert verified == shell(verify, postgres_database_url)
        assert "archived since" in verified
    finally:
        shell(f'psql "$DATABASE_URL" -c "DROP DATABASE {name} WITH (FORCE)"', postgres_url)
