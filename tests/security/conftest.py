"""Collects what each kind of caller has reached. At the end it is printed as a table with `-v`, else as one line."""

from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from tessera_gql.app import Parts
from tessera_gql.policy.visibility import audience
from tests.security.private_world import PrivateWorld, build, parts_of

REACHED: dict[str, Counter[str]] = {}


@pytest.fixture
async def parts(database_url: str, tmp_path: Path) -> AsyncGenerator[Parts]:
    found = parts_of(database_url, tmp_path)
    yield found
    await found.database.dispose()


@pytest.fixture
async def private(parts: Parts) -> PrivateWorld:
    return await build(parts)


@pytest.fixture
def reached() -> dict[str, Counter[str]]:
    """For each caller the number of values of each `Type.field` that it was answered."""
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
            terminalreporter.write_line(" | ".join([path, audience(*path.split(".")).name, *counts]))
    total = sum(sum(cells.values()) for cells in REACHED.values())
    terminalreporter.write_line(f"visibility: {len(fields)} fields, {len(REACHED)} callers, {total:,} values seen")
