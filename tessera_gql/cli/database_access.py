"""Access to the database of DATABASE_URL for commands that run without a server."""

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
from tessera_gql.store.engine import display_name, parse_url, sqlite_path
from tessera_gql.store.faults import FAULTS, driver_error, translate_faults
from tessera_gql.store.file_access import explain_denied
from tessera_gql.store.sqlite_file import SETTING

T = TypeVar("T")


def run_on_database(function: Callable[[Database], Awaitable[T]]) -> T:
    """Run the function on an existing database at the revision of this version; never creates or migrates one."""
    settings = read_existing_database_settings()

    async def run() -> T:
        await require_revision(settings)
        database = Database(settings.database_url, options=settings.database_options)
        try:
            return await function(database)
        finally:
            await database.dispose()

    with translate_database_faults(settings):
        return asyncio.run(run())


async def require_revision(settings: Settings) -> None:
    """Fail unless the database is at the revision of this version."""
    state = await migration.load_state(settings.database_url, settings.database_options)
    if reason := migration.describe_mismatch(state):
        raise fail(reason)


def read_existing_database_settings() -> Settings:
    """Read the settings and fail if they name a missing SQLite file, which SQLite would create."""
    settings = read_settings()
    file = sqlite_path(settings.database_url)
    if file is not None and not file.is_file():
        problem = "is not a file" if file.exists() else "does not exist"
        raise fail(f"The database {file} {problem}. Check DATABASE_URL, or create it with `tessera db upgrade`.")
    check_sqlite_file(settings)
    return settings


def check_sqlite_file(settings: Settings) -> None:
    """Open an SQLite file synchronously to report errors; on failure, the async driver's thread would outlive the loop.

    Creates a missing file, readable by its owner only, and its folder.
    """
    if (file := sqlite_path(settings.database_url)) is None:
        return
    with translate_database_faults(settings):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
            name = display_name(parse_url(settings.database_url))
            with translate_faults(name), closing(sqlite3.connect(file)) as connection:
                connection.execute("PRAGMA schema_version")
        except OSError as error:
            reason = explain_denied(error, file, SETTING)
            raise fail(f"The database {file} can't be opened: {reason}") from None


@contextmanager
def translate_database_faults(settings: Settings) -> Generator[None]:
    """Report permanent errors of the driver, such as a damaged file, in a message that names the database."""
    try:
        yield
    except (*FAULTS, UnicodeError) as error:  # UnicodeError: invalid host name
        if isinstance(error, OSError):
            raise
        name = display_name(parse_url(settings.database_url))
        raise fail(f"{name[0].upper()}{name[1:]} can't be used: {driver_error(error)}.", ExitCode.UNAVAILABLE) from None
