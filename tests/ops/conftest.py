"""A PostgreSQL server that tests may stop and damage, with one database for each test."""

import asyncio
import itertools
from collections.abc import Iterator

import pytest

from tessera_gql.store import migration
from tests.ops.postgres import Postgres, postgres, sql

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Postgres]:
    with postgres() as server:
        asyncio.run(sql(server.url(), "CREATE DATABASE template_tessera"))
        asyncio.run(migration.upgrade(server.url("template_tessera")))
        yield server


@pytest.fixture
def ops_url(cluster: Postgres) -> str:
    """A migrated database on the server that tests may stop and damage."""
    name = f"ops_{next(NUMBERS)}"
    asyncio.run(sql(cluster.url(), f"CREATE DATABASE {name} TEMPLATE template_tessera"))
    return cluster.url(name)
