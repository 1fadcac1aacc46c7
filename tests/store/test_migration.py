"""Migrations create the tables of the code on both databases, also when several processes start at once."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from alembic.script import ScriptDirectory

from tessera_gql.store import migration
from tessera_gql.store.migration import SchemaState, UnknownRevision
from tessera_gql.store.tables import Base

ROOT = Path(__file__).resolve().parents[2]


async def test_migrated_tables_are_the_tables_of_the_code(database_url: str) -> None:
    assert await migration.find_differences(database_url) == []
    assert await migration.load_revision(database_url) == migration.head_revision()


async def test_up_down_and_up_again_ends_where_it_began(bare_url: str) -> None:
    assert await migration.load_revision(bare_url) is None
    await migration.upgrade(bare_url)
    assert await migration.find_differences(bare_url) == []
    await migration.downgrade(bare_url, "base")
    assert await migration.load_revision(bare_url) is None
    assert len(await migration.find_differences(bare_url)) >= len(Base.metadata.tables)
    await migration.upgrade(bare_url)
    assert await migration.find_differences(bare_url) == []


async def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    await migration.upgrade(database_url)
    assert await migration.load_revision(database_url) == migration.head_revision()


async def test_processes_that_start_at_once_migrate_once(bare_url: str) -> None:
    program = (
        "import asyncio, sys; from tessera_gql.store import migration; asyncio.run(migration.upgrade(sys.argv[1]))"
    )

    def start() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, bare_url]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)

    ended = await asyncio.gather(*(asyncio.to_thread(start) for _ in range(2)))
    assert [result.returncode for result in ended] == [0, 0], [result.stderr[-500:] for result in ended]
    assert await migration.find_differences(bare_url) == []


async def test_a_database_of_a_newer_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.close()
    with pytest.raises(UnknownRevision, match=r"9999.*install that version, or use another database"):
        await migration.upgrade(f"sqlite:///{path}")


async def test_the_database_records_which_servers_can_use_its_tables(postgres_database_url: str) -> None:
    state = await migration.load_state(postgres_database_url)
    assert state.revision == migration.head_revision()
    assert state.works_with in migration.known_revisions()
    assert migration.describe_mismatch(state) is None


@pytest.mark.parametrize(
    ("stand", "message"),
    [
        (SchemaState(None), "at revision none, this version needs"),
        (SchemaState("0001"), "Run `tessera db upgrade` first"),
        (SchemaState("9999", works_with=migration.head_revision()), None),
        (SchemaState("9999", works_with="0001"), None),
        (SchemaState("9999", works_with="9998"), "install that version, or use another database"),
        (SchemaState("9999"), "install that version, or use another database"),
    ],
)
def test_a_server_uses_newer_tables_compatible_with_it_but_no_older_tables(
    stand: SchemaState, message: str | None
) -> None:
    mismatch = migration.describe_mismatch(stand)
    assert (mismatch is None) if message is None else (mismatch is not None and message in mismatch)


FIRST_RELEASE = "0010"
"""The newest revision before the first release; no server of an older revision has been released."""


def test_every_migration_leaves_tables_that_the_previous_version_can_use() -> None:
    scripts = [*ScriptDirectory.from_config(migration.create_config()).walk_revisions()][::-1]
    oldest = [script.module.works_with for script in scripts]
    assert oldest == sorted(oldest)
    released = [script for script in scripts if script.revision > FIRST_RELEASE]
    for script in released:
        assert script.module.works_with <= script.down_revision


async def test_an_upgrade_waits_for_its_turn_again_and_again(
    postgres_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(migration, "LOCK_SECONDS", 0.2)
    await migration.downgrade(postgres_database_url, "0002")
    holder = await asyncpg.connect(postgres_database_url)
    await holder.execute("BEGIN; INSERT INTO core.teams VALUES (gen_random_uuid(), 'a', 'a', '{}', 1, now())")
    upgrading = asyncio.create_task(migration.upgrade(postgres_database_url))
    await asyncio.sleep(1)
    assert not upgrading.done()
    second = await asyncpg.connect(postgres_database_url)
    assert await second.fetchval("SELECT count(*) FROM core.teams") == 0
    await holder.execute("COMMIT")
    await upgrading
    assert await migration.load_revision(postgres_database_url) == migration.head_revision()
    await holder.close()
    await second.close()
