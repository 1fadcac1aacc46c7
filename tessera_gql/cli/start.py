"""What a server and a worker make sure of before they begin: the database is there, and has tables they can use."""

import asyncio
import time

from tessera_gql.cli.database_access import check_sqlite_file, database_faults
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.terminal import fail, print_note
from tessera_gql.config import Settings
from tessera_gql.errors import Unavailable
from tessera_gql.store import migration
from tessera_gql.store.engine import sqlite_file
from tessera_gql.store.session import refused

PAUSE_SECONDS = 0.5


async def prepare(found: Settings) -> None:
    """An embedded SQLite file is created and upgraded; a PostgreSQL is waited for, and only looked at."""
    if sqlite_file(found.database_url) is None:
        with database_faults(found):
            stand = await _waited(found)
    else:
        check_sqlite_file(found)
        with database_faults(found):
            try:
                await migration.upgrade(found.database_url)
            except migration.UnknownRevision as error:
                raise fail(str(error)) from None
        return
    if reason := migration.misfit(stand):
        raise fail(reason)


async def _waited(found: Settings) -> migration.Stand:
    """One that refuses us is not waited for: that is a mistake in the settings, and does not pass."""
    ends, said = time.monotonic() + found.database_wait_seconds, False
    while True:
        try:
            return await migration.look(found.database_url, found.options)
        except Unavailable as error:
            if reason := refused(error):
                raise fail(
                    f"PostgreSQL is there and lets nobody in: {reason}. Check DATABASE_URL.", ExitCode.UNAVAILABLE
                ) from None
            if time.monotonic() >= ends:
                raise
        if not said:
            print_note(f"PostgreSQL can't be reached yet; waiting for up to {found.database_wait_seconds:g} seconds.")
            said = True
        await asyncio.sleep(PAUSE_SECONDS)
