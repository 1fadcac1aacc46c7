"""Databases for real servers."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tessera_gql.store import migration
from tests.ops.postgres import postgres, sql
from tests.security.deployments import Databases


@pytest.fixture(scope="session")
def databases(sqlite_template: Path) -> Iterator[Databases]:
    with postgres() as primary:
        asyncio.run(sql(primary.url(), "CREATE DATABASE template_tessera"))
        asyncio.run(migration.upgrade(primary.url("template_tessera")))
        replica = primary.replica(primary.folder.parent / "replica")
        replica.start()
        yield Databases(sqlite_template, primary, replica)
        replica.stop(signal.SIGQUIT)
