"""The event log is verified and exported by commands, and a change of one byte is detected."""

import asyncio
import hashlib
import json
import re
import sqlite3
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store import audit as store
from tessera_gql.store import log_verifications
from tessera_gql.store.database import Database
from tests.e2e.forking import run_program
from tests.e2e.server import TESSERA, environment
from tests.workflows.archives import KEY, fill_old_log
from tests.world import World

pytestmark = pytest.mark.long


def audit(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run_program(["audit", *arguments], environment(DATABASE_URL=url))


@pytest.fixture
def filled(database_url: str) -> str:
    """A database with about twenty events."""

    async def fill() -> None:
        database = Database(database_url)
        await World(database).proposed(consumers=4)
        await database.dispose()

    asyncio.run(fill())
    return database_url


def change(url: str, *statements: str) -> None:
    """Execute statements as the owner of the database, after dropping the triggers that protect the log."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        for name in ("events_no_update", "events_no_delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement in statements:
            connection.execute(statement.replace("audit.", ""))
        connection.commit()
        connection.close()
        return

    async def run() -> None:
        connection = await asyncpg.connect(url)
        for name in ("events_append_only", "events_no_delete"):
            await connection.execute(f"DROP TRIGGER IF EXISTS {name} ON audit.events")
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


def test_an_untouched_log_is_verified_and_its_last_row_printed(filled: str) -> None:
    completed = audit(filled, "verify")
    assert (completed.returncode, completed.stderr) == (0, "")
    assert "each as it was written" in completed.stdout
    noted = completed.stdout.split()[-1]
    assert audit(filled, "verify", "--expect", noted).returncode == 0


DAMAGES = {
    "one byte of a payload": "UPDATE audit.events SET payload = '{}' WHERE sequence = 7",
    "who did it": "UPDATE audit.events SET actor = actor || '.' WHERE sequence = 7",
    "whom it concerns": "UPDATE audit.events SET teams = '[]' WHERE sequence = 7",
    "when": "UPDATE audit.events SET occurred_at = '2020-01-01 00:00:00.000000' WHERE sequence = 7",
    "the hash": "UPDATE audit.events SET hash = replace(hash, substr(hash, 1, 1), 'x') WHERE sequence = 7",
    "the row is gone": "DELETE FROM audit.events WHERE sequence = 7",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_changed_row_is_named(filled: str, damage: str) -> None:
    change(filled, damage)

    async def verify() -> None:
        database = Database(filled)
        try:
            await store.verify_log(database)
        finally:
            await database.dispose()

    with pytest.raises(store.BrokenEventLog) as broken:
        asyncio.run(verify())
    assert broken.value.sequence == 7


def test_the_command_names_the_changed_row_and_exits_with_one(filled: str) -> None:
    change(filled, DAMAGES["one byte of a payload"])
    completed = audit(filled, "verify")
    assert completed.returncode == 1
    assert "broken at sequence 7: its hash does not fit" in completed.stderr
    assert "Traceback" not in completed.stderr


def recorded(url: str) -> tuple[int, int | None]:
    """Up to where the log is recorded as verified, and where it is broken."""

    async def load() -> tuple[int, int | None]:
        database = Database(url)
        async with database.read() as session:
            state = await log_verifications.load(session)
        await database.dispose()
        assert state is not None
        return state.sequence, state.broken_at

    return asyncio.run(load())


def test_the_command_records_its_result_for_the_api(filled: str) -> None:
    last = int(audit(filled, "verify").stdout.split()[-1].partition(":")[0])
    assert recorded(filled) == (last, None)
    change(filled, DAMAGES["one byte of a payload"])
    assert audit(filled, "verify").returncode == 1
    assert recorded(filled) == (6, 7)


def test_a_role_that_may_not_write_verifies_as_well(filled: str) -> None:
    if filled.startswith("sqlite"):
        change(filled, "DROP TABLE log_verifications", "CREATE VIEW log_verifications AS SELECT 1 AS id")
    else:
        change(
            filled, "DROP TABLE workflow.log_verifications", "CREATE VIEW workflow.log_verifications AS SELECT 1 AS id"
        )
    completed = audit(filled, "verify")
    assert completed.returncode == 0
    assert "each as it was written" in completed.stdout
    assert "The result is not recorded for the API" in completed.stderr


def test_a_truncated_or_rewritten_log_is_detected_by_a_noted_hash(filled: str) -> None:
    noted = audit(filled, "verify").stdout.split()[-1]
    last = int(noted.partition(":")[0])
    change(filled, f"DELETE FROM audit.events WHERE sequence = {last}")
    assert audit(filled, "verify").returncode == 0
    cut = audit(filled, "verify", "--expect", noted)
    assert cut.returncode == 1
    assert f"sequence {last}" in cut.stderr
    anew = audit(filled, "verify", "--expect", f"3:{'f' * 64}")
    assert (anew.returncode, "sequence 3:" in anew.stderr) == (1, True)


def test_an_export_continues_where_it_ended(filled: str, tmp_path: Path) -> None:
    whole = [json.loads(line) for line in audit(filled, "export").stdout.splitlines()]
    assert [row["sequence"] for row in whole] == list(range(1, len(whole) + 1))
    target = tmp_path / "events.jsonl"
    assert audit(filled, "export", "--output", str(target)).returncode == 0

    async def add_events() -> None:
        database = Database(filled)
        await World(database).team("later")
        await database.dispose()

    asyncio.run(add_events())
    completed = audit(filled, "export", "--output", str(target), "--after", str(len(whole)))
    assert f"--after {len(whole) + 1}" in completed.stderr
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert rows[:-1] == whole
    assert rows[-1]["payload"]["name"] == "later"


def test_an_export_has_the_ids_of_the_api_and_a_stored_one_those_that_are_hashed(filled: str) -> None:
    exported = [json.loads(line) for line in audit(filled, "export").stdout.splitlines()]
    stored = [json.loads(line) for line in audit(filled, "export", "--stored").stdout.splitlines()]
    previous_hash = store.events.GENESIS
    for row, stored_row in zip(exported, stored, strict=True):
        assert row["id"] == encode_global_id("Event", stored_row["id"])
        assert row["teams"] == [encode_global_id("Team", team) for team in stored_row["teams"]]
        assert row["hash"] == stored_row["hash"]
        hashed = {**stored_row, "hash": previous_hash, "occurred_at": stored_row["occurred_at"].replace("Z", "+00:00")}
        line = json.dumps(hashed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous_hash = hashlib.sha256(line.encode()).hexdigest()
        assert stored_row["hash"] == previous_hash


def test_invalid_arguments_are_refused_without_a_traceback(filled: str, tmp_path: Path) -> None:
    assert audit(filled, "verify", "--expect", "nonsense").returncode == 2
    nowhere = audit(filled, "export", "--output", str(tmp_path / "no" / "file"))
    assert (nowhere.returncode, "Traceback" in nowhere.stderr) == (2, False)


def test_the_database_refuses_to_change_an_event(filled: str) -> None:
    if filled.startswith("sqlite"):
        connection = sqlite3.connect(filled.removeprefix("sqlite:///"))
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            connection.execute("UPDATE events SET actor = 'x' WHERE sequence = 1")
        connection.close()
        return

    async def run() -> None:
        connection = await asyncpg.connect(filled)
        for statement in ("UPDATE audit.events SET actor = 'x'", "DELETE FROM audit.events", "TRUNCATE audit.events"):
            with pytest.raises(asyncpg.PostgresError, match="append-only"):
                await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


@pytest.fixture
def old(database_url: str) -> str:
    """A database with about twenty events of January 2020 and one of today."""
    asyncio.run(fill_old_log(database_url))
    return database_url


def archiving(url: str, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return run_program(["audit", *arguments], environment(DATABASE_URL=url, SECRETS_KEY=KEY, **settings))


def test_old_events_are_archived_and_verified_with_their_files(old: str, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    whole = archiving(old, "verify").stdout.split()[-1]
    completed = archiving(old, "archive", "--before", "2020-02-01", "--to", str(folder))
    assert completed.returncode == 0, completed.stderr
    (file,) = folder.glob("*.jsonl")
    noted = completed.stdout.split()[-1]
    assert json.loads(file.read_text().splitlines()[-1])["hash"] == noted.partition(":")[2]
    verified = archiving(old, "verify", "--archive", str(folder), "--expect", noted)
    assert (verified.returncode, verified.stdout.split()[-1]) == (0, whole)
    assert "as they were written too" in verified.stdout
    early = "3:" + json.loads(file.read_text().splitlines()[2])["hash"]
    assert archiving(old, "verify", "--archive", str(folder), "--expect", early).returncode == 0
    refused = archiving(old, "verify", "--expect", early)
    assert (refused.returncode, "--archive" in refused.stderr) == (2, True)
    again = archiving(old, "archive", "--before", "2020-02-01", "--to", str(folder))
    assert (again.returncode, again.stdout) == (0, "No events before 2020-02-01 are left to archive.\n")
    without_key = audit(old, "verify")
    assert (without_key.returncode, "SECRETS_KEY is not set" in without_key.stderr) == (0, True)
    file.write_text(file.read_text().replace("producers", "productrs"))
    tampered = archiving(old, "verify", "--archive", str(folder))
    assert (tampered.returncode, "broken at sequence 1:" in tampered.stderr) == (1, True)


def test_an_archive_that_can_not_be_made_is_refused_on_one_line(old: str, tmp_path: Path) -> None:
    to = ("--to", str(tmp_path))
    refusals = {
        "There is no folder": archiving(old, "archive", "--before", "2020-02-01", "--to", str(tmp_path / "no")),
        "last 30 days": archiving(old, "archive", "--before", f"{datetime.now(UTC):%Y-%m-%d}", *to),
        "SECRETS_KEY is not set": audit(old, "archive", "--before", "2020-02-01", *to),
        "--before": archiving(old, "archive", "--before", "yesterday", *to),
        "Missing option": archiving(old, "archive", *to),
    }
    for message, completed in refusals.items():
        assert (completed.returncode, completed.stdout) == (2, ""), message
        assert message in completed.stderr
        assert completed.stderr.count("\n") == 1
    assert list(tmp_path.glob("*.jsonl")) == []


def test_an_archive_that_is_killed_anywhere_loses_nothing(old: str, tmp_path: Path) -> None:
    every = {json.loads(line)["sequence"] for line in audit(old, "export").stdout.splitlines()}
    variables = environment(DATABASE_URL=old, SECRETS_KEY=KEY)
    command = [TESSERA, "audit", "archive", "--before", "2020-02-01", "--to", str(tmp_path)]
    started = time.monotonic()
    trial = subprocess.run([TESSERA, "audit", "verify"], env=variables, check=True, capture_output=True)
    assert trial.returncode == 0
    usual = time.monotonic() - started
    for delay in (0.9, 1.1):
        process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(usual * delay)
        process.kill()
        process.wait()
        stored = {json.loads(line)["sequence"] for line in audit(old, "export").stdout.splitlines()}
        files = [json.loads(line) for file in tmp_path.glob("events-*.jsonl") for line in file.read_text().splitlines()]
        assert stored | {row["sequence"] for row in files} == every
        assert archiving(old, "verify").returncode == 0
    assert archiving(old, "archive", "--before", "2020-02-01", "--to", str(tmp_path)).returncode == 0
    assert archiving(old, "verify", "--archive", str(tmp_path)).returncode == 0


def test_a_role_that_may_not_delete_events_archives_none(old: str, tmp_path: Path) -> None:
    if old.startswith("sqlite"):
        pytest.skip("SQLite knows no roles")

    async def create_role(*statements: str) -> None:
        connection = await asyncpg.connect(old)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    grants = (
        "CREATE ROLE archive_service LOGIN",
        "GRANT USAGE ON SCHEMA core, workflow, audit TO archive_service",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA core, workflow TO archive_service",
        "GRANT SELECT, INSERT ON audit.events TO archive_service",
        "GRANT SELECT ON alembic_version TO archive_service",
    )
    asyncio.run(create_role(*grants))
    try:
        url = re.sub(r"://[^@]*@", "://archive_service@", old)
        completed = archiving(url, "archive", "--before", "2020-02-01", "--to", str(tmp_path))
        assert completed.returncode == 2, completed.stderr
        assert "may not delete events" in completed.stderr
    finally:
        asyncio.run(create_role("DROP OWNED BY archive_service", "DROP ROLE archive_service"))
