"""Fixture of all executors on one database with data, on SQLite and on PostgreSQL."""

import shutil
from collections.abc import Iterator

import pytest

from tests.conftest import create_postgres_database
from tests.executor.comparison import Comparison, open_comparison


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def comparison(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparison]:
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("executor") / "world.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        with open_comparison(f"sqlite:///{path}") as comparison:
            yield comparison
        return
    for url in create_postgres_database(request.getfixturevalue("postgres_url")):
        with open_comparison(url) as comparison:
            yield comparison
