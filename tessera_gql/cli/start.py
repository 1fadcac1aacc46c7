"""What servers, workers and commands make sure of before they begin: a database is there, with tables they can use."""

import asyncio
import time
from typing import BinaryIO

from tessera_gql.cli.database_access import check_sqlite_file, database_faults
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.terminal import fail, print_note
from tessera_gql.config import Settings
from tessera_gql.errors import Unavailable
from tessera_gql.store import migration
from tessera_gql.store.engine import driver_url, name_of, sqlite_file
from tessera_gql.store.faults import READ_ONLY, is_refused
from tessera_gql.store.sqlite_file import lock

PAUSE_SECONDS = 0.5


def reserve(settings: Settings) -> BinaryIO | None:
    """Keep other servers off an SQLite file while what is returned is open. Raises a Refusal if one has it."""
    if (file := sqlite_file(settings.database_url)) is None:
        return None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise fail(f"The folder {file.parent} can't be made: {error.strerror}. Check DATABASE_URL.") from None
    return lock(file)


async def prepare(settings: Settings) -> None:
    """An embedded SQLite file is created and upgraded; a PostgreSQL is waited for, and only looked at."""
    if sqlite_file(settings.database_url) is None:
        with database_faults(settings):
            stand = await _waited(settings)
    else:
        check_sqlite_file(settings)
        with database_faults(settings):
            try:
                await migration.upgrade(settings.database_url)
            except migration.UnknownRevision as error:
                raise fail(str(error)) from None
        return
    if reason := migration.misfit(stand):
        raise fail(reason)


async def _waited(settings: Settings) -> migration.Stand:
    """One that refuses us is not waited for: that is a mistake in the settings, and does not pass."""
    ends, said = time.monotonic() + settings.database_wait_seconds, False
    while True:
        try:
            return await _writable(settings)
        except Unavailable as error:
            if is_refused(error):
                raise fail(f"{_capital(error.reason)}. Check DATABASE_URL.", ExitCode.UNAVAILABLE) from None
            if time.monotonic() >= ends:
                raise
            if not said:
                wait = f"Waiting for up to {settings.database_wait_seconds:g} seconds."
                print_note(f"{_capital(error.reason)}. {wait}")
                said = True
        await asyncio.sleep(PAUSE_SECONDS)


async def _writable(settings: Settings) -> migration.Stand:
    """Where a PostgreSQL stands; raises Unavailable for a standby as well: a server has to write."""
    stand = await migration.look(settings.database_url, settings.options)
    if stand.is_read_only:
        reason = f"{name_of(driver_url(settings.database_url))} {READ_ONLY.text}"
        raise Unavailable(f"{_capital(reason)}. Promote it, or set DATABASE_URL to the primary.", reason=reason)
    return stand


def _capital(clause: str) -> str:
    return clause[:1].upper() + clause[1:]
