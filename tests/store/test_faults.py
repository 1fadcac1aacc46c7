"""An unreachable or busy database is reported as unavailable, and a programming error is not."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import text

from tessera_gql.errors import Unavailable
from tessera_gql.store import engine
from tessera_gql.store.database import Database
from tests.conftest import at
from tests.world import World


@contextmanager
def fails_within(seconds: float = 3.0) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


async def select_one(database: Database) -> None:
    async with database.read() as session:
        await session.execute(text("SELECT 1"))


async def test_a_postgresql_that_is_not_there_is_unavailable_at_once() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing")
    with fails_within(), pytest.raises(Unavailable, match=r"nothing was changed\. Try again in a few seconds"):
        await select_one(database)
    await database.dispose()


async def test_a_postgresql_without_free_connections_is_unavailable(postgres_database_url: str) -> None:
    name = urlsplit(postgres_database_url).path.strip("/")
    connection = await asyncpg.connect(at(postgres_database_url.replace(f"/{name}", "/postgres"), "postgres"))
    await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    database = Database(postgres_database_url)
    with fails_within(), pytest.raises(Unavailable):
        await select_one(database)
    await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    await select_one(database)
    await connection.close()
    await database.dispose()


async def test_a_connection_that_broke_is_unavailable_once_and_then_replaced(postgres_database_url: str) -> None:
    database = Database(postgres_database_url)
    async with database.read() as session:
        number = await session.value(text("SELECT pg_backend_pid()"))
    connection = await asyncpg.connect(postgres_database_url)
    await connection.execute(f"SELECT pg_terminate_backend({number})")
    await connection.close()
    await asyncio.sleep(0.1)
    with fails_within(), pytest.raises(Unavailable):
        await select_one(database)
    await select_one(database)
    await database.dispose()


async def test_a_statement_that_waits_too_long_for_a_lock_is_unavailable(postgres_database_url: str) -> None:
    database = Database(postgres_database_url)
    async with database.write() as holder:
        await holder.execute(text("LOCK TABLE core.teams"))
        async with database.write() as waiter:
            await waiter.execute(text("SET LOCAL lock_timeout = '50ms'"))
            with fails_within(), pytest.raises(Unavailable):
                await waiter.execute(text("SELECT * FROM core.teams"))
    await database.dispose()


async def test_an_sqlite_that_another_process_is_writing_to_is_unavailable(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if world.database.dialect != "sqlite":
        pytest.skip("PostgreSQL has no such lock")
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 100)
    writer = sqlite3.connect(tmp_path / "tessera.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with fails_within(), pytest.raises(Unavailable, match="too busy now; nothing was changed"):
        await world.team("one")
    await select_one(world.database)
    writer.rollback()
    writer.close()
    await world.team("one")


async def test_an_sqlite_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'no such folder' / 'a.db'}")
    with fails_within(), pytest.raises(Unavailable):
        await select_one(database)
    await database.dispose()


async def test_a_call_while_all_connections_are_in_use_is_unavailable(world: World) -> None:
    database = world.database
    pool = database._sources.writer.engine.pool  # no setting allows such a short time
    pool._timeout = 0.1  # type: ignore[attr-defined]
    size = 1 if database.dialect == "sqlite" else 20
    contexts = [database.write() for _ in range(size)]
    for context in contexts:
        await context.__aenter__()
    with fails_within(), pytest.raises(Unavailable, match="too busy"):
        await world.team("one")
    for context in contexts:
        await context.__aexit__(None, None, None)
    await world.team("one")


@pytest.mark.parametrize("mistake", ["SELECT * FROM no_such_table", "SELEC 1"])
async def test_a_programming_error_is_not_reported_as_unavailable(database: Database, mistake: str) -> None:
    async with database.write() as session:
        with pytest.raises((asyncpg.PostgresError, sqlite3.Error)):
            await session.execute(text(mistake))


async def test_a_value_of_the_wrong_type_is_not_reported_as_unavailable(postgres_database_url: str) -> None:
    database = Database(postgres_database_url)
    async with database.read() as session:
        with pytest.raises(asyncpg.DataError):
            await session.value(text("SELECT CAST(:number AS INTEGER)").bindparams(number="seven"))
    await database.dispose()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("not a url", "is not a URL"),
        ("mysql://localhost/db", "speaks to sqlite and postgresql"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_url_of_another_kind_is_refused_with_an_example(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Database(url)
