"""Real servers, each started once for all tests, and the table of what was seen on them."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tessera_gql.store import migration
from tests.ops.postgres import postgres, sql
from tests.security.deployments import DEPLOYMENTS, Caller, Databases, Table, deployed


@pytest.fixture(scope="session")
def databases(sqlite_template: Path) -> Iterator[Databases]:
    with postgres() as primary:
        asyncio.run(sql(primary.url(), "CREATE DATABASE template_tessera"))
        asyncio.run(migration.upgrade(primary.url("template_tessera")))
        replica = primary.replica(primary.folder.parent / "replica")
        replica.start()
        yield Databases(sqlite_template, primary, replica)
        replica.stop(signal.SIGQUIT)


@pytest.fixture(scope="session", params=DEPLOYMENTS, ids=str)
def caller(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, databases: Databases
) -> Iterator[Caller]:
    with deployed(request.param, tmp_path_factory.mktemp("deployed"), databases) as found:
        yield found


@pytest.fixture(scope="session")
def tables() -> Iterator[dict[str, Table]]:
    """Printed at the end, for who runs the tests with -s."""
    found: dict[str, Table] = {}
    yield found
    for table in found.values():
        print(table)  # noqa: T201


@pytest.fixture
def table(request: pytest.FixtureRequest, tables: dict[str, Table]) -> Table:
    """Of the module of the test."""
    name = request.module.__name__.rpartition(".")[2]
    return tables.setdefault(name, Table(name))
