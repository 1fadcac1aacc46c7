"""A server with keys on each database, shared by the tests of a module, and a company of teams on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.pull_requests import ADMIN_KEY, Company
from tests.e2e.server import Running, serving


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = {}
    if request.param == "postgresql":
        settings["DATABASE_URL"] = request.getfixturevalue("shared_database").clean()
        request.getfixturevalue("shared_database").used = True
    limits = {"RATE_LIMIT_MUTATIONS": "off", "RATE_LIMIT_COST": "off"}
    with serving(tmp_path_factory.mktemp("server"), ADMIN_KEY=ADMIN_KEY, **limits, **settings) as running:
        yield running


@pytest.fixture
def company(shared_server: Running, tmp_path: Path) -> Company:
    return Company(shared_server, tmp_path)
