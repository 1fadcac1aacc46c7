"""Options and hooks of the whole suite.

`--database` runs the tests of one database only, for example while no PostgreSQL should be started.
"""

import gc
import os
import sys

import pytest

UNAWAITED = ("Executor.", "GraphQLCoreConverter.")
"""Coroutines that graphql-core leaves unawaited when one of several fields fails (see `filterwarnings`)."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=["all", "sqlite", "postgresql"],
        default="all",
        help="Skip the tests that need the other database; tests that need none always run.",
    )


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are processors: a third of the suite's time is waiting for other processes."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Drop the warning of an unawaited coroutine of graphql-core where `filterwarnings` can't see it.

    Garbage that is collected inside a named tuple, whose builtins are empty, fails to issue its warnings.
    """
    report = sys.unraisablehook

    def report_others(unraisable: "sys.UnraisableHookArgs") -> None:
        is_failed_warning = isinstance(unraisable.exc_value, KeyError) and unraisable.exc_value.args == ("__import__",)
        if not (is_failed_warning and getattr(unraisable.object, "__qualname__", "").startswith(UNAWAITED)):
            report(unraisable)

    sys.unraisablehook = report_others


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _deselect_other_database(config, items)
    items.sort(key=lambda item: not _uses_module_fixture(item))


def pytest_collection_finish() -> None:
    """Collect garbage less often: the collected tests are a large heap without any, and take a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _uses_module_fixture(item: pytest.Item) -> bool:
    """Return whether the tests of the module share a fixture. They take longest, and run first."""
    fixtures = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return any(fixture.scope == "module" for definitions in fixtures.values() for fixture in definitions)


def _deselect_other_database(config: pytest.Config, items: list[pytest.Item]) -> None:
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
