"""Fixtures of tests that need a second database."""

import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tessera_gql.store.database import Database
from tests.conftest import create_postgres_database


@pytest.fixture
def other_url(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    if database_url.startswith("sqlite"):
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "other.db")
        yield f"sqlite:///{tmp_path / 'other.db'}"
        return
    yield from create_postgres_database(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def empty_database(other_url: str) -> AsyncIterator[Database]:
    """A second, empty database with the same dialect and a later clock."""
    database = Database(other_url, clock=lambda: datetime(2027, 6, 1, tzinfo=UTC))
    yield database
    await database.dispose()
