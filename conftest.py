"""The option `--database`: run the tests of one database only, for example while no PostgreSQL should be started."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=["all", "sqlite", "postgresql"],
        default="all",
        help="Skip the tests that need the other database; tests that need none always run.",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    database = config.getoption("--database")
    if database == "all":
        return
    unwanted = [item for item in items if _database_of(item) not in (None, database)]
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if _database_of(item) in (None, database)]


def _database_of(item: pytest.Item) -> str | None:
    """The database that a test needs, or None if it needs none."""
    parameters = getattr(item, "callspec", None)
    values = [value for value in parameters.params.values() if isinstance(value, str)] if parameters else []
    fixtures = getattr(item, "fixturenames", ())
    if "postgresql" in values or "postgres_url" in fixtures or "postgres_database_url" in fixtures:
        return "postgresql"
    return "sqlite" if "sqlite" in values else None
