"""Servers and callers for the tests of this folder, and the tables of their results."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.components import Components
from tessera_gql.policy.visibility import audience_of_field
from tessera_gql.store import migration
from tests.ops.postgres import postgres, sql
from tests.security.deployments import DEPLOYMENTS, Caller, Databases, Table, deployed
from tests.security.visibility_scenario import VisibilityScenario, build, parts_of


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
    with deployed(request.param, tmp_path_factory.mktemp("deployed"), databases) as value:
        yield value


@pytest.fixture(scope="session")
def tables() -> Iterator[dict[str, Table]]:
    """Print the table after the tests; visible with `pytest -s`."""
    value: dict[str, Table] = {}
    yield value
    for table in value.values():
        print(table)  # noqa: T201


@pytest.fixture
def table(request: pytest.FixtureRequest, tables: dict[str, Table]) -> Table:
    """The table of the test's module."""
    name = request.module.__name__.rpartition(".")[2]
    return tables.setdefault(name, Table(name))


REACHED: dict[str, Counter[str]] = {}


@pytest.fixture
async def parts(database_url: str, tmp_path: Path) -> AsyncGenerator[Components]:
    value = parts_of(database_url, tmp_path)
    yield value
    await value.database.dispose()


@pytest.fixture
async def private(parts: Components) -> VisibilityScenario:
    return await build(parts)


@pytest.fixture
def reached() -> dict[str, Counter[str]]:
    """For each caller the number of values of each `Type.field` in its replies."""
    return REACHED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not REACHED:
        return
    fields = sorted({path for cells in REACHED.values() for path in cells})
    if config.get_verbosity() > 0:
        terminalreporter.section("values of each field that each caller was answered")
        terminalreporter.write_line(" | ".join(["field", "audience", *REACHED]))
        for path in fields:
            counts = [str(cells[path]) for cells in REACHED.values()]
            terminalreporter.write_line(" | ".join([path, audience_of_field(*path.split(".")).name, *counts]))
    total = sum(sum(cells.values()) for cells in REACHED.values())
    terminalreporter.write_line(f"visibility: {len(fields)} fields, {len(REACHED)} callers, {total:,} values seen")
