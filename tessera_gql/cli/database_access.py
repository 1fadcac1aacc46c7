"""Commands that work on the database of DATABASE_URL themselves, without a server: one way in for all of them."""

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable, Generator
from contextlib import closing, contextmanager
from typing import TypeVar

from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.settings import read_settings
from tessera_gql.cli.terminal import fail
from tessera_gql.config import Settings
from tessera_gql.store import migration
from tessera_gql.store.database import Database
from tessera_gql.store.engine import driver_url, name_of, sqlite_file
from tessera_gql.store.faults import FAULTS, driver_error, translated

T = TypeVar("T")


def run_on_database(work: Callable[[Database], Awaitable[T]]) -> T:
    """Run `work` on a database that exists and has the tables of this version; nothing is created."""
    settings = existing_database()

    async def run() -> T:
        if reason := migration.misfit(await migration.look(settings.database_url, settings.options)):
            raise fail(reason)
        database = Database(settings.database_url, options=settings.options)
        try:
            return await work(database)
        finally:
            await database.dispose()

    with database_faults(settings):
        return asyncio.run(run())


def existing_database() -> Settings:
    """The settings, if they don't name an SQLite file that is missing: SQLite would create it."""
    settings = read_settings()
    file = sqlite_file(settings.database_url)
    if file is not None and not file.is_file():
        what = "is not a file" if file.exists() else "does not exist"
        raise fail(f"The database {file} {what}. Check DATABASE_URL, or create it with `tessera db upgrade`.")
    check_sqlite_file(settings)
    return settings


def check_sqlite_file(settings: Settings) -> None:
    """Open an SQLite file in this thread first: where that fails, the driver's own thread would outlive the event loop.

    Creates the file if it is missing, for its owner alone, and its folder.
    """
    if (file := sqlite_file(settings.database_url)) is None:
        return
    with database_faults(settings):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
            name = name_of(driver_url(settings.database_url))
            with translated(name), closing(sqlite3.connect(file)) as connection:
                connection.execute("PRAGMA schema_version")
        except OSError as error:
            raise fail(f"The database {file} can't be opened: {error.strerror or error}. Check DATABASE_URL.") from None


@contextmanager
def database_faults(settings: Settings) -> Generator[None]:
    """Name the database in what its driver says, where that is no passing fault: a damaged file, a missing right."""
    try:
        yield
    except (*FAULTS, UnicodeError) as error:  # the latter for a host that can't be one
        if isinstance(error, OSError):
            raise
        name = name_of(driver_url(settings.database_url))
        raise fail(f"{name[0].upper()}{name[1:]} can't be used: {driver_error(error)}.", ExitCode.UNAVAILABLE) from None
