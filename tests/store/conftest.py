"""A database of either kind at no revision, for tests of migrations."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import _sql, at


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'bare.db'}"
        return
    server, name = request.getfixturevalue("postgres_url"), f"bare_{os.getpid()}"
    asyncio.run(_sql(server, f"CREATE DATABASE {name}"))
    yield at(server, name)
    asyncio.run(_sql(server, f"DROP DATABASE {name} WITH (FORCE)"))
